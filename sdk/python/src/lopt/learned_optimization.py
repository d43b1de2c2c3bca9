"""Tasks, families and learned optimizers of the package learned_optimization, by what they can do: it is not
imported."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from . import numpy as lnp
from .components import Dataset, TaskFamily
from .errors import UsageError
from .jax import JaxLearnedOptimizer, JaxTask, _file, _unknown_state, apply
from .jaxpr._trees import Structure, key_shape, named


def _datasets_of(package_task: Any) -> Any:
    """The data of a task of learned_optimization: as many batches as make some thousand examples, of each split."""
    datasets = getattr(package_task, "datasets", None)
    if datasets is None:
        return None, 0
    splits, size = {}, 0
    for split, source in (("train", datasets.train), ("test", getattr(datasets, "test", datasets.train))):
        batches = [jax.tree.map(np.asarray, next(source)) for _ in range(8)]
        first = batches[0]
        size = size or len(jax.tree.leaves(first)[0])
        splits[split] = {name: np.concatenate([np.asarray(b[name]) for b in batches]) for name in first}
    return Dataset.from_arrays(splits["train"], splits["test"]), size


class JaxPackageTask(JaxTask):
    """A task of learned_optimization: `init_with_state(key)` and `loss_with_state(params, state, key, batch)`, or
    without a state."""

    def __init__(self, task: Any, dataset: Any, batch_size: int):
        self.task = task
        has_state = hasattr(task, "init_with_state") and hasattr(task, "loss_with_state")
        self._whole = (lambda key: task.init_with_state(key)) if has_state else (lambda key: (task.init(key), None))
        self._of_state = (
            (lambda p, s, b, key: task.loss_with_state(p, s, key, b))
            if has_state
            else (lambda p, s, b, key: (task.loss(p, key, b), s))
        )
        super().__init__(
            lambda key: self._whole(key)[0],
            lambda p, b, key: self._of_state(p, None, b, key)[0],
            dataset,
            batch_size,
            normalized=getattr(task, "normalizer", None) and (lambda loss: task.normalizer(loss)),
            name=getattr(task, "name", None) or type(task).__name__,
        )
        self.file = _file(type(task))

    def _state_structure(self) -> Structure:
        return Structure(jax.eval_shape(self._whole, key_shape())[1])

    def init_state(self, key: Any) -> Any:
        return named(apply(lambda k: self._whole(k)[1], key))

    def _with_state(self, params: Any, state: Any, batch: dict, key: Any) -> tuple[Any, Any]:
        state = self._state_structure().of(state)
        loss, after = apply(
            lambda p, s, b, k: self._of_state(p, s, b, k)[:2], self._structure().of(params), state, batch, key
        )
        return lnp.reshape(loss, ()), named(after)

    def training_loss(self, params: Any, state: Any, batch: dict, key: Any) -> tuple[Any, Any]:
        return self._with_state(params, state, batch, key)

    def evaluation_loss(self, params: Any, state: Any, batch: dict, key: Any) -> Any:
        return self._with_state(params, state, batch, key)[0]

    def loss(self, params: Any, batch: dict, key: Any) -> Any:
        return self.training_loss(params, {}, batch, key)[0]


def task_of_package(package_task: Any, dataset: Any = None, batch_size: int = 0) -> JaxTask:
    if not hasattr(package_task, "init") or not hasattr(package_task, "loss"):
        raise UsageError(f"a {type(package_task).__name__} is no task: it has no init and loss")
    if dataset is None:
        dataset, batch_size = _datasets_of(package_task)
    return JaxPackageTask(package_task, dataset, batch_size)


class JaxFamily(TaskFamily):
    """Members of a family of learned_optimization, drawn with the keys 0, 1, …"""

    def __init__(self, family: Any, count: int = 8):
        self.family, self.count, self.name = family, count, type(family).__name__
        self.file = _file(type(family))
        self._tasks: dict[int, JaxTask] = {}

    def size(self) -> int:
        return self.count

    def task(self, index: int) -> JaxTask:
        if index not in self._tasks:
            member = self.family.task_fn(self.family.sample(jax.random.PRNGKey(index)))
            dataset, size = _datasets_of(member)
            if dataset is None:
                dataset, size = _datasets_of(self.family)
            self._tasks[index] = task_of_package(member, dataset, size)
        return self._tasks[index]

    def description(self, index: int) -> str:
        return f"{self.name} of key {index}"


class JaxPackageRule(JaxLearnedOptimizer):
    """A learned optimizer of learned_optimization: `init(key)`, `opt_fn(theta)`, whose optimizer has init, update and
    get_params."""

    def __init__(self, rule: Any):
        def start(theta: Any, params: Any, num_steps: int, key: Any) -> Any:
            opt = rule.opt_fn(theta)
            return opt.init(params, **_accepted(opt.init, model_state=None, num_steps=num_steps or None, key=key))

        def update(theta: Any, state: Any, grads: Any, loss: Any, key: Any) -> Any:
            opt = rule.opt_fn(theta)
            return opt.update(state, grads, **_accepted(opt.update, loss=loss, model_state=None, key=key))

        super().__init__(rule.init, start, update, params=lambda state: state, name=type(rule).__name__)
        self.rule, self.file = rule, _file(type(rule))

    def params(self, theta: Any, state: Any) -> Any:
        return self._parameters(
            state,
            _unknown_state,
            lambda weights, whole: self.rule.opt_fn(weights).get_params(whole),
            self._weights(theta),
        )


def _accepted(function: Callable, **given: Any) -> dict:
    known = inspect.signature(function).parameters
    every = any(p.kind is p.VAR_KEYWORD for p in known.values())
    return {name: value for name, value in given.items() if name in known or every}


def learned_of_package(rule: Any) -> JaxPackageRule:
    if not hasattr(rule, "opt_fn") or not hasattr(rule, "init"):
        raise UsageError(f"a {type(rule).__name__} is no learned optimizer: it has no init and opt_fn")
    return JaxPackageRule(rule)
