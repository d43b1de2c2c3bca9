"""What networks are made of."""

from __future__ import annotations

import builtins
from collections.abc import Sequence

from .._trace import Array, current
from ._names import int32
from ._values import _real, astype, shape_of
from ._elementwise import expm1, minimum, relu, where
from ._shapes import swapaxes


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
    return {
        "stride": pair(stride),
        "dilation": pair(dilation),
        "padding": "by",
        "before": list(before),
        "after": list(after),
    }


def convolution(x, w, stride=1, padding="same", dilation=1, groups: int = 1) -> Array:
    """Images [n, height, width, channels] and weights [height, width, channels / groups, outputs]. `padding`: "same",
    "valid", or pairs before and after for each dimension."""
    return current().apply(
        "convolution", [_real(x), _real(w)], {**_window(stride, dilation, padding), "groups": groups}
    )


def max_pool(x, window, stride=None, padding="valid", dilation=1) -> Array:
    height, width = (window, window) if isinstance(window, int) else window
    return current().apply(
        "max_pool",
        [_real(x)],
        {**_window(stride or [height, width], dilation, padding), "height": height, "width": width},
    )


def mean_pool(x, window, stride=None, padding="valid", dilation=1) -> Array:
    height, width = (window, window) if isinstance(window, int) else window
    return current().apply(
        "mean_pool",
        [_real(x)],
        {**_window(stride or [height, width], dilation, padding), "height": height, "width": width},
    )


avg_pool = mean_pool


def _layers(theta) -> list[Array]:
    """w0, b0, w1, b1, … of a dictionary, or a list of pairs."""
    if isinstance(theta, dict):
        return [theta[f"{letter}{i}"] for i in range(len([k for k in theta if k.startswith("w")])) for letter in "wb"]
    return [part for pair in theta for part in pair]


def dense_network(x, theta, activation: str = "relu", shared=None) -> Array:
    """Dense layers with weights {w0, b0, w1, b1, …} on the last dimension of x; `shared`: features that all elements
    share, behind them."""
    if shared is None:
        return current().apply("dense_network", [_real(x), *_layers(theta)], {"activation": activation})
    return current().apply(
        "dense_network_shared", [_real(x), _real(shared), *_layers(theta)], {"activation": activation}
    )


def dense_weights(key, widths: Sequence[int], last_is_zero: builtins.bool = False) -> dict:
    """Weights {w0, b0, w1, b1, …} of a dense network, normal, of variance 1/in in the first layer and 2/in in later
    ones."""
    return current().apply(
        "dense_weights", [key], {"widths": shape_of(widths), "last_is_zero": last_is_zero}, 2 * len(widths)
    )


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
    return current().apply(
        "multi_head_attention", [_real(queries), _real(keys), _real(values)], {"heads": heads, "causal": causal}
    )


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
