"""Programs of JAX as programs of lopt: each primitive of a jaxpr becomes what computes the same here."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax import lax
from jax.extend import core as jax_core

from . import numpy as lnp
from . import random as lrandom
from ._trace import BOOL, FLOAT32, INT32, UINT32, Array, current
from .errors import UsageError

# A value is an Array, or a NumPy array where it is known while the program is traced.
Value = Any
_MOST_FOLDED = 4096  # elements of a known value that a computation with known values may make
_MOST_UNROLLED = 1000  # rounds of a loop that has no simple count


def arrays_of(closed: Any, arguments: Sequence[Value]) -> list[Value]:
    """What a closed jaxpr gives for these arguments. Throws UsageError for a primitive that is not there."""
    return _run(closed.jaxpr, closed.consts, list(arguments))


def _run(jaxpr: Any, consts: Sequence[Value], arguments: list[Value]) -> list[Value]:
    values: dict[Any, Value] = {}

    def read(atom: Any) -> Value:
        return np.asarray(atom.val) if isinstance(atom, jax_core.Literal) else values[atom]

    values.update(zip(jaxpr.constvars, (c if isinstance(c, Array) else np.asarray(c) for c in consts)))
    values.update(zip(jaxpr.invars, arguments))
    for equation in jaxpr.eqns:
        results = _apply(equation, [read(atom) for atom in equation.invars])
        for variable, result in zip(equation.outvars, results):
            values[variable] = result
    return [read(atom) for atom in jaxpr.outvars]


def _apply(equation: Any, inputs: list[Value]) -> list[Value]:
    name = equation.primitive.name
    if _is_foldable(equation, inputs):
        return [np.asarray(x) for x in _folded(equation, inputs)]
    rule = RULES.get(name)
    try:
        if rule is None:
            raise UsageError(f"the primitive '{name}' of JAX has no counterpart here" + _near(name))
        made = rule(equation, *inputs, **equation.params)
    except UsageError as error:
        where = _where(equation)
        if where and where not in str(error):
            raise UsageError(f"{where}: {error}") from error
        raise
    return list(made) if isinstance(made, (list, tuple)) else [made]


def _near(name: str) -> str:
    if name in ("eigh", "eig", "svd", "cholesky", "triangular_solve", "lu"):
        return ": decompositions of matrices are not there; lopt.numpy has orthonormal_columns and inverse_root"
    if name in ("lgamma", "digamma", "igamma", "bessel_i0e"):
        return ": special functions but erf and its inverse are not there"
    return ""


def _where(equation: Any) -> str:
    """The line of the user's file."""
    try:
        from jax._src import source_info_util

        frame = source_info_util.user_frame(equation.source_info.traceback if hasattr(equation.source_info, "traceback") else equation.source_info)
        return f"{frame.file_name}:{frame.start_line}" if frame else ""
    except Exception:
        return ""


_NOT_FOLDED = {"random_bits", "random_wrap", "random_unwrap", "random_split", "random_fold_in", "random_seed", "stop_gradient",
               "scan", "while", "cond"}


def _is_foldable(equation: Any, inputs: list[Value]) -> bool:
    """What has known values alone is computed by JAX, unless it makes much of little."""
    if equation.primitive.name in _NOT_FOLDED or any(isinstance(x, Array) for x in inputs):
        return False
    if any(_is_key(v.aval) for v in [*equation.invars, *equation.outvars]):
        return False
    made = sum(math.prod(v.aval.shape) for v in equation.outvars)
    return made <= max(_MOST_FOLDED, sum(x.size for x in inputs))


def _folded(equation: Any, inputs: list[Value]) -> Sequence[Value]:
    inner = {"jit": "jaxpr", "pjit": "jaxpr", "closed_call": "call_jaxpr", "custom_jvp_call": "call_jaxpr",
             "custom_vjp_call": "call_jaxpr", "remat2": "jaxpr", "checkpoint": "jaxpr"}.get(equation.primitive.name)
    if inner:
        closed = equation.params[inner]
        if not hasattr(closed, "consts"):
            return _run(closed, [], inputs)
        return _run(closed.jaxpr, closed.consts, inputs)
    with jax.ensure_compile_time_eval():
        made = equation.primitive.bind(*inputs, **equation.params)
    return made if equation.primitive.multiple_results else [made]


