"""Random numbers by key, as jax.random: the same key, the same numbers. A key is a uint32 array of two."""

from collections.abc import Sequence

import numpy as np

from . import numpy as lnp
from ._trace import Array, current


def key(seed: int) -> Array:
    """The key of a seed (JAX's PRNGKey)."""
    return current().constant(np.array([seed >> 32 & 0xFFFFFFFF, seed & 0xFFFFFFFF], np.uint32))


PRNGKey = key


def split(key: Array, num: int = 2) -> Array:
    """`num` keys, as an array [num, 2]: `a, b = split(key)`."""
    return current().apply("split", [key], {"count": int(num)})


def fold_in(key: Array, data: int) -> Array:
    return current().apply("fold_in", [key], {"data": int(data)})


def bits(key: Array, shape: Sequence[int] = ()) -> Array:
    return current().apply("random_bits", [key], {"shape": lnp.shape_of(shape)})


def uniform(key: Array, shape: Sequence[int] = (), minval: float = 0.0, maxval: float = 1.0) -> Array:
    """In [minval, maxval); bounds that are arrays are applied after the draw."""
    if isinstance(minval, (int, float)) and isinstance(maxval, (int, float)):
        return current().apply(
            "uniform", [key], {"shape": lnp.shape_of(shape), "low": float(minval), "high": float(maxval)}
        )
    return minval + (maxval - minval) * uniform(key, shape)


def normal(key: Array, shape: Sequence[int] = ()) -> Array:
    """Of mean 0 and standard deviation 1."""
    return current().apply("normal", [key], {"shape": lnp.shape_of(shape)})


def truncated_normal(key: Array, lower: float = -2.0, upper: float = 2.0, shape: Sequence[int] = ()) -> Array:
    a, b = (float(lnp.erf(lnp.asarray(x / np.sqrt(2.0)))) for x in (lower, upper))
    x = np.float32(np.sqrt(2)) * lnp.erf_inv(uniform(key, shape, a, b))
    return lnp.clip(
        x,
        float(np.nextafter(np.float32(lower), np.float32(np.inf))),
        float(np.nextafter(np.float32(upper), np.float32(-np.inf))),
    )


def randint(key: Array, shape: Sequence[int], minval: int, maxval: int) -> Array:
    """int32 in [minval, maxval)."""
    return current().apply("randint", [key], {"shape": lnp.shape_of(shape), "low": int(minval), "high": int(maxval)})


def bernoulli(key: Array, p: float = 0.5, shape: Sequence[int] = ()) -> Array:
    return uniform(key, shape) < p


def exponential(key: Array, shape: Sequence[int] = ()) -> Array:
    return -lnp.log1p(-uniform(key, shape))


def gumbel(key: Array, shape: Sequence[int] = ()) -> Array:
    tiny = float(np.finfo(np.float32).tiny)
    return -lnp.log(-lnp.log(uniform(key, shape, tiny, 1.0)))


def categorical(key: Array, logits: Array, axis: int = -1) -> Array:
    """An index along `axis` for each row, by the probabilities softmax(logits)."""
    return lnp.argmax(gumbel(key, logits.shape) + logits, axis=axis)


def permutation(key: Array, x: "int | Array") -> Array:
    """A random order of 0 … x − 1, or of the rows of x."""
    places = lnp.argsort(bits(key, (x if isinstance(x, int) else x.shape[0],)))
    return places if isinstance(x, int) else x[places]
