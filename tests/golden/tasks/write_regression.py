"""Losses and gradients of regression tasks as JAX computes them. usage: write_regression.py   writes TASK.npz beside
this file:
params/NAME, batch/NAME, loss, gradient/NAME, in the names of lopt's tasks. In float64, of float32 inputs; targets are
standardised by `mean` and `deviation`, of the batch, which stand in the file too."""

import os
import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_default_matmul_precision", "highest")
random = np.random.default_rng(7)
f32 = lambda *shape: random.normal(size=shape).astype(np.float32)


def dense(p, x, layers):
    for i in range(layers):
        x = x @ p[f"w{i}"] + p[f"b{i}"]
        if i + 1 < layers:
            x = jax.nn.relu(x)
    return x


def loss_of(kind, prediction, y, delta=1.0):
    error = prediction - (y.reshape(len(y), -1) - MEAN) / DEVIATION
    if kind == "squared":
        return jnp.mean(error**2)
    size = jnp.abs(error)
    if kind == "absolute":
        return jnp.mean(size)
    return jnp.mean(jnp.where(size <= delta, 0.5 * error**2, delta * (size - 0.5 * delta)))


def lstm(p, x, units):
    def step(state, at):
        h, c = state
        i, g, f, o = jnp.split(jnp.concatenate([at, h], 1) @ p["w"] + p["b"], 4, 1)
        c = jax.nn.sigmoid(f + 1) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None

    start = jnp.zeros((len(x), units))
    return jax.lax.scan(step, (start, start), jnp.swapaxes(x, 0, 1))[0][0]


def gru(p, x, units):
    w, b = p["w"], p["b"]

    def step(h, at):
        both = jnp.concatenate([at, h], 1)
        zr = jax.nn.sigmoid(both @ w[:, : 2 * units] + b[: 2 * units])
        z, r = zr[:, :units], zr[:, units:]
        a = jnp.tanh(jnp.concatenate([at, r * h], 1) @ w[:, 2 * units :] + b[2 * units :])
        return (1 - z) * h + z * a, None

    return jax.lax.scan(step, jnp.zeros((len(x), units)), jnp.swapaxes(x, 0, 1))[0]


def embedded(p, category, x=None):
    vectors = [p[f"embedding{i}"][category[:, i]] for i in range(category.shape[1])]
    return vectors if x is None else vectors + [x]


N = 25
TASKS = {
    "mlp_regression_squared": (
        {"w0": f32(5, 8), "b0": f32(8), "w1": f32(8, 2), "b1": f32(2)},
        {"x": f32(N, 5), "y": 3 + 7 * f32(N, 2)},
        lambda p, b: loss_of("squared", dense(p, b["x"], 2), b["y"]),
    ),
    "mlp_regression_absolute": (
        {"w0": f32(5, 8), "b0": f32(8), "w1": f32(8, 1), "b1": f32(1)},
        {"x": f32(N, 5), "y": 9 * f32(N)},
        lambda p, b: loss_of("absolute", dense(p, b["x"], 2), b["y"]),
    ),
    "mlp_regression_huber": (
        {"w0": f32(5, 8), "b0": f32(8), "w1": f32(8, 1), "b1": f32(1)},
        {"x": f32(N, 5), "y": 9 * f32(N)},
        lambda p, b: loss_of("huber", dense(p, b["x"], 2), b["y"], 0.7),
    ),
    "forecast_dense": (
        {"w0": f32(12, 6), "b0": f32(6), "w1": f32(6, 1), "b1": f32(1)},
        {"x": f32(N, 6, 2), "y": 2 + f32(N, 1)},
        lambda p, b: loss_of("squared", dense(p, b["x"].reshape(N, -1), 2), b["y"]),
    ),
    "forecast_gru": (
        {"w": 0.5 * f32(2 + 5, 15), "b": f32(15), "w_out": f32(5, 1), "b_out": f32(1)},
        {"x": f32(N, 6, 2), "y": 2 + f32(N, 1)},
        lambda p, b: loss_of("squared", gru(p, b["x"], 5) @ p["w_out"] + p["b_out"], b["y"]),
    ),
    "forecast_lstm": (
        {"w": 0.5 * f32(2 + 5, 20), "b": f32(20), "w_out": f32(5, 1), "b_out": f32(1)},
        {"x": f32(N, 6, 2), "y": 2 + f32(N, 1)},
        lambda p, b: loss_of("squared", lstm(p, b["x"], 5) @ p["w_out"] + p["b_out"], b["y"]),
    ),
    "embedding_regression_network": (
        {
            "embedding0": f32(4, 3),
            "embedding1": f32(4, 3),
            "w0": f32(8, 6),
            "b0": f32(6),
            "w1": f32(6, 1),
            "b1": f32(1),
        },
        {"category": random.integers(0, 4, (N, 2)).astype(np.int32), "x": f32(N, 2), "y": 5 * f32(N)},
        lambda p, b: loss_of("squared", dense(p, jnp.concatenate(embedded(p, b["category"], b["x"]), 1), 2), b["y"]),
    ),
    "embedding_regression_product": (
        {"embedding0": f32(4, 3), "embedding1": f32(4, 3), "offset0": f32(4), "offset1": f32(4), "b": f32()},
        {"category": random.integers(0, 4, (N, 2)).astype(np.int32), "y": 5 * f32(N)},
        lambda p, b: loss_of(
            "squared",
            (
                jnp.prod(jnp.stack(embedded(p, b["category"])), 0).sum(1)
                + p["offset0"][b["category"][:, 0]]
                + p["offset1"][b["category"][:, 1]]
                + p["b"]
            )[:, None],
            b["y"],
        ),
    ),
}
for task, (params, batch, loss) in TASKS.items():
    params = {k: np.asarray(v, np.float32) for k, v in params.items()}
    batch = {k: np.asarray(v, np.int32 if k == "category" else np.float32) for k, v in batch.items()}
    rows = batch["y"].reshape(N, -1).astype(np.float64)
    MEAN, DEVIATION = rows.mean(0), rows.std(0)
    wide = lambda tree: {k: v.astype(np.float64) if v.dtype == np.float32 else v for k, v in tree.items()}
    value, slopes = jax.value_and_grad(loss)(wide(params), wide(batch))
    arrays = {"loss": np.float32(value)} | {f"params/{n}": p for n, p in params.items()}
    arrays |= {f"gradient/{n}": np.asarray(g, np.float32) for n, g in slopes.items()} | {
        f"batch/{k}": v for k, v in batch.items()
    }
    np.savez_compressed(os.path.join(os.path.dirname(os.path.abspath(__file__)), task + ".npz"), **arrays)
    print(task, float(value))