def _is_key(aval: Any) -> bool:
    return jax.dtypes.issubdtype(aval.dtype, jax.dtypes.prng_key)


def _dtype(dtype: Any) -> np.dtype:
    """The type that stands for one of JAX."""
    dtype = np.dtype(dtype)
    if dtype.name in ("bfloat16", "float16", "float64", "complex64", "complex128"):
        raise UsageError(f"a computation in {dtype.name}: lopt computes in float32")
    return BOOL if dtype.kind == "b" else FLOAT32 if dtype.kind == "f" else UINT32 if dtype == np.uint32 else INT32


def _array(x: Value) -> Array:
    return x if isinstance(x, Array) else lnp.asarray(x)


def _number(x: Value) -> Any:
    """Known real scalars as numbers: they cost nothing."""
    return float(x) if not isinstance(x, Array) and x.ndim == 0 and x.dtype.kind == "f" and math.isfinite(x) else _array(x)


# --- rules ----------------------------------------------------------------------------------------------------------

RULES: dict[str, Callable] = {}


def _rule(*names: str) -> Callable:
    def add(function: Callable) -> Callable:
        for name in names:
            RULES[name] = function
        return function
    return add


def _elementwise(names: dict[str, Callable]) -> None:
    for name, function in names.items():
        RULES[name] = lambda equation, *x, _f=function, **_: _f(*map(_number, x))


_elementwise({
    "add": lnp.add, "add_any": lnp.add, "sub": lnp.subtract, "mul": lnp.multiply, "neg": lnp.negative, "exp": lnp.exp, "log": lnp.log,
    "log1p": lnp.log1p, "expm1": lnp.expm1, "sqrt": lnp.sqrt, "rsqrt": lnp.rsqrt, "tanh": lnp.tanh, "sin": lnp.sin, "cos": lnp.cos,
    "tan": lnp.tan, "sinh": lnp.sinh, "cosh": lnp.cosh, "asinh": lnp.arcsinh, "atanh": lnp.arctanh, "logistic": lnp.sigmoid,
    "erf": lnp.erf, "erf_inv": lnp.erf_inv, "floor": lnp.floor, "ceil": lnp.ceil, "abs": lnp.abs, "sign": lnp.sign, "cbrt": lnp.cbrt,
    "exp2": lnp.exp2, "square": lnp.square, "is_finite": lnp.isfinite, "eq": lnp.equal, "ne": lnp.not_equal, "lt": lnp.less,
    "le": lnp.less_equal, "gt": lnp.greater, "ge": lnp.greater_equal, "not": lnp.bitwise_not, "shift_left": lnp.left_shift,
    "shift_right_logical": lnp.right_shift, "stop_gradient": lnp.stop_gradient, "and": lnp.bitwise_and, "or": lnp.bitwise_or,
    "xor": lnp.bitwise_xor, "max": lnp.maximum, "min": lnp.minimum, "erfc": lambda x: 1.0 - lnp.erf(x),
})


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
    return lnp.power(_number(x), _number(lnp.astype(y, np.float32)) if equation.invars[1].aval.dtype.kind != "f" else _number(y))


RULES["integer_pow"] = lambda equation, x, y, **_: lnp.integer_pow(_array(x), int(y))


@_rule("div")
def _divide(equation: Any, a: Value, b: Value, **_: Any) -> Array:
    if equation.outvars[0].aval.dtype.kind in "iu":
        return current().apply("quotient", lnp._together(_array(a), _array(b)))
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
        return lnp.where(which, _number(cases[1]) if isinstance(cases[0], Array) else _array(cases[1]), _number(cases[0]))
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
    coefficients = [0.0028662257, -0.0161657367, 0.0429096138, -0.0752896400, 0.1065626393, -0.1420889944, 0.1999355085, -0.3333314528, 1.0]
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


@_rule("copy", "copy_p", "reduce_precision", "optimization_barrier", "device_put", "sharding_constraint", "random_wrap", "random_unwrap",
       "pvary", "name", "real", "conj")
def _same(equation: Any, *x: Value, **_: Any) -> Sequence[Value]:
    return x


