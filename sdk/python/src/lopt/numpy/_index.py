"""Elements by index."""

from __future__ import annotations

import builtins
import math

import numpy as np

from .._trace import Array, current
from ..errors import UsageError
from ._names import int32
from ._values import asarray, astype
from ._elementwise import clip, maximum, minimum, where
from ._shapes import broadcast_to, expand_dims, ravel, reshape, transpose
from ._constants import arange, ones


def take(x, indices, axis: int | None = None) -> Array:
    """Slices along an axis; indices outside are clamped."""
    x = asarray(x)
    if axis is None:
        x, axis = ravel(x), 0
    if isinstance(indices, (int, np.integer)):
        return current().apply("take", [x], {"index": int(indices), "axis": axis})
    return current().apply("gather", [x, _indices(indices, x.shape[axis])], {"axis": axis})


gather = take


def _indices(indices, length: int) -> Array:
    """int32, with negative ones counted from the end."""
    if not isinstance(indices, Array):
        values = np.asarray(indices)
        if values.size and (values.min() < -length or values.max() >= length):
            raise UsageError(f"index {values.max() if values.max() >= length else values.min()} of {length} elements")
        return current().constant(np.where(values < 0, values + length, values).astype(np.int32))
    indices = astype(indices, int32)
    return where(indices < 0, indices + length, indices)


def take_along_axis(x, indices, axis: int) -> Array:
    x, indices = asarray(x), asarray(indices)
    axis %= x.ndim
    lengths = [indices.shape[i] if i == axis else builtins.max(x.shape[i], indices.shape[i]) for i in range(x.ndim)]
    indices = broadcast_to(indices, lengths)
    grid = [reshape(np.arange(n), [n if i == j else 1 for j in range(x.ndim)]) for i, n in enumerate(x.shape)]
    return x[tuple(indices if i == axis else grid[i] for i in range(x.ndim))]


def take_along(x, indices) -> Array:
    """One element of each row of x [..., n]: the one at its index [...]."""
    return current().apply("take_along", [asarray(x), astype(indices, int32)])


def scatter_add(x, indices, length: int, axis: int = 0) -> Array:
    """Zeros of `length` along an axis, to which the slices of x are added at their indices."""
    return current().apply("scatter_add", [asarray(x), astype(indices, int32)], {"length": length, "axis": axis})


def one_hot(labels, classes: int) -> Array:
    return current().apply("one_hot", [astype(labels, int32)], {"classes": classes})


def _index_plan(x: Array, index):
    """What an index takes: basic parts (slices of each dimension), and arrays of indices by dimension."""
    parts = list(index) if isinstance(index, tuple) else [index]
    count = builtins.sum(1 for p in parts if p is not None and p is not Ellipsis)
    if count > x.ndim:
        raise UsageError(f"{count} indices of an array of {x.ndim} dimensions")
    at = next((i for i, p in enumerate(parts) if p is Ellipsis), None)
    fill = [slice(None)] * (x.ndim - count)
    return parts[:at] + fill + parts[at + 1 :] if at is not None else parts + fill


