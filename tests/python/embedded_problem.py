"""What the tests of optimizers outside the runner share. The first argument of a test is the build folder."""

import os
import sys

import numpy

build = os.path.abspath(sys.argv[1])
source = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
os.environ["LOPT_PREFIX"] = build
sys.path.insert(0, os.path.join(source, "sdk", "python", "src"))
import lopt  # noqa: E402

RULES = [
    "sgd",
    "momentum",
    "adam",
    "adamw",
    "{plugin: nadamw, learning_rate: 0.01}",
    "adabelief",
    "adafactor",
    "adan",
    "fromage",
    "lamb",
    "lars",
    "lion",
    "muon",
    "prodigy",
    "radam",
    "rmsprop",
    "schedule_free",
    "shampoo",
    "soap",
    "yogi",
    "{plugin: adam, learning_rate: {plugin: cosine, value: 0.01}}",
    "{plugin: look_ahead, inner: adam}",
    "{plugin: averaged, inner: adam}",
    "{plugin: clip_by_norm, inner: adam}",
    "{plugin: accumulate, every: 2, inner: adam}",
    "{plugin: guard, inner: {plugin: learned, theta: general}}",
    "general",
    "tutorial_task",
    "few_weights",
    "celo2_short",
]
SHAPES = {"w": (6, 5), "b": (5,), "images": (2, 3, 4)}
STEPS = 6


def problem(seed=0):
    """Parameters at the start, gradients and losses that depend on no optimizer."""
    random = numpy.random.default_rng(seed)
    start = {name: random.normal(size=shape).astype(numpy.float32) for name, shape in SHAPES.items()}
    grads = [
        {name: random.normal(size=shape).astype(numpy.float32) for name, shape in SHAPES.items()} for _ in range(STEPS)
    ]
    return start, grads, random.uniform(0.5, 1, STEPS).astype(numpy.float32)


def by_python(rule, threads=1, odd=False):
    """Parameters after each step; `odd`: in memory that lies across lines."""
    start, grads, losses = problem()
    params = {}
    for name, array in start.items():
        memory = numpy.zeros(array.size + 1, numpy.float32)
        params[name] = memory[1:].reshape(array.shape) if odd else array.copy()
        params[name][...] = array
    optimizer = lopt.Optimizer(rule, params, num_steps=100, threads=threads)
    seen = []
    for grad, loss in zip(grads, losses):
        optimizer.step(grad, loss)
        seen.append({name: array.copy() for name, array in params.items()})
    return seen
