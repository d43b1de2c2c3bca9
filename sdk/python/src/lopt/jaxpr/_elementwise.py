"""Primitives of each element."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import numpy as lnp
from .._trace import FLOAT32, Array, current
from ..errors import UsageError
from ._interpreter import RULES, Value, _array, _dtype, _number, _rule


def _elementwise(names: dict[str, Callable]) -> None:
    for name, function in names.items():
        RULES[name] = lambda equation, *x, _f=function, **_: _f(*map(_number, x))


_elementwise(
    {
        "add": lnp.add,
        "add_any": lnp.add,
        "sub": lnp.subtract,
        "mul": lnp.multiply,
        "neg": lnp.negative,
        "exp": lnp.exp,
        "log": lnp.log,
        "log1p": lnp.log1p,
        "expm1": lnp.expm1,
        "sqrt": lnp.sqrt,
        "rsqrt": lnp.rsqrt,
        "tanh": lnp.tanh,
        "sin": lnp.sin,
        "cos": lnp.cos,
        "tan": lnp.tan,
        "sinh": lnp.sinh,
        "cosh": lnp.cosh,
        "asinh": lnp.arcsinh,
        "atanh": lnp.arctanh,
        "logistic": lnp.sigmoid,
        "erf": lnp.erf,
        "erf_inv": lnp.erf_inv,
        "floor": lnp.floor,
        "ceil": lnp.ceil,
        "abs": lnp.abs,
        "sign": lnp.sign,
        "cbrt": lnp.cbrt,
        "exp2": lnp.exp2,
        "square": lnp.square,
        "is_finite": lnp.isfinite,
        "eq": lnp.equal,
        "ne": lnp.not_equal,
        "lt": lnp.less,
        "le": lnp.less_equal,
        "gt": lnp.greater,
        "ge": lnp.greater_equal,
        "not": lnp.bitwise_not,
        "shift_left": lnp.left_shift,
        "shift_right_logical": lnp.right_shift,
        "stop_gradient": lnp.stop_gradient,
        "and": lnp.bitwise_and,
        "or": lnp.bitwise_or,
        "xor": lnp.bitwise_xor,
        "max": lnp.maximum,
        "min": lnp.minimum,
        "erfc": lambda x: 1.0 - lnp.erf(x),
    }
)


@_rule("max", "min", "mul", "add")
def _of_bools(equation: Any, a: Value, b: Value, **_: Any) -> Array:
    name = equation.primitive.name
    if equation.invars[0].aval.dtype == np.bool_:
        return (lnp.logical_or if name in ("max", "add") else lnp.logical_and)(a, b)
    return {"max": lnp.maximum, "min": lnp.minimum, "mul": lnp.multiply, "add": lnp.add}[name](_number(a), _number(b))


@_rule("pow")
def _power(equation: Any, x: Value, y: Value, **_: Any) -> Array:
    if not isinstance(y, Array) and y.ndim == 0 and float(y) == int(y) and abs(int(y)) <= 4:
        return lnp.integer_pow(_array(x), int(y))
    return lnp.power(
        _number(x), _number(lnp.astype(y, np.float32)) if equation.invars[1].aval.dtype.kind != "f" else _number(y)
    )


RULES["integer_pow"] = lambda equation, x, y, **_: lnp.integer_pow(_array(x), int(y))


@_rule("div")
def _divide(equation: Any, a: Value, b: Value, **_: Any) -> Array:
    if equation.outvars[0].aval.dtype.kind in "iu":
        return current().apply("quotient", lnp.together(_array(a), _array(b)))
    return lnp.divide(_number(a), _number(b))


@_rule("rem")
def _remainder(equation: Any, a: Value, b: Value, **_: Any) -> Array:
    a, b = _array(a), _array(b)
    if a.dtype == FLOAT32:
        return a - lnp.trunc(a / b) * b
    return current().apply("remainder", [a, b])


@_rule("round")
def _round(equation: Any, x: Value, rounding_method: Any, **_: Any) -> Array:
    if int(rounding_method) == 1:
        return lnp.round(x)
    x = _array(x)  # away from zero
    return lnp.sign(x) * lnp.floor(lnp.abs(x) + 0.5)


@_rule("nextafter")
def _nextafter(equation: Any, x: Value, y: Value, **_: Any) -> Array:
    """The next number towards y, by the bits of x; from 0 the least one."""
    x, y = _array(x), _array(y)
    bits = current().apply("bitcast", [x], {"dtype": "int32"})
    away = lnp.logical_xor(y > x, x < 0.0)  # from 0
    moved = current().apply("bitcast", [bits + lnp.where(away, np.int32(1), np.int32(-1))], {"dtype": "float32"})
    least = float(np.finfo(np.float32).smallest_subnormal)
    return lnp.where(x == y, y, lnp.where(x == 0.0, lnp.where(y > 0.0, least, -least), moved))


@_rule("clamp")
def _clamp(equation: Any, low: Value, x: Value, high: Value, **_: Any) -> Array:
    known = not isinstance(low, Array) and not isinstance(high, Array) and low.ndim == 0 and high.ndim == 0
    if known and equation.outvars[0].aval.dtype.kind == "f":
        return lnp.clip(x, float(low), float(high))
    return lnp.minimum(lnp.maximum(_array(x), _array(low)), _array(high))


@_rule("select_n")
def _select(equation: Any, which: Value, *cases: Value, **_: Any) -> Value:
    if not isinstance(which, Array) and which.ndim == 0:
        return cases[int(which)]
    if equation.invars[0].aval.dtype == np.bool_:
        return lnp.where(
            which, _number(cases[1]) if isinstance(cases[0], Array) else _array(cases[1]), _number(cases[0])
        )
    result = _array(cases[-1])
    for i, case in reversed(list(enumerate(cases[:-1]))):
        result = lnp.where(_array(which) == i, _array(case), result)
    return result


@_rule("atan2", "atan", "asin", "acos")
def _arc(equation: Any, y: Value, x: Value | None = None, **_: Any) -> Array:
    """By Carlson's rule: atan of a ratio of at most 1 by a polynomial in its square (Abramowitz and Stegun, 4.4.49)."""
    name, y = equation.primitive.name, _array(y)
    if name == "asin":
        return _arc_of(y, lnp.sqrt((1.0 - y) * (1.0 + y)))
    if name == "acos":
        return _arc_of(lnp.sqrt((1.0 - y) * (1.0 + y)), y)
    return _arc_of(y, lnp.ones_like(y) if x is None else _array(x))


