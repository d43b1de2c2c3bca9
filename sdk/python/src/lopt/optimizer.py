"""Optimizers of NumPy arrays."""

import os
from collections.abc import Mapping

import numpy as np

from ._library import Handle
from .components import Optimizer
from .errors import UsageError
from .spec import spec_text


class ArrayOptimizer(Optimizer):
    """An optimizer of lopt, of which the parameters are NumPy arrays that it changes in place.

    >>> w = np.zeros((784, 10), np.float32)
    >>> optimizer = Optimizer("general", {"w": w}, num_steps=1000)
    >>> optimizer.step({"w": gradient}, loss)

    `spec`: "adam", "general" (a recipe), the folder of a run, "{plugin: adam, learning_rate: 0.01}", or a mapping. `params`:
    float32 arrays by name, each of contiguous memory. `num_steps`: how many steps there will be; 0: not known. `axes`: how
    a rule that looks at shapes is to see a parameter, by name: its dimension i is dimension axes[i] of the array.
    """

    def __init__(self, spec: str | os.PathLike | dict, params: Mapping[str, np.ndarray], num_steps: int = 0, *,
                 axes: Mapping[str, tuple[int, ...]] | None = None, threads: int = 1):
        self.params = dict(params)
        for name, array in self.params.items():
            if not isinstance(array, np.ndarray) or array.dtype != np.float32:
                raise UsageError(f"the parameter '{name}' is {_kind(array)}; a NumPy array of float32 is wanted")
            if not array.flags.c_contiguous or not array.flags.writeable:
                raise UsageError(f"the parameter '{name}' is no contiguous array that can be written to; "
                                 "np.ascontiguousarray makes one")
        self._handle = Handle(spec_text(spec), [(name, array.shape, (axes or {}).get(name))
                                                for name, array in self.params.items()], num_steps)
        self._handle.set_threads(threads)

    @property
    def needs_loss(self) -> bool:
        """Whether the rule looks at the loss, so that every step wants it."""
        return self._handle.needs_loss

    def step(self, grads: Mapping[str, np.ndarray | None], loss: float | None = None) -> None:
        """One step. A parameter whose gradient is missing or None stays as it is. `loss`: before the step."""
        if unknown := set(grads) - set(self.params):
            raise UsageError(f"there is a gradient of '{sorted(unknown)[0]}', but no such parameter; there is "
                             + ", ".join(self.params))
        given = [self._gradient(name, grads.get(name)) for name in self.params]
        self._handle.step([array.ctypes.data for array in self.params.values()],
                          [None if grad is None else grad.ctypes.data for grad in given],
                          None if loss is None else float(loss), None)

    def _gradient(self, name: str, grad: np.ndarray | None) -> np.ndarray | None:
        if grad is None:
            return None
        array = np.asarray(grad, dtype=np.float32, order="C")
        if array.shape != self.params[name].shape:
            raise UsageError(f"the gradient of '{name}' has the shape {list(array.shape)}; the parameter has "
                             f"{list(self.params[name].shape)}")
        return array

    def evaluation_params(self) -> dict[str, np.ndarray]:
        """The parameters to judge by: an average, for some rules; else copies of the same."""
        result = {name: np.empty_like(array) for name, array in self.params.items()}
        self._handle.evaluation_params([array.ctypes.data for array in self.params.values()],
                                       [array.ctypes.data for array in result.values()])
        return result

    def state_dict(self) -> dict:
        """All that the optimizer remembers, without the parameters."""
        return {"steps": self._handle.steps, "state": self._handle.save()}

    def load_state_dict(self, state: dict) -> None:
        self._handle.load(state["state"])


def _kind(value: object) -> str:
    return f"an array of {value.dtype}" if isinstance(value, np.ndarray) else f"a {type(value).__name__}"
