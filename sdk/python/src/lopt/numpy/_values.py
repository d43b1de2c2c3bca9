"""Values of a program, and of which type they are."""

from __future__ import annotations

import builtins
from collections.abc import Callable

import numpy as np

from .._trace import BOOL, FLOAT32, INT32, UINT32, Array, current
from ..errors import UsageError
from ._names import float32, int32


def shape_of(shape) -> list[int]:
    """A shape as a list: of a number, or of a sequence."""
    if isinstance(shape, (int, np.integer, Array)):
        return [int(shape)]
    return [int(length) for length in shape]


def dtype_of(dtype) -> np.dtype:
    """The type of elements that is meant. Throws UsageError for one that lopt has not."""
    if dtype is float:
        return FLOAT32
    if dtype is int:
        return INT32
    if dtype is builtins.bool:
        return BOOL
    found = np.dtype(dtype)
    if found not in (FLOAT32, INT32, UINT32, BOOL):
        raise UsageError(f"elements of {found} are not there; there are float32, int32, uint32 and bool")
    return found


def asarray(x, dtype=None) -> Array:
    """x as an array of the program: arrays of NumPy, numbers and lists are constants. `dtype`: converted to it."""
    if not isinstance(x, Array):
        if isinstance(x, (list, tuple)) and builtins.any(isinstance(part, Array) for part in _parts(x)):
            from ._shapes import stack

            x = stack([asarray(part) for part in x])
        else:
            if not isinstance(x, np.ndarray):
                x = np.asarray(x)
            x = current().constant(x)
    return x if dtype is None else astype(x, dtype)


array = asarray


def _parts(x):
    for part in x:
        if isinstance(part, (list, tuple)):
            yield from _parts(part)
        else:
            yield part


def astype(x, dtype) -> Array:
    dtype = dtype_of(dtype)
    x = asarray(x)
    return x if x.dtype == dtype else current().apply("convert", [x], {"dtype": dtype.name})


def _is_number(x) -> bool:
    return isinstance(x, (builtins.bool, int, float)) or (
        isinstance(x, (np.generic, np.ndarray)) and np.ndim(x) == 0 and isinstance(x, np.generic)
    )


def together(*values) -> list:
    """Arrays and numbers of one type: numbers stay numbers where there is an array whose type they can take."""
    arrays = [x if isinstance(x, Array) else None if _is_number(x) else asarray(x) for x in values]
    numbers = [x for x, a in zip(values, arrays) if a is None]
    kinds = {a.dtype for a in arrays if a is not None}
    if not kinds:
        return (
            [asarray(x, None) for x in values]
            if len({type(x) for x in values}) == 1
            else [asarray(x, np.result_type(*map(np.asarray, values)).kind == "f" and float32 or int32) for x in values]
        )
    wants_real = builtins.any(isinstance(x, (float, np.floating)) for x in numbers)
    wants_number = wants_real or builtins.any(not isinstance(x, (builtins.bool, np.bool_)) for x in numbers)
    if FLOAT32 in kinds or wants_real:
        dtype = FLOAT32
    elif kinds == {UINT32}:
        dtype = UINT32
    elif kinds == {BOOL} and not wants_number:
        dtype = BOOL
    else:
        dtype = UINT32 if UINT32 in kinds and INT32 not in kinds else INT32
    result = []
    for x, a in zip(values, arrays):
        if a is not None:
            result.append(astype(a, dtype))
        elif dtype == BOOL:
            result.append(current().constant(np.asarray(x, np.bool_)))
        elif dtype == FLOAT32:
            result.append(float(x))
        else:
            result.append(current().constant(np.asarray(x).astype(dtype)))
    return result


def _binary(function: str) -> Callable:
    def f(a, b) -> Array:
        return current().apply(function, together(a, b))

    f.__name__ = function
    return f


def _numbers(function: str) -> Callable:
    """Of numbers: bool becomes int32."""

    def f(a, b) -> Array:
        a, b = together(a, b)
        if BOOL in (getattr(a, "dtype", None), getattr(b, "dtype", None)):
            a, b = (astype(x, int32) for x in (a, b))
        return current().apply(function, [a, b])

    f.__name__ = function
    return f


def _real(x) -> Array:
    return astype(asarray(x), float32)


def _unary(function: str) -> Callable:
    def f(x) -> Array:
        return current().apply(function, [_real(x)])

    f.__name__ = function
    return f
