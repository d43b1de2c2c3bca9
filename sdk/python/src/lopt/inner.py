"""Components of lopt inside of components of Python: a rule around an optimizer, a task around a task."""

from __future__ import annotations

import ctypes
import json
from typing import Any

from . import numpy as lnp
from ._library import Error, library
from ._trace import Array, current, named_tree
from .components import InitContext, LearnedOptimizer, Optimizer, Schedule, ScheduleContext, Task, UpdateContext
from .errors import error_of
from .messages import tree_json
from .objects import find


def _apply(kind: str, spec: str, function: str, arguments: dict[str, Any], num_steps: int = 0) -> Any:
    """What a function of a component gives: arrays in dictionaries by their names."""
    trace = current()
    values: list[int] = []

    def placed(tree: Any) -> Any:
        def leaf(x: Any) -> int:
            values.append(trace.value_of(lnp.asarray(x)))
            return len(values) - 1

        return tree_json(tree, leaf)

    told = {name: placed(tree) for name, tree in arguments.items() if tree is not None}
    room = 4096
    results, made, structure, error = (ctypes.c_int64 * room)(), ctypes.c_size_t(), ctypes.c_char_p(), Error()
    if code := library().lopt_trace_component(
        trace.handle,
        kind.encode(),
        spec.encode(),
        function.encode(),
        (ctypes.c_int64 * max(1, len(values)))(*values),
        len(values),
        json.dumps({**told, "num_steps": num_steps}).encode(),
        results,
        room,
        ctypes.byref(made),
        ctypes.byref(structure),
        ctypes.byref(error),
    ):
        raise error_of(code, error.message.decode(errors="replace"))
    return named_tree(json.loads(structure.value or b"0"), [trace.array(results[i]) for i in range(made.value)])


def _of_update(context: UpdateContext) -> dict:
    return {"loss": context.loss, "iteration": context.iteration, "length": context.length, "key": context.key}


class _Inner:
    """A component of lopt, by its spec, inside of one of Python: its functions are asked for by name."""

    kind: str

    def __init__(self, spec: str):
        self.spec = spec

    def _ask(self, function: str, num_steps: int = 0, **arguments: Any) -> Any:
        return _apply(self.kind, self.spec, function, arguments, num_steps)


class InnerOptimizer(_Inner, Optimizer):
    """An optimizer inside of a rule."""

    def init(self, params: Any, context: InitContext | None = None) -> Any:
        context = context or InitContext(0, None)
        return self._ask("init", context.num_steps, params=params, key=context.key)

    def update(self, state: Any, grads: Any, context: UpdateContext) -> Any:
        return self._ask("update", context.num_steps, state=state, grads=grads, **_of_update(context))

    def params(self, *state: Any) -> Any:
        return self._ask("params", state=state[-1])

    def evaluation_params(self, state: Any) -> Any:
        return self._ask("evaluation_params", state=state)

    def with_params(self, state: Any, params: Any) -> Any:
        """The state with other parameters."""
        return self._ask("with_params", state=state, params=params)


class InnerLearnedOptimizer(_Inner, LearnedOptimizer):
    """A learned optimizer inside of a rule."""

    def init(self, key: Array) -> Any:
        return self._ask("weights", key=key)

    def start(self, theta: Any, params: Any, context: InitContext) -> Any:
        return self._ask("init", context.num_steps, theta=theta, params=params, key=context.key)

    def update(self, theta: Any, state: Any, grads: Any, context: UpdateContext) -> Any:
        return self._ask("update", context.num_steps, theta=theta, state=state, grads=grads, **_of_update(context))

    def params(self, *state: Any) -> Any:
        theta, of = state
        return self._ask("params", theta=theta, state=of)


class InnerTask(_Inner, Task):
    """A task inside of a task."""

    def init(self, key: Array) -> Any:
        return self._ask("init", key=key)

    def loss(self, params: Any, batch: dict, key: Array) -> Any:
        return self._ask("loss", params=params, batch=batch, key=key)


class InnerSchedule(_Inner, Schedule):
    """A schedule inside of a rule: `schedule.at(context)` in an update."""

    def rate(self, context: Any) -> Any:
        return self._ask("rate", context.num_steps, step=context.step, steps=context.steps)

    def at(self, context: UpdateContext) -> Any:
        """The rate of an update."""
        steps = context.length if context.length is not None else context.num_steps or None
        return self.rate(
            ScheduleContext(
                lnp.astype(context.iteration, lnp.float32),
                None if steps is None else lnp.astype(steps, lnp.float32),
                context.num_steps,
            )
        )


class Spec(str):
    """The spec of data, as it goes on to lopt: what `batches()` gives."""


_CLASSES = {
    "optimizer": InnerOptimizer,
    "learned_optimizer": InnerLearnedOptimizer,
    "task": InnerTask,
    "schedule": InnerSchedule,
    "rate": InnerSchedule,
}


def inner_component(kind: str, spec: str) -> Any:
    """The component of a spec that is a setting of one in Python: of Python too, or of lopt."""
    from .tracer import made

    name = spec.strip()
    if name.replace("_", "a").replace(".", "a").isalnum() and "." in name and kind != "dataset":
        return made(name, {}) if isinstance(find(name), type) else find(name)
    return Spec(spec) if kind == "dataset" else _CLASSES[kind](spec)
