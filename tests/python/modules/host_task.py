"""A task whose loss and gradient NumPy computes, which dies or raises where the environment says so."""

import numpy
import os
import sys

import lopt


def init(key):
    return {"w": numpy.random.default_rng(key).normal(size=(6,)).astype("float32"), "b": numpy.zeros((), "float32")}


def loss_and_gradient(params, key):
    x = numpy.random.default_rng(key).normal(size=(32, 6)).astype("float32")
    if os.environ.get("LOPT_TEST_DIES") and not os.path.exists("died"):
        open("died", "w").close()
        print("I feel unwell", file=sys.stderr)
        os._exit(7)
    if os.environ.get("LOPT_TEST_RAISES"):
        raise ValueError("no such data")
    error = x @ params["w"] + params["b"] - x.sum(1)
    return (error**2).mean(), {"w": 2 * x.T @ error / 32, "b": 2 * error.mean()}


task = lopt.Task.from_function(init, loss_and_gradient)
