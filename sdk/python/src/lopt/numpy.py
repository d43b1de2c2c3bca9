"""Functions of symbolic arrays, under NumPy's and JAX's names: what is written with them is traced into a program of lopt.

Arithmetic follows JAX: float32, int32, uint32 and bool; a number of Python takes the type of the array that it meets.
"""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable, Sequence

import numpy as np

from ._trace import BOOL, FLOAT32, INT32, UINT32, Array, current, storable
from .errors import UsageError

ndarray = Array
float32, int32, uint32, bool_ = np.float32, np.int32, np.uint32, np.bool_
pi, e, inf, nan, newaxis = np.pi, np.e, np.inf, np.nan, None


# --- values ---------------------------------------------------------------------------------------------------------


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
    return isinstance(x, (builtins.bool, int, float)) or (isinstance(x, (np.generic, np.ndarray)) and np.ndim(x) == 0 and isinstance(x, np.generic))


def _together(*values) -> list:
    """Arrays and numbers of one type: numbers stay numbers where there is an array whose type they can take."""
    arrays = [x if isinstance(x, Array) else None if _is_number(x) else asarray(x) for x in values]
    numbers = [x for x, a in zip(values, arrays) if a is None]
    kinds = {a.dtype for a in arrays if a is not None}
    if not kinds:
        return [asarray(x, None) for x in values] if len({type(x) for x in values}) == 1 else [asarray(x, np.result_type(*map(np.asarray, values)).kind == "f" and float32 or int32) for x in values]
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
        return current().apply(function, _together(a, b))
    f.__name__ = function
    return f


def _numbers(function: str) -> Callable:
    """Of numbers: bool becomes int32."""
    def f(a, b) -> Array:
        a, b = _together(a, b)
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


# --- element by element ---------------------------------------------------------------------------------------------

add, subtract, multiply = _numbers("add"), _numbers("subtract"), _numbers("multiply")
maximum, minimum = _numbers("maximum"), _numbers("minimum")
equal, not_equal, less, less_equal = map(_binary, ("equal", "not_equal", "less", "less_equal"))
greater, greater_equal = _binary("greater"), _binary("greater_equal")
bitwise_and, bitwise_or, bitwise_xor = map(_binary, ("and", "or", "xor"))
left_shift, right_shift = _binary("shift_left"), _binary("shift_right")
exp, log, log1p, expm1, sqrt, rsqrt, tanh, sin, cos = map(_unary, ("exp", "log", "log1p", "expm1", "sqrt", "rsqrt", "tanh", "sin", "cos"))
sigmoid, erf, erf_inv, floor, relu, silu, softplus, gelu, exact_gelu = map(
    _unary, ("sigmoid", "erf", "erf_inv", "floor", "relu", "silu", "softplus", "gelu", "exact_gelu"))
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
    a, b = _together(a, b)
    return current().apply("divide", [x if isinstance(x, float) else _real(x) for x in (a, b)])


true_divide = divide


def floor_divide(a, b) -> Array:
    a, b = map(asarray, _together(a, b))
    if a.dtype == FLOAT32:
        return floor(a / b)
    quotient = current().apply("quotient", [a, b])
    return quotient - astype((remainder(a, b) != current().apply("remainder", [a, b])), a.dtype) if a.dtype == INT32 else quotient


def remainder(a, b) -> Array:
    """With the sign of b, as in Python."""
    a, b = map(asarray, _together(a, b))
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
    a, b = _together(a, b)
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
    a, b = _together(a, b)
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
    return logical_not(x) if x.dtype == BOOL else bitwise_xor(x, astype(asarray(-1), x.dtype) if x.dtype == INT32 else asarray(np.uint32(0xFFFFFFFF)))


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
        return round(_real(x) * 10.0 ** decimals) / 10.0 ** decimals
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
    a, b = map(_real, _together(a, b))
    return maximum(a, b) + log1p(exp(-abs(a - b)))


def hypot(a, b) -> Array:
    return sqrt(square(a) + square(b))


# --- shapes ---------------------------------------------------------------------------------------------------------


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
    axes = {a % x.ndim for a in ([axis] if isinstance(axis, int) else axis)} if axis is not None else {i for i, n in enumerate(x.shape) if n == 1}
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
    return reshape(broadcast_to(wide, [n for r, length in zip(reps, shape) for n in (r, length)]), [r * n for r, n in zip(reps, shape)])