def getitem(x: Array, index) -> Array:
    parts = _index_plan(x, index)
    begin, end, stride, flips, new_axes, arrays, dropped = [], [], [], [], [], {}, []
    axis = place = 0
    for part in parts:
        if part is None:
            new_axes.append(place)
            place += 1
            continue
        n = x.shape[axis]
        if isinstance(part, slice):
            first, last, step = part.indices(n)
            if step < 0:
                count = builtins.max(0, -(-(first - last) // -step))
                flips.append(axis)
                lowest = first + (count - 1) * step if count else 0
                first, last, step = lowest, first + 1 if count else lowest, -step
            begin.append(first)
            end.append(builtins.max(first, last))
            stride.append(step)
            place += 1
        elif isinstance(part, (int, np.integer)) and not isinstance(part, builtins.bool):
            if not -n <= part < n:
                raise UsageError(f"index {part} of {n} elements")
            begin.append(int(part) % n)
            end.append(int(part) % n + 1)
            stride.append(1)
            dropped.append(axis)
        else:
            given = part if isinstance(part, Array) else np.asarray(part)
            if given.dtype == np.bool_:
                raise UsageError(
                    "a mask as an index: how many elements it takes is not known while the program is traced; "
                    "lopt.numpy.where keeps all"
                )
            arrays[axis] = given
            begin.append(0)
            end.append(n)
            stride.append(1)
            place += 1
        axis += 1
    if begin != [0] * x.ndim or end != list(x.shape) or builtins.any(s != 1 for s in stride):
        x = current().apply("slice", [x], {"start": begin, "stop": end, "stride": stride})
    for a in flips:
        x = current().apply("reversed", [x], {"axis": a})
    if arrays:
        x, moved = _gathered(x, arrays)
    if dropped:
        if arrays:
            if builtins.any(a > builtins.min(arrays) for a in dropped):
                raise UsageError("an index of numbers behind an index of arrays; take them one after the other")
        x = reshape(x, [n for i, n in enumerate(x.shape) if i not in dropped])
    for a in new_axes:
        x = expand_dims(x, a)
    return x


def _gathered(x: Array, arrays: dict):
    """Elements at indices of some dimensions, which the dimensions of the indices take the place of."""
    axes = sorted(arrays)
    lengths = [x.shape[a] for a in axes]
    indices = [_indices(arrays[a], x.shape[a]) for a in axes]
    if len(axes) == 1:
        return current().apply("gather", [x, indices[0]], {"axis": axes[0]}), axes
    shape = np.broadcast_shapes(*(i.shape for i in indices))
    flat = None
    for i, n in zip(indices, lengths):
        i = clip(i, 0, n - 1)
        flat = i if flat is None else flat * n + i
    flat = broadcast_to(flat, shape)
    rest = [i for i in range(x.ndim) if i not in axes]
    together = axes == list(range(axes[0], axes[-1] + 1))
    rows = reshape(transpose(x, axes + rest), [math.prod(lengths), *(x.shape[i] for i in rest)])
    taken = current().apply("gather", [rows, flat], {"axis": 0})
    at = axes[0] if together else 0  # where NumPy has them
    before = [i for i in range(len(rest)) if rest[i] < at]
    order = (
        [len(shape) + i for i in before]
        + list(range(len(shape)))
        + [len(shape) + i for i in range(len(rest)) if i not in before]
    )
    return transpose(taken, order) if taken.ndim > 1 else taken, axes


class _At:
    """`x.at[index].set(v)`, `.add(v)` and others: arrays are values, so what changes is another array."""

    def __init__(self, x: Array, index=None):
        self.x, self.index = x, index

    def __getitem__(self, index) -> _At:
        return _At(self.x, index)

    def _scattered(self, values) -> tuple[Array, Array]:
        """The values in their places, and how many came to each."""
        x = self.x
        places = getitem(reshape(arange(x.size), x.shape), self.index)
        values = broadcast_to(astype(values, x.dtype), places.shape)
        flat = ravel(places)
        settings = {"rows": x.size}
        total = current().apply("scatter_add_rows", [ravel(values), flat], settings)
        count = current().apply("scatter_add_rows", [ones((flat.size,)), flat], settings)
        return reshape(total, x.shape), reshape(count, x.shape)

    def set(self, values) -> Array:
        total, count = self._scattered(values)
        return where(count > 0, total, self.x)

    def add(self, values) -> Array:
        return self.x + self._scattered(values)[0]

    def subtract(self, values) -> Array:
        return self.x - self._scattered(values)[0]

    def multiply(self, values) -> Array:
        return self.set(getitem(self.x, self.index) * values)

    mul = multiply

    def max(self, values) -> Array:
        return self.set(maximum(getitem(self.x, self.index), values))

    def min(self, values) -> Array:
        return self.set(minimum(getitem(self.x, self.index), values))

    def get(self) -> Array:
        return getitem(self.x, self.index)
