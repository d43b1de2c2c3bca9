"""What is said between lopt and components in Python: JSON, arrays beside it, and trees (core/bridge/message.h)."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from . import tree as trees

HEAD = struct.Struct("<4sQQ")


class Message:
    """JSON, and arrays beside it (core/bridge/message.h)."""

    def __init__(self, json_part: dict, data: bytes = b""):
        self.json, self.data = json_part, bytearray(data)

    def put(self, array: Any) -> dict:
        array = np.asarray(array)
        kind = (
            np.dtype(np.float32)
            if array.dtype.kind == "f"
            else (
                np.dtype(np.uint32)
                if array.dtype == np.uint32
                else np.dtype(np.bool_)
                if array.dtype == np.bool_
                else np.dtype(np.int32)
            )
        )
        first = len(self.data)
        self.data += np.ascontiguousarray(array, np.uint32 if kind == np.bool_ else kind).tobytes()
        return {"array": [first, kind.name, list(array.shape)]}

    def array(self, place: dict) -> np.ndarray:
        first, kind, shape = place["array"]
        dtype = np.dtype(np.uint32 if kind == "bool" else kind)
        made = np.frombuffer(bytes(self.data[first : first + 4 * int(np.prod(shape))]), dtype).reshape(shape)
        return made.astype(np.bool_) if kind == "bool" else made.copy()

    def encode(self) -> bytes:
        text = json.dumps(self.json).encode()
        return HEAD.pack(b"LOPT", len(text), len(self.data)) + text + bytes(self.data)


def receive(connection: socket.socket) -> Message | None:
    head = _exactly(connection, HEAD.size)
    if head is None:
        return None
    _, text, data = HEAD.unpack(head)
    body = _exactly(connection, text + data)
    return None if body is None else Message(json.loads(body[:text]), body[text:])


def _exactly(connection: socket.socket, size: int) -> bytes | None:
    parts = bytearray()
    while len(parts) < size:
        part = connection.recv(min(size - len(parts), 1 << 20))
        if not part:
            return None
        parts += part
    return bytes(parts)


_structures: dict[tuple, trees.Structure] = {}  # what a component's trees were, by component, role and names


def _role_of(component: Any, role: str, names: tuple) -> tuple:
    return (id(component), role, names)


def tree_json(tree: Any, leaf: Callable) -> Any:
    """Names and leaves, as C++ has trees. Throws UsageError for a name that no tree can have."""
    if tree is None:
        return {"tree": []}
    if isinstance(tree, Mapping):
        return {"tree": [[str(name), tree_json(below, leaf)] for name, below in tree.items()]}
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return {"tree": [[name, tree_json(below, leaf)] for name, below in zip(tree._fields, tree)]}
    if isinstance(tree, (list, tuple)):
        return {"tree": [[str(i), tree_json(below, leaf)] for i, below in enumerate(tree)]}
    return leaf(tree)


def plain_tree(told: Any, leaf: Callable) -> Any:
    """A tree of what was told: dictionaries, and lists where the names are 0, 1, …"""
    if not (isinstance(told, dict) and "tree" in told):
        return leaf(told)
    entries = told["tree"]
    parts = [plain_tree(below, leaf) for _, below in entries]
    if entries and [name for name, _ in entries] == [str(i) for i in range(len(entries))]:
        return parts
    return {name: part for (name, _), part in zip(entries, parts)}


def _names_in(told: Any) -> tuple:
    if not (isinstance(told, dict) and "tree" in told):
        return ()
    return tuple((name, _names_in(below)) for name, below in told["tree"])


def remembered(component: Any, role: str, tree: Any) -> None:
    """Keeps what kind of tree this is, so that it comes back as it was: tuples, named ones, keys that are no texts."""
    _structures[_role_of(component, role, _names_in(tree_json(tree, lambda _: 0)))] = trees.structure(tree)


def restored(component: Any, role: str, told: Any, leaf: Callable) -> Any:
    found = _structures.get(_role_of(component, role, _names_in(told)))
    plain = plain_tree(told, leaf)
    return plain if found is None else trees.unflatten(found, trees.leaves(plain))
