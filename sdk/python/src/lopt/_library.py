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
    values = ctypes.POINTER(ctypes.c_int64)
    handle, error, floats = ctypes.c_void_p, ctypes.POINTER(Error), ctypes.POINTER(ctypes.c_void_p)
    for name, result, arguments in [
        ("version", ctypes.c_char_p, []),
        (
            "create",
            ctypes.c_int,
            [ctypes.c_char_p, ctypes.POINTER(Tensor), ctypes.c_size_t, ctypes.c_int64, ctypes.POINTER(handle), error],
        ),
        ("destroy", None, [handle]),
        ("set_threads", ctypes.c_int, [handle, ctypes.c_int, error]),
        ("needs_loss", ctypes.c_int, [handle]),
        ("steps", ctypes.c_int64, [handle]),
        (
            "step",
            ctypes.c_int,
            [handle, floats, floats, ctypes.POINTER(ctypes.c_float), ctypes.POINTER(ctypes.c_float), error],
        ),
        ("evaluation_params", ctypes.c_int, [handle, floats, floats, error]),
        ("state_size", ctypes.c_size_t, [handle]),
        ("save_state", ctypes.c_int, [handle, ctypes.c_void_p, ctypes.c_size_t, error]),
        ("load_state", ctypes.c_int, [handle, ctypes.c_void_p, ctypes.c_size_t, error]),
        ("continue_from", ctypes.c_int, [handle, handle, floats, error]),
        ("create_task", ctypes.c_int, [ctypes.c_char_p, ctypes.POINTER(handle), error]),
        ("destroy_task", None, [handle]),
        ("task_count", ctypes.c_size_t, [handle, ctypes.c_int]),
        (
            "task_part",
            ctypes.c_int,
            [
                handle,
                ctypes.c_int,
                ctypes.c_size_t,
                ctypes.POINTER(ctypes.c_char_p),
                ctypes.POINTER(ctypes.POINTER(ctypes.c_int64)),
                ctypes.POINTER(ctypes.c_size_t),
                ctypes.POINTER(ctypes.c_int),
                error,
            ],
        ),
        ("task_init", ctypes.c_int, [handle, ctypes.c_uint64, floats, error]),
        ("task_batch", ctypes.c_int, [handle, ctypes.c_uint64, ctypes.c_int64, floats, error]),
        (
            "task_loss",
            ctypes.c_int,
            [handle, ctypes.c_uint64, ctypes.c_int64, floats, floats, ctypes.POINTER(ctypes.c_float), floats, error],
        ),
        ("trace_begin", handle, []),
        ("trace_end", None, [handle]),
        (
            "trace_input",
            ctypes.c_int,
            [handle, ctypes.c_int, ctypes.POINTER(ctypes.c_int64), ctypes.c_size_t, values, error],
        ),
        (
            "trace_constant",
            ctypes.c_int,
            [handle, ctypes.c_int, ctypes.POINTER(ctypes.c_int64), ctypes.c_size_t, ctypes.c_void_p, values, error],
        ),
        ("trace_number", ctypes.c_int, [handle, ctypes.c_double, values, error]),
        (
            "trace_type",
            ctypes.c_int,
            [
                handle,
                ctypes.c_int64,
                ctypes.POINTER(ctypes.c_int),
                ctypes.POINTER(ctypes.POINTER(ctypes.c_int64)),
                ctypes.POINTER(ctypes.c_size_t),
                error,
            ],
        ),
        (
            "trace_apply",
            ctypes.c_int,
            [
                handle,
                ctypes.c_char_p,
                values,
                ctypes.c_size_t,
                ctypes.c_char_p,
                values,
                ctypes.c_size_t,
                ctypes.POINTER(ctypes.c_size_t),
                ctypes.POINTER(ctypes.c_char_p),
                error,
            ],
        ),
        (
            "trace_cond",
            ctypes.c_int,
            [
                handle,
                ctypes.c_int64,
                SCAN_STEP,
                SCAN_STEP,
                ctypes.c_void_p,
                values,
                ctypes.c_size_t,
                values,
                ctypes.c_size_t,
                ctypes.POINTER(ctypes.c_size_t),
                error,
            ],
        ),
        (
            "trace_component",
            ctypes.c_int,
            [
                handle,
                ctypes.c_char_p,
                ctypes.c_char_p,
                ctypes.c_char_p,
                values,
                ctypes.c_size_t,
                ctypes.c_char_p,
                values,
                ctypes.c_size_t,
                ctypes.POINTER(ctypes.c_size_t),
                ctypes.POINTER(ctypes.c_char_p),
                error,
            ],
        ),
        ("trace_functions", ctypes.c_char_p, []),
        (
            "trace_scan",
            ctypes.c_int,
            [
                handle,
                SCAN_STEP,
                ctypes.c_void_p,
                values,
                ctypes.c_size_t,
                values,
                ctypes.c_size_t,
                ctypes.c_char_p,
                values,
                ctypes.c_size_t,
                ctypes.POINTER(ctypes.c_size_t),
                error,
            ],
        ),
        ("trace_evaluate", ctypes.c_int, [handle, ctypes.c_int64, ctypes.c_void_p, error]),
        (
            "trace_message",
            ctypes.c_int,
            [
                handle,
                values,
                ctypes.c_size_t,
                ctypes.c_char_p,
                ctypes.POINTER(ctypes.c_void_p),
                ctypes.POINTER(ctypes.c_size_t),
                error,
            ],
        ),
    ]:
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
