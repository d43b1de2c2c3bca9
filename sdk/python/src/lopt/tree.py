"""Nested dictionaries, lists and tuples of arrays: parameters, states and weights of rules."""

from collections.abc import Callable, Mapping
from typing import Any

from .errors import UsageError

Structure = tuple  # (kind, names, structures below); a leaf is ("leaf",)
LEAF: Structure = ("leaf",)


def flatten(tree: Any) -> tuple[list, Structure]:
    """The leaves in order, and what `unflatten` makes the tree of again. Dictionaries keep their order; None has no
    leaf."""
    leaves: list = []
    return leaves, _flatten(tree, leaves)


def _flatten(tree: Any, leaves: list) -> Structure:
    if tree is None:
        return ("none", (), ())
    if isinstance(tree, Mapping):
        return (dict, tuple(tree), tuple(_flatten(below, leaves) for below in tree.values()))
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return (type(tree), tuple(tree._fields), tuple(_flatten(below, leaves) for below in tree))
    if isinstance(tree, (list, tuple)):
        return (type(tree), tuple(str(i) for i in range(len(tree))), tuple(_flatten(below, leaves) for below in tree))
    leaves.append(tree)
    return LEAF


def unflatten(structure: Structure, leaves: list) -> Any:
    """The tree of a structure, with these leaves."""
    rest = iter(leaves)
    return _unflatten(structure, rest)


def _unflatten(structure: Structure, rest: Any) -> Any:
    if structure == LEAF:
        return next(rest)
    kind, names, below = structure
    if kind == "none":
        return None
    parts = [_unflatten(part, rest) for part in below]
    if kind is dict:
        return dict(zip(names, parts))
    return kind(*parts) if hasattr(kind, "_fields") else kind(parts)


def leaves(tree: Any) -> list:
    """The leaves in order."""
    return flatten(tree)[0]


def structure(tree: Any) -> Structure:
    return flatten(tree)[1]


def names(tree: Any) -> list[str]:
    """The paths of the leaves, as "layers/0/w"."""
    found: list[str] = []

    def walk(structure: Structure, path: str) -> None:
        if structure == LEAF:
            found.append(path)
        elif structure[0] != "none":
            for name, below in zip(structure[1], structure[2]):
                walk(below, f"{path}/{name}" if path else str(name))

    walk(structure(tree), "")
    return found


def map(function: Callable, tree: Any, *others: Any) -> Any:
    """function of each leaf, and of those of other trees of the same structure, in the tree's structure."""
    own, shape = flatten(tree)
    rest = []
    for other in others:
        theirs, other_shape = flatten(other)
        if len(theirs) != len(own) or not _alike(shape, other_shape):
            raise UsageError(
                f"two trees of different structure: {{{', '.join(names(tree))}}} and {{{', '.join(names(other))}}}"
            )
        rest.append(theirs)
    return unflatten(shape, [function(*parts) for parts in zip(own, *rest)])


def _alike(a: Structure, b: Structure) -> bool:
    """The same names; lists and tuples are alike."""
    if a == LEAF or b == LEAF:
        return a == b
    return tuple(_texts(a)) == tuple(_texts(b)) and all(_alike(x, y) for x, y in zip(a[2], b[2]))


def _texts(structure: Structure):
    return [str(name) for name in structure[1]]


def reduce(function: Callable, tree: Any, start: Any = 0) -> Any:
    """function(function(start, leaf), next leaf), …"""
    total = start
    for leaf in leaves(tree):
        total = function(total, leaf)
    return total


def map_with_path(function: Callable, tree: Any, *others: Any) -> Any:
    """function(path, leaf, …), as `map` else."""
    paths = iter(names(tree))
    return map(lambda *parts: function(next(paths), *parts), tree, *others)
