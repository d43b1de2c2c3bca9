"""A segment of each estimator beside JAX's of the same mathematics: medians in turn.

usage: segments_jax.py [NAME…]      (needs jax; the build is in build/)

Eight problems: a network 64-32-10 on batches of 64 images, segments of ten steps, a rule 3-32-2 on every parameter; for
rtrl two weights (momentum, its rate and decay learned). JAX's is one jitted function, vmapped over problems and scanned
over steps, which is given its batches; ours draws them, and is the runner's own time of a meta-step.
"""

import functools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

import jax
import jax.numpy as jnp
import numpy as np

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TASKS, STEPS, STD = 8, 10, 0.01
SPEC = """name: segments
steps: 40
task: {plugin: mlp_classifier, hidden: [32], batch_size: 64}
learned_optimizer: %s
estimator: {plugin: %s, tasks: 8, unroll_length: 10%s}
meta_optimizer: {plugin: sgd, learning_rate: 1e-6}
checkpoint: {every: never}
"""


def loss_of(params, batch):
    hidden = jax.nn.relu(batch[0] @ params["w0"] + params["b0"])
    logits = jax.nn.log_softmax(hidden @ params["w1"] + params["b1"])
    return -jnp.mean(jnp.take_along_axis(logits, batch[1][:, None], -1))


def network_rule(theta, state, grads):
    m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, state["m"], grads)

    def step(p, m, g):
        out = jax.nn.relu(jnp.stack([p, m, g], -1) @ theta["w0"] + theta["b0"]) @ theta["w1"] + theta["b1"]
        return p - 0.01 * out[..., 0] * jnp.exp(0.01 * out[..., 1])

    return {"params": jax.tree.map(step, state["params"], m, grads), "m": m}


def momentum_rule(theta, state, grads):
    m = jax.tree.map(lambda m, g: (1 - jnp.exp(theta["decay"])) * m + g, state["m"], grads)
    return {"params": jax.tree.map(lambda p, m: p - jnp.exp(theta["rate"]) * m, state["params"], m), "m": m}


def unroll(rule, theta, state, batches):
    def inner(state, batch):
        value, grads = jax.value_and_grad(loss_of)(state["params"], batch)
        return rule(theta, state, grads), value

    state, losses = jax.lax.scan(inner, state, batches)
    return state, losses.mean()


def normal_like(key, tree, std=1.0):
    leaves, structure = jax.tree.flatten(tree)
    return jax.tree.unflatten(
        structure, [std * jax.random.normal(k, x.shape) for k, x in zip(jax.random.split(key, len(leaves)), leaves)]
    )


def plus(tree, other, scale=1.0):
    return jax.tree.map(lambda a, b: a + scale * b, tree, other)


def dot(a, b):
    return sum(jnp.vdot(x, y) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b)))


zeros = functools.partial(jax.tree.map, jnp.zeros_like)


def truncated_gradient(run, theta, carry, key, batches):
    (value, state), gradient = jax.value_and_grad(lambda t: run(t, carry["state"], batches)[::-1], has_aux=True)(theta)
    return {"state": state}, value, gradient


def both_signs(run, theta, carry, key, batches):
    noise = normal_like(key, theta, STD)
    (plus_state, above), (minus_state, below) = (
        run(plus(theta, noise, sign), carry[name], batches) for sign, name in ((1, "state"), (-1, "other"))
    )
    return noise, plus_state, above, minus_state, below


def truncated_es(run, theta, carry, key, batches):
    noise, state, above, _, below = both_signs(run, theta, {**carry, "other": carry["state"]}, key, batches)
    return {"state": state}, above + below, jax.tree.map(lambda e: e * (above - below) / (2 * STD**2), noise)


def pes(run, theta, carry, key, batches):
    noise, state, above, other, below = both_signs(run, theta, carry, key, batches)
    total = plus(carry["sum"], noise)
    return (
        {"state": state, "other": other, "sum": total},
        above + below,
        jax.tree.map(lambda e: e * (above - below) / (2 * STD**2), total),
    )


def pes_with_gradient(run, theta, carry, key, batches):
    noise = normal_like(key, theta, STD)
    results = [
        jax.value_and_grad(lambda t: run(t, carry[name], batches)[::-1], has_aux=True)(plus(theta, noise, sign))
        for sign, name in ((1, "state"), (-1, "other"))
    ]
    ((above, state), up), ((below, other), down) = results
    gradient = jax.tree.map(lambda a, b, s: 0.5 * (a + b) + s * (above - below) / (2 * STD**2), up, down, carry["sum"])
    return {"state": state, "other": other, "sum": plus(carry["sum"], noise)}, above + below, gradient


def forward_gradient(run, theta, carry, key, batches):
    (state, value), (tangent, slope) = jax.jvp(
        lambda t, s: run(t, s, batches), (theta, carry["state"]), (carry["direction"], carry["tangent"])
    )
    return {**carry, "state": state, "tangent": tangent}, value, jax.tree.map(lambda v: v * slope, carry["direction"])


def rtrl(run, theta, carry, key, batches):
    leaves, structure = jax.tree.flatten(theta)
    units = jax.tree.unflatten(structure, list(jnp.eye(len(leaves))))

    def along(direction, tangent):
        return jax.jvp(lambda t, s: run(t, s, batches), (theta, carry["state"]), (direction, tangent))

    (state, value), (tangents, slopes) = jax.vmap(along, out_axes=((None, None), (0, 0)))(units, carry["tangents"])
    return {"state": state, "tangents": tangents}, value, jax.tree.unflatten(structure, list(slopes))


