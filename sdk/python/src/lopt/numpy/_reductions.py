"""Sums, maxima, order."""

from __future__ import annotations

import builtins
from collections.abc import Callable

import numpy as np

from .._trace import BOOL, Array, current
from ..errors import UsageError
from ._names import int32
from ._values import _real, asarray, astype
from ._elementwise import _truth, sqrt
from ._shapes import ravel, reshape, slice_axis


def _axes(x: Array, axis) -> list[int]:
    if axis is None:
        return list(range(x.ndim))
    axes = [axis] if isinstance(axis, (int, np.integer)) else list(axis)
    for a in axes:
        if not -x.ndim <= a < x.ndim:
            raise UsageError(f"axis {a} of an array of {x.ndim} dimensions")
    return [int(a) % x.ndim for a in axes]


def _reduction(function: str) -> Callable:
    def f(x, axis=None, keepdims: builtins.bool = False, dtype=None) -> Array:
        x = asarray(x, dtype)
        axes = _axes(x, axis)
        if x.dtype == BOOL:
            x = astype(x, int32)
        if function in _OF_REALS:
            x = _real(x)
        result = current().apply(function, [x], {"axes": axes}) if axes else x
        return reshape(result, [1 if i in axes else n for i, n in enumerate(x.shape)]) if keepdims else result

    f.__name__ = function
    return f


_OF_REALS = {"mean", "variance", "log_sum_exp", "norm", "rms"}
sum, mean, max, min, prod = map(_reduction, ("sum", "mean", "max", "min", "prod"))
variance, logsumexp, rms = _reduction("variance"), _reduction("log_sum_exp"), _reduction("rms")
var, amax, amin, log_sum_exp = variance, max, min, logsumexp


def std(x, axis=None, keepdims: builtins.bool = False) -> Array:
    return sqrt(variance(x, axis, keepdims))


def norm(x, axis=None, keepdims: builtins.bool = False) -> Array:
    """√(Σ x²)."""
    return _reduction("norm")(x, axis, keepdims)


def normalize(x, axis=None) -> Array:
    x = _real(x)
    return current().apply("normalize", [x], {"axes": _axes(x, axis)})


def any(x, axis=None, keepdims: builtins.bool = False) -> Array:
    return max(astype(_truth(x), int32), axis, keepdims) != 0


def all(x, axis=None, keepdims: builtins.bool = False) -> Array:
    return min(astype(_truth(x), int32), axis, keepdims) != 0


def argmax(x, axis: int | None = None) -> Array:
    x = asarray(x)
    return argmax(ravel(x), 0) if axis is None else current().apply("argmax", [x], {"axis": axis})


def argmin(x, axis: int | None = None) -> Array:
    return argmax(-asarray(x), axis)


def sort(x, axis: int = -1, descending: builtins.bool = False) -> Array:
    return current().apply("sort", [asarray(x)], {"axis": axis, "descending": descending})


def argsort(x, axis: int = -1, descending: builtins.bool = False) -> Array:
    return current().apply("argsort", [asarray(x)], {"axis": axis, "descending": descending})


def top_k(x, k: int) -> tuple[Array, Array]:
    """The k largest along the last axis, and their places."""
    values, places = current().apply("top_k", [asarray(x)], {"k": k}, 2)
    return values, places


def median(x, axis: int | None = None) -> Array:
    x = sort(ravel(x) if axis is None else x, -1 if axis is None else axis)
    axis = x.ndim - 1 if axis is None else axis % x.ndim
    n = x.shape[axis]
    middle = slice_axis(x, (n - 1) // 2, n // 2 + 1, axis)
    return mean(middle, axis)


def cumsum(x, axis: int | None = None) -> Array:
    return _cumulative("cumulative_sum", x, axis)


def cumprod(x, axis: int | None = None) -> Array:
    return _cumulative("cumulative_prod", x, axis)


def cummax(x, axis: int = 0) -> Array:
    return _cumulative("cumulative_max", x, axis)


cumulative_sum, cumulative_prod, cumulative_max = cumsum, cumprod, cummax


def _cumulative(function: str, x, axis: int | None) -> Array:
    x = asarray(x)
    if x.dtype == BOOL:
        x = astype(x, int32)
    return current().apply(function, [ravel(x) if axis is None else x], {"axis": axis or 0})
