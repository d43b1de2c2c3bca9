"""Products of matrices, and sums over named indices."""

from __future__ import annotations

import math

from .._trace import Array, current
from ..errors import UsageError
from ._values import _real, asarray
from ._shapes import ravel, reshape, squeeze, transpose
from ._reductions import sum


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
        raise UsageError(
            f"einsum: '{subscripts}' of {len(arrays)} arrays; one or two, with an index for each dimension, are taken"
        )
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
    x = reshape(
        transpose(arrays[0], [terms[0].index(c) for c in batch + left + inner]),
        [*(length[c] for c in batch), size(left), size(inner)],
    )
    y = reshape(
        transpose(arrays[1], [terms[1].index(c) for c in batch + inner + right]),
        [*(length[c] for c in batch), size(inner), size(right)],
    )
    made = reshape(current().apply("matmul", [x, y]), [length[c] for c in batch + left + right])
    return _to_indices(made, "".join(batch + left + right), output)


def _to_indices(x: Array, have: str, wanted: str) -> Array:
    if len(set(have)) != len(have):
        raise UsageError("einsum: an index stands twice in one array")
    gone = tuple(i for i, c in enumerate(have) if c not in wanted)
    if gone:
        x, have = sum(x, gone), "".join(c for c in have if c in wanted)
    return transpose(x, [have.index(c) for c in wanted])
