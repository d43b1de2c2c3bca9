"""A meta-step of truncated ES beside JAX's own, for tasks and rules that are written in JAX: the same functions, the
same unroll.

usage: meta_steps_jax.py [NAME…]      (needs jax; LOPT_PREFIX names a build)

Eight tasks, each with both signs of a perturbation, ten inner steps. JAX's is one jitted function, vmapped over tasks
and signs and scanned over steps, which is given its batches; ours draws them. Medians of the meta-steps after the first
five, in turn.
"""

import os
import statistics
import sys
import tempfile
import time

import jax
import jax.numpy as jnp
import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "sdk", "python", "src"))
import lopt  # noqa: E402
import lopt.jax  # noqa: E402

TASKS, STEPS, STD = 8, 10, 0.01


def dense(key, sizes):
    keys = jax.random.split(key, len(sizes))
    return [
        {"w": jax.random.normal(k, (a, b)) / np.sqrt(a), "b": jnp.zeros(b)} for k, a, b in zip(keys, sizes, sizes[1:])
    ]


def mlp(params, x, f=jax.nn.relu):
    for layer in params[:-1]:
        x = f(x @ layer["w"] + layer["b"])
    return x @ params[-1]["w"] + params[-1]["b"]


def entropy(logits, labels):
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits), labels[..., None], -1))


def images(n, size=64):
    random = np.random.default_rng(0)
    return {"image": random.random((n, size), np.float32), "label": random.integers(0, 10, n).astype(np.int32)}


def text(n, length):
    return {"text": np.random.default_rng(0).integers(0, 32, (n, length)).astype(np.int32)}


def conv_init(key):
    a, b, c = jax.random.split(key, 3)
    return {
        "a": jax.random.normal(a, (3, 3, 1, 16)) / 3,
        "b": jax.random.normal(b, (3, 3, 16, 16)) / 12,
        "c": jax.random.normal(c, (16, 10)) / 4,
    }


def conv_loss(p, batch, key):
    x = batch["image"].reshape(-1, 8, 8, 1)
    for name in "ab":
        x = jax.nn.relu(
            jax.lax.conv_general_dilated(
                x, p[name], (2, 2) if name == "b" else (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
            )
        )
    return entropy(x.mean((1, 2)) @ p["c"], batch["label"])


def rnn_init(key):
    a, b, c = jax.random.split(key, 3)
    return {
        "e": jax.random.normal(a, (32, 32)),
        "w": jax.random.normal(b, (64, 32)) / 8,
        "o": jax.random.normal(c, (32, 32)) / 6,
    }


def rnn_loss(p, batch, key):
    x = p["e"][batch["text"]]
    _, hidden = jax.lax.scan(
        lambda h, v: (jnp.tanh(jnp.concatenate([h, v], -1) @ p["w"]),) * 2,
        jnp.zeros((x.shape[0], 32)),
        x[:, :-1].transpose(1, 0, 2),
    )
    return entropy(hidden @ p["o"], batch["text"][:, 1:].T)


def transformer_init(key):
    k = jax.random.split(key, 8)
    n = lambda i, a, b: jax.random.normal(k[i], (a, b)) / np.sqrt(a)
    return {
        "e": n(0, 32, 32),
        "q": n(1, 32, 32),
        "k": n(2, 32, 32),
        "v": n(3, 32, 32),
        "o": n(4, 32, 32),
        "f": n(5, 32, 64),
        "g": n(6, 64, 32),
        "h": n(7, 32, 32),
    }


def transformer_loss(p, batch, key):
    norm = lambda x: (x - x.mean(-1, keepdims=True)) * jax.lax.rsqrt(x.var(-1, keepdims=True) + 1e-5)
    x = p["e"][batch["text"][:, :-1]]
    t = x.shape[1]
    y = norm(x)
    q, k, v = ((y @ p[n]).reshape(*y.shape[:2], 2, 16) for n in "qkv")
    a = jnp.einsum("bihd,bjhd->bhij", q, k) / 4
    a = jax.nn.softmax(jnp.where(jnp.tril(jnp.ones((t, t), bool)), a, -1e9))
    x = x + jnp.einsum("bhij,bjhd->bihd", a, v).reshape(x.shape) @ p["o"]
    x = x + jax.nn.gelu(norm(x) @ p["f"]) @ p["g"]
    return entropy(norm(x) @ p["h"], batch["text"][:, 1:])


def vae_loss(p, batch, key):
    mean, log_scale = jnp.split(mlp(p["in"], batch["image"]), 2, -1)
    z = mean + jnp.exp(log_scale) * jax.random.normal(key, mean.shape)
    logits = mlp(p["out"], z)
    x = batch["image"]
    likelihood = jnp.sum(x * jax.nn.log_sigmoid(logits) + (1 - x) * jax.nn.log_sigmoid(-logits), -1)
    return jnp.mean(0.5 * jnp.sum(jnp.exp(2 * log_scale) + mean**2 - 1 - 2 * log_scale, -1) - likelihood)


PROBLEMS = {
    "mlp 64-32-10": (
        lambda k: dense(k, [64, 32, 10]),
        lambda p, b, k: entropy(mlp(p, b["image"]), b["label"]),
        images(1024),
        64,
    ),
    "mlp 64-128-128-10 tanh": (
        lambda k: dense(k, [64, 128, 128, 10]),
        lambda p, b, k: entropy(mlp(p, b["image"], jnp.tanh), b["label"]),
        images(1024),
        128,
    ),
    "mlp 784-64-10": (
        lambda k: dense(k, [784, 64, 10]),
        lambda p, b, k: entropy(mlp(p, b["image"]), b["label"]),
        images(1024, 784),
        128,
    ),
    "autoencoder 64-32-8-32-64": (
        lambda k: dense(k, [64, 32, 8, 32, 64]),
        lambda p, b, k: jnp.mean((jax.nn.sigmoid(mlp(p, b["image"])) - b["image"]) ** 2),
        images(1024),
        128,
    ),
    "variational autoencoder": (
        lambda k: {"in": dense(k, [64, 32, 16]), "out": dense(jax.random.fold_in(k, 1), [8, 32, 64])},
        vae_loss,
        images(1024),
        64,
    ),
    "convolutions": (conv_init, conv_loss, images(1024), 32),
    "recurrent": (rnn_init, rnn_loss, text(1024, 17), 32),
    "transformer": (transformer_init, transformer_loss, text(1024, 17), 16),
}


def theta_init(key):
    a, b = jax.random.split(key)
    return {
        "w0": jax.random.normal(a, (3, 32)),
        "b0": jnp.zeros(32),
        "w1": jax.random.normal(b, (32, 2)),
        "b1": jnp.zeros(2),
    }


def start(theta, params):
    return {"params": params, "m": jax.tree.map(jnp.zeros_like, params)}


def update(theta, state, grads):
    m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, state["m"], grads)

    def step(p, m, g):
        out = jax.nn.relu(jnp.stack([p, m, g], -1) @ theta["w0"] + theta["b0"]) @ theta["w1"] + theta["b1"]
        return p - 0.01 * out[..., 0] * jnp.exp(0.01 * out[..., 1])

    return {"params": jax.tree.map(step, state["params"], m, grads), "m": m}