def _arc_of(y: Array, x: Array) -> Array:
    # Newton's step on sin a · cos y − …: from a polynomial's guess a to atan2(y, x), whose derivative is exact.
    ay, ax = lnp.abs(y), lnp.abs(x)
    steep = ay > ax
    ratio = lnp.where(steep, ax, ay) / lnp.maximum(lnp.maximum(ax, ay), 1e-37)
    square = ratio * ratio
    coefficients = [
        0.0028662257,
        -0.0161657367,
        0.0429096138,
        -0.0752896400,
        0.1065626393,
        -0.1420889944,
        0.1999355085,
        -0.3333314528,
        1.0,
    ]
    total = lnp.full(ratio.shape, coefficients[0])
    for c in coefficients[1:]:
        total = total * square + c
    angle = ratio * total
    angle = lnp.where(steep, math.pi / 2 - angle, angle)
    angle = lnp.where(x < 0, math.pi - angle, angle)
    return lnp.where(y < 0, -angle, angle)


@_rule("convert_element_type")
def _convert(equation: Any, x: Value, new_dtype: Any, **_: Any) -> Value:
    return lnp.astype(x, _dtype(new_dtype))


@_rule("bitcast_convert_type")
def _bitcast(equation: Any, x: Value, new_dtype: Any, **_: Any) -> Array:
    x = _array(x)
    dtype = _dtype(new_dtype)
    if np.dtype(new_dtype).itemsize != 4:
        raise UsageError(f"the bits of elements as {np.dtype(new_dtype)}: elements have 32 bits here")
    return x if x.dtype == dtype else current().apply("bitcast", [x], {"dtype": dtype.name})


@_rule(
    "copy",
    "copy_p",
    "reduce_precision",
    "optimization_barrier",
    "device_put",
    "sharding_constraint",
    "random_wrap",
    "random_unwrap",
    "pvary",
    "name",
    "real",
    "conj",
)
def _same(equation: Any, *x: Value, **_: Any) -> Sequence[Value]:
    return x
