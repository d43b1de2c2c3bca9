"""Optimizers of NumPy arrays."""

import copy
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from . import tree as trees
from ._library import Handle
from .components import Optimizer
from .errors import UsageError
from .spec import spec_text


class ArrayOptimizer(Optimizer):
    """An optimizer of lopt, of which the parameters are NumPy arrays that it changes in place.

    >>> w = np.zeros((784, 10), np.float32)
    >>> optimizer = lopt.Optimizer("general", {"w": w}, num_steps=1000)
    >>> optimizer.step({"w": gradient}, loss)

    `spec`: "adam", "general" (a recipe), the folder of a run, "{plugin: adam, learning_rate: 0.01}", a mapping, or a
    lopt.Optimizer.
    `params`: float32 arrays of contiguous memory, in dictionaries and lists as deep as one likes; names are paths, as
    "layers/0/w".
    `num_steps`: how many steps there will be; 0: not known. `axes`: how a rule that looks at shapes is to see a
    parameter, by name:
    its dimension i is dimension axes[i] of the array. Copies and pickles go on with the same bits.
    """

    def __init__(
        self,
        spec: str | os.PathLike | dict | Optimizer,
        params: Any,
        num_steps: int = 0,
        *,
        axes: Mapping[str, tuple[int, ...]] | None = None,
        threads: int = 1,
    ):
        self.params = dict(params) if isinstance(params, dict) else params
        self._named = _by_name(self.params)
        for name, array in self._named.items():
            if not isinstance(array, np.ndarray) or array.dtype != np.float32:
                raise UsageError(f"the parameter '{name}' is {_kind(array)}; a NumPy array of float32 is wanted")
            if not array.flags.c_contiguous or not array.flags.writeable:
                raise UsageError(
                    f"the parameter '{name}' is no contiguous array that can be written to; "
                    "np.ascontiguousarray makes one"
                )
        self.spec, self.num_steps, self.axes, self.threads = spec_text(spec), num_steps, dict(axes or {}), threads
        self._handle = Handle(
            self.spec, [(name, array.shape, self.axes.get(name)) for name, array in self._named.items()], num_steps
        )
        self._handle.set_threads(threads)

    def __repr__(self) -> str:
        count = sum(array.size for array in self._named.values())
        steps = f", num_steps={self.num_steps}" if self.num_steps else ""
        of = f"{len(self._named)} arrays, {count:,} parameters{steps}"
        return f"<lopt.Optimizer {self.spec} of {of}, after {self._handle.steps} steps>"

    def __deepcopy__(self, memo: dict) -> "ArrayOptimizer":
        made = ArrayOptimizer(
            self.spec, copy.deepcopy(self.params, memo), self.num_steps, axes=self.axes, threads=self.threads
        )
        made.load_state_dict(self.state_dict())
        return made

    def __reduce__(self):
        return _unpickled, (self.spec, self.params, self.num_steps, self.axes, self.threads, self.state_dict())

    @property
    def needs_loss(self) -> bool:
        """Whether the rule looks at the loss, so that every step wants it."""
        return self._handle.needs_loss

    def step(self, grads: Any, loss: float | None = None) -> None:
        """One step, with gradients in trees as the parameters'. A parameter whose gradient is missing or None stays as
        it is. `loss`:
        before the step."""
        named = _by_name(grads)
        if unknown := set(named) - set(self._named):
            raise UsageError(
                f"there is a gradient of '{sorted(unknown)[0]}', but no such parameter; there is "
                + ", ".join(self._named)
            )
        given = [self._gradient(name, named.get(name)) for name in self._named]
        self._handle.step(
            [array.ctypes.data for array in self._named.values()],
            [None if grad is None else grad.ctypes.data for grad in given],
            None if loss is None else float(loss),
            None,
        )

    def _gradient(self, name: str, grad: np.ndarray | None) -> np.ndarray | None:
        if grad is None:
            return None
        array = np.asarray(grad, dtype=np.float32, order="C")
        if array.shape != self._named[name].shape:
            raise UsageError(
                f"the gradient of '{name}' has the shape {list(array.shape)}; the parameter has "
                f"{list(self._named[name].shape)}"
            )
        return array

    def evaluation_params(self) -> Any:  # type: ignore[override]
        """The parameters to judge by: an average, for some rules; else copies of the same."""
        result = {name: np.empty_like(array) for name, array in self._named.items()}
        self._handle.evaluation_params(
            [array.ctypes.data for array in self._named.values()], [array.ctypes.data for array in result.values()]
        )
        return trees.unflatten(trees.structure(self.params), list(result.values()))

    def state_dict(self) -> dict:
        """All that the optimizer remembers, without the parameters."""
        return {"steps": self._handle.steps, "state": self._handle.save()}

    def load_state_dict(self, state: dict) -> None:
        self._handle.load(state["state"])


def _unpickled(spec: str, params: Any, num_steps: int, axes: dict, threads: int, state: dict) -> ArrayOptimizer:
    made = ArrayOptimizer(spec, params, num_steps, axes=axes, threads=threads)
    made.load_state_dict(state)
    return made


def _by_name(tree: Any) -> dict[str, Any]:
    """The leaves by their paths; mappings of other kinds than dict, as Flax has them, count as dictionaries."""
    return dict(zip(trees.names(tree), trees.leaves(tree)))


def _kind(value: object) -> str:
    return f"an array of {value.dtype}" if isinstance(value, np.ndarray) else f"a {type(value).__name__}"
