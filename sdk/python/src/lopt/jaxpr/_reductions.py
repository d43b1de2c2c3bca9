"""Reductions, cumulative sums, order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import numpy as lnp
from .._trace import Array
from ._interpreter import RULES, Value, _array, _rule


for _name, _function in {
    "reduce_sum": lnp.sum,
    "reduce_max": lnp.max,
    "reduce_min": lnp.min,
    "reduce_prod": lnp.prod,
    "reduce_and": lnp.all,
    "reduce_or": lnp.any,
}.items():
    RULES[_name] = lambda equation, x, axes, _f=_function, **_: _f(x, tuple(axes)) if axes else x
for _name, _function in {"argmax": lnp.argmax, "argmin": lnp.argmin}.items():
    RULES[_name] = lambda equation, x, axes, _f=_function, **_: _f(x, axes[0])


def _cumulative(function: Callable) -> Callable:
    def rule(equation: Any, x: Value, axis: int, reverse: bool, **_: Any) -> Array:
        x = _array(x)
        return lnp.flip(function(lnp.flip(x, axis), axis), axis) if reverse else function(x, axis)

    return rule


def _cumulative_log_sum_exp(x: Array, axis: int) -> Array:
    most = lnp.stop_gradient(lnp.max(x, axis, keepdims=True))
    return lnp.log(lnp.cumsum(lnp.exp(x - most), axis)) + most


RULES["cumsum"], RULES["cumprod"], RULES["cummax"] = map(_cumulative, (lnp.cumsum, lnp.cumprod, lnp.cummax))
RULES["cummin"] = _cumulative(lambda x, axis: -lnp.cummax(-x, axis))
RULES["cumlogsumexp"] = _cumulative(_cumulative_log_sum_exp)


@_rule("sort")
def _sort(equation: Any, *x: Value, dimension: int, num_keys: int, **_: Any) -> list[Array]:
    arrays = [_array(part) for part in x]
    if len(arrays) == 1:
        return [lnp.sort(arrays[0], dimension)]
    order = None
    for key in reversed(arrays[:num_keys]):  # the last key first: the sort is stable
        key = key if order is None else lnp.take_along_axis(key, order, dimension)
        places = lnp.argsort(key, dimension)
        order = places if order is None else lnp.take_along_axis(order, places, dimension)
    return [lnp.take_along_axis(part, order, dimension) for part in arrays]


@_rule("top_k", "approx_top_k")
def _top_k(equation: Any, x: Value, k: int, **_: Any) -> tuple[Array, Array]:
    return lnp.top_k(x, k)
