"""Programs of JAX as programs of lopt."""

from . import _elementwise, _index, _products, _programs, _random, _reductions, _shapes  # noqa: F401  (they add their rules)
from ._interpreter import RULES, arrays_of

__all__ = ["RULES", "arrays_of"]
