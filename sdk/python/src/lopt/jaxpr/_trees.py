"""Trees of JAX and of lopt, which are nested dictionaries: one from the other, by the names of their leaves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from .. import tree as trees


def named(tree: Any) -> Any:
    """A tree of JAX as nested dictionaries, by the names of its paths: what lopt's trees are."""
    paths, _ = jax.tree_util.tree_flatten_with_path(tree)
    if not paths:
        return {}
    if len(paths) == 1 and not paths[0][0]:
        return paths[0][1]
    result: dict = {}
    for path, leaf in paths:
        below = result
        for key in path[:-1]:
            below = below.setdefault(_name(key), {})
        below[_name(path[-1])] = leaf
    return result


def _name(key: Any) -> str:
    for attribute in ("key", "name", "idx"):
        if hasattr(key, attribute):
            return str(getattr(key, attribute))
    return str(key)


class Structure:
    """A pytree's structure, and the names of its leaves: lopt keeps entries in an order of its own, JAX sorts them."""

    def __init__(self, tree: Any):
        self.tree, self.names = jax.tree.structure(tree), trees.names(named(tree))

    def of(self, tree: Any) -> Any:
        """The pytree of nested dictionaries."""
        by_name = dict(zip(trees.names(tree), trees.leaves(tree)))
        return jax.tree.unflatten(self.tree, [by_name[name] for name in self.names])


def ordered_as(tree: Any, others: list[Any]) -> Any:
    """The tree, in which what has the entries of another, in whole or below, has them in its order."""
    if not isinstance(tree, dict):
        return tree
    names = sorted(trees.names(tree))
    for other in others:
        if isinstance(other, dict) and sorted(trees.names(other)) == names:
            return _in_order(tree, other)
    return {name: ordered_as(below, others) for name, below in tree.items()}


def _in_order(tree: Any, other: Any) -> Any:
    return {name: _in_order(tree[name], below) for name, below in other.items()} if isinstance(other, dict) else tree


def shapes(tree: Any) -> Any:
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(np.shape(x), x.dtype), tree)


def shape_of(function: Callable, arguments: list) -> Any:
    """What a function would give; whole numbers go as they are."""
    fixed = {i: x for i, x in enumerate(arguments) if isinstance(x, int) or x is None}
    rest = [x for i, x in enumerate(arguments) if i not in fixed]

    def of_rest(*given: Any) -> Any:
        left = iter(given)
        return function(*(fixed[i] if i in fixed else next(left) for i in range(len(arguments))))

    return jax.eval_shape(of_rest, *rest)


def key_shape() -> Any:
    return jax.ShapeDtypeStruct((2,), np.uint32)


def nested(arrays: Mapping[str, Any]) -> Any:
    """Arrays by their paths, as nested dictionaries."""
    result: dict = {}
    for path, array in arrays.items():
        below = result
        *folders, name = path.split("/")
        for folder in folders:
            below = below.setdefault(folder, {})
        below[name] = array
    return result


class Structures:
    """What the states of a rule were, by the names of their leaves."""

    def __init__(self) -> None:
        self._known: dict[tuple, Structure] = {}

    def keep(self, state: Any) -> Any:
        """The state as nested dictionaries."""
        dictionaries = named(state)
        self._known[tuple(sorted(trees.names(dictionaries)))] = Structure(state)
        return dictionaries

    def restore(self, state: Any, again: Callable[[], Any]) -> Any:
        """The state as it was; `again` makes one whose leaves are shapes, where it was not kept."""
        names = tuple(sorted(trees.names(state)))
        if names not in self._known:
            self._known[names] = Structure(again())
        return self._known[names].of(state)
