"""Random numbers by key."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import numpy as lnp
from .. import random as lrandom
from .._trace import Array
from ..errors import UsageError
from ._interpreter import Value, _array, _rule


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
            x1 = lnp.bitwise_xor(
                x0, lnp.bitwise_or(lnp.left_shift(x1, np.uint32(turn)), lnp.right_shift(x1, np.uint32(32 - turn)))
            )
        x0, x1 = x0 + keys[(group + 1) % 3], x1 + keys[(group + 2) % 3] + np.uint32(group + 1)
    return x0, x1
