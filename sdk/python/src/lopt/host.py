"""Tasks whose loss and gradient come from a function of arrays: PyTorch, TensorFlow, a simulator.

>>> def loss_and_gradient(params, key):           # NumPy arrays; key: uint32 [2], what the problem's randomness is made
of
...     return loss, {"w": gradient}
>>> task = lopt.Task.from_function(init, loss_and_gradient)     # init(key) gives NumPy arrays by name

The function runs in processes of its own, as many as lopt has threads, made by fork from the program that describes it.
Gradients of whole unrolls take the function's gradient as a constant, as is usual: its own derivative is not known.
"""

from __future__ import annotations

import ctypes
import inspect
import json
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from . import numpy as lnp
from . import tree as trees
from ._trace import Array, current
from .component import arguments_for
from .components import Batches, Task
from .errors import UsageError
from .messages import HEAD, Message


class HostTask(Task):
    """A task of functions of NumPy arrays."""

    def __init__(
        self,
        init: Callable,
        loss_and_gradient: Callable,
        dataset: Any = None,
        batch_size: int = 0,
        name: str | None = None,
    ):
        self._init, self._function = init, loss_and_gradient
        self.dataset, self.batch_size = dataset, batch_size
        self.name = name or getattr(loss_and_gradient, "__name__", "function")
        try:
            self.file = inspect.getsourcefile(loss_and_gradient) or ""
        except TypeError:
            self.file = ""
        self._shapes: tuple | None = None  # structure and shapes of the parameters

    def __call__(self) -> HostTask:
        return self

    def batches(self) -> Batches | None:
        return None if self.dataset is None else Batches(self.dataset, self.batch_size)

    def structure(self) -> tuple:
        """Of the parameters: their structure, and the shapes of the leaves."""
        if self._shapes is None:
            made = self._made(np.zeros(2, np.uint32))
            leaves, structure = trees.flatten(made)
            self._shapes = (structure, [np.shape(leaf) for leaf in leaves])
        return self._shapes

    def _made(self, key: np.ndarray) -> Any:
        return self._init(*arguments_for(self._init, [key]))

    def _size(self) -> int:
        return sum(int(np.prod(shape)) for shape in self.structure()[1])

    # What is traced: steps that a worker evaluates.
    def init(self, key: Array) -> Any:
        flat = current().apply(
            "host", [_halves(key)], {"component": self.name, "function": "initial", "size": self._size()}
        )
        return self._tree(flat)

    def loss(self, params: Any, batch: dict, key: Array) -> Any:
        parts = [lnp.ravel(x) for x in trees.leaves(params)]
        flat = lnp.concatenate(parts) if len(parts) > 1 else parts[0]
        given = [flat, _halves(key), *(lnp.ravel(lnp.astype(x, lnp.float32)) for x in batch.values())]
        made = current().apply(
            "host",
            given,
            {
                "component": self.name,
                "function": "loss",
                "size": 1 + self._size(),
                "batch": [[name, list(x.shape), x.dtype.name] for name, x in batch.items()],
            },
        )
        return made[0]

    def _tree(self, flat: Any) -> Any:
        structure, shapes = self.structure()
        parts, at = [], 0
        for shape in shapes:
            size = int(np.prod(shape))
            parts.append(flat[at : at + size].reshape(shape))
            at += size
        return trees.unflatten(structure, parts)

    # What a worker does.
    def answer(self, settings: dict, data: np.ndarray) -> np.ndarray:
        if settings["function"] == "initial":
            leaves = trees.leaves(self._made(_key_of(data)))
            return np.concatenate([np.ravel(np.asarray(x, np.float32)) for x in leaves])
        size = self._size()
        params, key, rest = self._tree(data[:size]), _key_of(data[size : size + 4]), data[size + 4 :]
        batch, at = {}, 0
        for name, shape, dtype in settings["batch"]:
            count = int(np.prod(shape))
            batch[name] = rest[at : at + count].reshape(shape).astype(dtype)
            at += count
        given = {"params": params, "key": key, "batch": batch}
        loss, grads = self._function(*_named(self._function, given))
        leaves = [np.ravel(np.asarray(g, np.float32)) for g in trees.leaves(grads)]
        if sum(x.size for x in leaves) != size:
            raise UsageError(f"the gradient has {sum(x.size for x in leaves)} numbers, and the parameters {size}")
        if isinstance(grads, dict) and isinstance(params, dict) and list(grads) != list(params):
            leaves = [np.ravel(np.asarray(g, np.float32)) for g in trees.leaves({name: grads[name] for name in params})]
        return np.concatenate([np.array([loss], np.float32).reshape(1), *leaves])