# Shapes. Keys of the new kind have a last dimension more here.


def _with_key(equation: Any, lengths: Sequence[int]) -> list[int]:
    return [*lengths, 2] if _is_key(equation.outvars[0].aval) else list(lengths)


@_rule("reshape")
def _reshape(equation: Any, x: Value, *_: Value, new_sizes: Sequence[int], **__: Any) -> Array:
    return lnp.reshape(_array(x), _with_key(equation, new_sizes))


@_rule("squeeze", "expand_dims")
def _squeeze(equation: Any, x: Value, **_: Any) -> Array:
    return lnp.reshape(_array(x), _with_key(equation, equation.outvars[0].aval.shape))


@_rule("broadcast_in_dim")
def _broadcast(equation: Any, x: Value, *_: Value, shape: Sequence[int], broadcast_dimensions: Sequence[int], **__: Any) -> Array:
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
def _slice(equation: Any, x: Value, start_indices: Sequence[int], limit_indices: Sequence[int], strides: Sequence[int] | None, **_: Any) -> Array:
    x = _array(x)
    extra = x.ndim - len(start_indices)
    return current().apply("slice", [x], {"start": [*map(int, start_indices), *[0] * extra],
                                          "stop": [*map(int, limit_indices), *x.shape[x.ndim - extra:]],
                                          "stride": [*map(int, strides or [1] * len(start_indices)), *[1] * extra]})


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


# Reductions.

for _name, _function in {"reduce_sum": lnp.sum, "reduce_max": lnp.max, "reduce_min": lnp.min, "reduce_prod": lnp.prod,
                         "reduce_and": lnp.all, "reduce_or": lnp.any}.items():
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


# Products.


@_rule("dot_general")
def _dot_general(equation: Any, a: Value, b: Value, dimension_numbers: Any, **_: Any) -> Array:
    (of_a, of_b), (batch_a, batch_b) = dimension_numbers
    a, b = (lnp.astype(x, np.float32) for x in (a, b))
    rest_a = [i for i in range(a.ndim) if i not in of_a and i not in batch_a]
    rest_b = [i for i in range(b.ndim) if i not in of_b and i not in batch_b]
    sizes = lambda x, axes: [x.shape[i] for i in axes]
    batch, inner = sizes(a, batch_a), math.prod(sizes(a, of_a))
    left = lnp.reshape(lnp.transpose(a, [*batch_a, *rest_a, *of_a]), [*batch, math.prod(sizes(a, rest_a)), inner])
    right = lnp.reshape(lnp.transpose(b, [*batch_b, *of_b, *rest_b]), [*batch, inner, math.prod(sizes(b, rest_b))])
    made = current().apply("matmul", [left, right])
    return lnp.astype(lnp.reshape(made, [*batch, *sizes(a, rest_a), *sizes(b, rest_b)]), _dtype(equation.outvars[0].aval.dtype))


@_rule("conv_general_dilated")
def _convolution(equation: Any, x: Value, w: Value, window_strides: Sequence[int], padding: Any, lhs_dilation: Sequence[int],
                 rhs_dilation: Sequence[int], dimension_numbers: Any, feature_group_count: int, batch_group_count: int, **_: Any) -> Array:
    spatial = len(window_strides)
    if spatial not in (1, 2):
        raise UsageError(f"a convolution over {spatial} dimensions: 1 and 2 are there")
    if batch_group_count != 1:
        raise UsageError("a convolution whose batch is in groups")
    in_spec, kernel_spec, out_spec = dimension_numbers
    x = lnp.transpose(_array(x), [in_spec[0], *in_spec[2:], in_spec[1]])  # [n, rows, columns, channels]
    w = lnp.transpose(_array(w), [*kernel_spec[2:], kernel_spec[1], kernel_spec[0]])  # [rows, columns, in, out]
    strides, dilation, padding, base = list(window_strides), list(rhs_dilation), [tuple(p) for p in padding], list(lhs_dilation)
    if spatial == 1:
        x, w = lnp.expand_dims(x, 1), lnp.expand_dims(w, 0)
        strides, dilation, padding, base = [1, *strides], [1, *dilation], [(0, 0), *padding], [1, *base]
    if base != [1, 1] or any(n < 0 for pair in padding for n in pair):
        x = _padded(x, [(0, 0, 0), *((low, high, between - 1) for (low, high), between in zip(padding, base)), (0, 0, 0)])
        padding = [(0, 0), (0, 0)]
    made = lnp.convolution(x, w, strides, padding, dilation, feature_group_count)
    if spatial == 1:
        made = lnp.squeeze(made, 1)
    places = [out_spec[0], *out_spec[2:], out_spec[1]]
    return lnp.transpose(made, [places.index(i) for i in range(made.ndim)])


