"""What users describe in Python: tasks, families, data, optimizers, learned optimizers, schedules and estimators.

Each is a class to derive from, with the functions that the C++ interfaces have. They are called once for shapes that
are known, on symbolic arrays (lopt.numpy); what they compute is traced into programs, which run without Python.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from . import numpy as lnp
from .component import Component, arguments_for
from .errors import UsageError


class Dataset(Component):
    """Examples in memory: arrays by name, whose first dimension is the example.

    >>> class Rings(lopt.Dataset):
    ...     def examples(self, split):            # "train" or "test"
    ...         return {"x": …, "label": …}       # NumPy arrays

    `Dataset.from_arrays(train={…}, test={…})` takes them as they are."""

    kind = "dataset"

    def examples(self, split: str) -> Mapping[str, np.ndarray]:
        raise NotImplementedError("examples(split) of a dataset gives its arrays by name")

    @staticmethod
    def from_arrays(train: Mapping[str, np.ndarray], test: Mapping[str, np.ndarray] | None = None) -> Dataset:
        return _Arrays(dict(train), dict(test if test is not None else train))


class _Arrays(Dataset):
    def __init__(self, train: dict, test: dict):
        self._splits = {"train": train, "test": test}

    def examples(self, split: str) -> Mapping[str, np.ndarray]:
        return self._splits[split]


class Batches(typing.NamedTuple):
    """Where a task's batches come from: a dataset (or its name, or a spec of one), and how many examples a batch
    has."""

    dataset: Any
    size: int


class Task(Component):
    """A problem to be trained: how its parameters start, and its loss.

    >>> class Line(lopt.Task):
    ...     def init(self, key):
    ...         return {"w": lopt.random.normal(key, (3,))}
    ...     def loss(self, params, batch, key):
    ...         return np.mean((params["w"] - 1) ** 2)

    `lopt.Task("{plugin: mlp_classifier}", seed=0)` makes functions of NumPy arrays of any task (lopt.tasks.Task)."""

    kind = "task"
    example_types: dict = {}  # while `init` is traced: {name: (shape of an example, type)} of the batches

    def __new__(cls, *arguments: Any, **named: Any) -> Any:
        if cls is Task:
            from .tasks import Task as ArrayTask

            return ArrayTask(*arguments, **named)
        return super().__new__(cls, *arguments, **named)

    def init(self, key: lnp.Array) -> Any:
        raise NotImplementedError("init(key) of a task gives its parameters")

    def loss(self, params: Any, batch: dict, key: lnp.Array) -> Any:
        raise NotImplementedError("loss(params, batch, key) of a task gives a scalar")

    def batches(self) -> Batches | tuple | None:
        """The dataset and the number of examples a batch; None: there are no batches."""
        return None

    def metrics(self, params: Any, batch: dict, key: lnp.Array) -> Mapping[str, Any]:
        """What else can be measured: {name: value}, or {name: (value, "higher")} where a higher one is better."""
        return {}

    def normalized(self, loss: lnp.Array) -> Any:
        """The loss on a scale that tasks share, as about 1 for a guess."""
        return loss

    def init_state(self, key: lnp.Array) -> Any:
        """What is kept from step to step beside the parameters."""
        return {}

    def training_loss(self, params: Any, state: Any, batch: dict, key: lnp.Array) -> tuple[Any, Any]:
        """What a step goes down, and the state after it."""
        return call(self.loss, params, batch, key), state

    def evaluation_loss(self, params: Any, state: Any, batch: dict, key: lnp.Array) -> Any:
        """The loss on examples that are not trained on."""
        return call(self.loss, params, batch, key)

    def evaluation_metrics(self, params: Any, state: Any, batch: dict, key: lnp.Array) -> Mapping[str, Any]:
        return call(self.metrics, params, batch, key)

    @staticmethod
    def from_function(init: Callable, loss_and_gradient: Callable, **more: Any) -> Any:
        """A task whose loss and gradient come from a function of NumPy arrays; see lopt.host.HostTask."""
        from .host import from_function

        return from_function(init, loss_and_gradient, **more)


def call(function: Callable, *given: Any) -> Any:
    return function(*arguments_for(function, list(given)))


class TaskFamily(Component):
    """A distribution over tasks: `size()` of them, and `task(index)` is one: a Task, or the spec of one."""

    kind = "task_family"

    def size(self) -> int:
        raise NotImplementedError("size() of a family says how many tasks it has")

    def task(self, index: int) -> Any:
        raise NotImplementedError("task(index) of a family gives a task")

    def description(self, index: int) -> str:
        return repr(self.task(index))


class InitContext(typing.NamedTuple):
    """What an optimizer may know when it starts."""

    num_steps: int  # how many updates there will be; 0: not known
    key: Any


class UpdateContext(typing.NamedTuple):
    """What an optimizer may know beside the gradients."""

    loss: Any  # of the parameters before this update
    iteration: Any  # int32, steps since the problem began
    num_steps: int  # how many updates there will be at most; 0: not known
    length: Any  # int32, how many updates this problem has; 0: not known
    key: Any


class _Rule(Component):
    def params(self, *state: Any) -> Any:
        """The parameters in a state: by default its entry "params"."""
        return _params_in(state[-1])


def _params_in(state: Any) -> Any:
    if isinstance(state, Mapping) and "params" in state:
        return state["params"]
    if hasattr(state, "params"):
        return state.params
    raise UsageError("the state of the rule has no entry 'params'; params(state) says where the parameters are")


class Optimizer(_Rule):
    """An update rule, to derive from:

    >>> class Sign(lopt.Optimizer):
    ...     def __init__(self, learning_rate: float = 0.01): self.learning_rate = learning_rate
    ...     def init(self, params): return {"params": params}
    ...     def update(self, state, grads, context):
    ...         return {"params": lopt.tree.map(lambda p, g: p - self.learning_rate * np.sign(g), state["params"],
    grads)}

    Made directly it is an optimizer of NumPy arrays: `lopt.Optimizer("general", params)`; see
    lopt.optimizer.ArrayOptimizer.
    """

    kind = "optimizer"

    def __new__(cls, *arguments: Any, **named: Any) -> Any:
        if cls is Optimizer:
            from .optimizer import ArrayOptimizer

            return object.__new__(ArrayOptimizer)
        return super().__new__(cls, *arguments, **named)

    def init(self, params: Any, context: InitContext) -> Any:
        raise NotImplementedError("init(params, context) of an optimizer gives its state, with the parameters")

    def update(self, state: Any, grads: Any, context: UpdateContext) -> Any:
        raise NotImplementedError("update(state, grads, context) of an optimizer gives the state after a step")

    def evaluation_params(self, state: Any) -> Any:
        """The parameters that a state is judged by, where those are others: an average."""
        return call(self.params, state)


class LearnedOptimizer(_Rule):
    """An update rule with weights θ, which meta-training finds: `init(key)` gives θ, `start(theta, params, context)`
    the state, `update(theta, state, grads, context)` the next, `params(state)` the parameters in it."""

    kind = "learned_optimizer"

    def init(self, key: lnp.Array) -> Any:
        raise NotImplementedError("init(key) of a learned optimizer gives its weights")

    def start(self, theta: Any, params: Any, context: InitContext) -> Any:
        raise NotImplementedError(
            "start(theta, params, context) of a learned optimizer gives its state, with the parameters"
        )

    def update(self, theta: Any, state: Any, grads: Any, context: UpdateContext) -> Any:
        raise NotImplementedError(
            "update(theta, state, grads, context) of a learned optimizer gives the state after a step"
        )

    def evaluation_params(self, theta: Any, state: Any) -> Any:
        return call(self.params, *([theta, state] if len(arguments_for(self.params, [0, 0])) == 2 else [state]))


class ScheduleContext(typing.NamedTuple):
    """Which update of how many: the first is at step 0, the last at steps − 1."""

    step: Any  # float32
    steps: Any  # float32; None: not known
    num_steps: int


class Schedule(Component):
    """A rate as a function of the update: `rate(context)` gives a scalar."""

    kind = "schedule"

    def rate(self, context: ScheduleContext) -> Any:
        raise NotImplementedError("rate(context) of a schedule gives a scalar")


class GradientEstimator(Component):
    """A way to estimate d meta-loss / dθ: host code on NumPy arrays, which runs in each meta-step.

    `init(theta, key, unroller)` gives a state: a dictionary whose entry "lanes" is a list of lanes, and others arrays.
    `estimate(theta, key, state, unroller)` gives (loss, gradient, state). lopt.estimators has the unroller."""

    kind = "estimator"
    bias = ""  # what the mean of its estimates leaves out; "": they are unbiased
    problem_steps = 0  # inner steps of a problem, where it knows; an attribute, or set by the constructor

    def init(self, theta: Any, key: np.ndarray, unroller: Any) -> dict:
        raise NotImplementedError("init(theta, key, unroller) of an estimator gives its state")

    def estimate(self, theta: Any, key: np.ndarray, state: dict, unroller: Any) -> tuple[float, Any, dict]:
        raise NotImplementedError("estimate(theta, key, state, unroller) of an estimator gives (loss, gradient, state)")


BASES = {cls.kind: cls for cls in (Task, TaskFamily, Dataset, Optimizer, LearnedOptimizer, Schedule, GradientEstimator)}
