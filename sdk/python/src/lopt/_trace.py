"""Programs under way: symbolic arrays, and the trace that they belong to."""

import ctypes
import json
import threading
from collections.abc import Callable, Sequence

import numpy as np

from ._library import SCAN_STEP, Error, call, library
from .errors import UsageError, error_of

FLOAT32, INT32, UINT32, BOOL = map(np.dtype, (np.float32, np.int32, np.uint32, np.bool_))
DTYPES = [FLOAT32, INT32, UINT32, BOOL]
_local = threading.local()


class Trace:
    """A program that is being traced. `with Trace() as trace:` makes it the one of this thread."""

    def __init__(self) -> None:
        self.handle = ctypes.c_void_p(library().lopt_trace_begin())
        self.input_count = 0

    def __del__(self) -> None:
        if getattr(self, "handle", None) and library:  # at the end of a program modules are emptied
            library().lopt_trace_end(self.handle)
            self.handle = None

    def __enter__(self) -> "Trace":
        _stack().append(self)
        return self

    def __exit__(self, *_: object) -> None:
        _stack().pop()

    def array(self, value: int) -> "Array":
        kind, shape, rank = ctypes.c_int(), ctypes.POINTER(ctypes.c_int64)(), ctypes.c_size_t()
        call("trace_type", self.handle, value, ctypes.byref(kind), ctypes.byref(shape), ctypes.byref(rank))
        return Array(self, value, tuple(shape[i] for i in range(rank.value)), DTYPES[kind.value])

    def input(self, shape: Sequence[int], dtype: np.dtype) -> "Array":
        value = ctypes.c_int64()
        call(
            "trace_input",
            self.handle,
            DTYPES.index(dtype),
            (ctypes.c_int64 * len(shape))(*shape),
            len(shape),
            ctypes.byref(value),
        )
        self.input_count += 1
        return Array(self, value.value, tuple(shape), dtype)

    def constant(self, array: np.ndarray) -> "Array":
        dtype = storable(array.dtype)
        elements = np.ascontiguousarray(array, np.uint32 if dtype == BOOL else dtype)
        value = ctypes.c_int64()
        call(
            "trace_constant",
            self.handle,
            DTYPES.index(dtype),
            (ctypes.c_int64 * array.ndim)(*array.shape),
            array.ndim,
            elements.ctypes.data,
            ctypes.byref(value),
        )
        return Array(self, value.value, array.shape, dtype)

    def number(self, number: float) -> int:
        value = ctypes.c_int64()
        call("trace_number", self.handle, number, ctypes.byref(value))
        return value.value

    def apply(self, function: str, values: Sequence["Array | float"], settings: dict | None = None, room: int = 1):
        """The arrays that a function of lopt gives; with `room` 1, the one."""
        given = (ctypes.c_int64 * max(1, len(values)))(*(self.value_of(value) for value in values))
        results, made, structure = (ctypes.c_int64 * room)(), ctypes.c_size_t(), ctypes.c_char_p()
        error = Error()
        if code := library().lopt_trace_apply(
            self.handle,
            function.encode(),
            given,
            len(values),
            json.dumps(settings, default=_plain).encode() if settings else b"",
            results,
            room,
            ctypes.byref(made),
            ctypes.byref(structure),
            ctypes.byref(error),
        ):
            raise error_of(
                code, error.message.decode(errors="replace").removeprefix("the parts of the spec do not fit together: ")
            )
        arrays = [self.array(results[i]) for i in range(made.value)]
        if structure.value:
            return named_tree(json.loads(structure.value), arrays)
        return arrays[0] if room == 1 else arrays

    def value_of(self, x: "Array | float") -> int:
        if isinstance(x, Array):
            return (x if x.trace is self else self.constant(x.known("a value of another program is used"))).value
        return self.number(x)

    def _called_back(self, function: Callable[[list["Array"]], Sequence["Array"]], raised: list[BaseException]):
        """A function of arrays as C calls it. No exception goes through C: it is kept."""

        def call_back(_, values, count, following, room, made):
            try:
                results = function([self.array(values[i]) for i in range(count)])
                for i, array in enumerate(results):
                    following[i] = self.value_of(array)
                made[0] = len(results)
                return 0
            except BaseException as error:
                raised.append(error)
                return 1

        return SCAN_STEP(call_back)

    def _made(self, name: str, raised: list[BaseException], *arguments: object) -> list["Array"]:
        """What a function that calls back gives."""
        room = 1024
        results, made, error = (ctypes.c_int64 * room)(), ctypes.c_size_t(), Error()
        code = getattr(library(), "lopt_" + name)(
            self.handle, *arguments, results, room, ctypes.byref(made), ctypes.byref(error)
        )
        if raised:
            raise raised[0]
        if code:
            raise error_of(code, error.message.decode(errors="replace"))
        return [self.array(results[i]) for i in range(made.value)]

    def _values(self, arrays: Sequence["Array"]):
        return (ctypes.c_int64 * max(1, len(arrays)))(*map(self.value_of, arrays))

    def scan(
        self, step: Callable, carry: Sequence["Array"], sequences: Sequence["Array"], settings: dict
    ) -> list["Array"]:
        """`step(carry, elements)` gives the next carry and what is kept of the step, as lists."""
        raised: list[BaseException] = []

        def whole(given: list["Array"]) -> list["Array"]:
            after, kept = step(given[: len(carry)], given[len(carry) :])
            return [*after, *kept]

        return self._made(
            "trace_scan",
            raised,
            self._called_back(whole, raised),
            None,
            self._values(carry),
            len(carry),
            self._values(sequences),
            len(sequences),
            json.dumps(settings).encode(),
        )

    def cond(
        self, condition: "Array", if_true: Callable, if_false: Callable, operands: Sequence["Array"]
    ) -> list["Array"]:
        """The results of one of two functions of lists of arrays; the other does not run."""
        raised: list[BaseException] = []
        return self._made(
            "trace_cond",
            raised,
            self.value_of(condition),
            self._called_back(if_true, raised),
            self._called_back(if_false, raised),
            None,
            self._values(operands),
            len(operands),
        )

    def message(self, results: Sequence["Array"], message: dict) -> bytes:
        """The program of the results; "$0", "$1", … in the message stand for them."""
        data, size = ctypes.c_void_p(), ctypes.c_size_t()
        call(
            "trace_message",
            self.handle,
            (ctypes.c_int64 * max(1, len(results)))(*map(self.value_of, results)),
            len(results),
            json.dumps(message).encode(),
            ctypes.byref(data),
            ctypes.byref(size),
        )
        return ctypes.string_at(data.value or 0, size.value)


