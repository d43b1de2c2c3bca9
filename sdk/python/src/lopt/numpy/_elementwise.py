"""Functions of each element."""

from __future__ import annotations

import builtins
import math

import numpy as np

from .._trace import BOOL, FLOAT32, INT32, UINT32, Array, current
from ._names import int32, inf
from ._values import _binary, _is_number, _numbers, _real, together, _unary, asarray, astype
from ._constants import ones_like


add, subtract, multiply = _numbers("add"), _numbers("subtract"), _numbers("multiply")
maximum, minimum = _numbers("maximum"), _numbers("minimum")
equal, not_equal, less, less_equal = map(_binary, ("equal", "not_equal", "less", "less_equal"))
greater, greater_equal = _binary("greater"), _binary("greater_equal")
bitwise_and, bitwise_or, bitwise_xor = map(_binary, ("and", "or", "xor"))
left_shift, right_shift = _binary("shift_left"), _binary("shift_right")
exp, log, log1p, expm1, sqrt, rsqrt, tanh, sin, cos = map(
    _unary, ("exp", "log", "log1p", "expm1", "sqrt", "rsqrt", "tanh", "sin", "cos")
)
sigmoid, erf, erf_inv, floor, relu, silu, softplus, gelu, exact_gelu = map(
    _unary, ("sigmoid", "erf", "erf_inv", "floor", "relu", "silu", "softplus", "gelu", "exact_gelu")
)
swish = silu


def negative(x) -> Array:
    x = asarray(x)
    return current().apply("negate", [astype(x, int32) if x.dtype == BOOL else x])


def abs(x) -> Array:
    x = asarray(x)
    return x if x.dtype in (BOOL, UINT32) else current().apply("abs", [x])


absolute = fabs = abs


def sign(x) -> Array:
    x = asarray(x)
    return current().apply("sign", [x]) if x.dtype == FLOAT32 else astype(current().apply("sign", [_real(x)]), x.dtype)


def square(x) -> Array:
    x = asarray(x)
    return multiply(x, x)


def divide(a, b) -> Array:
    a, b = together(a, b)
    return current().apply("divide", [x if isinstance(x, float) else _real(x) for x in (a, b)])


true_divide = divide


def floor_divide(a, b) -> Array:
    a, b = map(asarray, together(a, b))
    if a.dtype == FLOAT32:
        return floor(a / b)
    quotient = current().apply("quotient", [a, b])
    return (
        quotient - astype((remainder(a, b) != current().apply("remainder", [a, b])), a.dtype)
        if a.dtype == INT32
        else quotient
    )


def remainder(a, b) -> Array:
    """With the sign of b, as in Python."""
    a, b = map(asarray, together(a, b))
    if a.dtype == FLOAT32:
        return a - floor(a / b) * b
    rest = current().apply("remainder", [a, b])
    return where(bitwise_and(rest != 0, (rest < 0) != (b < 0)), rest + b, rest) if a.dtype == INT32 else rest


mod = remainder


def power(a, b) -> Array:
    """Whole numbers of Python as exponents are products."""
    if isinstance(b, (int, np.integer)) and not isinstance(b, builtins.bool):
        return integer_pow(asarray(a), int(b))
    if isinstance(b, float) and b == 0.5:
        return sqrt(a)
    a, b = together(a, b)
    return current().apply("power", [x if isinstance(x, float) else _real(x) for x in (a, b)])


pow = float_power = power


def integer_pow(x: Array, n: int) -> Array:
    if n < 0:
        return 1.0 / integer_pow(_real(x), -n)
    if n == 0:
        return ones_like(x)
    result, factor = None, x
    while n:
        if n & 1:
            result = factor if result is None else result * factor
        n >>= 1
        if n:
            factor = factor * factor
    return result


def where(condition, a, b) -> Array:
    a, b = together(a, b)
    condition = asarray(condition)
    if condition.dtype != BOOL:
        condition = condition != 0
    return current().apply("where", [condition, a, b])


select = where


def clip(x, min=None, max=None, *, a_min=None, a_max=None) -> Array:
    low, high = min if min is not None else a_min, max if max is not None else a_max
    x = asarray(x)
    if x.dtype == FLOAT32 and _is_number(low) and _is_number(high):
        return current().apply("clamp", [x], {"low": float(low), "high": float(high)})
    if low is not None:
        x = maximum(x, low)
    return x if high is None else minimum(x, high)


clamp = clip


def logical_not(x) -> Array:
    return current().apply("logical_not", [_truth(x)])


def logical_and(a, b) -> Array:
    return bitwise_and(_truth(a), _truth(b))


def logical_or(a, b) -> Array:
    return bitwise_or(_truth(a), _truth(b))


def logical_xor(a, b) -> Array:
    return bitwise_xor(_truth(a), _truth(b))


def _truth(x) -> Array:
    x = asarray(x)
    return x if x.dtype == BOOL else x != 0


def bitwise_not(x) -> Array:
    x = asarray(x)
    return (
        logical_not(x)
        if x.dtype == BOOL
        else bitwise_xor(x, astype(asarray(-1), x.dtype) if x.dtype == INT32 else asarray(np.uint32(0xFFFFFFFF)))
    )


invert = bitwise_not


def isnan(x) -> Array:
    x = asarray(x)
    return x != x


def isinf(x) -> Array:
    return abs(x) == inf


def isfinite(x) -> Array:
    return abs(x) < inf


def nan_to_num(x, nan: float = 0.0) -> Array:
    most = float(np.finfo(np.float32).max)
    return where(isnan(x), nan, maximum(minimum(x, most), -most))


def ceil(x) -> Array:
    return -floor(-_real(x))


def round(x, decimals: int = 0) -> Array:
    """To the nearest whole number, of two the even one."""
    if decimals:
        return round(_real(x) * 10.0**decimals) / 10.0**decimals
    x = _real(x)
    low = floor(x)
    rest = x - low
    up = logical_or(rest > 0.5, logical_and(rest == 0.5, low - 2.0 * floor(low * 0.5) == 1.0))
    return where(up, low + 1.0, low)


rint = round


def trunc(x) -> Array:
    return where(asarray(x) < 0, ceil(x), floor(x))


def reciprocal(x) -> Array:
    return 1.0 / _real(x)


def tan(x) -> Array:
    return sin(x) / cos(x)


def sinh(x) -> Array:
    grown = expm1(x)
    return 0.5 * (grown + grown / (grown + 1.0))


def cosh(x) -> Array:
    grown = exp(x)
    return 0.5 * (grown + 1.0 / grown)


def arctanh(x) -> Array:
    x = _real(x)
    return 0.5 * (log1p(x) - log1p(-x))


def arcsinh(x) -> Array:
    x = _real(x)
    size = abs(x)
    return sign(x) * log1p(size + x * x / (1.0 + sqrt(x * x + 1.0)))


def log2(x) -> Array:
    return log(x) * (1 / math.log(2))


def log10(x) -> Array:
    return log(x) * (1 / math.log(10))


def exp2(x) -> Array:
    return exp(_real(x) * math.log(2))


def cbrt(x) -> Array:
    x = _real(x)
    return sign(x) * power(abs(x), 1 / 3)


def logaddexp(a, b) -> Array:
    a, b = map(_real, together(a, b))
    return maximum(a, b) + log1p(exp(-abs(a - b)))


def hypot(a, b) -> Array:
    return sqrt(square(a) + square(b))
