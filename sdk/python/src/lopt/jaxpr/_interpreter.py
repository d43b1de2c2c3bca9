"""Runs a jaxpr on symbolic arrays: each primitive becomes what computes the same here."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax.extend import core as jax_core

from .. import numpy as lnp
from .._trace import BOOL, FLOAT32, INT32, UINT32, Array
from ..errors import UsageError


# A value is an Array, or a NumPy array where it is known while the program is traced.
Value = Any
_MOST_FOLDED = 4096  # elements of a known value that a computation with known values may make
_MOST_UNROLLED = 1000  # rounds of a loop that has no simple count


def arrays_of(closed: Any, arguments: Sequence[Value]) -> list[Value]:
    """What a closed jaxpr gives for these arguments. Throws UsageError for a primitive that is not there."""
    return _run(closed.jaxpr, closed.consts, list(arguments))


def _run(jaxpr: Any, consts: Sequence[Value], arguments: list[Value]) -> list[Value]:
    values: dict[Any, Value] = {}

    def read(atom: Any) -> Value:
        return np.asarray(atom.val) if isinstance(atom, jax_core.Literal) else values[atom]

    values.update(zip(jaxpr.constvars, (c if isinstance(c, Array) else np.asarray(c) for c in consts)))
    values.update(zip(jaxpr.invars, arguments))
    for equation in jaxpr.eqns:
        results = _apply(equation, [read(atom) for atom in equation.invars])
        for variable, result in zip(equation.outvars, results):
            values[variable] = result
    return [read(atom) for atom in jaxpr.outvars]


def _apply(equation: Any, inputs: list[Value]) -> list[Value]:
    name = equation.primitive.name
    if _is_foldable(equation, inputs):
        return [np.asarray(x) for x in _folded(equation, inputs)]
    rule = RULES.get(name)
    try:
        if rule is None:
            raise UsageError(f"the primitive '{name}' of JAX has no counterpart here" + _near(name))
        made = rule(equation, *inputs, **equation.params)
    except UsageError as error:
        where = _where(equation)
        if where and where not in str(error):
            raise UsageError(f"{where}: {error}") from error
        raise
    return list(made) if isinstance(made, (list, tuple)) else [made]


def _near(name: str) -> str:
    if name in ("eigh", "eig", "svd", "cholesky", "triangular_solve", "lu"):
        return ": decompositions of matrices are not there; lopt.numpy has orthonormal_columns and inverse_root"
    if name in ("lgamma", "digamma", "igamma", "bessel_i0e"):
        return ": special functions but erf and its inverse are not there"
    return ""


def _where(equation: Any) -> str:
    """The line of the user's file."""
    try:
        from jax._src import source_info_util

        frame = source_info_util.user_frame(
            equation.source_info.traceback if hasattr(equation.source_info, "traceback") else equation.source_info
        )
        return f"{frame.file_name}:{frame.start_line}" if frame else ""
    except Exception:
        return ""


_NOT_FOLDED = {
    "random_bits",
    "random_wrap",
    "random_unwrap",
    "random_split",
    "random_fold_in",
    "random_seed",
    "stop_gradient",
    "scan",
    "while",
    "cond",
}


def _is_foldable(equation: Any, inputs: list[Value]) -> bool:
    """What has known values alone is computed by JAX, unless it makes much of little."""
    if equation.primitive.name in _NOT_FOLDED or any(isinstance(x, Array) for x in inputs):
        return False
    if any(_is_key(v.aval) for v in [*equation.invars, *equation.outvars]):
        return False
    made = sum(math.prod(v.aval.shape) for v in equation.outvars)
    return made <= max(_MOST_FOLDED, sum(x.size for x in inputs))


def _folded(equation: Any, inputs: list[Value]) -> Sequence[Value]:
    inner = {
        "jit": "jaxpr",
        "pjit": "jaxpr",
        "closed_call": "call_jaxpr",
        "custom_jvp_call": "call_jaxpr",
        "custom_vjp_call": "call_jaxpr",
        "remat2": "jaxpr",
        "checkpoint": "jaxpr",
    }.get(equation.primitive.name)
    if inner:
        closed = equation.params[inner]
        if not hasattr(closed, "consts"):
            return _run(closed, [], inputs)
        return _run(closed.jaxpr, closed.consts, inputs)
    with jax.ensure_compile_time_eval():
        made = equation.primitive.bind(*inputs, **equation.params)
    return made if equation.primitive.multiple_results else [made]


def _is_key(aval: Any) -> bool:
    return jax.dtypes.issubdtype(aval.dtype, jax.dtypes.prng_key)


def _dtype(dtype: Any) -> np.dtype:
    """The type that stands for one of JAX."""
    dtype = np.dtype(dtype)
    if dtype.name in ("bfloat16", "float16", "float64", "complex64", "complex128"):
        raise UsageError(f"a computation in {dtype.name}: lopt computes in float32")
    return BOOL if dtype.kind == "b" else FLOAT32 if dtype.kind == "f" else UINT32 if dtype == np.uint32 else INT32


def _array(x: Value) -> Array:
    return x if isinstance(x, Array) else lnp.asarray(x)


def _number(x: Value) -> Any:
    """Known real scalars as numbers: they cost nothing."""
    return (
        float(x) if not isinstance(x, Array) and x.ndim == 0 and x.dtype.kind == "f" and math.isfinite(x) else _array(x)
    )


RULES: dict[str, Callable] = {}


def _rule(*names: str) -> Callable:
    def add(function: Callable) -> Callable:
        for name in names:
            RULES[name] = function
        return function

    return add
