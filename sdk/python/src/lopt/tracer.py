"""Answers lopt's questions about components of Python: what they are, and the programs of their functions.

In a program that imports lopt a thread does it; the runner starts `python3 -m lopt.tracer` where a spec names a module.
"""

from __future__ import annotations

import inspect
import json
import os
import pathlib
import socket
import struct
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np

from . import numpy as lnp
from . import tree as trees
from ._trace import DTYPES, Array, Trace, storable
from .component import arguments_for, declarations
from .components import InitContext, ScheduleContext, UpdateContext, call
from .errors import LoptError, UsageError, code_of
from .messages import Message, receive, remembered, restored, tree_json
from .objects import find, spec_line

_PACKAGE = str(pathlib.Path(__file__).resolve().parent)


# --- questions ------------------------------------------------------------------------------------------------------


class Answers:
    """One connection: the components that it asked for."""

    def __init__(self, connection: socket.socket | None = None):
        self.connection = connection

    def answer(self, question: Message) -> bytes:
        asked = question.json
        try:
            what = asked["ask"]
            if what == "look in":
                if asked["folder"] not in sys.path:
                    sys.path.append(asked["folder"])
                return Message({}).encode()
            if what == "describe":
                return Message(description(asked["component"])).encode()
            component = made(asked["component"], asked["settings"])
            if what == "make":
                return Message({}).encode()
            if what == "trace":
                return traced(component, asked)
            if what == "worker":
                from .host import become_worker

                return become_worker(component, self.connection) or b""
            if what in ("estimator init", "estimate"):
                from .estimators import answer

                return answer(component, question, self.connection)
            return HOST_ANSWERS[what](component, asked).encode()
        except RecursionError as error:
            return failure(UsageError(f"it calls itself without an end ({error})")).encode()
        except Exception as error:  # all that a user's code raises
            return failure(error).encode()


def failure(error: BaseException) -> Message:
    """An exception, with the line of the user's file in which it arose."""
    frames = [
        f
        for f in traceback.extract_tb(error.__traceback__)
        if not os.path.realpath(f.filename).startswith(_PACKAGE + os.sep)
        and "/importlib/" not in f.filename
        and not f.filename.startswith(("<frozen", "<__array_function__"))
    ]
    own = [f for f in frames if "site-packages" not in f.filename and "dist-packages" not in f.filename] or frames
    where = f"{own[-1].filename}:{own[-1].lineno}: in {own[-1].name}(): " if own else ""
    if isinstance(error, SyntaxError) and error.filename:
        where = f"{error.filename}:{error.lineno}: "
    text = str(error) if isinstance(error, LoptError) else f"{type(error).__name__}: {error}"
    code = code_of(error) if isinstance(error, LoptError) else 3
    return Message({"error": {"code": code, "message": where + text}})


_made: dict[tuple[str, str], Any] = {}
_lock = threading.RLock()


def made(name: str, settings: dict) -> Any:
    """The object of a name: as it is, or a class made with settings."""
    found = find(name)
    if not isinstance(found, type):
        return found
    key = (name, json.dumps(settings))
    with _lock:
        if key not in _made or type(_made[key]) is not found:
            _made[key] = found(**{setting: _value(value) for setting, value in settings.items()})
        return _made[key]


def _value(value: Any) -> Any:
    """Components that are settings come as their specs: data goes on as such; others are called through lopt."""
    if not (isinstance(value, dict) and "spec" in value):
        return value
    from .inner import inner_component

    return inner_component(value["kind"], value["spec"])


def description(name: str) -> dict:
    found = find(name)
    cls = found if isinstance(found, type) else type(found)
    try:
        file = inspect.getsourcefile(cls) if not cls.__module__.startswith("lopt.") else getattr(found, "file", None)
    except (OSError, TypeError):  # a cell of a notebook
        file = None
    document = inspect.getdoc(cls) if "__doc__" in cls.__dict__ and cls.__doc__ else ""
    return {
        "kind": cls.kind,
        "summary": (document or "").split("\n\n")[0].replace("\n", " "),
        "paper": cls.paper,
        "file": os.path.abspath(file) if file else "Python",
        "settings": declarations(found) if isinstance(found, type) else [],
    }


def _batches(component: Any, asked: dict) -> Message:
    given = component.batches()
    if given is None:
        return Message({})
    dataset, size = given
    return Message({"dataset": spec_line(dataset), "size": int(size)})


def _family_task(component: Any, asked: dict) -> Message:
    index = int(asked["index"])
    return Message({"spec": spec_line(component.task(index)), "description": str(component.description(index))})


def _examples(component: Any, asked: dict) -> Message:
    message = Message({})
    arrays = component.examples(asked["split"])
    message.json["examples"] = {
        "tree": [[name, message.put(_example_array(name, array))] for name, array in arrays.items()]
    }
    return message


def _example_array(name: str, array: Any) -> np.ndarray:
    array = np.asarray(array)
    if array.ndim == 0:
        raise UsageError(f"the examples '{name}' are a scalar; the first dimension is the example")
    storable(array.dtype)
    return array


HOST_ANSWERS: dict[str, Callable[[Any, dict], Message]] = {
    "batches": _batches,
    "size": lambda family, _: Message({"size": int(family.size())}),
    "task": _family_task,
    "examples": _examples,
    "bias": lambda estimator, _: Message({"text": str(_attribute(estimator.bias))}),
    "problem steps": lambda estimator, _: Message({"steps": int(_attribute(estimator.problem_steps))}),
}


def _attribute(value: Any) -> Any:
    return value() if callable(value) else value


# --- programs -------------------------------------------------------------------------------------------------------


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
            "depend "
            "on its arguments alone; lopt.random has numbers by key"
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


# --- connections ----------------------------------------------------------------------------------------------------


_listening: socket.socket | None = None


def listen() -> None:
    """From now on a thread of this program answers lopt: in this process, and in those that it starts."""
    global _listening
    if _listening is None and "LOPT_TRACER_CHILD" not in os.environ:
        _listening = socket.socket(socket.AF_UNIX)
        name = f"lopt-{os.getpid()}-{id(_listening):x}"
        _listening.bind("\0" + name)
        _listening.listen(64)
        os.environ["LOPT_TRACER"] = name
        threading.Thread(target=_accept, args=(_listening,), daemon=True).start()


def _forget() -> None:
    """A forked program has threads of its own to start."""
    global _listening
    if _listening is not None:
        _listening.close()
        _listening = None
        listen()


os.register_at_fork(after_in_child=_forget)


def _accept(listening: socket.socket) -> None:
    while True:
        try:
            connection, _ = listening.accept()
        except OSError:
            return
        threading.Thread(target=_serve, args=(connection,), daemon=True).start()


def _serve(connection: socket.socket) -> None:
    with connection:
        _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0:3]
        if uid != os.getuid():
            return  # somebody else's program
        answers = Answers(connection)
        while (question := receive(connection)) is not None:
            answer = answers.answer(question)
            if not answer:
                return  # another process goes on with it
            connection.sendall(answer)


def main() -> None:
    """`python3 -m lopt.tracer SOCKET PARENT`: a listening socket by its number, and the process that wants answers."""
    os.environ["LOPT_TRACER_CHILD"] = "1"
    listening, parent = socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2])
    os.environ["LOPT_TRACER"] = listening.getsockname()[1:].decode()  # for components of lopt inside of those of Python
    if "" not in sys.path and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    threading.Thread(target=_accept, args=(listening,), daemon=True).start()
    while os.getppid() == parent:
        time.sleep(0.5)


if __name__ == "__main__":
    from lopt import tracer  # the module that components know, not a second one

    tracer.main()