def _pooled(x: Array, window: Sequence[int], strides: Sequence[int], padding: Sequence, base: Sequence[int], dilation: Sequence[int],
            function: Callable) -> Array:
    """A pooling over the dimensions that have windows, at most two."""
    if any(n != 1 for n in base):
        raise UsageError("a pooling with holes between the elements")
    over = [i for i in range(x.ndim) if window[i] != 1 or strides[i] != 1 or tuple(padding[i]) != (0, 0)]
    if len(over) > 2:
        raise UsageError(f"a pooling over {len(over)} dimensions: at most two are there")
    if over != [1, 2] or x.ndim != 4:
        over = [i for i in range(x.ndim) if i not in over][-(2 - len(over)):] + over if len(over) < 2 else over
        missing = 2 - len(over)
        rest = [i for i in range(x.ndim) if i not in over]
        turned = lnp.transpose(x, rest + over)
        lengths = [turned.shape[i] for i in range(len(rest))]
        images = lnp.reshape(turned, [math.prod(lengths), *[1] * missing, *turned.shape[len(rest):], 1])
        pick = lambda values, fill: [*[fill] * missing, *(values[i] for i in over)]
        made = function(images, pick(window, 1), pick(strides, 1), pick(padding, (0, 0)), pick(dilation, 1))
        made = lnp.reshape(made, [*lengths, *made.shape[1 + missing:3]])
        order = rest + over
        return lnp.transpose(made, [order.index(i) for i in range(x.ndim)])
    return function(x, window[1:3], strides[1:3], padding[1:3], dilation[1:3])


def _sum_pool(x: Array, window: Sequence[int], strides: Sequence[int], padding: Sequence, dilation: Sequence[int]) -> Array:
    x = lnp.pad(x, [(0, 0), *map(tuple, padding), (0, 0)])
    return lnp.mean_pool(x, window, strides, "valid", dilation) * float(math.prod(window))


@_rule("reduce_window_max", "reduce_window_min", "reduce_window_sum")
def _reduce_window(equation: Any, x: Value, window_dimensions: Sequence[int], window_strides: Sequence[int], padding: Sequence,
                   base_dilation: Sequence[int], window_dilation: Sequence[int], **_: Any) -> Array:
    x = _array(x)
    name = equation.primitive.name
    function = _sum_pool if name == "reduce_window_sum" else lambda images, w, s, p, d: lnp.max_pool(images, w, s, p, d)
    made = _pooled(-x if name == "reduce_window_min" else x, window_dimensions, window_strides, padding, base_dilation, window_dilation, function)
    return -made if name == "reduce_window_min" else made


@_rule("qr")
def _qr(equation: Any, x: Value, full_matrices: bool = False, **_: Any) -> tuple[Array, Array]:
    """With a positive diagonal of R: initializers that are orthogonal turn theirs so."""
    x = _array(x)
    if x.ndim != 2 or x.shape[0] < x.shape[1] or (full_matrices and x.shape[0] != x.shape[1]):
        raise UsageError(f"a QR decomposition of {list(x.shape)}: of one matrix that is not wider than tall it is there")
    q = lnp.orthonormal_columns(x)
    return q, lnp.triu(lnp.transpose(q) @ x)


# By index.


def _flat_places(lengths: Sequence[int], starts: dict[int, Value], window: dict[int, int], index_shape: Sequence[int],
                 batching: dict[int, int], clamped: bool) -> tuple[Value, Value | None]:
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
            total = total + np.arange(window[axis], dtype=np.int32).reshape([window[axis] if i == at else 1 for i in range(rank)]) * stride
    shape = [*index_shape, *window.values()]
    full = lnp.broadcast_to(total, shape) if isinstance(total, Array) else np.broadcast_to(total, shape)
    return full, None if inside is None else _spread(inside, len(index_shape), rank)