def uoro(run, theta, carry, key, batches):
    (state, value), pull = jax.vjp(lambda t, s: run(t, s, batches), theta, carry["state"])
    signs = jax.tree.map(jnp.sign, normal_like(key, state))
    of_signs = pull((signs, jnp.zeros(())))[0]
    of_loss = pull((zeros(state), jnp.ones(())))[0]
    _, (tangent, slope) = jax.jvp(lambda s: run(theta, s, batches), (carry["state"],), (carry["tangent"],))
    r0 = jnp.sqrt(jnp.sqrt(dot(carry["factor"], carry["factor"])) / (jnp.sqrt(dot(tangent, tangent)) + 1e-30) + 1e-30)
    r1 = jnp.sqrt(jnp.sqrt(dot(of_signs, of_signs)) / jnp.sqrt(dot(signs, signs)) + 1e-30)
    return (
        {
            "state": state,
            "tangent": jax.tree.map(lambda a, b: r0 * a + r1 * b, tangent, signs),
            "factor": jax.tree.map(lambda a, b: a / r0 + b / r1, carry["factor"], of_signs),
        },
        value,
        plus(of_loss, carry["factor"], slope),
    )


MORE = ", problem_length: 100000"
ESTIMATORS = {
    "truncated_gradient": (truncated_gradient, MORE),
    "truncated_es": (truncated_es, MORE),
    "pes": (pes, MORE),
    "pes_with_gradient": (pes_with_gradient, MORE),
    "forward_gradient": (forward_gradient, MORE),
    "uoro": (uoro, MORE),
    "rtrl": (rtrl, MORE),
}


def by_jax(name):
    """A meta-step, as a function that takes no argument."""
    estimate = ESTIMATORS[name][0]
    key = jax.random.PRNGKey(0)
    rule = momentum_rule if name == "rtrl" else network_rule
    theta = (
        {"rate": jnp.array(-4.0), "decay": jnp.array(-2.3)}
        if name == "rtrl"
        else {
            "w0": jax.random.normal(key, (3, 32)),
            "b0": jnp.zeros(32),
            "w1": jax.random.normal(key, (32, 2)),
            "b1": jnp.zeros(2),
        }
    )
    params = {
        "w0": jax.random.normal(key, (64, 32)) / 8,
        "b0": jnp.zeros(32),
        "w1": jax.random.normal(key, (32, 10)) / 6,
        "b1": jnp.zeros(10),
    }
    state = {"params": params, "m": zeros(params)}
    run = functools.partial(unroll, rule)

    def start(key):
        return {
            "state": state,
            "other": state,
            "sum": zeros(theta),
            "direction": normal_like(key, theta),
            "tangent": zeros(state),
            "factor": zeros(theta),
            "tangents": jax.tree.map(lambda x: jnp.zeros((2, *x.shape)), state),
        }

    keys = jax.random.split(key, TASKS)
    carry = jax.vmap(start)(keys)
    wanted = jax.eval_shape(
        functools.partial(estimate, run),
        theta,
        jax.tree.map(lambda x: x[0], carry),
        key,
        (jnp.zeros((STEPS, 64, 64)), jnp.zeros((STEPS, 64), jnp.int32)),
    )[0]
    carry = {name: carry[name] for name in wanted}

    @jax.jit
    def meta_step(theta, carry, key, batches):
        carry, losses, gradients = jax.vmap(lambda c, k, b: estimate(run, theta, c, k, b))(
            carry, jax.random.split(key, TASKS), batches
        )
        return jax.tree.map(lambda t, g: t - 1e-6 * g.mean(0), theta, gradients), carry, losses.mean()

    random = np.random.default_rng(0)
    batches = (
        random.random((TASKS, STEPS, 64, 64), np.float32),
        random.integers(0, 10, (TASKS, STEPS, 64)).astype(np.int32),
    )
    now = [theta, carry, key]

    def step():
        key, own = jax.random.split(now[2])
        now[0], now[1], loss = meta_step(now[0], now[1], own, batches)
        now[2] = key
        loss.block_until_ready()

    return step


def by_lopt(name, folder):
    """Seconds of meta-steps after the first five."""
    rule = "learnable_sgdm" if name == "rtrl" else "{plugin: per_parameter_mlp, hidden: 32}"
    spec, out = os.path.join(folder, "spec.yaml"), tempfile.mkdtemp(dir=folder)
    with open(spec, "w") as file:
        file.write(SPEC % (rule, name, ESTIMATORS[name][1]))
    subprocess.run(
        [os.path.join(ROOT, "build/bin/lopt-run"), "train", spec, "-q", "--out", os.path.join(out, "run")], check=True
    )
    with open(os.path.join(out, "run", "metrics.jsonl")) as lines:
        return [json.loads(line)["seconds"] for line in lines][5:]


def main():
    names = sys.argv[1:] or list(ESTIMATORS)
    print(f"{'estimator':<22}{'lopt, ms':>10}{'JAX, ms':>10}{'times':>8}")
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            step = by_jax(name)
            for _ in range(5):
                step()
            ours, theirs = [], []
            for _ in range(5):
                ours += by_lopt(name, folder)
                for _ in range(20):
                    start = time.perf_counter()
                    step()
                    theirs.append(time.perf_counter() - start)
            a, b = statistics.median(ours), statistics.median(theirs)
            print(f"{name:<22}{1e3 * a:>10.2f}{1e3 * b:>10.2f}{b / a:>8.1f}", flush=True)


if __name__ == "__main__":
    main()
