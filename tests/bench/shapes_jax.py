"""A segment of meta-training in JAX, timed, for a task and a learned optimizer of any size, as a compiled vmap over
lanes of a scan.

usage: shapes_jax.py < SHAPES      a JSON object a line: {"task": …, "rule": …, "lanes": …, "gradient": …}; answers ms,
a line each

task and rule are settings as an experiment has them. Data are random numbers; their loading is not counted. gradient:
θ's exact gradient of the mean loss over the lanes, all of one θ; else the losses alone, each lane with its own θ.
"""

import json
import statistics
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np

INNER_STEPS = 10
normal = jax.random.normal
FUNCTIONS = {"relu": jax.nn.relu, "tanh": jnp.tanh, "gelu": jax.nn.gelu, "silu": jax.nn.silu, "sigmoid": jax.nn.sigmoid}


def layer(key, inputs, outputs):
    return [normal(key, (inputs, outputs)) * inputs**-0.5, jnp.zeros(outputs)]


def layers(key, widths):
    keys = jax.random.split(key, len(widths) - 1)
    return [x for k, a, b in zip(keys, widths, widths[1:]) for x in layer(k, a, b)]


def network(weights, x, function):
    for i in range(0, len(weights), 2):
        x = (function(x) if i else x) @ weights[i] + weights[i + 1]
    return x


def cross_entropy(logits, labels):
    return jnp.mean(-jnp.take_along_axis(jax.nn.log_softmax(logits), labels[..., None], -1))


# A task: parameters of a key, loss of parameters and a batch, and the batches of some leading shape.


def mlp_classifier(task):
    function, features = FUNCTIONS[task.get("activation", "relu")], task["dataset"].get("features", 64)

    def batches(random, shape):
        shape += (task["batch_size"],)
        return {"image": random.random(shape + (features,)), "label": random.integers(0, 10, shape)}

    return (
        lambda key: layers(key, [features, *task["hidden"], 10]),
        lambda p, b: cross_entropy(network(p, b["image"], function), b["label"]),
        batches,
    )


def mlp_autoencoder(task):
    function, features = FUNCTIONS[task.get("activation", "relu")], task["dataset"].get("features", 64)
    return (
        lambda key: layers(key, [features, *task["hidden"], features]),
        lambda p, b: jnp.mean((network(p, b["image"], function) - b["image"]) ** 2),
        lambda random, shape: {"image": random.random(shape + (task["batch_size"], features))},
    )


def conv_classifier(task):
    channels, strides, side = [1, *task["channels"]], task["strides"], int(task["dataset"].get("features", 64) ** 0.5)

    def init(key):
        keys = jax.random.split(key, len(channels))
        p = []
        for k, a, b in zip(keys, channels, channels[1:]):
            p += [normal(k, (3, 3, a, b)) * (9 * a) ** -0.5, jnp.zeros(b)]
        return p + layer(keys[-1], channels[-1], 10)

    def loss(p, b):
        x = b["image"].reshape(-1, side, side, 1)
        for i, stride in enumerate(strides):
            x = jax.lax.conv_general_dilated(
                x, p[2 * i], (stride, stride), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
            )
            x = jax.nn.relu(x + p[2 * i + 1])
        return cross_entropy(jnp.mean(x, (1, 2)) @ p[-2] + p[-1], b["label"])

    def batches(random, shape):
        shape += (task["batch_size"],)
        return {"image": random.random(shape + (side * side,)), "label": random.integers(0, 10, shape)}

    return init, loss, batches


def text(task):
    classes, length = task["dataset"].get("classes", 64), task["dataset"]["features"]
    return (
        classes,
        length,
        lambda random, shape: {"text": random.integers(0, classes, shape + (task["batch_size"], length + 1))},
    )


def char_rnn(task):
    classes, _, batches = text(task)
    embedding, hidden = task["embedding"], task["hidden"]

    def init(key):
        k = jax.random.split(key, 4)
        return [
            normal(k[0], (classes, embedding)),
            normal(k[1], (embedding, 3 * hidden)) * embedding**-0.5,
            normal(k[2], (hidden, 3 * hidden)) * hidden**-0.5,
            jnp.zeros(3 * hidden),
        ] + layer(k[3], hidden, classes)

    def loss(p, b):
        inputs = p[0][b["text"][:, :-1]] @ p[1] + p[3]

        def cell(h, a):
            c = h @ p[2]
            z, r = (
                jax.nn.sigmoid(a[:, i * hidden : (i + 1) * hidden] + c[:, i * hidden : (i + 1) * hidden])
                for i in (0, 1)
            )
            h = (1 - z) * h + z * jnp.tanh(a[:, 2 * hidden :] + r * c[:, 2 * hidden :])
            return h, h

        _, h = jax.lax.scan(cell, jnp.zeros((task["batch_size"], hidden)), jnp.swapaxes(inputs, 0, 1))
        return cross_entropy(h @ p[4] + p[5], jnp.swapaxes(b["text"][:, 1:], 0, 1))

    return init, loss, batches