def repeat(x, repeats: int, axis: int | None = None) -> Array:
    x = asarray(x) if axis is not None else ravel(x)
    axis = (axis or 0) % x.ndim
    shape = list(x.shape)
    wide = broadcast_to(expand_dims(x, axis + 1), [*shape[:axis + 1], repeats, *shape[axis + 1:]])
    return reshape(wide, [*shape[:axis], shape[axis] * repeats, *shape[axis + 1:]])


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
    return concatenate([slice_axis(x, at, x.shape[axis], axis % x.ndim), slice_axis(x, 0, at, axis % x.ndim)], axis) if at else x


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


# --- reductions -----------------------------------------------------------------------------------------------------


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


# --- products -------------------------------------------------------------------------------------------------------


def matmul(a, b) -> Array:
    a, b = _real(a), _real(b)
    if b.ndim == 1:
        return squeeze(current().apply("matmul", [a, reshape(b, -1, 1)]), -1)
    return current().apply("matmul", [a, b])


def dot(a, b) -> Array:
    a, b = asarray(a), asarray(b)
    if a.ndim == 0 or b.ndim == 0:
        return a * b
    if b.ndim > 2:
        raise UsageError("dot: matmul and einsum are for more than two dimensions")
    return matmul(a, b)


def vdot(a, b) -> Array:
    return sum(ravel(a) * ravel(b))


def outer(a, b) -> Array:
    return reshape(a, -1, 1) * reshape(b, 1, -1)


def tensordot(a, b, axes: int = 2) -> Array:
    a, b = asarray(a), asarray(b)
    if isinstance(axes, int):
        of_a, of_b = list(range(a.ndim - axes, a.ndim)), list(range(axes))
    else:
        of_a, of_b = ([x] if isinstance(x, int) else list(x) for x in axes)
    of_a, of_b = [i % a.ndim for i in of_a], [i % b.ndim for i in of_b]
    rest_a, rest_b = [i for i in range(a.ndim) if i not in of_a], [i for i in range(b.ndim) if i not in of_b]
    n = math.prod(a.shape[i] for i in of_a)
    left = reshape(transpose(a, rest_a + of_a), -1, n)
    right = reshape(transpose(b, of_b + rest_b), n, -1)
    return reshape(matmul(left, right), [a.shape[i] for i in rest_a] + [b.shape[i] for i in rest_b])


def einsum(subscripts: str, a, b=None) -> Array:
    """Of one array or two, with indices that are named."""
    inputs, _, output = subscripts.replace(" ", "").partition("->")
    terms = inputs.split(",")
    arrays = [_real(x) for x in ([a] if b is None else [a, b])]
    if len(terms) != len(arrays) or "." in subscripts:
        raise UsageError(f"einsum: '{subscripts}' of {len(arrays)} arrays; one or two, with an index for each dimension, are taken")
    if not _:
        letters = "".join(terms)
        output = "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
    if len(arrays) == 1:
        return _to_indices(arrays[0], terms[0], output)
    # Indices of one array alone are summed first; then one product over what both have and the result has not.
    for i in (0, 1):
        alone = [c for c in terms[i] if c not in output and c not in terms[1 - i]]
        if alone:
            arrays[i] = sum(arrays[i], tuple(terms[i].index(c) for c in alone))
            terms[i] = "".join(c for c in terms[i] if c not in alone)
    both = [c for c in terms[0] if c in terms[1]]
    batch, inner = [c for c in both if c in output], [c for c in both if c not in output]
    left, right = [c for c in terms[0] if c not in both], [c for c in terms[1] if c not in both]
    length = {c: n for term, x in zip(terms, arrays) for c, n in zip(term, x.shape)}
    size = lambda letters: math.prod(length[c] for c in letters)
    x = reshape(transpose(arrays[0], [terms[0].index(c) for c in batch + left + inner]), [*(length[c] for c in batch), size(left), size(inner)])
    y = reshape(transpose(arrays[1], [terms[1].index(c) for c in batch + inner + right]), [*(length[c] for c in batch), size(inner), size(right)])
    made = reshape(current().apply("matmul", [x, y]), [length[c] for c in batch + left + right])
    return _to_indices(made, "".join(batch + left + right), output)


