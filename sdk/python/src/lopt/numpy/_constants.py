"""What is known from the start."""

from __future__ import annotations

import builtins
import math

import numpy as np

from .._trace import Array, current, storable
from ._names import float32
from ._values import asarray, astype, dtype_of, shape_of


def _spread(x: Array, shape) -> Array:
    return current().apply("broadcast_to", [x], {"shape": shape_of(shape)})


def full(shape, fill_value, dtype=None) -> Array:
    if isinstance(fill_value, Array):
        return _spread(fill_value if dtype is None else astype(fill_value, dtype), shape)
    kind = dtype_of(dtype) if dtype is not None else storable(np.asarray(fill_value).dtype)
    return (
        current().apply("full", [], {"shape": shape_of(shape), "value": float(fill_value), "dtype": kind.name})
        if math.isfinite(fill_value)
        else _spread(current().constant(np.asarray(fill_value, kind)), shape)
    )


def zeros(shape, dtype=float32) -> Array:
    return full(shape, 0, dtype)


def ones(shape, dtype=float32) -> Array:
    return full(shape, 1, dtype)


def zeros_like(x, dtype=None) -> Array:
    x = asarray(x)
    return full(x.shape, 0, dtype or x.dtype)


def ones_like(x, dtype=None) -> Array:
    x = asarray(x)
    return full(x.shape, 1, dtype or x.dtype)


def full_like(x, fill_value, dtype=None) -> Array:
    x = asarray(x)
    return full(x.shape, fill_value, dtype or x.dtype)


empty, empty_like = zeros, zeros_like


def arange(start, stop=None, step=1, dtype=None) -> Array:
    if stop is None:
        start, stop = 0, start
    values = np.arange(start, stop, step)
    return current().constant(values if dtype is None else values.astype(dtype_of(dtype)))


def linspace(start: float, stop: float, num: int = 50, endpoint: builtins.bool = True) -> Array:
    return current().constant(np.linspace(start, stop, num, endpoint=endpoint, dtype=np.float32))


def eye(n: int, m: int | None = None) -> Array:
    return current().constant(np.eye(n, m, dtype=np.float32))


def identity_matrix(n: int, value: float = 1.0) -> Array:
    return current().apply("identity_matrix", [], {"n": n, "value": value})
