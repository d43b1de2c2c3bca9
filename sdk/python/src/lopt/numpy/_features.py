"""What learned optimizers look at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .._trace import Array, current
from ._values import _real, asarray
from ._elementwise import clip
from ._reductions import _axes
from ._constants import zeros
from ._networks import _layers


def moving_mean(mean, x, decay):
    """decay · mean + (1 − decay) · x, leaf by leaf."""
    from .. import tree as trees

    return trees.map(lambda m, v: current().apply("moving_mean", [_real(m), _real(v), _real(decay)]), mean, x)


def normalized_by_moment(x, epsilon: float = 1e-5, axis=None) -> Array:
    x = _real(x)
    return current().apply("normalized_by_moment", [x], {"epsilon": epsilon, "axes": _axes(x, axis)})


def step_embedding(iteration) -> Array:
    """tanh(t / s − 1) for s = 1, 3, 10, … 100,000: [11]."""
    return current().apply("step_embedding", [asarray(iteration)])


class TensorFeatures:
    """Features of one tensor: `own`, a list of arrays of its shape, and `shared`, an array of those that all its
    elements share, or None."""

    def __init__(self, own: list[Array], shared: Array | None):
        self.own, self.shared = own, shared

    def clip(self, low: float, high: float) -> TensorFeatures:
        return TensorFeatures([clip(x, low, high) for x in self.own], self.shared)

    def network(self, theta, activation: str = "relu") -> Array:
        """A dense network {w0, b0, w1, b1, …} on them, for each element: [..., outputs]."""
        arrays = [*self.own, *([] if self.shared is None else [self.shared])]
        return current().apply(
            "features_network",
            [*arrays, *_layers(theta)],
            {"own": len(self.own), "shared": self.shared is not None, "activation": activation},
        )


class Features:
    """What learned optimizers look at, by name: Features(["parameter", "momentum 0.9", "gradient", "step"]). `lopt-run
    describe features` lists them."""

    def __init__(self, names: Sequence[str], momentum_decay: float = 0.9):
        self.settings = {"names": list(names), "momentum_decay": momentum_decay}

    def count(self) -> int:
        """How many numbers a parameter has: its own, and those that its tensor shares."""
        from .._trace import Trace
        from .. import random

        with Trace():
            params = {"w": zeros((2, 3))}
            key = random.key(0)
            context = _Context(asarray(np.float32(1)), asarray(np.int32(1)), 10, key)
            one = self.of(params, params, self.next(self.start(params), params, context), context)["w"]
            return len(one.own) + (0 if one.shared is None else one.shared.shape[0])

    def start(self, params):
        """The accumulators at the start."""
        return self._apply("features_start", {"params": params})

    def next(self, accumulators, grads, context):
        """The accumulators after a gradient."""
        return self._apply("features_next", {"accumulators": accumulators, "grads": grads}, context)

    def of(self, params, grads, accumulators, context):
        """For each tensor its features, in a tree as the parameters': `lopt.tree.map(step, params, features)`."""
        from .. import tree as trees

        made = self._apply("features_of", {"params": params, "grads": grads, "accumulators": accumulators}, context)
        return trees.unflatten(
            trees.structure(params),
            [TensorFeatures(list(tensor["own"].values()), tensor.get("shared")) for tensor in made.values()],
        )

    def _apply(self, function: str, trees_of: dict, context=None):
        arrays: list[Array] = []
        settings = dict(self.settings)

        def placed(tree):
            if isinstance(tree, dict):
                return {"tree": [[str(name), placed(below)] for name, below in tree.items()]}
            if isinstance(tree, (list, tuple)):
                return {"tree": [[str(i), placed(below)] for i, below in enumerate(tree)]}
            arrays.append(asarray(tree))
            return len(arrays) - 1

        for name, tree in trees_of.items():
            settings[name] = placed(tree)
        if context is not None:
            given = {"num_steps": int(context.num_steps or 0)}
            for name in ("loss", "iteration", "length", "key"):
                value = getattr(context, name, None)
                if value is not None:
                    given[name] = len(arrays)
                    arrays.append(asarray(value))
            settings["context"] = given
        made = current().apply(function, arrays, settings, 1024)
        return made


class _Context:
    def __init__(self, loss, iteration, num_steps, key):
        self.loss, self.iteration, self.num_steps, self.key, self.length = loss, iteration, num_steps, key, None
