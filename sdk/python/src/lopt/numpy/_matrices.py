"""Functions of matrices that optimizers precondition with."""

from __future__ import annotations

from .._trace import Array, current
from ._values import _real


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