def _spread(x: Value, index_rank: int, rank: int) -> Value:
    shape = [*x.shape, *[1] * (rank - index_rank)]
    return lnp.reshape(x, shape) if isinstance(x, Array) else x.reshape(shape)


def _column(indices: Value, i: int) -> Value:
    return lnp.astype(indices[..., i], np.int32) if isinstance(indices, Array) else np.asarray(indices)[..., i].astype(np.int32)


@_rule("gather")
def _gather(equation: Any, x: Value, indices: Value, dimension_numbers: Any, slice_sizes: Sequence[int], mode: Any, **_: Any) -> Array:
    """Indices outside are clamped, also where JAX would fill with NaN."""
    x, n = _array(x), dimension_numbers
    batch_x, batch_i = getattr(n, "operand_batching_dims", ()), getattr(n, "start_indices_batching_dims", ())
    index_shape = indices.shape[:-1]
    gone = set(n.collapsed_slice_dims) | set(batch_x)
    whole = [i for i in range(x.ndim) if i not in n.start_index_map]
    if len(n.start_index_map) == 1 and not batch_x and tuple(n.collapsed_slice_dims) == tuple(n.start_index_map) and all(
            slice_sizes[i] == x.shape[i] for i in whole):
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


@_rule("scatter-add", "scatter_add", "scatter", "scatter-mul", "scatter_mul", "scatter-max", "scatter_max", "scatter-min", "scatter_min")
def _scatter(equation: Any, x: Value, indices: Value, updates: Value, dimension_numbers: Any, mode: Any = None, **_: Any) -> Array:
    x, updates, n = _array(x), _array(updates), dimension_numbers
    batch_x, batch_i = getattr(n, "operand_batching_dims", ()), getattr(n, "scatter_indices_batching_dims", ())
    index_shape = indices.shape[:-1]
    gone = set(n.inserted_window_dims) | set(batch_x)
    scatter_dims = [i for i in range(updates.ndim) if i not in n.update_window_dims]
    updates = lnp.transpose(updates, [*scatter_dims, *n.update_window_dims])
    window_axes = [i for i in range(x.ndim) if i not in gone]
    window = {axis: updates.shape[len(index_shape) + i] for i, axis in enumerate(window_axes)}
    starts = {axis: _column(indices, i) for i, axis in enumerate(n.scatter_dims_to_operand_dims)}
    places, inside = _flat_places(x.shape, starts, window, index_shape, dict(zip(batch_x, batch_i)), mode == lax.GatherScatterMode.CLIP)
    if not isinstance(inside, Array) and inside is not None and bool(np.all(inside)):
        inside = None
    flat, rows = _array(np.ravel(places) if not isinstance(places, Array) else lnp.ravel(places)), {"rows": x.size}
    added = lambda values: lnp.reshape(current().apply("scatter_add_rows", [lnp.ravel(lnp.broadcast_to(values, updates.shape)), flat], rows), x.shape)
    kept = updates if inside is None else lnp.where(inside, updates, lnp.zeros_like(updates))
    name = equation.primitive.name.replace("_", "-")
    if name == "scatter-add":
        return x + added(kept)
    count = added(lnp.ones(updates.shape) if inside is None else lnp.astype(lnp.broadcast_to(inside, updates.shape), np.float32))
    if name == "scatter":
        # Of several updates of one place JAX leaves open which holds; here it is their mean.
        total = added(kept)
        return lnp.where(count > 0, total if equation.outvars[0].aval.dtype.kind != "f" else total / lnp.maximum(count, 1.0), x)
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
        good = lnp.reshape(lnp.logical_and(place >= 0, place < size), [length if i == axis else 1 for i in range(x.ndim)])
        inside = good if inside is None else lnp.logical_and(inside, good)
        update = current().apply("gather", [update, lnp.clip(place, 0, size - 1)], {"axis": axis})
    return update if inside is None else lnp.where(lnp.broadcast_to(inside, x.shape), update, x)


# Programs inside of programs.


