"""Loops, choices and gradients."""

from __future__ import annotations

import builtins
from collections.abc import Callable

import numpy as np

from .._trace import BOOL, FLOAT32, UINT32, Array, current
from ..errors import UsageError
from ._names import float32, uint32
from ._values import asarray, astype
from ._elementwise import _truth, bitwise_and, bitwise_or, left_shift, right_shift
from ._shapes import stack
from ._constants import arange


def stop_gradient(x) -> Array:
    return current().apply("stop_gradient", [asarray(x)])


def gradient(loss: Array, tree):
    """d loss / d leaf for each leaf of a tree."""
    from .. import tree as trees

    leaves, structure = trees.flatten(tree)
    made = current().apply("gradient", [loss, *leaves], None, builtins.max(2, len(leaves)))
    return trees.unflatten(structure, made)


def scan(
    step: Callable,
    init,
    xs=None,
    length: int | None = None,
    reverse: builtins.bool = False,
    recompute: builtins.bool = False,
):
    """jax.lax.scan: `carry, y = step(carry, x)` for each x of the first dimension; the last carry and all y. `step` is
    called once. `recompute`: a gradient keeps the state before each √length-th step alone."""
    from .. import tree as trees

    carry, carry_structure = trees.flatten(init)
    sequences, structure = trees.flatten(xs)
    kept: list = []

    def call(at, elements):
        after, outputs = step(
            trees.unflatten(carry_structure, at), trees.unflatten(structure, elements) if sequences else None
        )
        leaves, after_structure = trees.flatten(after)
        if after_structure != carry_structure:
            raise UsageError(
                f"scan: the carry was {{{', '.join(trees.names(init))}}} and became {{{', '.join(trees.names(after))}}}"
            )
        leaves = [
            astype(leaf, before.dtype) if isinstance(leaf, (int, float)) else asarray(leaf)
            for leaf, before in zip(leaves, at)
        ]
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

    made = current().scan(
        inner,
        [as_real(x) for x in arrays],
        [asarray(x) for x in sequences],
        {"reverse": reverse, "recompute": recompute, "length": int(length or 0)},
    )
    last = [as_was(x, dtype) for x, dtype in zip(made, dtypes)]
    outputs = [as_was(x, dtype) for x, dtype in zip(made[len(arrays) :], of_outputs)]
    return trees.unflatten(carry_structure, last), trees.unflatten(kept[-1], outputs)


def fori_loop(lower: int, upper: int, body: Callable, init):
    """body(i, value) for i = lower … upper − 1, which are known; a loop of the program."""
    if upper <= lower:
        return init
    carry, _ = scan(lambda value, i: (body(i, value), None), init, arange(lower, upper))
    return carry


def cond(condition, if_true: Callable, if_false: Callable, *operands):
    """The result of one of two functions of the operands; the other does not run, where it computes of these. Where the
    condition is known while the program is traced, the other is not called either."""
    from .. import tree as trees

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
    """Any 32 bits as float32 that keep them: integers in two halves of 16, one behind the other along a new last
    dimension."""
    if x.dtype == FLOAT32:
        return x
    if x.dtype == BOOL:
        return astype(x, float32)
    bits = x if x.dtype == UINT32 else current().apply("bitcast", [x], {"dtype": "uint32"})
    return stack(
        [astype(right_shift(bits, np.uint32(16)), float32), astype(bitwise_and(bits, np.uint32(0xFFFF)), float32)],
        x.ndim,
    )


def as_was(x: Array, dtype: np.dtype) -> Array:
    """What `as_real` made, as it was."""
    if dtype == FLOAT32:
        return x
    if dtype == BOOL:
        return x != 0.0
    high, low = (astype(x[..., i], uint32) for i in (0, 1))
    bits = bitwise_or(left_shift(high, np.uint32(16)), low)
    return bits if dtype == UINT32 else current().apply("bitcast", [bits], {"dtype": "int32"})
