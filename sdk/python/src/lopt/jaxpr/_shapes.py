"""Primitives that move elements. Keys of the new kind have a last dimension more here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import numpy as lnp
from .._trace import Array, current
from ._interpreter import Value, _array, _dtype, _is_key, _number, _rule


def _with_key(equation: Any, lengths: Sequence[int]) -> list[int]:
    return [*lengths, 2] if _is_key(equation.outvars[0].aval) else list(lengths)


@_rule("reshape")
def _reshape(equation: Any, x: Value, *_: Value, new_sizes: Sequence[int], **__: Any) -> Array:
    return lnp.reshape(_array(x), _with_key(equation, new_sizes))


@_rule("squeeze", "expand_dims")
def _squeeze(equation: Any, x: Value, **_: Any) -> Array:
    return lnp.reshape(_array(x), _with_key(equation, equation.outvars[0].aval.shape))


@_rule("broadcast_in_dim")
def _broadcast(
    equation: Any, x: Value, *_: Value, shape: Sequence[int], broadcast_dimensions: Sequence[int], **__: Any
) -> Array:
    x = _array(x)
    places = dict(zip(broadcast_dimensions, x.shape))
    lengths = [places.get(i, 1) for i in range(len(shape))]
    return lnp.broadcast_to(lnp.reshape(x, _with_key(equation, lengths)), _with_key(equation, shape))


@_rule("transpose")
def _transpose(equation: Any, x: Value, permutation: Sequence[int], **_: Any) -> Array:
    return lnp.transpose(x, permutation)


@_rule("tile")
def _tile(equation: Any, x: Value, reps: Sequence[int], **_: Any) -> Array:
    return lnp.tile(x, list(reps))


@_rule("rev")
def _reverse(equation: Any, x: Value, dimensions: Sequence[int], **_: Any) -> Array:
    return lnp.flip(x, tuple(dimensions))


@_rule("concatenate")
def _concatenate(equation: Any, *x: Value, dimension: int, **_: Any) -> Array:
    return lnp.concatenate([_array(part) for part in x], dimension)


@_rule("stack")
def _stack(equation: Any, *x: Value, axis: int = 0, **_: Any) -> Array:
    return lnp.stack([_array(part) for part in x], axis)


@_rule("split")
def _split(equation: Any, x: Value, sizes: Sequence[int], axis: int, **_: Any) -> list[Array]:
    return lnp.split(x, list(np.cumsum(sizes)[:-1]), axis)


@_rule("slice")
def _slice(
    equation: Any,
    x: Value,
    start_indices: Sequence[int],
    limit_indices: Sequence[int],
    strides: Sequence[int] | None,
    **_: Any,
) -> Array:
    x = _array(x)
    extra = x.ndim - len(start_indices)
    return current().apply(
        "slice",
        [x],
        {
            "start": [*map(int, start_indices), *[0] * extra],
            "stop": [*map(int, limit_indices), *x.shape[x.ndim - extra :]],
            "stride": [*map(int, strides or [1] * len(start_indices)), *[1] * extra],
        },
    )


@_rule("pad")
def _pad(equation: Any, x: Value, value: Value, padding_config: Sequence[tuple[int, int, int]], **_: Any) -> Array:
    x = _array(x)
    kept = None if not isinstance(value, Array) and value == 0 else lnp.ones_like(x)
    padded = [_padded(part, padding_config) for part in ([x] if kept is None else [x, kept])]
    return padded[0] if kept is None else lnp.where(padded[1] != 0, padded[0], _number(value))


def _padded(x: Array, config: Sequence[tuple[int, int, int]]) -> Array:
    """Zeros before, after and between; negative: elements that go."""
    for axis, (_, _, between) in enumerate(config):
        if between and x.shape[axis] > 1:
            n = x.shape[axis]
            wide = lnp.expand_dims(x, axis + 1)
            wide = lnp.pad(wide, [(0, between) if i == axis + 1 else (0, 0) for i in range(wide.ndim)])
            shape = list(x.shape)
            shape[axis] = n * (between + 1)
            x = lnp.slice_axis(lnp.reshape(wide, shape), 0, (n - 1) * (between + 1) + 1, axis)
    x = lnp.pad(x, [(max(0, low), max(0, high)) for low, high, _ in config]) if config else x
    for axis, (low, high, _) in enumerate(config):
        if low < 0 or high < 0:
            x = lnp.slice_axis(x, max(0, -low), x.shape[axis] - max(0, -high), axis)
    return x


@_rule("iota")
def _iota(equation: Any, *_: Value, dtype: Any, shape: Sequence[int], dimension: int, **__: Any) -> Array:
    values = lnp.astype(lnp.arange(shape[dimension]), _dtype(dtype))
    return lnp.broadcast_to(lnp.reshape(values, [n if i == dimension else 1 for i, n in enumerate(shape)]), shape)