@_rule("jit", "pjit", "closed_call", "core_call", "remat2", "remat", "checkpoint", "custom_lin", "run_state")
def _inner(equation: Any, *x: Value, **params: Any) -> list[Value]:
    closed = params.get("jaxpr") or params.get("call_jaxpr")
    name = params.get("name", "")
    if name == "relu" and len(x) == 1:
        return [lnp.relu(x[0])]
    return _run(closed.jaxpr, closed.consts, list(x)) if hasattr(closed, "consts") else _run(closed, [], list(x))


# Functions of JAX whose own derivative is that of what they compute.
_PLAIN = {"logaddexp", "_softmax", "softmax", "silu", "swish", "relu6", "celu", "elu", "gelu", "xlogy", "log_softmax", "logsumexp", "_logsumexp",
          "softplus", "sigmoid", "log_sigmoid", "norm", "clip", "where", "log1mexp", "_one_hot", "standardize", "xlog1py", "sinc", "_sinc"}


@_rule("custom_jvp_call")
def _custom_jvp(equation: Any, *x: Value, call_jaxpr: Any, **params: Any) -> list[Value]:
    name = params.get("name", "") or getattr(call_jaxpr.jaxpr.debug_info, "func_name", "")
    if name == "relu" and len(x) == 1:
        return [lnp.relu(x[0])]
    values = _run(call_jaxpr.jaxpr, call_jaxpr.consts, list(x))
    inside = [e.params.get("name") for e in call_jaxpr.jaxpr.eqns]
    return values if name in _PLAIN or any(n in _PLAIN for n in inside) else _with_own_derivative(equation, list(x), values)


@_rule("custom_vjp_call", "custom_vjp_call_jaxpr")
def _custom_vjp(equation: Any, *x: Value, **params: Any) -> list[Value]:
    closed = params.get("call_jaxpr") or params.get("fun_jaxpr")
    return _with_own_derivative(equation, list(x), _run(closed.jaxpr, closed.consts, list(x)))


def _with_own_derivative(equation: Any, x: list[Value], values: list[Value]) -> list[Value]:
    """y + J·(x − x), where the first x and y are constants: the value of y, and the derivative J that JAX has for it."""
    real = [i for i, v in enumerate(equation.invars) if v.aval.dtype.kind == "f" and isinstance(x[i], Array)]
    outs = [i for i, v in enumerate(equation.outvars) if v.aval.dtype.kind == "f"]
    if not real or not outs:
        return values

    def moved(points: Sequence[Any], steps: Sequence[Any]) -> Any:
        def of_real(*reals: Any) -> list[Any]:
            given = list(points)
            for i, value in zip(real, reals):
                given[i] = value
            made = jax.core.eval_jaxpr(_only(equation), (), *given)
            return [made[i] for i in outs]

        made, pull = jax.vjp(of_real, *(points[i] for i in real))
        return jax.linear_transpose(lambda *cotangents: pull(list(cotangents)), *made)(tuple(steps))

    points = [lnp.stop_gradient(p) if isinstance(p, Array) else p for p in x]
    steps = [x[i] - points[i] for i in real]
    shapes = lambda many: [jax.ShapeDtypeStruct(v.shape, v.dtype) for v in many]
    closed = jax.make_jaxpr(moved)(shapes(points), shapes(steps))
    for i, change in zip(outs, arrays_of(closed, [*points, *steps])):
        values[i] = lnp.stop_gradient(values[i]) + _array(change)
    return values


def _only(equation: Any) -> Any:
    """The jaxpr of one equation."""
    from jax._src import core

    inputs = [core.Var(v.aval) if isinstance(v, jax_core.Literal) else v for v in equation.invars]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of what JAX would say about names in messages
        return core.Jaxpr((), inputs, list(equation.outvars), [equation])


@_rule("scan")
def _scan(equation: Any, *x: Value, jaxpr: Any, length: int, reverse: bool, num_consts: int, num_carry: int, **_: Any) -> list[Value]:
    consts, carry, sequences = list(x[:num_consts]), x[num_consts:num_consts + num_carry], x[num_consts + num_carry:]
    arrays = [_array(c) for c in carry]
    if length == 0:
        return [*arrays, *(lnp.zeros(v.aval.shape, _dtype(v.aval.dtype)) for v in equation.outvars[num_carry:])]
    return _scanned(lambda at, elements: _run(jaxpr.jaxpr, jaxpr.consts, [*consts, *at, *elements]), arrays,
                    [_array(s) for s in sequences], length, reverse)


