"""NumPy's operators and methods of symbolic arrays."""

from __future__ import annotations

from collections.abc import Callable

from .._trace import Array
from ._values import astype
from ._elementwise import (
    abs,
    add,
    bitwise_and,
    bitwise_not,
    bitwise_or,
    bitwise_xor,
    clip,
    divide,
    equal,
    floor_divide,
    greater,
    greater_equal,
    left_shift,
    less,
    less_equal,
    multiply,
    negative,
    not_equal,
    power,
    remainder,
    right_shift,
    round,
    subtract,
)
from ._shapes import ravel, repeat, reshape, squeeze, swapaxes, transpose
from ._reductions import all, any, argmax, argmin, argsort, cumprod, cumsum, max, mean, min, prod, std, sum, var
from ._products import dot, matmul
from ._index import _At, getitem, take


def _swapped(f: Callable) -> Callable:
    return lambda a, b: f(b, a)


for _name, _function in {
    "add": add,
    "sub": subtract,
    "mul": multiply,
    "truediv": divide,
    "floordiv": floor_divide,
    "mod": remainder,
    "pow": power,
    "matmul": matmul,
    "and": bitwise_and,
    "or": bitwise_or,
    "xor": bitwise_xor,
    "lshift": left_shift,
    "rshift": right_shift,
}.items():
    setattr(Array, f"__{_name}__", _function)
    setattr(Array, f"__r{_name}__", _swapped(_function))
for _name, _function in {
    "eq": equal,
    "ne": not_equal,
    "lt": less,
    "le": less_equal,
    "gt": greater,
    "ge": greater_equal,
    "neg": negative,
    "abs": abs,
    "invert": bitwise_not,
    "getitem": getitem,
}.items():
    setattr(Array, f"__{_name}__", _function)
for _function in (
    reshape,
    ravel,
    astype,
    transpose,
    squeeze,
    swapaxes,
    sum,
    mean,
    max,
    min,
    prod,
    var,
    std,
    any,
    all,
    argmax,
    argmin,
    argsort,
    dot,
    clip,
    round,
    cumsum,
    cumprod,
    repeat,
    take,
):
    setattr(Array, _function.__name__ if _function is not var else "var", _function)
setattr(Array, "__pos__", lambda x: x)
setattr(Array, "flatten", ravel)
setattr(Array, "copy", lambda x: x)
setattr(Array, "T", property(transpose))
setattr(Array, "at", property(_At))
