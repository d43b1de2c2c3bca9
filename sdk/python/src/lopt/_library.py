"""liblopt, as ctypes sees it: the functions of lopt.h."""

import ctypes
import functools
import os
import pathlib

from .errors import LoptError, error_of


class Error(ctypes.Structure):
    _fields_ = [("code", ctypes.c_int), ("message", ctypes.c_char * 2044)]


class Tensor(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("rank", ctypes.c_size_t),
        ("axes", ctypes.POINTER(ctypes.c_int)),
    ]


SCAN_STEP = ctypes.CFUNCTYPE(
    ctypes.c_int,
    ctypes.c_void_p,
    ctypes.POINTER(ctypes.c_int64),
    ctypes.c_size_t,
    ctypes.POINTER(ctypes.c_int64),
    ctypes.c_size_t,
    ctypes.POINTER(ctypes.c_size_t),
)


@functools.cache
def prefix() -> pathlib.Path:
    """Where lopt is installed: LOPT_PREFIX, inside this package, around it (PREFIX/share/lopt/python/lopt), or the
    build of the tree that this file lies in."""
    here = pathlib.Path(__file__).resolve()
    places = [here.parent / "_prefix", *here.parents[4:5], *(folder / "build" for folder in here.parents[:5])]
    if named := os.environ.get("LOPT_PREFIX"):
        places = [pathlib.Path(named)]
    for place in places:
        if any(place.glob("lib/liblopt.so*")):
            return place
    raise LoptError(
        f"liblopt is not there; looked for lib/liblopt.so in {', '.join(map(str, places))}. "
        "`pip install ./sdk/python` builds it, or LOPT_PREFIX names an installation."
    )


def run() -> None:
    """The command `lopt-run` of a wheel."""
    import sys

    program = os.fspath(prefix() / "bin" / "lopt-run")
    os.environ.setdefault("LOPT_PYTHON", sys.executable)  # the one that has lopt runs components in Python
    os.execv(program, [program, *sys.argv[1:]])


@functools.cache
def library() -> ctypes.CDLL:
    lib = ctypes.CDLL(str(sorted(prefix().glob("lib/liblopt.so*"))[-1]))
    integer, int64, uint64, size = ctypes.c_int, ctypes.c_int64, ctypes.c_uint64, ctypes.c_size_t
    real, double, text, address, to = ctypes.c_float, ctypes.c_double, ctypes.c_char_p, ctypes.c_void_p, ctypes.POINTER
    handle, values, floats = address, to(int64), to(address)
    # What says how it went: its arguments end with an Error.
    for name, arguments in {
        "create": [text, to(Tensor), size, int64, to(handle)],
        "set_threads": [handle, integer],
        "step": [handle, floats, floats, to(real), to(real)],
        "evaluation_params": [handle, floats, floats],
        "save_state": [handle, address, size],
        "load_state": [handle, address, size],
        "continue_from": [handle, handle, floats],
        "create_task": [text, to(handle)],
        "task_part": [handle, integer, size, to(text), to(to(int64)), to(size), to(integer)],
        "task_init": [handle, uint64, floats],
        "task_batch": [handle, uint64, int64, floats],
        "task_loss": [handle, uint64, int64, floats, floats, to(real), floats],
        "trace_input": [handle, integer, to(int64), size, values],
        "trace_constant": [handle, integer, to(int64), size, address, values],
        "trace_number": [handle, double, values],
        "trace_type": [handle, int64, to(integer), to(to(int64)), to(size)],
        "trace_apply": [handle, text, values, size, text, values, size, to(size), to(text)],
        "trace_cond": [handle, int64, SCAN_STEP, SCAN_STEP, address, values, size, values, size, to(size)],
        "trace_component": [handle, text, text, text, values, size, text, values, size, to(size), to(text)],
        "trace_scan": [handle, SCAN_STEP, address, values, size, values, size, text, values, size, to(size)],
        "trace_evaluate": [handle, int64, address],
        "trace_message": [handle, values, size, text, to(address), to(size)],
    }.items():
        function = getattr(lib, "lopt_" + name)
        function.restype, function.argtypes = integer, [*arguments, to(Error)]
    for name, result, arguments in (
        ("version", text, []),
        ("destroy", None, [handle]),
        ("needs_loss", integer, [handle]),
        ("steps", int64, [handle]),
        ("state_size", size, [handle]),
        ("destroy_task", None, [handle]),
        ("task_count", size, [handle, integer]),
        ("trace_begin", handle, []),
        ("trace_end", None, [handle]),
        ("trace_functions", text, []),
    ):
        function = getattr(lib, "lopt_" + name)
        function.restype, function.argtypes = result, arguments
    return lib


def call(name: str, *arguments: object) -> None:
    """Calls a function that says how it went, and raises where it did not go well."""
    error = Error()
    if code := getattr(library(), "lopt_" + name)(*arguments, ctypes.byref(error)):
        raise error_of(code, error.message.decode(errors="replace"))


class Handle:
    """An optimizer of the library, for parameters by their names, shapes and axes."""

    def __init__(
        self, spec: str, parameters: list[tuple[str, tuple[int, ...], tuple[int, ...] | None]], num_steps: int
    ):
        self._handle = ctypes.c_void_p()
        tensors = (Tensor * len(parameters))()
        for tensor, (name, shape, axes) in zip(tensors, parameters):
            tensor.name = name.encode()
            tensor.shape = (ctypes.c_int64 * len(shape))(*shape)
            tensor.rank = len(shape)
            if axes is not None:
                tensor.axes = (ctypes.c_int * len(axes))(*axes)
        self.count = len(parameters)
        self._pointers = ctypes.c_void_p * self.count
        self._floats = ctypes.c_float * self.count
        call("create", spec.encode(), tensors, self.count, num_steps, ctypes.byref(self._handle))

    def __del__(self) -> None:
        if getattr(self, "_handle", None) and library:  # at the end of a program modules are emptied
            library().lopt_destroy(self._handle)
            self._handle = ctypes.c_void_p()

    @property
    def needs_loss(self) -> bool:
        return bool(library().lopt_needs_loss(self._handle))

    @property
    def steps(self) -> int:
        return library().lopt_steps(self._handle)

    def set_threads(self, threads: int) -> None:
        call("set_threads", self._handle, threads)

    def step(self, params: list[int], grads: list[int | None], loss: float | None, scales: list[float] | None) -> None:
        """Addresses of float32 in row-major order; None: no gradient."""
        call(
            "step",
            self._handle,
            self._pointers(*params),
            self._pointers(*grads),
            None if loss is None else ctypes.byref(ctypes.c_float(loss)),
            None if scales is None else self._floats(*scales),
        )

    def evaluation_params(self, params: list[int], to: list[int]) -> None:
        call("evaluation_params", self._handle, self._pointers(*params), self._pointers(*to))

    def continue_from(self, earlier: "Handle", params: list[int]) -> None:
        call("continue_from", self._handle, earlier._handle, self._pointers(*params))

    def save(self) -> bytes:
        memory = ctypes.create_string_buffer(library().lopt_state_size(self._handle))
        call("save_state", self._handle, memory, len(memory))
        return memory.raw

    def load(self, state: bytes) -> None:
        call("load_state", self._handle, state, len(state))