def _scanned(body: Callable, carry: list[Array], sequences: list[Array], length: int, reverse: bool) -> list[Value]:
    dtypes = [c.dtype for c in carry]
    kinds: list[np.dtype] = []

    def step(at: list[Array], elements: list[Array]) -> tuple[list[Array], list[Array]]:
        made = [_array(v) for v in body([lnp.as_was(c, d) for c, d in zip(at, dtypes)], elements)]
        kinds[:] = [v.dtype for v in made[len(carry):]]
        after = [lnp.broadcast_to(lnp.astype(v, d), c.shape) for v, d, c in zip(made, dtypes, carry)]
        return [lnp.as_real(v) for v in after], [lnp.as_real(v) for v in made[len(carry):]]

    made = current().scan(step, [lnp.as_real(c) for c in carry], sequences, {"reverse": bool(reverse), "length": int(length)})
    last = [lnp.as_was(v, d) for v, d in zip(made, dtypes)]
    return [*last, *(lnp.as_was(v, d) for v, d in zip(made[len(carry):], kinds))]


@_rule("while")
def _while(equation: Any, *x: Value, cond_jaxpr: Any, body_jaxpr: Any, cond_nconsts: int, body_nconsts: int, **_: Any) -> list[Value]:
    of_cond, of_body, carry = list(x[:cond_nconsts]), list(x[cond_nconsts:cond_nconsts + body_nconsts]), list(x[cond_nconsts + body_nconsts:])
    if (counted := _count_of(cond_jaxpr, body_jaxpr, of_cond, body_nconsts, carry)) is not None:
        place, first, rounds = counted
        if rounds > 8:
            others = [i for i in range(len(carry)) if i != place]

            def body(at: list[Array], elements: list[Array]) -> list[Value]:
                full: list[Value] = [None] * len(carry)
                for i, value in zip(others, at):
                    full[i] = value
                full[place] = elements[0]
                made = _run(body_jaxpr.jaxpr, body_jaxpr.consts, [*of_body, *full])
                return [made[i] for i in others]

            made = _scanned(body, [_array(carry[i]) for i in others], [lnp.arange(first, first + rounds)], rounds, False)
            made.insert(place, np.asarray(first + rounds, np.int32))
            return made
    for _round_number in range(_MOST_UNROLLED):
        wanted = _run(cond_jaxpr.jaxpr, cond_jaxpr.consts, [*of_cond, *carry])[0]
        if isinstance(wanted, Array):
            raise UsageError("a while loop whose end depends on values: how often it runs must be known while the program is traced; "
                             "lax.scan and fori_loop with fixed bounds are taken")
        if not bool(wanted):
            return carry
        carry = _run(body_jaxpr.jaxpr, body_jaxpr.consts, [*of_body, *carry])
    raise UsageError(f"a while loop of more than {_MOST_UNROLLED} rounds; lax.scan and fori_loop with fixed bounds are taken")


def _count_of(cond: Any, body: Any, of_cond: list[Value], body_nconsts: int, carry: list[Value]) -> tuple[int, int, int] | None:
    """Of `while carry[place] < bound: carry[place] += 1`: the place, where it starts, and how many rounds there are."""
    equations = cond.jaxpr.eqns
    if len(equations) != 1 or equations[0].primitive.name != "lt":
        return None
    a, b = equations[0].invars
    known = dict(zip(cond.jaxpr.invars, [*of_cond, *carry]))
    bound = np.asarray(b.val) if isinstance(b, jax_core.Literal) else known.get(b)
    places = [i for i, v in enumerate(cond.jaxpr.invars[len(of_cond):]) if v is a]
    if not places or isinstance(bound, Array) or bound is None or isinstance(carry[places[0]], Array):
        return None
    place = places[0]
    out, into = body.jaxpr.outvars[place], body.jaxpr.invars[body_nconsts + place]
    for equation in body.jaxpr.eqns:
        if out in equation.outvars:
            parts = equation.invars
            adds_one = equation.primitive.name == "add" and any(p is into for p in parts) and any(
                isinstance(p, jax_core.Literal) and p.val == 1 for p in parts)
            first = int(carry[place])
            return (place, first, max(0, int(bound) - first)) if adds_one else None
    return None