def _stack() -> list[Trace]:
    if not hasattr(_local, "stack"):
        _local.stack = []
    return _local.stack


def current() -> Trace:
    """The trace of this thread; outside of all, one whose values are all known."""
    if stack := _stack():
        return stack[-1]
    if not hasattr(_local, "known"):
        _local.known = Trace()
    return _local.known


def _plain(value: object):
    """NumPy's numbers as JSON has them."""
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"a {type(value).__name__} cannot be a setting of a function")


def named_tree(json_tree: object, arrays: list["Array"]):
    if isinstance(json_tree, int):
        return arrays[json_tree]
    assert isinstance(json_tree, dict)
    return {name: named_tree(below, arrays) for name, below in json_tree["tree"]}


def storable(dtype: np.dtype) -> np.dtype:
    """Elements as lopt keeps them: 32 bits. Throws UsageError for others."""
    dtype = np.dtype(dtype)
    if dtype.kind == "f" or dtype.name == "bfloat16":
        return FLOAT32
    if dtype.kind == "i" or (dtype.kind == "u" and dtype.itemsize < 4):
        return INT32
    if dtype.kind == "u":
        return UINT32
    if dtype.kind == "b":
        return BOOL
    raise UsageError(f"elements of {dtype} are not there; there are float32, int32, uint32 and bool")


