"""Elements in other places."""

from __future__ import annotations

import builtins

import numpy as np

from .._trace import FLOAT32, INT32, Array, current
from ..errors import UsageError
from ._values import asarray, astype, shape_of
from ._elementwise import where
from ._constants import eye, ones_like


def reshape(x, *shape) -> Array:
    wanted = shape[0] if len(shape) == 1 and not isinstance(shape[0], (int, np.integer)) else shape
    return current().apply("reshape", [asarray(x)], {"shape": shape_of(wanted)})


def ravel(x) -> Array:
    return reshape(x, -1)


def broadcast_to(x, shape) -> Array:
    return current().apply("broadcast_to", [asarray(x)], {"shape": shape_of(shape)})


def expand_dims(x, axis) -> Array:
    x = asarray(x)
    axes = [axis] if isinstance(axis, int) else list(axis)
    rank = x.ndim + len(axes)
    axes = {a % rank for a in axes}
    lengths = iter(x.shape)
    return reshape(x, [1 if i in axes else next(lengths) for i in range(rank)])


def squeeze(x, axis=None) -> Array:
    x = asarray(x)
    axes = (
        {a % x.ndim for a in ([axis] if isinstance(axis, int) else axis)}
        if axis is not None
        else {i for i, n in enumerate(x.shape) if n == 1}
    )
    for a in axes:
        if x.shape[a] != 1:
            raise UsageError(f"squeeze: axis {a} of {list(x.shape)} has {x.shape[a]} elements")
    return reshape(x, [n for i, n in enumerate(x.shape) if i not in axes])


def transpose(x, axes=None) -> Array:
    x = asarray(x)
    order = list(axes) if axes is not None else list(range(x.ndim))[::-1]
    return current().apply("transpose", [x], {"axes": [int(a) for a in order]}) if x.ndim > 1 else x


def swapaxes(x, a: int, b: int) -> Array:
    x = asarray(x)
    order = list(range(x.ndim))
    order[a], order[b] = order[b], order[a]
    return transpose(x, order)


def moveaxis(x, source: int, destination: int) -> Array:
    x = asarray(x)
    order = [i for i in range(x.ndim) if i != source % x.ndim]
    order.insert(destination % x.ndim, source % x.ndim)
    return transpose(x, order)


def concatenate(arrays, axis: int | None = 0) -> Array:
    parts = _alike([asarray(x) for x in arrays])
    if axis is None:
        parts, axis = [ravel(x) for x in parts], 0
    return current().apply("concatenate", parts, {"axis": axis})


def stack(arrays, axis: int = 0) -> Array:
    return current().apply("stack", _alike([asarray(x) for x in arrays]), {"axis": axis})


def _alike(arrays: list[Array]) -> list[Array]:
    dtypes = {x.dtype for x in arrays}
    if len(dtypes) < 2:
        return arrays
    dtype = FLOAT32 if FLOAT32 in dtypes else INT32
    return [astype(x, dtype) for x in arrays]


def hstack(arrays) -> Array:
    arrays = [atleast_1d(x) for x in arrays]
    return concatenate(arrays, 0 if arrays[0].ndim == 1 else 1)


def vstack(arrays) -> Array:
    return concatenate([x if x.ndim > 1 else reshape(x, 1, -1) for x in map(atleast_1d, arrays)], 0)


def atleast_1d(x) -> Array:
    x = asarray(x)
    return reshape(x, 1) if x.ndim == 0 else x


def split(x, parts, axis: int = 0) -> list[Array]:
    x = asarray(x)
    length = x.shape[axis]
    if isinstance(parts, int):
        if length % parts:
            raise UsageError(f"split: {length} elements in {parts} parts")
        ends = [length // parts * (i + 1) for i in range(parts)]
    else:
        ends = [*map(int, parts), length]
    return [slice_axis(x, start, end, axis) for start, end in zip([0, *ends[:-1]], ends)]


def slice_axis(x: Array, start: int, stop: int, axis: int) -> Array:
    begin, end = [0] * x.ndim, list(x.shape)
    begin[axis], end[axis] = start, stop
    return current().apply("slice", [x], {"start": begin, "stop": end})


def pad(x, pad_width, mode: str = "constant", constant_values: float = 0) -> Array:
    x = asarray(x)
    if mode != "constant":
        raise UsageError(f"pad: the mode '{mode}' is not there; `constant` is")
    widths = np.broadcast_to(np.asarray(pad_width), (x.ndim, 2)).tolist()
    settings = {"before": [w[0] for w in widths], "after": [w[1] for w in widths]}
    if constant_values == 0:
        return current().apply("pad", [x], settings)
    inside = current().apply("pad", [ones_like(x)], settings)
    return where(inside != 0, current().apply("pad", [x], settings), constant_values)


def tile(x, reps) -> Array:
    x = asarray(x)
    reps = shape_of(reps)
    rank = builtins.max(x.ndim, len(reps))
    shape, reps = [1] * (rank - x.ndim) + list(x.shape), [1] * (rank - len(reps)) + reps
    wide = reshape(x, [n for length in shape for n in (1, length)])
    return reshape(
        broadcast_to(wide, [n for r, length in zip(reps, shape) for n in (r, length)]),
        [r * n for r, n in zip(reps, shape)],
    )


def repeat(x, repeats: int, axis: int | None = None) -> Array:
    x = asarray(x) if axis is not None else ravel(x)
    axis = (axis or 0) % x.ndim
    shape = list(x.shape)
    wide = broadcast_to(expand_dims(x, axis + 1), [*shape[: axis + 1], repeats, *shape[axis + 1 :]])
    return reshape(wide, [*shape[:axis], shape[axis] * repeats, *shape[axis + 1 :]])


def flip(x, axis=None) -> Array:
    x = asarray(x)
    for a in range(x.ndim) if axis is None else [axis] if isinstance(axis, int) else axis:
        x = current().apply("reversed", [x], {"axis": int(a)})
    return x


def roll(x, shift: int, axis: int | None = None) -> Array:
    x = asarray(x)
    if axis is None:
        return reshape(roll(ravel(x), shift, 0), x.shape)
    at = -shift % x.shape[axis]
    return (
        concatenate([slice_axis(x, at, x.shape[axis], axis % x.ndim), slice_axis(x, 0, at, axis % x.ndim)], axis)
        if at
        else x
    )


def tril(x, k: int = 0) -> Array:
    return current().apply("lower_triangle", [asarray(x)], {"diagonal": k})


def triu(x, k: int = 0) -> Array:
    return current().apply("upper_triangle", [asarray(x)], {"diagonal": k})


lower_triangle, upper_triangle = tril, triu


def diag(x) -> Array:
    x = asarray(x)
    if x.ndim == 1:
        return where(eye(x.shape[0]) != 0, expand_dims(x, 1), 0.0 if x.dtype == FLOAT32 else 0)
    n = builtins.min(x.shape)
    return x[np.arange(n), np.arange(n)]
