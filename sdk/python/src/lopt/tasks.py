"""lopt's tasks as functions of NumPy arrays, so that Python code can be tried on them.

>>> task = lopt.tasks.Task("{plugin: mlp_classifier, hidden: [32]}", seed=0)
>>> params = task.init()
>>> loss, grads = task.loss_and_gradient(params, task.batch(0))
"""

import ctypes
import os
from collections.abc import Mapping

import numpy as np

from ._library import call, library
from .errors import UsageError
from .spec import component_text

_TYPES: list[type] = [np.float32, np.int32, np.uint32, np.uint32]
_Part = tuple[tuple[int, ...], type]  # shape and type
_PARAMS, _BATCH = 0, 1


class Task:
    """A task of a spec and one problem of it: what `lopt-run train` does with the same task and seed, to the bit.

    `spec`: a name, a mapping, YAML of what stands behind `task:`, or a lopt.Task. Parameters and batches are dicts of
    arrays.
    """

    def __init__(self, spec: str | os.PathLike | dict | object, seed: int = 0):
        self._handle = ctypes.c_void_p()
        call("create_task", component_text(spec).encode(), ctypes.byref(self._handle))
        self.seed = seed
        self._params = self._parts(_PARAMS)
        self._batch = self._parts(_BATCH)

    @property
    def parameter_names(self) -> list[str]:
        """Their paths, in order."""
        return list(self._params)

    def __del__(self) -> None:
        if getattr(self, "_handle", None) and library:  # at the end of a program modules are emptied
            library().lopt_destroy_task(self._handle)
            self._handle = ctypes.c_void_p()

    def _parts(self, of: int) -> dict[str, _Part]:
        parts: dict[str, _Part] = {}
        for i in range(library().lopt_task_count(self._handle, of)):
            name, shape = ctypes.c_char_p(), ctypes.POINTER(ctypes.c_int64)()
            rank, kind = ctypes.c_size_t(), ctypes.c_int()
            call(
                "task_part",
                self._handle,
                of,
                i,
                ctypes.byref(name),
                ctypes.byref(shape),
                ctypes.byref(rank),
                ctypes.byref(kind),
            )
            parts[(name.value or b"").decode()] = (tuple(shape[k] for k in range(rank.value)), _TYPES[kind.value])
        return parts

    def init(self) -> dict[str, np.ndarray]:
        """The parameters at the start."""
        params: dict[str, np.ndarray] = {name: np.empty(shape, kind) for name, (shape, kind) in self._params.items()}
        call("task_init", self._handle, self.seed, _pointers(params.values()))
        return params

    def batch(self, step: int) -> dict[str, np.ndarray]:
        """What step 0, 1, … sees."""
        batch: dict[str, np.ndarray] = {name: np.empty(shape, kind) for name, (shape, kind) in self._batch.items()}
        call("task_batch", self._handle, self.seed, step, _pointers(batch.values()))
        return batch

    def loss(self, params: Mapping[str, np.ndarray], batch: Mapping[str, np.ndarray], step: int = 0) -> float:
        """The loss on a batch. `step`: for tasks that draw numbers in each step."""
        return self._loss(params, batch, step, None)

    def loss_and_gradient(
        self, params: Mapping[str, np.ndarray], batch: Mapping[str, np.ndarray], step: int = 0
    ) -> tuple[float, dict[str, np.ndarray]]:
        grads: dict[str, np.ndarray] = {name: np.empty(shape, kind) for name, (shape, kind) in self._params.items()}
        return self._loss(params, batch, step, grads), grads

    def _loss(self, params, batch, step: int, grads) -> float:
        given, parts = _fitting(params, self._params, "parameter"), _fitting(batch, self._batch, "part of the batch")
        loss = ctypes.c_float()
        call(
            "task_loss",
            self._handle,
            self.seed,
            step,
            _pointers(given),
            _pointers(parts),
            ctypes.byref(loss),
            None if grads is None else _pointers(grads.values()),
        )
        return loss.value


def _pointers(arrays) -> ctypes.Array:
    addresses = [array.ctypes.data for array in arrays]
    return (ctypes.c_void_p * max(1, len(addresses)))(*addresses)


def _fitting(arrays: Mapping[str, np.ndarray], wanted: dict[str, _Part], what: str) -> list[np.ndarray]:
    result = []
    for name, (shape, kind) in wanted.items():
        if name not in arrays:
            raise UsageError(f"the {what} '{name}' is missing; there is {', '.join(arrays) or 'none'}")
        array: np.ndarray = np.asarray(arrays[name], dtype=kind, order="C")
        if array.shape != shape:
            raise UsageError(f"the {what} '{name}' has the shape {list(array.shape)}; the task's has {list(shape)}")
        result.append(array)
    return result
