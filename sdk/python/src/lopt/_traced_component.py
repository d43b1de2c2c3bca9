"""The programs of components' functions: what each is called with, and what it must give.

Arguments become the inputs of a program, what a function gives becomes its outputs; docs/python.md has the functions.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from . import numpy as lnp
from . import tree as trees
from ._trace import DTYPES, Array, Trace
from .component import arguments_for
from .components import InitContext, ScheduleContext, UpdateContext, call
from .errors import UsageError
from .messages import remembered, restored, tree_json


class Results:
    """What comes out of a program: arrays, and JSON in which they stand as "$0", "$1", …"""

    def __init__(self) -> None:
        self.arrays: list[Array] = []

    def leaf(self, value: Any) -> str:
        if not isinstance(value, (Array, np.ndarray, np.generic, int, float, bool)):
            raise UsageError(
                f"a {type(value).__name__} where an array or a number was expected; trees are of dictionaries, "
                "lists and tuples"
            )
        array = lnp.asarray(value)
        self.arrays.append(array)
        return f"${len(self.arrays) - 1}"

    def tree(self, tree: Any) -> Any:
        return tree_json(tree, self.leaf)

    def scalar(self, value: Any, what: str) -> str:
        if not isinstance(value, (Array, np.ndarray, np.generic, int, float)):
            raise UsageError(f"{what} is a {type(value).__name__}; a scalar is wanted")
        array = lnp.asarray(value)
        if array.shape or array.dtype != np.float32:
            raise UsageError(f"{what} is {array.dtype}{list(array.shape)}; a float32 scalar is wanted")
        return self.leaf(array)


def traced(component: Any, asked: dict) -> bytes:
    """The program of a function. Where it is traced quickly it is traced twice: what differs then depends on something
    that is not among its arguments."""
    start = time.thread_time()  # whatever else the machine does
    first = _traced_once(component, asked)
    if time.thread_time() - start < 0.05 and _traced_once(component, asked) != first:
        function = PYTHON_NAMES.get(asked["function"], asked["function"])
        raise UsageError(
            f"{type(component).__name__}.{function}() gives another program each time that it is called: it must "
            "depend on its arguments alone; lopt.random has numbers by key"
        )
    return first


PYTHON_NAMES = {"start": "init"}


def _traced_once(component: Any, asked: dict) -> bytes:
    with Trace() as trace:

        def leaf(told: Any) -> Array:
            return trace.input(tuple(told[1]), DTYPES[[d.name for d in DTYPES].index(told[0])])

        # Arguments become inputs in the order in which they were told.
        told = asked["arguments"]
        inputs = {name: restored(component, name, tree, leaf) for name, tree in told.items()}
        results = Results()
        answer = FUNCTIONS[component.kind](component, asked["function"], inputs, asked.get("numbers", {}), results)
        return trace.message(results.arrays, answer)


def _task_function(task: Any, function: str, given: dict, numbers: dict, out: Results) -> dict:
    key = given.get("key")
    if function == "init":
        if "batch" in numbers:
            task.example_types = {
                name: (tuple(shape), np.dtype(kind)) for name, (kind, shape) in numbers["batch"].items()
            }
        params = call(task.init, key)
        remembered(task, "params", params)
        return {"result": out.tree(params)}
    if function == "init_state":
        state = call(task.init_state, key)
        remembered(task, "state", state)
        return {"result": out.tree(state)}
    if function == "normalized":
        return {"result": out.scalar(task.normalized(given["loss"]), "what normalized() gives")}
    params, batch, state = given["params"], given.get("batch", {}), given.get("state")
    if function == "loss":
        return {"result": out.scalar(call(task.loss, params, batch, key), "the loss")}
    if function == "training_loss":
        made_loss = call(task.training_loss, params, state, batch, key)
        if not isinstance(made_loss, tuple) or len(made_loss) != 2:
            raise UsageError("training_loss() gives the loss and the state after the step")
        return {"result": out.scalar(made_loss[0], "the loss"), "state": out.tree(made_loss[1])}
    if function == "evaluation_loss":
        return {"result": out.scalar(call(task.evaluation_loss, params, state, batch, key), "the loss")}
    found = (
        call(task.metrics, params, batch, key)
        if function == "metrics"
        else call(task.evaluation_metrics, params, state, batch, key)
    )
    metrics = []
    for name, value in dict(found).items():
        higher = isinstance(value, tuple)
        metrics.append(
            [name, out.scalar(value[0] if higher else value, f"the metric '{name}'"), bool(higher and value[1])]
        )
    return {"metrics": metrics}


def _update_context(given: dict, numbers: dict) -> UpdateContext:
    return UpdateContext(
        given.get("loss"),
        given.get("iteration"),
        int(numbers.get("num_steps", 0)),
        given.get("length"),
        given.get("key"),
    )


def _check_state(before: Any, after: Any) -> None:
    """A state that changes from step to step in names, shapes or types."""
    if trees.names(before) != trees.names(after):
        raise UsageError(
            f"the state was {{{', '.join(trees.names(before))}}} before update() and is "
            f"{{{', '.join(trees.names(after))}}} after it"
        )
    for name, a, b in zip(trees.names(before), trees.leaves(before), trees.leaves(after)):
        b = lnp.asarray(b)
        if a.shape != b.shape or a.dtype != b.dtype:
            raise UsageError(
                f"'{name}' of the state is {a.dtype}{list(a.shape)} before update() and {b.dtype}{list(b.shape)} "
                "after it"
            )


def _rule_function(rule: Any, function: str, given: dict, numbers: dict, out: Results) -> dict:
    theta = [given["theta"]] if "theta" in given else []
    if function == "init":
        weights = call(rule.init, given.get("key"))
        remembered(rule, "theta", weights)
        return {"result": out.tree(weights)}
    if theta and hasattr(rule, "opt_fn"):
        rule, theta = rule.opt_fn(theta[0]), []
    state = given.get("state")
    if function == "start":
        begin = rule.start if theta else rule.init
        made_state = call(
            begin, *theta, given["params"], InitContext(int(numbers.get("num_steps", 0)), given.get("key"))
        )
        remembered(rule, "state", made_state)
        return {"result": out.tree(made_state)}
    if function == "update":
        after = call(rule.update, *theta, state, given["grads"], _update_context(given, numbers))
        _check_state(state, after)
        return {"result": out.tree(after)}
    give = rule.params if function == "params" else rule.evaluation_params
    wants_theta = theta and len(arguments_for(give, [0, 0])) == 2
    return {"result": out.tree(give(*theta, state) if wants_theta else give(state))}


def _schedule_function(schedule: Any, function: str, given: dict, numbers: dict, out: Results) -> dict:
    context = ScheduleContext(given["step"], given.get("steps"), int(numbers.get("num_steps", 0)))
    return {"result": out.scalar(lnp.astype(schedule.rate(context), np.float32), "what rate() gives")}


FUNCTIONS = {
    "task": _task_function,
    "optimizer": _rule_function,
    "learned_optimizer": _rule_function,
    "schedule": _schedule_function,
}