class Array:
    """An array of a program that is being traced: its shape and type are known, its elements are not."""

    __slots__ = ("trace", "value", "shape", "dtype", "__weakref__")
    __array_priority__ = 1000

    def __init__(self, trace: Trace, value: int, shape: tuple[int, ...], dtype: np.dtype):
        self.trace, self.value, self.shape, self.dtype = trace, value, shape, dtype

    def __repr__(self) -> str:
        return f"<symbolic {self.dtype}{list(self.shape)}>"

    ndim = property(lambda self: len(self.shape))
    size = property(lambda self: int(np.prod(self.shape)))

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("a scalar has no length")
        return self.shape[0]

    def known(self, what: str = "") -> np.ndarray:
        """The elements, where they depend on no argument. Throws UsageError."""
        elements = np.empty(self.shape, np.uint32 if self.dtype == BOOL else self.dtype)
        error = Error()
        if library().lopt_trace_evaluate(self.trace.handle, self.value, elements.ctypes.data, ctypes.byref(error)):
            raise UsageError(
                (f"{what}: " if what else "") + "the value is symbolic: it is not known while the program is traced, "
                "only its shape is; lopt.numpy.where, cond and scan take such values"
            )
        return elements.astype(np.bool_) if self.dtype == BOOL else elements

    def _scalar(self, what: str):
        if self.size != 1:
            raise UsageError(f"{what} of an array of shape {list(self.shape)}")
        return self.known(what).reshape(()).item()

    def __bool__(self) -> bool:
        return bool(self._scalar("`if`, `while`, `and`, `or` or `not`"))

    def __float__(self) -> float:
        return float(self._scalar("float()"))

    def __int__(self) -> int:
        return int(self._scalar("int()"))

    def __index__(self) -> int:
        if self.dtype not in (INT32, UINT32):
            raise TypeError(f"an integer is wanted, not {self!r}")
        return int(self._scalar("an index or a length"))

    def item(self):
        return self._scalar("item()")

    def tolist(self):
        return self.known("tolist()").tolist()

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return self.known("NumPy wants the elements (lopt.numpy has functions of symbolic arrays)").astype(
            dtype or self.dtype
        )

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        operator = _UFUNCS.get(ufunc.__name__)
        if method == "__call__" and operator and not kwargs:
            from . import numpy as lnp

            return getattr(lnp, operator)(*inputs)
        raise UsageError(
            f"numpy.{ufunc.__name__} of a symbolic array: NumPy computes on elements, which are not known while the "
            f"program is traced; lopt.numpy.{ufunc.__name__} is for them"
        )

    def __array_function__(self, function, types, args, kwargs):
        raise UsageError(
            f"numpy.{function.__name__} of a symbolic array: NumPy computes on elements, which are not known while "
            f"the program is traced; lopt.numpy.{function.__name__} is for them"
        )

    def __hash__(self) -> int:
        return id(self)

    def __iter__(self):
        return (self[i] for i in range(len(self)))


# What `array OPERATOR symbolic` asks NumPy for.
_UFUNCS = {
    "add": "add",
    "subtract": "subtract",
    "multiply": "multiply",
    "divide": "divide",
    "true_divide": "divide",
    "floor_divide": "floor_divide",
    "remainder": "remainder",
    "power": "power",
    "matmul": "matmul",
    "greater": "greater",
    "greater_equal": "greater_equal",
    "less": "less",
    "less_equal": "less_equal",
    "equal": "equal",
    "not_equal": "not_equal",
    "bitwise_and": "bitwise_and",
    "bitwise_or": "bitwise_or",
    "bitwise_xor": "bitwise_xor",
}
