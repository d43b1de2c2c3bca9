"""Gathers, scatters and slices at places that are values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from jax import lax

from .. import numpy as lnp
from .._trace import Array, current
from ._interpreter import Value, _array, _rule


def _flat_places(
    lengths: Sequence[int],
    starts: dict[int, Value],
    window: dict[int, int],
    index_shape: Sequence[int],
    batching: dict[int, int],
    clamped: bool,
) -> tuple[Value, Value | None]:
    """Places in the flat operand, [indices…, window…], and whether they lie inside, where that is asked for."""
    rank, inside = len(index_shape) + len(window), None
    total: Value = np.zeros((1,) * rank, np.int32)
    stride = math.prod(lengths)
    for axis, length in enumerate(lengths):
        stride //= length
        if axis in starts:
            start = starts[axis]
            most = length - window.get(axis, 1)
            if clamped:
                start = np.clip(start, 0, most) if not isinstance(start, Array) else lnp.clip(start, 0, most)
            else:
                good = (start >= 0) & (start <= most)
                inside = good if inside is None else inside & good
                start = np.clip(start, 0, most) if not isinstance(start, Array) else lnp.clip(start, 0, most)
            total = total + _spread(start, len(index_shape), rank) * stride
        if axis in batching:
            at = batching[axis]
            iota = np.arange(length, dtype=np.int32).reshape([length if i == at else 1 for i in range(rank)])
            total = total + iota * stride
        if axis in window:
            at = len(index_shape) + list(window).index(axis)
            total = (
                total
                + np.arange(window[axis], dtype=np.int32).reshape([window[axis] if i == at else 1 for i in range(rank)])
                * stride
            )
    shape = [*index_shape, *window.values()]
    full = lnp.broadcast_to(total, shape) if isinstance(total, Array) else np.broadcast_to(total, shape)
    return full, None if inside is None else _spread(inside, len(index_shape), rank)


def _spread(x: Value, index_rank: int, rank: int) -> Value:
    shape = [*x.shape, *[1] * (rank - index_rank)]
    return lnp.reshape(x, shape) if isinstance(x, Array) else x.reshape(shape)


def _column(indices: Value, i: int) -> Value:
    return (
        lnp.astype(indices[..., i], np.int32)
        if isinstance(indices, Array)
        else np.asarray(indices)[..., i].astype(np.int32)
    )


@_rule("gather")
def _gather(
    equation: Any, x: Value, indices: Value, dimension_numbers: Any, slice_sizes: Sequence[int], mode: Any, **_: Any
) -> Array:
    """Indices outside are clamped, also where JAX would fill with NaN."""
    x, n = _array(x), dimension_numbers
    batch_x, batch_i = getattr(n, "operand_batching_dims", ()), getattr(n, "start_indices_batching_dims", ())
    index_shape = indices.shape[:-1]
    gone = set(n.collapsed_slice_dims) | set(batch_x)
    whole = [i for i in range(x.ndim) if i not in n.start_index_map]
    if (
        len(n.start_index_map) == 1
        and not batch_x
        and tuple(n.collapsed_slice_dims) == tuple(n.start_index_map)
        and all(slice_sizes[i] == x.shape[i] for i in whole)
    ):
        axis = n.start_index_map[0]
        made = current().apply("gather", [x, _array(_column(indices, 0))], {"axis": axis})
        order = [*range(axis, axis + len(index_shape)), *range(axis), *range(axis + len(index_shape), made.ndim)]
        made = lnp.transpose(made, order)
    else:
        window = {i: slice_sizes[i] for i in range(x.ndim) if i not in gone}
        starts = {axis: _column(indices, i) for i, axis in enumerate(n.start_index_map)}
        places, _unused = _flat_places(x.shape, starts, window, index_shape, dict(zip(batch_x, batch_i)), True)
        made = lnp.reshape(current().apply("gather", [lnp.ravel(x), _array(places)], {"axis": 0}), places.shape)
    # Window dimensions go to `offset_dims`, those of the indices to the others.
    out_rank = made.ndim
    windows, others = iter(range(len(index_shape), out_rank)), iter(range(len(index_shape)))
    return lnp.transpose(made, [next(windows) if i in n.offset_dims else next(others) for i in range(out_rank)])


@_rule(
    "scatter-add",
    "scatter_add",
    "scatter",
    "scatter-mul",
    "scatter_mul",
    "scatter-max",
    "scatter_max",
    "scatter-min",
    "scatter_min",
)
def _scatter(
    equation: Any, x: Value, indices: Value, updates: Value, dimension_numbers: Any, mode: Any = None, **_: Any
) -> Array:
    x, updates, n = _array(x), _array(updates), dimension_numbers
    batch_x, batch_i = getattr(n, "operand_batching_dims", ()), getattr(n, "scatter_indices_batching_dims", ())
    index_shape = indices.shape[:-1]
    gone = set(n.inserted_window_dims) | set(batch_x)
    scatter_dims = [i for i in range(updates.ndim) if i not in n.update_window_dims]
    updates = lnp.transpose(updates, [*scatter_dims, *n.update_window_dims])
    window_axes = [i for i in range(x.ndim) if i not in gone]
    window = {axis: updates.shape[len(index_shape) + i] for i, axis in enumerate(window_axes)}
    starts = {axis: _column(indices, i) for i, axis in enumerate(n.scatter_dims_to_operand_dims)}
    places, inside = _flat_places(
        x.shape, starts, window, index_shape, dict(zip(batch_x, batch_i)), mode == lax.GatherScatterMode.CLIP
    )
    if not isinstance(inside, Array) and inside is not None and bool(np.all(inside)):
        inside = None
    flat, rows = _array(np.ravel(places) if not isinstance(places, Array) else lnp.ravel(places)), {"rows": x.size}
    added = lambda values: lnp.reshape(
        current().apply("scatter_add_rows", [lnp.ravel(lnp.broadcast_to(values, updates.shape)), flat], rows), x.shape
    )
    kept = updates if inside is None else lnp.where(inside, updates, lnp.zeros_like(updates))
    name = equation.primitive.name.replace("_", "-")
    if name == "scatter-add":
        return x + added(kept)
    count = added(
        lnp.ones(updates.shape) if inside is None else lnp.astype(lnp.broadcast_to(inside, updates.shape), np.float32)
    )
    if name == "scatter":
        # Of several updates of one place JAX leaves open which holds; here it is their mean.
        total = added(kept)
        return lnp.where(
            count > 0, total if equation.outvars[0].aval.dtype.kind != "f" else total / lnp.maximum(count, 1.0), x
        )
    there = lnp.where(count > 0, added(kept), {"scatter-mul": 1, "scatter-max": -np.inf, "scatter-min": np.inf}[name])
    return {"scatter-mul": lnp.multiply, "scatter-max": lnp.maximum, "scatter-min": lnp.minimum}[name](x, there)


@_rule("dynamic_slice")
def _dynamic_slice(equation: Any, x: Value, *starts: Value, slice_sizes: Sequence[int], **_: Any) -> Array:
    x = _array(x)
    for axis, (start, size) in enumerate(zip(starts, slice_sizes)):
        if size == x.shape[axis]:
            continue
        if not isinstance(start, Array):
            at = int(np.clip(int(start) + (x.shape[axis] if int(start) < 0 else 0), 0, x.shape[axis] - size))
            x = lnp.slice_axis(x, at, at + size, axis)
        else:
            at = lnp.clip(lnp.astype(start, np.int32), 0, x.shape[axis] - size)
            x = current().apply("gather", [x, at + lnp.arange(size)], {"axis": axis})
    return x


@_rule("dynamic_update_slice")
def _dynamic_update_slice(equation: Any, x: Value, update: Value, *starts: Value, **_: Any) -> Array:
    x, update = _array(x), _array(update)
    inside: Value = None
    for axis, start in enumerate(starts):
        length, size = x.shape[axis], update.shape[axis]
        if length == size:
            continue
        at = lnp.clip(lnp.astype(_array(start), np.int32), 0, length - size)
        place = lnp.arange(length) - at
        good = lnp.reshape(
            lnp.logical_and(place >= 0, place < size), [length if i == axis else 1 for i in range(x.ndim)]
        )
        inside = good if inside is None else lnp.logical_and(inside, good)
        update = current().apply("gather", [update, lnp.clip(place, 0, size - 1)], {"axis": axis})
    return update if inside is None else lnp.where(lnp.broadcast_to(inside, x.shape), update, x)