@_rule("cond")
def _cond(equation: Any, which: Value, *x: Value, branches: Sequence[Any], **_: Any) -> list[Value]:
    if not isinstance(which, Array):
        branch = branches[int(np.clip(int(which), 0, len(branches) - 1))]
        return _run(branch.jaxpr, branch.consts, list(x))
    def chosen(first: int) -> Callable:
        """The branch of `which`, of those from one on."""
        def of(*given: Value) -> tuple:
            branch = branches[first]
            return tuple(_array(v) for v in _run(branch.jaxpr, branch.consts, list(given[1:])))
        if first == len(branches) - 1:
            return of
        return lambda at, *rest: lnp.cond(at <= first, of, chosen(first + 1), at, *rest)

    return list(chosen(0)(lnp.astype(which, np.int32), *x))


# Random numbers.


def _each_key(key: Array, function: Callable) -> Array:
    """A function of one key, for each of an array of keys [..., 2]."""
    if key.ndim == 1:
        return function(key)
    count = math.prod(key.shape[:-1])
    flat = lnp.reshape(key, count, 2)
    made = lnp.stack([function(flat[i]) for i in range(count)])
    return lnp.reshape(made, [*key.shape[:-1], *made.shape[1:]])


@_rule("random_bits")
def _random_bits(equation: Any, key: Value, bit_width: int, shape: Sequence[int], **_: Any) -> Array:
    if bit_width != 32:
        raise UsageError(f"random bits in words of {bit_width}: words of 32 are there")
    return _each_key(_array(key), lambda k: lrandom.bits(k, shape))


@_rule("random_split")
def _random_split(equation: Any, key: Value, shape: Sequence[int], **_: Any) -> Array:
    return _each_key(_array(key), lambda k: lnp.reshape(lrandom.split(k, math.prod(shape)), [*shape, 2]))


@_rule("random_fold_in")
def _random_fold_in(equation: Any, key: Value, data: Value, **_: Any) -> Array:
    if not isinstance(data, Array) and data.ndim == 0:
        return _each_key(_array(key), lambda k: lrandom.fold_in(k, int(np.uint32(data))))
    data = lnp.astype(data, np.uint32)
    key = _array(key)
    words = _threefry(key[..., 0], key[..., 1], lnp.zeros_like(data), data)
    return lnp.stack([lnp.broadcast_to(w, np.broadcast_shapes(key.shape[:-1], data.shape)) for w in words], -1)


@_rule("random_seed")
def _random_seed(equation: Any, seed: Value, **_: Any) -> Array:
    if isinstance(seed, Array):
        seed = lnp.astype(seed, np.uint32)
        return lnp.stack([lnp.zeros_like(seed), seed], -1)
    return lrandom.key(int(seed) & 0xFFFFFFFFFFFFFFFF)


@_rule("threefry2x32")
def _threefry_rule(equation: Any, k0: Value, k1: Value, x0: Value, x1: Value, **_: Any) -> tuple[Array, Array]:
    return _threefry(*map(_array, (k0, k1, x0, x1)))


def _threefry(k0: Array, k1: Array, x0: Array, x1: Array) -> tuple[Array, Array]:
    """Threefry-2x32, 20 rounds (Salmon et al., 2011)."""
    keys = [k0, k1, lnp.bitwise_xor(lnp.bitwise_xor(k0, k1), np.uint32(0x1BD11BDA))]
    x0, x1 = x0 + keys[0], x1 + keys[1]
    for group in range(5):
        for turn in ((13, 15, 26, 6), (17, 29, 16, 24))[group % 2]:
            x0 = x0 + x1
            x1 = lnp.bitwise_xor(x0, lnp.bitwise_or(lnp.left_shift(x1, np.uint32(turn)), lnp.right_shift(x1, np.uint32(32 - turn))))
        x0, x1 = x0 + keys[(group + 1) % 3], x1 + keys[(group + 2) % 3] + np.uint32(group + 1)
    return x0, x1