def transformer(task):
    classes, length, batches = text(task)
    width, heads, feed_forward, blocks = task["width"], task["heads"], task["feed_forward"], task["blocks"]

    def init(key):
        keys = iter(jax.random.split(key, 4 + 4 * blocks))

        def matrix(a, b):
            return normal(next(keys), (a, b)) * a**-0.5

        p = [normal(next(keys), (classes, width)) * 0.1, normal(next(keys), (length, width)) * 0.1]
        for _ in range(blocks):
            p += [
                jnp.ones(width),
                jnp.zeros(width),
                matrix(width, 3 * width),
                matrix(width, width),
                jnp.ones(width),
                jnp.zeros(width),
                matrix(width, feed_forward),
                jnp.zeros(feed_forward),
                matrix(feed_forward, width),
                jnp.zeros(width),
            ]
        return p + [jnp.ones(width), jnp.zeros(width), matrix(width, classes)]

    def norm(x, scale, offset):
        x = x - jnp.mean(x, -1, keepdims=True)
        return x * jax.lax.rsqrt(jnp.mean(x * x, -1, keepdims=True) + 1e-5) * scale + offset

    def loss(p, b):
        x = p[0][b["text"][:, :-1]] + p[1]
        mask = jnp.tril(jnp.ones((length, length)))
        for i in range(blocks):
            q = p[2 + 10 * i : 12 + 10 * i]
            split = jnp.split(norm(x, q[0], q[1]) @ q[2], 3, -1)
            a, k, v = (z.reshape(-1, length, heads, width // heads).transpose(0, 2, 1, 3) for z in split)
            scores = jnp.where(mask > 0, a @ k.transpose(0, 1, 3, 2) * (width // heads) ** -0.5, -1e9)
            x = x + (jax.nn.softmax(scores) @ v).transpose(0, 2, 1, 3).reshape(-1, length, width) @ q[3]
            x = x + jax.nn.gelu(norm(x, q[4], q[5]) @ q[6] + q[7]) @ q[8] + q[9]
        return cross_entropy(norm(x, p[-3], p[-2]) @ p[-1], b["text"][:, 1:])

    return init, loss, batches


def quadratic(task):
    curvature = jnp.logspace(0, -3, task["dimensions"])
    return (
        lambda key: [normal(key, (task["dimensions"],))],
        lambda p, b: 0.5 * jnp.sum(curvature * p[0] ** 2),
        lambda random, shape: {"none": np.zeros(shape + (1,))},
    )


# A rule: θ of a key, how many arrays of a parameter's shape are its state, and (p, state) of θ, p, state, gradient and
# the step.


def learnable_adam(_):
    def update(theta, p, state, g, t):
        m, v = 0.9 * state[0] + 0.1 * g, 0.999 * state[1] + 0.001 * g * g
        return p - jnp.exp(theta[0]) * (m / (1 - 0.9**t)) / (jnp.sqrt(v / (1 - 0.999**t)) + 1e-8), [m, v]

    return lambda key: [jnp.log(0.001) + 0 * normal(key, ())], 2, update


def per_parameter_mlp(rule):
    function = FUNCTIONS[rule.get("activation", "relu")]

    def update(theta, p, state, g, t):
        m = 0.9 * state[0] + 0.1 * g
        o = network(theta, jnp.stack([p, m, g], -1), function)
        return p - 0.01 * o[..., 0] * jnp.exp(0.01 * o[..., 1]), [m]

    return lambda key: layers(key, [3, *rule.get("hidden", [64]), 2]), 1, update


def median_ms(shape):
    init, loss, batches = globals()[shape["task"]["plugin"]](shape["task"])
    make_theta, states, update = globals()[shape["rule"]["plugin"]](shape["rule"])
    lanes, random = shape["lanes"], np.random.default_rng(0)

    def segment(theta, p, batches):
        def step(carry, batch):
            p, states, t = carry
            value, gradient = jax.value_and_grad(loss)(p, batch)
            stepped = [update(theta, *of_leaf, t) for of_leaf in zip(p, states, gradient)]
            return ([x[0] for x in stepped], [x[1] for x in stepped], t + 1), value

        (p, states_, _), losses = jax.lax.scan(step, (p, [[jnp.zeros_like(x)] * states for x in p], 1.0), batches)
        return jnp.mean(losses), p, states_

    data = jax.tree_util.tree_map(
        lambda x: jnp.asarray(x, jnp.float32 if x.dtype.kind == "f" else jnp.int32),
        batches(random, (lanes, INNER_STEPS)),
    )
    keys = jax.random.split(jax.random.PRNGKey(0), lanes)
    p, theta = jax.vmap(init)(keys), make_theta(keys[0])
    if shape["gradient"]:
        call = jax.jit(jax.grad(lambda theta, p, data: jnp.mean(jax.vmap(segment, (None, 0, 0))(theta, p, data)[0])))
    else:
        call = jax.jit(jax.vmap(segment))
        theta = jax.tree_util.tree_map(lambda x: x + 0.01 * normal(keys[1], (lanes, *x.shape)), theta)
    jax.block_until_ready(call(theta, p, data))
    times = []
    while len(times) < 5 or (len(times) < 200 and sum(times) < 0.5):
        start = time.perf_counter()
        jax.block_until_ready(call(theta, p, data))
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e3


for line in sys.stdin:
    print(median_ms(json.loads(line)), flush=True)
