"""Matrix products, convolutions, windows."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import numpy as lnp
from .._trace import Array, current
from ..errors import UsageError
from ._interpreter import Value, _array, _dtype, _rule
from ._shapes import _padded


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
    return lnp.astype(
        lnp.reshape(made, [*batch, *sizes(a, rest_a), *sizes(b, rest_b)]), _dtype(equation.outvars[0].aval.dtype)
    )


@_rule("conv_general_dilated")
def _convolution(
    equation: Any,
    x: Value,
    w: Value,
    window_strides: Sequence[int],
    padding: Any,
    lhs_dilation: Sequence[int],
    rhs_dilation: Sequence[int],
    dimension_numbers: Any,
    feature_group_count: int,
    batch_group_count: int,
    **_: Any,
) -> Array:
    spatial = len(window_strides)
    if spatial not in (1, 2):
        raise UsageError(f"a convolution over {spatial} dimensions: 1 and 2 are there")
    if batch_group_count != 1:
        raise UsageError("a convolution whose batch is in groups")
    in_spec, kernel_spec, out_spec = dimension_numbers
    x = lnp.transpose(_array(x), [in_spec[0], *in_spec[2:], in_spec[1]])  # [n, rows, columns, channels]
    w = lnp.transpose(_array(w), [*kernel_spec[2:], kernel_spec[1], kernel_spec[0]])  # [rows, columns, in, out]
    strides, dilation, padding, base = (
        list(window_strides),
        list(rhs_dilation),
        [tuple(p) for p in padding],
        list(lhs_dilation),
    )
    if spatial == 1:
        x, w = lnp.expand_dims(x, 1), lnp.expand_dims(w, 0)
        strides, dilation, padding, base = [1, *strides], [1, *dilation], [(0, 0), *padding], [1, *base]
    if base != [1, 1] or any(n < 0 for pair in padding for n in pair):
        x = _padded(
            x, [(0, 0, 0), *((low, high, between - 1) for (low, high), between in zip(padding, base)), (0, 0, 0)]
        )
        padding = [(0, 0), (0, 0)]
    made = lnp.convolution(x, w, strides, padding, dilation, feature_group_count)
    if spatial == 1:
        made = lnp.squeeze(made, 1)
    places = [out_spec[0], *out_spec[2:], out_spec[1]]
    return lnp.transpose(made, [places.index(i) for i in range(made.ndim)])


def _pooled(
    x: Array,
    window: Sequence[int],
    strides: Sequence[int],
    padding: Sequence,
    base: Sequence[int],
    dilation: Sequence[int],
    function: Callable,
) -> Array:
    """A pooling over the dimensions that have windows, at most two."""
    if any(n != 1 for n in base):
        raise UsageError("a pooling with holes between the elements")
    over = [i for i in range(x.ndim) if window[i] != 1 or strides[i] != 1 or tuple(padding[i]) != (0, 0)]
    if len(over) > 2:
        raise UsageError(f"a pooling over {len(over)} dimensions: at most two are there")
    if over != [1, 2] or x.ndim != 4:
        over = [i for i in range(x.ndim) if i not in over][-(2 - len(over)) :] + over if len(over) < 2 else over
        missing = 2 - len(over)
        rest = [i for i in range(x.ndim) if i not in over]
        turned = lnp.transpose(x, rest + over)
        lengths = [turned.shape[i] for i in range(len(rest))]
        images = lnp.reshape(turned, [math.prod(lengths), *[1] * missing, *turned.shape[len(rest) :], 1])
        pick = lambda values, fill: [*[fill] * missing, *(values[i] for i in over)]
        made = function(images, pick(window, 1), pick(strides, 1), pick(padding, (0, 0)), pick(dilation, 1))
        made = lnp.reshape(made, [*lengths, *made.shape[1 + missing : 3]])
        order = rest + over
        return lnp.transpose(made, [order.index(i) for i in range(x.ndim)])
    return function(x, window[1:3], strides[1:3], padding[1:3], dilation[1:3])


def _sum_pool(
    x: Array, window: Sequence[int], strides: Sequence[int], padding: Sequence, dilation: Sequence[int]
) -> Array:
    x = lnp.pad(x, [(0, 0), *map(tuple, padding), (0, 0)])
    return lnp.mean_pool(x, window, strides, "valid", dilation) * float(math.prod(window))


@_rule("reduce_window_max", "reduce_window_min", "reduce_window_sum")
def _reduce_window(
    equation: Any,
    x: Value,
    window_dimensions: Sequence[int],
    window_strides: Sequence[int],
    padding: Sequence,
    base_dilation: Sequence[int],
    window_dilation: Sequence[int],
    **_: Any,
) -> Array:
    x = _array(x)
    name = equation.primitive.name
    function = _sum_pool if name == "reduce_window_sum" else lambda images, w, s, p, d: lnp.max_pool(images, w, s, p, d)
    made = _pooled(
        -x if name == "reduce_window_min" else x,
        window_dimensions,
        window_strides,
        padding,
        base_dilation,
        window_dilation,
        function,
    )
    return -made if name == "reduce_window_min" else made


@_rule("qr")
def _qr(equation: Any, x: Value, full_matrices: bool = False, **_: Any) -> tuple[Array, Array]:
    """With a positive diagonal of R: initializers that are orthogonal turn theirs so."""
    x = _array(x)
    if x.ndim != 2 or x.shape[0] < x.shape[1] or (full_matrices and x.shape[0] != x.shape[1]):
        raise UsageError(
            f"a QR decomposition of {list(x.shape)}: of one matrix that is not wider than tall it is there"
        )
    q = lnp.orthonormal_columns(x)
    return q, lnp.triu(lnp.transpose(q) @ x)
