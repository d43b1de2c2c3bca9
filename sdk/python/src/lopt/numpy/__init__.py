"""Functions of symbolic arrays, under NumPy's and JAX's names: what is written with them is traced into a program of lopt.

Arithmetic follows JAX: float32, int32, uint32 and bool; a number of Python takes the type of the array that it meets.
"""

from ._names import float32, int32, uint32, bool_, pi, e, inf, nan, newaxis
from ._values import shape_of, dtype_of, asarray, array, astype, together
from ._constants import (full, zeros, ones, zeros_like, ones_like, full_like, empty, empty_like, arange, linspace,
                         eye, identity_matrix)
from ._elementwise import (add, subtract, multiply, maximum, minimum, equal, not_equal, less, less_equal, greater,
                           greater_equal, bitwise_and, bitwise_or, bitwise_xor, left_shift, right_shift, exp, log,
                           log1p, expm1, sqrt, rsqrt, tanh, sin, cos, sigmoid, erf, erf_inv, floor, relu, silu,
                           softplus, gelu, exact_gelu, swish, negative, abs, absolute, fabs, sign, square, divide,
                           true_divide, floor_divide, remainder, mod, power, pow, float_power, integer_pow, where,
                           select, clip, clamp, logical_not, logical_and, logical_or, logical_xor, bitwise_not,
                           invert, isnan, isinf, isfinite, nan_to_num, ceil, round, rint, trunc, reciprocal, tan,
                           sinh, cosh, arctanh, arcsinh, log2, log10, exp2, cbrt, logaddexp, hypot)
from ._shapes import (reshape, ravel, broadcast_to, expand_dims, squeeze, transpose, swapaxes, moveaxis, concatenate,
                      stack, hstack, vstack, atleast_1d, split, slice_axis, pad, tile, repeat, flip, roll, tril,
                      triu, lower_triangle, upper_triangle, diag)
from ._reductions import (sum, mean, max, min, prod, variance, logsumexp, rms, var, amax, amin, log_sum_exp, std,
                          norm, normalize, any, all, argmax, argmin, sort, argsort, top_k, median, cumsum, cumprod,
                          cummax, cumulative_sum, cumulative_prod, cumulative_max)
from ._products import matmul, dot, vdot, outer, tensordot, einsum
from ._index import take, gather, take_along_axis, take_along, scatter_add, one_hot, getitem
from ._loops import stop_gradient, gradient, scan, fori_loop, cond, as_real, as_was
from ._networks import (log_softmax, softmax, activation, leaky_relu, relu6, elu, convolution, max_pool, mean_pool,
                        avg_pool, dense_network, dense_weights, initial_weights, fan_in_weights, embedding,
                        layer_norm, attention, multi_head_attention, dropout, cross_entropy, accuracy, gru, lstm)
from ._matrices import newton_schulz, orthogonal_factor, orthogonal_blocks, inverse_root, orthonormal_columns
from ._features import moving_mean, normalized_by_moment, step_embedding, TensorFeatures, Features
from . import _operators  # noqa: F401  (arrays get them when this is read)
from .._trace import Array

ndarray = Array