def _to_indices(x: Array, have: str, wanted: str) -> Array:
    if len(set(have)) != len(have):
        raise UsageError("einsum: an index stands twice in one array")
    gone = tuple(i for i, c in enumerate(have) if c not in wanted)
    if gone:
        x, have = sum(x, gone), "".join(c for c in have if c in wanted)
    return transpose(x, [have.index(c) for c in wanted])


# --- constants ------------------------------------------------------------------------------------------------------


def full(shape, fill_value, dtype=None) -> Array:
    if isinstance(fill_value, Array):
        return broadcast_to(fill_value if dtype is None else astype(fill_value, dtype), shape)
    kind = dtype_of(dtype) if dtype is not None else storable(np.asarray(fill_value).dtype)
    return current().apply("full", [], {"shape": shape_of(shape), "value": float(fill_value), "dtype": kind.name}) if math.isfinite(fill_value) \
        else broadcast_to(current().constant(np.asarray(fill_value, kind)), shape)


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


# --- by index -------------------------------------------------------------------------------------------------------


def take(x, indices, axis: int | None = None) -> Array:
    """Slices along an axis; indices outside are clamped."""
    x = asarray(x)
    if axis is None:
        x, axis = ravel(x), 0
    if isinstance(indices, (int, np.integer)):
        return current().apply("take", [x], {"index": int(indices), "axis": axis})
    return current().apply("gather", [x, _indices(indices, x.shape[axis])], {"axis": axis})


gather = take


def _indices(indices, length: int) -> Array:
    """int32, with negative ones counted from the end."""
    if not isinstance(indices, Array):
        values = np.asarray(indices)
        if values.size and (values.min() < -length or values.max() >= length):
            raise UsageError(f"index {values.max() if values.max() >= length else values.min()} of {length} elements")
        return current().constant(np.where(values < 0, values + length, values).astype(np.int32))
    indices = astype(indices, int32)
    return where(indices < 0, indices + length, indices)


def take_along_axis(x, indices, axis: int) -> Array:
    x, indices = asarray(x), asarray(indices)
    axis %= x.ndim
    lengths = [indices.shape[i] if i == axis else builtins.max(x.shape[i], indices.shape[i]) for i in range(x.ndim)]
    indices = broadcast_to(indices, lengths)
    grid = [reshape(np.arange(n), [n if i == j else 1 for j in range(x.ndim)]) for i, n in enumerate(x.shape)]
    return x[tuple(indices if i == axis else grid[i] for i in range(x.ndim))]


def take_along(x, indices) -> Array:
    """One element of each row of x [..., n]: the one at its index [...]."""
    return current().apply("take_along", [asarray(x), astype(indices, int32)])


def scatter_add(x, indices, length: int, axis: int = 0) -> Array:
    """Zeros of `length` along an axis, to which the slices of x are added at their indices."""
    return current().apply("scatter_add", [asarray(x), astype(indices, int32)], {"length": length, "axis": axis})


def one_hot(labels, classes: int) -> Array:
    return current().apply("one_hot", [astype(labels, int32)], {"classes": classes})


def _index_plan(x: Array, index):
    """What an index takes: basic parts (slices of each dimension), and arrays of indices by dimension."""
    parts = list(index) if isinstance(index, tuple) else [index]
    count = builtins.sum(1 for p in parts if p is not None and p is not Ellipsis)
    if count > x.ndim:
        raise UsageError(f"{count} indices of an array of {x.ndim} dimensions")
    at = next((i for i, p in enumerate(parts) if p is Ellipsis), None)
    fill = [slice(None)] * (x.ndim - count)
    return parts[:at] + fill + parts[at + 1:] if at is not None else parts + fill