def _named(function: Callable, given: dict) -> list:
    """The arguments that a function wants: by its names, or params, batch and key in order."""
    names = [p.name for p in inspect.signature(function).parameters.values() if p.default is p.empty]
    if len(names) == 1:
        return [given["params"]]
    if len(names) == 2:
        return [given["params"], given["batch"] if names[1] in ("batch", "data") else given["key"]]
    return [given["params"], given["batch"], given["key"]]


def _halves(key: Array) -> Array:
    """A key as four float32 that hold 16 bits each."""
    return lnp.astype(
        lnp.concatenate([lnp.right_shift(key, np.uint32(16)), lnp.bitwise_and(key, np.uint32(0xFFFF))]), lnp.float32
    )


def _key_of(halves: np.ndarray) -> np.ndarray:
    high, low = halves[:2].astype(np.uint32), halves[2:4].astype(np.uint32)
    return high << np.uint32(16) | low


def from_function(
    init: Callable, loss_and_gradient: Callable, dataset: Any = None, batch_size: int = 0, name: str | None = None
) -> HostTask:
    """`init(key)` gives parameters, a tree of NumPy arrays; `loss_and_gradient(params, key)`, or (params, batch, key)
    with a dataset of lopt's, gives the loss and the gradient, a tree as the parameters'. Both are functions of their
    arguments alone."""
    return HostTask(init, loss_and_gradient, dataset, batch_size, name)


def become_worker(task: Any, connection: socket.socket) -> bytes | None:
    """Forks: the child answers on this connection, and the parent leaves it. None for the parent."""
    from .tracer import failure

    if not isinstance(task, HostTask):
        return failure(UsageError(f"a {type(task).__name__} has no functions of arrays")).encode()
    task.structure()
    file, path = tempfile.mkstemp(prefix="lopt-worker-")
    if os.fork():
        os.close(file)
        return None
    try:
        os.dup2(file, 2)  # its last words
        _close_all_but(connection.fileno())
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the runner's, which ends the line
        _one_thread()
        _keep_memory()
        connection.sendall(Message({"process": os.getpid(), "stderr": path}).encode())
        _work(task, connection)
    finally:
        sys.stderr.flush()
        os._exit(0)


def _close_all_but(kept: int) -> None:
    """Lines of other workers: who holds one open hides that its worker has ended."""
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) != kept:
            try:
                if os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):
                    os.close(int(name))
            except OSError:
                pass  # it was that of the folder itself


def _keep_memory() -> None:
    """What a step frees the next one wants again: the allocator would give it back to the system, and fault it in
    anew."""
    allocator = ctypes.CDLL(None)
    if hasattr(allocator, "mallopt"):
        for option, size in (
            (-1, 1 << 28),
            (-2, 1 << 26),
            (-3, 1 << 28),
        ):  # trim threshold, padding of heaps, threshold of mmap
            allocator.mallopt(option, size)


def _one_thread() -> None:
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


def _work(task: HostTask, connection: socket.socket) -> None:
    """Answers until the line is closed. What comes again and again is read into the same memory."""
    from .tracer import failure

    known: dict[bytes, dict] = {}  # settings by their text
    head, memory = bytearray(HEAD.size), bytearray(0)
    while _received(connection, memoryview(head), wait=_MOST_WAIT):
        _, text_size, size = HEAD.unpack(head)
        if len(memory) < text_size + size:
            memory = bytearray(text_size + size)
        if not _received(connection, memoryview(memory)[: text_size + size]):
            return
        text = bytes(memory[:text_size])
        if text not in known:
            known[text] = json.loads(text)["settings"]
        try:
            made = task.answer(known[text], np.frombuffer(memory, np.float32, size // 4, text_size).copy())
            data = memoryview(np.ascontiguousarray(made, np.float32)).cast("B")
            connection.sendall(HEAD.pack(b"LOPT", 2, len(data)) + b"{}" + data)
        except Exception as error:  # all that a user's code raises
            connection.sendall(failure(error).encode())


_MOST_WAIT = 0.002  # seconds


def _received(connection: socket.socket, memory: memoryview, wait: float = 0.0) -> bool:
    """Fills the memory. For `wait` seconds it looks again and again, and lets others run meanwhile: the next value is
    wanted at once as a rule, and a processor that has slept is slow to begin."""
    until = time.perf_counter() + wait if wait else 0.0
    while len(memory):
        try:
            got = connection.recv_into(memory, 0, socket.MSG_DONTWAIT if until else 0)
        except BlockingIOError:
            if time.perf_counter() > until:
                until = 0.0
            else:
                os.sched_yield()
            continue
        if not got:
            return False
        memory = memory[got:]
    return True