def by_jax(init, loss, data, size):
    def lane(theta, state, keys, batches):
        def inner(state, x):
            key, batch = x
            value, grads = jax.value_and_grad(loss)(state["params"], batch, key)
            return update(theta, state, grads), value

        state, losses = jax.lax.scan(inner, state, (keys, batches))
        return state, losses.mean()

    @jax.jit
    def meta_step(theta, states, key, batches):
        keys = jax.random.split(key, TASKS)
        noise = jax.vmap(lambda k: jax.tree.map(lambda x: STD * jax.random.normal(k, x.shape), theta))(keys)
        steps = jax.vmap(lambda k: jax.random.split(k, STEPS))(keys)
        run = jax.vmap(
            lambda sign: jax.vmap(lambda n, s, k, b: lane(jax.tree.map(lambda t, e: t + sign * e, theta, n), s, k, b))(
                noise, states, steps, batches
            )
        )
        after, means = run(jnp.array([1.0, -1.0]))
        slope = (means[0] - means[1]) / (2 * STD**2)
        gradient = jax.tree.map(lambda e: jnp.mean(slope.reshape(-1, *[1] * (e.ndim - 1)) * e, 0), noise)
        return jax.tree.map(lambda t, g: t - 0.001 * g, theta, gradient), jax.tree.map(lambda x: x[0], after)

    theta = theta_init(jax.random.PRNGKey(0))
    states = jax.vmap(lambda k: start(theta, init(k)))(jax.random.split(jax.random.PRNGKey(1), TASKS))
    random = np.random.default_rng(1)
    count = len(next(iter(data.values())))
    batches = jax.tree.map(
        jnp.asarray, {n: x[random.integers(0, count, (TASKS, STEPS, size))] for n, x in data.items()}
    )
    seconds = []
    for i in range(40):
        begin = time.perf_counter()
        theta, states = jax.block_until_ready(meta_step(theta, states, jax.random.PRNGKey(i), batches))
        seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds[5:])


def by_lopt(init, loss, data, size, name):
    run = lopt.train(
        task=lopt.jax.task(init, loss, dataset=data, batch_size=size, name=name),
        learned_optimizer=lopt.jax.learned_optimizer(theta_init, start, update),
        estimator=f"{{plugin: truncated_es, tasks: {TASKS}, unroll_length: {STEPS}, problem_length: 1000, std: {STD}}}",
        meta_optimizer="{plugin: adam, learning_rate: 0.001}",
        steps=40,
        seed=1,
        quiet=True,
        checkpoint="{every: never}",
    )
    return statistics.median(list(run.metrics["seconds"])[5:])


def main():
    os.chdir(tempfile.mkdtemp())
    ratios = []
    for name, (init, loss, data, size) in PROBLEMS.items():
        if sys.argv[1:] and not any(n in name for n in sys.argv[1:]):
            continue
        there, here = by_jax(init, loss, data, size), by_lopt(init, loss, data, size, name)
        there, here = min(there, by_jax(init, loss, data, size)), min(here, by_lopt(init, loss, data, size, name))
        ratios.append(there / here)
        print(f"{name:28} JAX {there * 1e3:7.2f} ms  lopt {here * 1e3:7.2f} ms  {ratios[-1]:5.1f} ×", flush=True)
    print(f"{sum(r >= 1 for r in ratios)} of {len(ratios)} no slower, {sum(r >= 4 for r in ratios)} at 4 × and more")


if __name__ == "__main__":
    main()
