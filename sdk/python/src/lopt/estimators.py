"""Gradient estimators in Python: host code on NumPy arrays, which asks lopt for unrolls.

class MyEs(lopt.GradientEstimator):
    def init(self, theta, key, unroller):
        return {"lanes": unroller.start([(theta, k, i) for i, k in enumerate(split(key, self.tasks))])}
    def estimate(self, theta, key, state, unroller):
        unrolled = unroller.unroll(state["lanes"], [theta] * len(state["lanes"]), steps=self.unroll_length)
        …
        return loss, gradient, {"lanes": unrolled.lanes}
"""

from __future__ import annotations

import dataclasses
import socket
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from . import random as symbolic
from . import tree as trees
from .errors import LoptError, UsageError, error_of
from .messages import Message, plain_tree, receive, remembered, restored, tree_json

Key = np.ndarray  # uint32 [2]


@dataclasses.dataclass
class Lane:
    """An inner problem under way. Its state is lopt's."""

    number: int
    stream: int  # whose batches it sees
    position: int  # how many batches of that stream went by
    iteration: int  # steps since the problem began
    key: Key
    task: int
    length: int


class Unrolled(NamedTuple):
    """What an unroll gives."""

    lanes: list[Lane]  # after the last step
    losses: np.ndarray  # [lane, step], of the parameters before each update
    began: np.ndarray  # [lane, step], 1 where a new problem began
    gradient: Any = None  # of the mean of all losses


class Unroller:
    """Runs inner problems, on all of lopt's threads."""

    def __init__(self, ask: Callable):
        self._ask = ask

    def start(self, starts: Sequence[tuple]) -> list[Lane]:
        """Problems at their start, of (θ, key, stream) each, and where the stream is if that is not 0."""
        message = Message({"ask": "start"})
        message.json["starts"] = [
            {
                "theta": _put_tree(message, theta),
                "key": [int(n) for n in key],
                "stream": int(stream),
                "position": int(position[0]) if position else 0,
            }
            for theta, key, stream, *position in starts
        ]
        return [_lane(told) for told in self._ask(message).json["lanes"]]

    def unroll(self, lanes: Sequence[Lane], thetas: Sequence[Any], **options: Any) -> Unrolled:
        """Unrolls lane i with thetas[i]. Options: steps, problem_length, loss_clip, least_length."""
        message = Message({"ask": "unroll", "lanes": [_told(lane) for lane in lanes], "options": options})
        if len(thetas) != len(lanes):
            raise UsageError(f"{len(thetas)} θ for {len(lanes)} lanes")
        message.json["thetas"] = [_put_tree(message, theta) for theta in thetas]
        return _unrolled(self._ask(message))

    def unroll_with_gradient(
        self, lanes: Sequence[Lane], theta: Any, *, from_start: bool = False, **options: Any
    ) -> Unrolled:
        """Unrolls all lanes with θ; `gradient` is d(mean of all losses)/dθ, back to each lane's start in the unroll."""
        message = Message(
            {"ask": "gradient", "lanes": [_told(lane) for lane in lanes], "options": options, "from_start": from_start}
        )
        message.json["theta"] = _put_tree(message, theta)
        answer = self._ask(message)
        return _unrolled(answer)._replace(gradient=_tree(answer, answer.json["gradient"]))


def split(key: Key, count: int = 2) -> np.ndarray:
    """Keys [count, 2], as jax.random.split."""
    return np.asarray(symbolic.split(_symbolic(key), count))


def normal(key: Key, shape: Sequence[int]) -> np.ndarray:
    return np.asarray(symbolic.normal(_symbolic(key), shape))


def normal_like(key: Key, tree: Any, std: float) -> Any:
    """Noise shaped like a tree: leaf i from fold_in(key, i), times the standard deviation."""
    leaves, structure = trees.flatten(tree)
    return trees.unflatten(
        structure,
        [
            std * np.asarray(symbolic.normal(symbolic.fold_in(_symbolic(key), i), np.shape(leaf)))
            for i, leaf in enumerate(leaves)
        ],
    )


def _symbolic(key: Key):
    from ._trace import current

    return current().constant(np.asarray(key, np.uint32))


def _put_tree(message: Any, tree: Any) -> Any:
    return tree_json(
        tree, lambda leaf: message.put(np.asarray(leaf, None if np.asarray(leaf).dtype.kind in "iub" else np.float32))
    )


def _tree(message: Any, told: Any) -> Any:
    return plain_tree(told, message.array) if "array" not in told else message.array(told)


def _told(lane: Lane) -> dict:
    return {**dataclasses.asdict(lane), "key": [int(n) for n in lane.key]}


def _lane(told: dict) -> Lane:
    return Lane(**{**told, "key": np.array(told["key"], np.uint32)})


def _unrolled(answer: Any) -> Unrolled:
    return Unrolled(
        [_lane(told) for told in answer.json["lanes"]],
        answer.array(answer.json["losses"]),
        answer.array(answer.json["began"]),
    )


def answer(estimator: Any, question: Any, connection: socket.socket) -> bytes:
    """A question of lopt to an estimator, which may ask back before it answers."""
    from .tracer import failure

    def ask(message: Any) -> Any:
        connection.sendall(message.encode())
        said = receive(connection)
        if said is None:
            raise LoptError("lopt is gone")
        if "error" in said.json:
            raise error_of(said.json["error"]["code"], said.json["error"]["message"])
        return said

    try:
        asked = question.json
        unroller, key = Unroller(ask), np.array(asked["key"], np.uint32)
        theta = _tree(question, asked["theta"])
        out = Message({})
        if asked["ask"] == "estimator init":
            state = estimator.init(theta, key, unroller)
        else:
            state = {
                "lanes": [_lane(told) for told in asked["lanes"]],
                **restored(estimator, "values", asked["values"], question.array),
            }
            loss, gradient, state = estimator.estimate(theta, key, state, unroller)
            if trees.names(gradient) != trees.names(theta):
                raise UsageError(
                    f"the gradient has {{{', '.join(trees.names(gradient))}}}, and θ "
                    f"{{{', '.join(trees.names(theta))}}}"
                )
            out.json.update(loss=out.put(np.float32(loss)), gradient=_put_tree(out, gradient))
        values = {name: value for name, value in state.items() if name != "lanes"}
        remembered(estimator, "values", values)
        out.json.update(lanes=[_told(lane) for lane in state.get("lanes", [])], values=_put_tree(out, values))
        return out.encode()
    except Exception as error:
        return failure(error).encode()
