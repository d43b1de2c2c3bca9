"""Programs inside of programs: functions with their own derivatives, loops, branches."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax.extend import core as jax_core

from .. import numpy as lnp
from .._trace import Array
from ..errors import UsageError
from ._interpreter import Value, _MOST_UNROLLED, _array, _dtype, _rule, _run, arrays_of


@_rule("jit", "pjit", "closed_call", "core_call", "remat2", "remat", "checkpoint", "custom_lin", "run_state")
def _inner(equation: Any, *x: Value, **params: Any) -> list[Value]:
    closed = params.get("jaxpr") or params.get("call_jaxpr")
    name = params.get("name", "")
    if name == "relu" and len(x) == 1:
        return [lnp.relu(x[0])]
    return _run(closed.jaxpr, closed.consts, list(x)) if hasattr(closed, "consts") else _run(closed, [], list(x))


# Functions of JAX whose own derivative is that of what they compute.
_PLAIN = {
    "logaddexp",
    "_softmax",
    "softmax",
    "silu",
    "swish",
    "relu6",
    "celu",
    "elu",
    "gelu",
    "xlogy",
    "log_softmax",
    "logsumexp",
    "_logsumexp",
    "softplus",
    "sigmoid",
    "log_sigmoid",
    "norm",
    "clip",
    "where",
    "log1mexp",
    "_one_hot",
    "standardize",
    "xlog1py",
    "sinc",
    "_sinc",
}


@_rule("custom_jvp_call")
def _custom_jvp(equation: Any, *x: Value, call_jaxpr: Any, **params: Any) -> list[Value]:
    name = params.get("name", "") or getattr(call_jaxpr.jaxpr.debug_info, "func_name", "")
    if name == "relu" and len(x) == 1:
        return [lnp.relu(x[0])]
    values = _run(call_jaxpr.jaxpr, call_jaxpr.consts, list(x))
    inside = [e.params.get("name") for e in call_jaxpr.jaxpr.eqns]
    return (
        values
        if name in _PLAIN or any(n in _PLAIN for n in inside)
        else _with_own_derivative(equation, list(x), values)
    )


@_rule("custom_vjp_call", "custom_vjp_call_jaxpr")
def _custom_vjp(equation: Any, *x: Value, **params: Any) -> list[Value]:
    closed = params.get("call_jaxpr") or params.get("fun_jaxpr")
    return _with_own_derivative(equation, list(x), _run(closed.jaxpr, closed.consts, list(x)))


def _with_own_derivative(equation: Any, x: list[Value], values: list[Value]) -> list[Value]:
    """y + J·(x − x), where the first x and y are constants: the value of y, and the derivative J that JAX has for
    it."""
    real = [i for i, v in enumerate(equation.invars) if v.aval.dtype.kind == "f" and isinstance(x[i], Array)]
    outs = [i for i, v in enumerate(equation.outvars) if v.aval.dtype.kind == "f"]
    if not real or not outs:
        return values

    def moved(points: Sequence[Any], steps: Sequence[Any]) -> Any:
        def of_real(*reals: Any) -> list[Any]:
            given = list(points)
            for i, value in zip(real, reals):
                given[i] = value
            made = jax.core.eval_jaxpr(_only(equation), (), *given)
            return [made[i] for i in outs]

        made, pull = jax.vjp(of_real, *(points[i] for i in real))
        return jax.linear_transpose(lambda *cotangents: pull(list(cotangents)), *made)(tuple(steps))

    points = [lnp.stop_gradient(p) if isinstance(p, Array) else p for p in x]
    steps = [x[i] - points[i] for i in real]
    shapes = lambda many: [jax.ShapeDtypeStruct(v.shape, v.dtype) for v in many]
    closed = jax.make_jaxpr(moved)(shapes(points), shapes(steps))
    for i, change in zip(outs, arrays_of(closed, [*points, *steps])):
        values[i] = lnp.stop_gradient(values[i]) + _array(change)
    return values


def _only(equation: Any) -> Any:
    """The jaxpr of one equation."""
    from jax._src import core

    inputs = [core.Var(v.aval) if isinstance(v, jax_core.Literal) else v for v in equation.invars]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of what JAX would say about names in messages
        return core.Jaxpr((), inputs, list(equation.outvars), [equation])


@_rule("scan")
def _scan(
    equation: Any, *x: Value, jaxpr: Any, length: int, reverse: bool, num_consts: int, num_carry: int, **_: Any
) -> list[Value]:
    consts, carry, sequences = list(x[:num_consts]), x[num_consts : num_consts + num_carry], x[num_consts + num_carry :]
    arrays = [_array(c) for c in carry]
    if length == 0:
        return [*arrays, *(lnp.zeros(v.aval.shape, _dtype(v.aval.dtype)) for v in equation.outvars[num_carry:])]
    return _scanned(
        lambda at, elements: _run(jaxpr.jaxpr, jaxpr.consts, [*consts, *at, *elements]),
        arrays,
        [_array(s) for s in sequences],
        length,
        reverse,
    )


def _scanned(body: Callable, carry: list[Array], sequences: list[Array], length: int, reverse: bool) -> list[Value]:
    def step(at: list[Array], elements: list[Array] | None) -> tuple[list[Array], list[Array]]:
        made = [_array(v) for v in body(at, elements or [])]
        return [lnp.broadcast_to(v, c.shape) for v, c in zip(made, carry)], made[len(carry) :]

    last, outputs = lnp.scan(step, carry, sequences or None, int(length), bool(reverse))
    return [*last, *outputs]


@_rule("while")
def _while(
    equation: Any, *x: Value, cond_jaxpr: Any, body_jaxpr: Any, cond_nconsts: int, body_nconsts: int, **_: Any
) -> list[Value]:
    of_cond, of_body, carry = (
        list(x[:cond_nconsts]),
        list(x[cond_nconsts : cond_nconsts + body_nconsts]),
        list(x[cond_nconsts + body_nconsts :]),
    )
    if (counted := _count_of(cond_jaxpr, body_jaxpr, of_cond, body_nconsts, carry)) is not None:
        place, first, rounds = counted
        if rounds > 8:
            others = [i for i in range(len(carry)) if i != place]

            def body(at: list[Array], elements: list[Array]) -> list[Value]:
                full: list[Value] = [None] * len(carry)
                for i, value in zip(others, at):
                    full[i] = value
                full[place] = elements[0]
                made = _run(body_jaxpr.jaxpr, body_jaxpr.consts, [*of_body, *full])
                return [made[i] for i in others]

            made = _scanned(
                body, [_array(carry[i]) for i in others], [lnp.arange(first, first + rounds)], rounds, False
            )
            made.insert(place, np.asarray(first + rounds, np.int32))
            return made
    for _round_number in range(_MOST_UNROLLED):
        wanted = _run(cond_jaxpr.jaxpr, cond_jaxpr.consts, [*of_cond, *carry])[0]
        if isinstance(wanted, Array):
            raise UsageError(
                "a while loop whose end depends on values: how often it runs must be known while the program is "
                "traced; "
                "lax.scan and fori_loop with fixed bounds are taken"
            )
        if not bool(wanted):
            return carry
        carry = _run(body_jaxpr.jaxpr, body_jaxpr.consts, [*of_body, *carry])
    raise UsageError(
        f"a while loop of more than {_MOST_UNROLLED} rounds; lax.scan and fori_loop with fixed bounds are taken"
    )


def _count_of(
    cond: Any, body: Any, of_cond: list[Value], body_nconsts: int, carry: list[Value]
) -> tuple[int, int, int] | None:
    """Of `while carry[place] < bound: carry[place] += 1`: the place, where it starts, and how many rounds there are."""
    equations = cond.jaxpr.eqns
    if len(equations) != 1 or equations[0].primitive.name != "lt":
        return None
    a, b = equations[0].invars
    known = dict(zip(cond.jaxpr.invars, [*of_cond, *carry]))
    bound = np.asarray(b.val) if isinstance(b, jax_core.Literal) else known.get(b)
    places = [i for i, v in enumerate(cond.jaxpr.invars[len(of_cond) :]) if v is a]
    if not places or isinstance(bound, Array) or bound is None or isinstance(carry[places[0]], Array):
        return None
    place = places[0]
    out, into = body.jaxpr.outvars[place], body.jaxpr.invars[body_nconsts + place]
    for equation in body.jaxpr.eqns:
        if out in equation.outvars:
            parts = equation.invars
            adds_one = (
                equation.primitive.name == "add"
                and any(p is into for p in parts)
                and any(isinstance(p, jax_core.Literal) and p.val == 1 for p in parts)
            )
            first = int(carry[place])
            return (place, first, max(0, int(bound) - first)) if adds_one else None
    return None


@_rule("cond")
def _cond(equation: Any, which: Value, *x: Value, branches: Sequence[Any], **_: Any) -> list[Value]:
    if not isinstance(which, Array):
        branch = branches[int(np.clip(int(which), 0, len(branches) - 1))]
        return _run(branch.jaxpr, branch.consts, list(x))

    def chosen(first: int) -> Callable:
        """The branch of `which`, of those from one on."""

        def of(*given: Value) -> tuple:
            branch = branches[first]
            return tuple(_array(v) for v in _run(branch.jaxpr, branch.consts, list(given[1:])))

        if first == len(branches) - 1:
            return of
        return lambda at, *rest: lnp.cond(at <= first, of, chosen(first + 1), at, *rest)

    return list(chosen(0)(lnp.astype(which, np.int32), *x))