def getitem(x: Array, index) -> Array:
    parts = _index_plan(x, index)
    begin, end, stride, flips, new_axes, arrays, dropped = [], [], [], [], [], {}, []
    axis = place = 0
    for part in parts:
        if part is None:
            new_axes.append(place)
            place += 1
            continue
        n = x.shape[axis]
        if isinstance(part, slice):
            first, last, step = part.indices(n)
            if step < 0:
                count = builtins.max(0, -(-(first - last) // -step))
                flips.append(axis)
                lowest = first + (count - 1) * step if count else 0
                first, last, step = lowest, first + 1 if count else lowest, -step
            begin.append(first)
            end.append(builtins.max(first, last))
            stride.append(step)
            place += 1
        elif isinstance(part, (int, np.integer)) and not isinstance(part, builtins.bool):
            if not -n <= part < n:
                raise UsageError(f"index {part} of {n} elements")
            begin.append(int(part) % n)
            end.append(int(part) % n + 1)
            stride.append(1)
            dropped.append(axis)
        else:
            given = part if isinstance(part, Array) else np.asarray(part)
            if given.dtype == np.bool_:
                raise UsageError("a mask as an index: how many elements it takes is not known while the program is traced; lopt.numpy.where keeps all")
            arrays[axis] = given
            begin.append(0)
            end.append(n)
            stride.append(1)
            place += 1
        axis += 1
    if begin != [0] * x.ndim or end != list(x.shape) or builtins.any(s != 1 for s in stride):
        x = current().apply("slice", [x], {"start": begin, "stop": end, "stride": stride})
    for a in flips:
        x = current().apply("reversed", [x], {"axis": a})
    if arrays:
        x, moved = _gathered(x, arrays)
    if dropped:
        if arrays:
            if builtins.any(a > builtins.min(arrays) for a in dropped):
                raise UsageError("an index of numbers behind an index of arrays; take them one after the other")
        x = reshape(x, [n for i, n in enumerate(x.shape) if i not in dropped])
    for a in new_axes:
        x = expand_dims(x, a)
    return x


def _gathered(x: Array, arrays: dict):
    """Elements at indices of some dimensions, which the dimensions of the indices take the place of."""
    axes = sorted(arrays)
    lengths = [x.shape[a] for a in axes]
    indices = [_indices(arrays[a], x.shape[a]) for a in axes]
    if len(axes) == 1:
        return current().apply("gather", [x, indices[0]], {"axis": axes[0]}), axes
    shape = np.broadcast_shapes(*(i.shape for i in indices))
    flat = None
    for i, n in zip(indices, lengths):
        i = clip(i, 0, n - 1)
        flat = i if flat is None else flat * n + i
    flat = broadcast_to(flat, shape)
    rest = [i for i in range(x.ndim) if i not in axes]
    together = axes == list(range(axes[0], axes[-1] + 1))
    rows = reshape(transpose(x, axes + rest), [math.prod(lengths), *(x.shape[i] for i in rest)])
    taken = current().apply("gather", [rows, flat], {"axis": 0})
    at = axes[0] if together else 0  # where NumPy has them
    before = [i for i in range(len(rest)) if rest[i] < at]
    order = [len(shape) + i for i in before] + list(range(len(shape))) + [len(shape) + i for i in range(len(rest)) if i not in before]
    return transpose(taken, order) if taken.ndim > 1 else taken, axes


class _At:
    """`x.at[index].set(v)`, `.add(v)` and others: arrays are values, so what changes is another array."""

    def __init__(self, x: Array, index=None):
        self.x, self.index = x, index

    def __getitem__(self, index) -> _At:
        return _At(self.x, index)

    def _scattered(self, values) -> tuple[Array, Array]:
        """The values in their places, and how many came to each."""
        x = self.x
        places = getitem(reshape(arange(x.size), x.shape), self.index)
        values = broadcast_to(astype(values, x.dtype), places.shape)
        flat = ravel(places)
        settings = {"rows": x.size}
        total = current().apply("scatter_add_rows", [ravel(values), flat], settings)
        count = current().apply("scatter_add_rows", [ones((flat.size,)), flat], settings)
        return reshape(total, x.shape), reshape(count, x.shape)

    def set(self, values) -> Array:
        total, count = self._scattered(values)
        return where(count > 0, total, self.x)

    def add(self, values) -> Array:
        return self.x + self._scattered(values)[0]

    def subtract(self, values) -> Array:
        return self.x - self._scattered(values)[0]

    def multiply(self, values) -> Array:
        return self.set(getitem(self.x, self.index) * values)

    mul = multiply

    def max(self, values) -> Array:
        return self.set(maximum(getitem(self.x, self.index), values))

    def min(self, values) -> Array:
        return self.set(minimum(getitem(self.x, self.index), values))

    def get(self) -> Array:
        return getitem(self.x, self.index)


# --- programs -------------------------------------------------------------------------------------------------------


def stop_gradient(x) -> Array:
    return current().apply("stop_gradient", [asarray(x)])


def gradient(loss: Array, tree):
    """d loss / d leaf for each leaf of a tree."""
    from . import tree as trees

    leaves, structure = trees.flatten(tree)
    made = current().apply("gradient", [loss, *leaves], None, builtins.max(2, len(leaves)))
    return trees.unflatten(structure, made)


def scan(step: Callable, init, xs=None, length: int | None = None, reverse: builtins.bool = False,
         recompute: builtins.bool = False):
    """jax.lax.scan: `carry, y = step(carry, x)` for each x of the first dimension; the last carry and all y. `step` is called
    once. `recompute`: a gradient keeps the state before each √length-th step alone."""
    from . import tree as trees

    carry, carry_structure = trees.flatten(init)
    sequences, structure = trees.flatten(xs)
    kept: list = []

    def call(at, elements):
        after, outputs = step(trees.unflatten(carry_structure, at), trees.unflatten(structure, elements) if sequences else None)
        leaves, after_structure = trees.flatten(after)
        if after_structure != carry_structure:
            raise UsageError(f"scan: the carry was {{{', '.join(trees.names(init))}}} and became {{{', '.join(trees.names(after))}}}")
        leaves = [astype(leaf, before.dtype) if isinstance(leaf, (int, float)) else asarray(leaf) for leaf, before in zip(leaves, at)]
        parts, outputs_structure = trees.flatten(outputs)
        kept.append(outputs_structure)
        return leaves, [asarray(part) for part in parts]

    arrays = [asarray(x) for x in carry]
    dtypes = [x.dtype for x in arrays]
    of_outputs: list = []

    def inner(at, elements):
        after, outputs = call([as_was(x, dtype) for x, dtype in zip(at, dtypes)], elements)
        of_outputs[:] = [x.dtype for x in outputs]
        return [as_real(astype(x, dtype)) for x, dtype in zip(after, dtypes)], [as_real(x) for x in outputs]

    made = current().scan(inner, [as_real(x) for x in arrays], [asarray(x) for x in sequences],
                          {"reverse": reverse, "recompute": recompute, "length": int(length or 0)})
    last = [as_was(x, dtype) for x, dtype in zip(made, dtypes)]
    outputs = [as_was(x, dtype) for x, dtype in zip(made[len(arrays):], of_outputs)]
    return trees.unflatten(carry_structure, last), trees.unflatten(kept[-1], outputs)


def fori_loop(lower: int, upper: int, body: Callable, init):
    """body(i, value) for i = lower … upper − 1, which are known; a loop of the program."""
    if upper <= lower:
        return init
    carry, _ = scan(lambda value, i: (body(i, value), None), init, arange(lower, upper))
    return carry


def cond(condition, if_true: Callable, if_false: Callable, *operands):
    """The result of one of two functions of the operands; the other does not run, where it computes of these. Where the condition is
    known while the program is traced, the other is not called either."""
    from . import tree as trees

    if not isinstance(condition, Array):
        return (if_true if condition else if_false)(*operands)
    try:
        return (if_true if bool(condition) else if_false)(*operands)
    except UsageError:
        pass
    leaves, structure = trees.flatten(operands)
    made: list = []

    def branch(function: Callable) -> Callable:
        def call(given):
            results, shape = trees.flatten(function(*trees.unflatten(structure, given)))
            arrays = [asarray(x) for x in results]
            made.append((shape, [x.dtype for x in arrays]))
            return [as_real(x) for x in arrays]
        return call

    results = current().cond(_truth(condition), branch(if_true), branch(if_false), [asarray(x) for x in leaves])
    shape, dtypes = made[-1]
    if builtins.any(other != made[-1] for other in made):
        raise UsageError("cond: the two functions give results of different structure or type")
    return trees.unflatten(shape, [as_was(x, dtype) for x, dtype in zip(results, dtypes)])


def as_real(x: Array) -> Array:
    """Any 32 bits as float32 that keep them: integers in two halves of 16, one behind the other along a new last dimension."""
    if x.dtype == FLOAT32:
        return x
    if x.dtype == BOOL:
        return astype(x, float32)
    bits = x if x.dtype == UINT32 else current().apply("bitcast", [x], {"dtype": "uint32"})
    return stack([astype(right_shift(bits, np.uint32(16)), float32), astype(bitwise_and(bits, np.uint32(0xFFFF)), float32)], x.ndim)


def as_was(x: Array, dtype: np.dtype) -> Array:
    """What `as_real` made, as it was."""
    if dtype == FLOAT32:
        return x
    if dtype == BOOL:
        return x != 0.0
    high, low = (astype(x[..., i], uint32) for i in (0, 1))
    bits = bitwise_or(left_shift(high, np.uint32(16)), low)
    return bits if dtype == UINT32 else current().apply("bitcast", [bits], {"dtype": "int32"})


# --- networks -------------------------------------------------------------------------------------------------------


def log_softmax(x, axis: int = -1) -> Array:
    return _along(x, axis, "log_softmax")


def softmax(x, axis: int = -1) -> Array:
    return _along(x, axis, "softmax")


def _along(x, axis: int, function: str) -> Array:
    x = _real(x)
    if axis % x.ndim == x.ndim - 1:
        return current().apply(function, [x])
    return swapaxes(current().apply(function, [swapaxes(x, axis, -1)]), axis, -1)


def activation(name: str, x) -> Array:
    return current().apply("activation", [_real(x)], {"name": name})


def leaky_relu(x, slope: float = 0.01) -> Array:
    return current().apply("leaky_relu", [_real(x)], {"slope": slope})


def relu6(x) -> Array:
    return minimum(relu(x), 6.0)


def elu(x, alpha: float = 1.0) -> Array:
    x = _real(x)
    return where(x > 0, x, alpha * expm1(where(x > 0, 0.0, x)))


def _window(stride, dilation, padding) -> dict:
    pair = lambda n: [n, n] if isinstance(n, int) else list(n)
    if isinstance(padding, str):
        return {"stride": pair(stride), "dilation": pair(dilation), "padding": padding.lower()}
    before, after = zip(*padding)
    return {"stride": pair(stride), "dilation": pair(dilation), "padding": "by", "before": list(before), "after": list(after)}


def convolution(x, w, stride=1, padding="same", dilation=1, groups: int = 1) -> Array:
    """Images [n, height, width, channels] and weights [height, width, channels / groups, outputs]. `padding`: "same", "valid",
    or pairs before and after for each dimension."""
    return current().apply("convolution", [_real(x), _real(w)], {**_window(stride, dilation, padding), "groups": groups})


def max_pool(x, window, stride=None, padding="valid", dilation=1) -> Array:
    height, width = (window, window) if isinstance(window, int) else window
    return current().apply("max_pool", [_real(x)], {**_window(stride or [height, width], dilation, padding), "height": height, "width": width})


def mean_pool(x, window, stride=None, padding="valid", dilation=1) -> Array:
    height, width = (window, window) if isinstance(window, int) else window
    return current().apply("mean_pool", [_real(x)], {**_window(stride or [height, width], dilation, padding), "height": height, "width": width})


avg_pool = mean_pool


def _layers(theta) -> list[Array]:
    """w0, b0, w1, b1, … of a dictionary, or a list of pairs."""
    if isinstance(theta, dict):
        return [theta[f"{letter}{i}"] for i in range(len([k for k in theta if k.startswith("w")])) for letter in "wb"]
    return [part for pair in theta for part in pair]


def dense_network(x, theta, activation: str = "relu", shared=None) -> Array:
    """Dense layers with weights {w0, b0, w1, b1, …} on the last dimension of x; `shared`: features that all elements share,
    behind them."""
    if shared is None:
        return current().apply("dense_network", [_real(x), *_layers(theta)], {"activation": activation})
    return current().apply("dense_network_shared", [_real(x), _real(shared), *_layers(theta)], {"activation": activation})


def dense_weights(key, widths: Sequence[int], last_is_zero: builtins.bool = False) -> dict:
    """Weights {w0, b0, w1, b1, …} of a dense network, normal, of variance 1/in in the first layer and 2/in in later ones."""
    return current().apply("dense_weights", [key], {"widths": shape_of(widths), "last_is_zero": last_is_zero}, 2 * len(widths))


def initial_weights(name: str, key, shape, scale: float = 1.0) -> Array:
    return current().apply("initial_weights", [key], {"name": name, "shape": shape_of(shape), "scale": scale})


def fan_in_weights(key, n_in: int, n_out: int) -> Array:
    return current().apply("fan_in_weights", [key], {"in": n_in, "out": n_out})


def embedding(table, numbers) -> Array:
    return current().apply("embedding", [_real(table), astype(numbers, int32)])


def layer_norm(x, scale, offset, epsilon: float = 1e-5) -> Array:
    return current().apply("layer_norm", [_real(x), _real(scale), _real(offset)], {"epsilon": epsilon})


def attention(queries, keys, values, causal: builtins.bool = False) -> Array:
    return current().apply("attention", [_real(queries), _real(keys), _real(values)], {"causal": causal})


def multi_head_attention(queries, keys, values, heads: int, causal: builtins.bool = False) -> Array:
    return current().apply("multi_head_attention", [_real(queries), _real(keys), _real(values)], {"heads": heads, "causal": causal})


def dropout(key, x, rate: float) -> Array:
    return current().apply("dropout", [key, _real(x)], {"rate": rate})


def cross_entropy(logits, labels) -> Array:
    """Mean of −log softmax(logits) at the int32 labels."""
    return current().apply("cross_entropy", [_real(logits), astype(labels, int32)])


def accuracy(logits, labels) -> Array:
    return current().apply("accuracy", [_real(logits), astype(labels, int32)])


def gru(x, hidden, w, b) -> Array:
    return current().apply("gru", [_real(v) for v in (x, hidden, w, b)])


def lstm(x, state, w, b) -> tuple[Array, Array]:
    """(hidden, cell) after one step."""
    hidden, cell = current().apply("lstm", [_real(v) for v in (x, *state, w, b)], None, 2)
    return hidden, cell


# --- matrices -------------------------------------------------------------------------------------------------------


def newton_schulz(x, iterations: int = 5) -> Array:
    return current().apply("newton_schulz", [_real(x)], {"iterations": iterations})


def orthogonal_factor(x, least: float = 1e-3) -> Array:
    return current().apply("orthogonal_factor", [_real(x)], {"least": least})


def orthogonal_blocks(x, block: int = 64, least: float = 1e-3) -> Array:
    return current().apply("orthogonal_blocks", [_real(x)], {"block": block, "least": least})


def inverse_root(a, p: int, iterations: int = 30) -> Array:
    return current().apply("inverse_root", [_real(a)], {"p": p, "iterations": iterations})


def orthonormal_columns(x) -> Array:
    return current().apply("orthonormal_columns", [_real(x)])


# --- features -------------------------------------------------------------------------------------------------------


def moving_mean(mean, x, decay):
    """decay · mean + (1 − decay) · x, leaf by leaf."""
    from . import tree as trees

    return trees.map(lambda m, v: current().apply("moving_mean", [_real(m), _real(v), _real(decay)]), mean, x)


def normalized_by_moment(x, epsilon: float = 1e-5, axis=None) -> Array:
    x = _real(x)
    return current().apply("normalized_by_moment", [x], {"epsilon": epsilon, "axes": _axes(x, axis)})


def step_embedding(iteration) -> Array:
    """tanh(t / s − 1) for s = 1, 3, 10, … 100,000: [11]."""
    return current().apply("step_embedding", [asarray(iteration)])


class TensorFeatures:
    """Features of one tensor: `own`, a list of arrays of its shape, and `shared`, an array of those that all its elements share, or
    None."""

    def __init__(self, own: list[Array], shared: Array | None):
        self.own, self.shared = own, shared

    def clip(self, low: float, high: float) -> TensorFeatures:
        return TensorFeatures([clip(x, low, high) for x in self.own], self.shared)

    def network(self, theta, activation: str = "relu") -> Array:
        """A dense network {w0, b0, w1, b1, …} on them, for each element: [..., outputs]."""
        arrays = [*self.own, *([] if self.shared is None else [self.shared])]
        return current().apply("features_network", [*arrays, *_layers(theta)],
                               {"own": len(self.own), "shared": self.shared is not None, "activation": activation})


class Features:
    """What learned optimizers look at, by name: Features(["parameter", "momentum 0.9", "gradient", "step"]). `lopt-run describe
    features` lists them."""

    def __init__(self, names: Sequence[str], momentum_decay: float = 0.9):
        self.settings = {"names": list(names), "momentum_decay": momentum_decay}

    def count(self) -> int:
        """How many numbers a parameter has: its own, and those that its tensor shares."""
        from ._trace import Trace
        from . import random

        with Trace():
            params = {"w": zeros((2, 3))}
            key = random.key(0)
            context = _Context(asarray(np.float32(1)), asarray(np.int32(1)), 10, key)
            one = self.of(params, params, self.next(self.start(params), params, context), context)["w"]
            return len(one.own) + (0 if one.shared is None else one.shared.shape[0])

    def start(self, params):
        """The accumulators at the start."""
        return self._apply("features_start", {"params": params})

    def next(self, accumulators, grads, context):
        """The accumulators after a gradient."""
        return self._apply("features_next", {"accumulators": accumulators, "grads": grads}, context)

    def of(self, params, grads, accumulators, context):
        """For each tensor its features, in a tree as the parameters': `lopt.tree.map(step, params, features)`."""
        from . import tree as trees

        made = self._apply("features_of", {"params": params, "grads": grads, "accumulators": accumulators}, context)
        return trees.unflatten(trees.structure(params),
                               [TensorFeatures(list(tensor["own"].values()), tensor.get("shared")) for tensor in made.values()])

    def _apply(self, function: str, trees_of: dict, context=None):
        from . import tree as trees

        arrays: list[Array] = []
        settings = dict(self.settings)

        def placed(tree):
            if isinstance(tree, dict):
                return {"tree": [[str(name), placed(below)] for name, below in tree.items()]}
            if isinstance(tree, (list, tuple)):
                return {"tree": [[str(i), placed(below)] for i, below in enumerate(tree)]}
            arrays.append(asarray(tree))
            return len(arrays) - 1

        for name, tree in trees_of.items():
            settings[name] = placed(tree)
        if context is not None:
            given = {"num_steps": int(context.num_steps or 0)}
            for name in ("loss", "iteration", "length", "key"):
                value = getattr(context, name, None)
                if value is not None:
                    given[name] = len(arrays)
                    arrays.append(asarray(value))
            settings["context"] = given
        made = current().apply(function, arrays, settings, 1024)
        return made


class _Context:
    def __init__(self, loss, iteration, num_steps, key):
        self.loss, self.iteration, self.num_steps, self.key, self.length = loss, iteration, num_steps, key, None


# --- operators ------------------------------------------------------------------------------------------------------


def _swapped(f: Callable) -> Callable:
    return lambda a, b: f(b, a)


for _name, _function in {"add": add, "sub": subtract, "mul": multiply, "truediv": divide, "floordiv": floor_divide, "mod": remainder,
                         "pow": power, "matmul": matmul, "and": bitwise_and, "or": bitwise_or, "xor": bitwise_xor,
                         "lshift": left_shift, "rshift": right_shift}.items():
    setattr(Array, f"__{_name}__", _function)
    setattr(Array, f"__r{_name}__", _swapped(_function))
for _name, _function in {"eq": equal, "ne": not_equal, "lt": less, "le": less_equal, "gt": greater, "ge": greater_equal,
                         "neg": negative, "abs": abs, "invert": bitwise_not, "getitem": getitem}.items():
    setattr(Array, f"__{_name}__", _function)
for _function in (reshape, ravel, astype, transpose, squeeze, swapaxes, sum, mean, max, min, prod, var, std, any, all, argmax, argmin,
                  argsort, dot, clip, round, cumsum, cumprod, repeat, take):
    setattr(Array, _function.__name__ if _function is not var else "var", _function)
setattr(Array, "__pos__", lambda x: x)
setattr(Array, "flatten", ravel)
setattr(Array, "copy", lambda x: x)
setattr(Array, "T", property(transpose))
setattr(Array, "at", property(_At))
