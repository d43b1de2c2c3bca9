"""Answers lopt's questions about components of Python: what they are, and what their functions compute.

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

from ._traced_component import traced
from ._trace import storable
from .component import declarations
from .errors import LoptError, UsageError, code_of
from .messages import Message, receive
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
