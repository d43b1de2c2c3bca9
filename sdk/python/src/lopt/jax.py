"""Tasks, optimizers and learned optimizers that are written in JAX, by their jaxpr: jax.numpy, Flax, Haiku, optax.

>>> task = lopt.jax.task(init, loss, dataset="digits", batch_size=64)
>>> rule = lopt.jax.learned_optimizer(theta, start, update, params=lambda state: state["params"])
>>> tuned = lopt.jax.optimizer(optax.chain(optax.clip(1.0), optax.adam(1e-3)))

JAX is asked once for the jaxpr of each function; what runs then is lopt. Random numbers by key are JAX's.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from . import numpy as lnp
from .jaxpr import arrays_of
from .jaxpr._trees import Structure, Structures, key_shape, named, nested, ordered_as, shape_of, shapes
from ._trace import Array
from .component import arguments_for
from .components import (
    Batches,
    Dataset,
    InitContext,
    LearnedOptimizer,
    Optimizer,
    Task,
    TaskFamily,
    UpdateContext,
    _params_in,
)
from .errors import UsageError


def apply(function: Callable, *arguments: Any) -> Any:
    """What a function of JAX gives for symbolic arrays, in the same trees: their leaves are arrays, other values go as
    they are."""
    leaves, structure = jax.tree.flatten(arguments)
    symbolic = [i for i, leaf in enumerate(leaves) if isinstance(leaf, (Array, np.ndarray, np.generic))]

    def of_symbolic(*given: Any) -> Any:
        full = list(leaves)
        for i, value in zip(symbolic, given):
            full[i] = value
        return function(*jax.tree.unflatten(structure, full))

    shapes = [jax.ShapeDtypeStruct(leaves[i].shape, leaves[i].dtype) for i in symbolic]
    closed, result = jax.make_jaxpr(of_symbolic, return_shape=True)(*shapes)
    made = arrays_of(closed, [leaves[i] for i in symbolic])
    return jax.tree.unflatten(jax.tree.structure(result), [lnp.asarray(x) for x in made])


class JaxTask(Task):
    """A task of functions of JAX: `init(key)` and `loss(params, batch, key)`."""

    def __init__(
        self,
        init: Callable,
        loss: Callable,
        dataset: Any = None,
        batch_size: int = 0,
        metrics: Callable | None = None,
        normalized: Callable | None = None,
        name: str | None = None,
    ):
        self._init, self._loss, self._metrics, self._normalized = init, loss, metrics, normalized
        self.dataset, self.batch_size = _dataset(dataset), batch_size
        self.name, self.file = name or getattr(loss, "__name__", "task"), _file(loss)
        if dataset is not None and batch_size < 1:
            raise UsageError("a task with a dataset wants batch_size, at least 1")

    def __call__(self) -> JaxTask:
        return self

    def init(self, key: Any = None, *, seed: int | None = None) -> Any:
        """The parameters. `seed`: as NumPy arrays, those of lopt's problem of that seed."""
        if seed is not None:
            return self._structure().of(nested(self._arrays(seed).init()))
        return named(apply(_taking(self._init, 1), key))

    def _structure(self) -> Structure:
        return Structure(jax.eval_shape(_taking(self._init, 1), key_shape()))

    def loss(self, params: Any, batch: dict, key: Any) -> Any:
        return lnp.reshape(apply(_taking(self._loss, 3), self._structure().of(params), batch, key), ())

    def metrics(self, params: Any, batch: dict, key: Any) -> Mapping[str, Any]:
        if self._metrics is None:
            return {}
        found = self._metrics
        higher = {}

        def values(*given: Any) -> dict:
            named = _taking(found, 3)(*given)
            higher.update({name: value[1] for name, value in named.items() if isinstance(value, tuple)})
            return {name: value[0] if isinstance(value, tuple) else value for name, value in named.items()}

        made = apply(values, self._structure().of(params), batch, key)
        return {name: (value, higher[name]) if name in higher else value for name, value in made.items()}

    def normalized(self, loss: Any) -> Any:
        return loss if self._normalized is None else apply(self._normalized, loss)

    def batches(self) -> Batches | None:
        return None if self.dataset is None else Batches(self.dataset, self.batch_size)

    # The same of NumPy arrays.
    def _arrays(self, seed: int = 0) -> Any:
        from .objects import spec_of
        from .tasks import Task as ArrayTask

        made = self.__dict__.setdefault("_made", {})
        if seed not in made:
            made[seed] = ArrayTask(spec_of(self), seed)
        return made[seed]

    def batch(self, step: int, seed: int = 0) -> dict[str, np.ndarray]:
        """What step 0, 1, … sees."""
        return self._arrays(seed).batch(step)

    def loss_and_gradient(
        self, params: Any, batch: Mapping[str, np.ndarray], step: int = 0, seed: int = 0
    ) -> tuple[float, Any]:
        """The loss of NumPy arrays, and its gradient, as lopt computes them."""
        structure = Structure(params)
        given = dict(zip(structure.names, jax.tree.leaves(params)))
        loss, grads = self._arrays(seed).loss_and_gradient(given, batch, step)
        return loss, jax.tree.unflatten(structure.tree, [grads[name] for name in structure.names])


def _taking(function: Callable, most: int) -> Callable:
    """The function, given as many arguments as it takes."""
    count = len(arguments_for(function, [0] * most))
    return lambda *given: function(*given[:count])


def _file(function: Callable) -> str:
    try:
        return inspect.getsourcefile(function) or ""
    except TypeError:
        return ""


def _dataset(dataset: Any) -> Any:
    """A dataset of lopt by its name or spec, a Dataset, or arrays: {name: array}, or {"train": {…}, "test": {…}}."""
    if isinstance(dataset, Mapping) and "plugin" not in dataset:
        if set(dataset) <= {"train", "test"}:
            return Dataset.from_arrays(dataset["train"], dataset.get("test"))
        return Dataset.from_arrays(dataset)
    return dataset


def task(
    init: Any,
    loss: Callable | None = None,
    dataset: Any = None,
    batch_size: int = 0,
    metrics: Callable | None = None,
    normalized: Callable | None = None,
    name: str | None = None,
) -> JaxTask:
    """A task: `init(key)` gives parameters, any pytree, `loss(params, batch, key)` a scalar. `dataset`: a name or spec
    of lopt's, a lopt.Dataset, or arrays by name (or by "train" and "test"); `metrics(params, batch, key)` gives {name:
    value}, or {name:
    (value, True)} where a higher one is better. A task of learned_optimization is taken as it is."""
    if loss is None:
        from .learned_optimization import task_of_package

        return task_of_package(init, dataset, batch_size)
    return JaxTask(init, loss, dataset, batch_size, metrics, normalized, name)


class _JaxRule:
    """What optimizers and learned optimizers of JAX share."""

    _params: Callable
    _structures: Structures

    def _parameters(self, state: Any, again: Callable[[], Any], give: Callable, *first: Any) -> Any:
        """The parameters in a state, give(*first, state), in the order of that part of it that has their names."""
        if self._params is _params_in and isinstance(state, dict) and "params" in state:
            return state["params"]
        made = named(apply(give, *first, self._structures.restore(state, again)))
        return ordered_as(made, _parts_of(state))


def _parts_of(tree: Any) -> list[Any]:
    return [tree, *(part for below in tree.values() for part in _parts_of(below))] if isinstance(tree, dict) else []


def _unknown_state() -> Any:
    raise UsageError(
        "the rule's state was made by another program; give params=, the parameters in a state, or keep them in its "
        "entry 'params'"
    )


class JaxOptimizer(_JaxRule, Optimizer):
    """An optimizer of functions of JAX."""

    def __init__(self, init: Callable, update: Callable, params: Callable | None = None, name: str | None = None):
        self._init, self._update, self._params = init, update, params or _params_in
        self.name, self.file = name or getattr(update, "__name__", "optimizer"), _file(update)
        self._structures = Structures()

    def init(self, params: Any, context: InitContext | None = None) -> Any:
        state = apply(self._init, *_named_arguments(self._init, {"params": params, **_start_names(context)}))
        return ordered_as(self._structures.keep(state), [params])

    def _state_again(self, grads: Any) -> Any:
        given = {"params": shapes(grads), "num_steps": 0, "key": key_shape()}
        return shape_of(self._init, _named_arguments(self._init, given))

    def update(self, state: Any, grads: Any, context: UpdateContext) -> Any:
        whole = self._structures.restore(state, lambda: self._state_again(grads))
        after = apply(
            self._update, *_named_arguments(self._update, {"state": whole, "grads": grads, **_names_of(context)})
        )
        return ordered_as(named(after), [state])

    def params(self, *given: Any) -> Any:
        return self._parameters(given[-1], _unknown_state, self._params)

    def evaluation_params(self, state: Any) -> Any:
        return self.params(state)


class JaxLearnedOptimizer(_JaxRule, LearnedOptimizer):
    """A learned optimizer of functions of JAX."""

    def __init__(
        self,
        theta: Callable,
        start: Callable,
        update: Callable,
        params: Callable | None = None,
        name: str | None = None,
    ):
        self._theta, self._start, self._update, self._params = theta, start, update, params or _params_in
        self.name, self.file = name or getattr(update, "__name__", "rule"), _file(update)
        self._structures = Structures()

    def init(self, key: Any) -> Any:
        return named(apply(_taking(self._theta, 1), key))

    def _weights(self, theta: Any) -> Any:
        return Structure(jax.eval_shape(_taking(self._theta, 1), key_shape())).of(theta)

    def start(self, theta: Any, params: Any, context: InitContext) -> Any:
        given = {"theta": self._weights(theta), "params": params, **_start_names(context)}
        return ordered_as(self._structures.keep(apply(self._start, *_named_arguments(self._start, given))), [params])

    def _state_again(self, theta: Any, grads: Any) -> Any:
        given = {"theta": shapes(self._weights(theta)), "params": shapes(grads), "num_steps": 0, "key": key_shape()}
        return shape_of(self._start, _named_arguments(self._start, given))

    def update(self, theta: Any, state: Any, grads: Any, context: UpdateContext) -> Any:
        whole = self._structures.restore(state, lambda: self._state_again(theta, grads))
        given = {"theta": self._weights(theta), "state": whole, "grads": grads, **_names_of(context)}
        return ordered_as(named(apply(self._update, *_named_arguments(self._update, given))), [state])

    def params(self, theta: Any, state: Any) -> Any:
        return self._parameters(state, _unknown_state, self._params)

    def evaluation_params(self, theta: Any, state: Any) -> Any:
        return self.params(theta, state)


def _start_names(context: InitContext | None) -> dict:
    return {"num_steps": context.num_steps if context else 0, "key": context.key if context else None}


def _names_of(context: UpdateContext) -> dict:
    return {
        "loss": context.loss,
        "iteration": context.iteration,
        "num_steps": context.num_steps,
        "key": context.key,
        "length": context.length,
    }


_SYNONYMS = {
    "grad": "grads",
    "gradient": "grads",
    "gradients": "grads",
    "value": "loss",
    "opt_state": "state",
    "step": "iteration",
    "step_count": "iteration",
    "rng": "key",
    "steps": "num_steps",
    "meta_params": "theta",
}


def _named_arguments(function: Callable, given: dict[str, Any]) -> list:
    """The arguments that a function names; those whose names say nothing get them in order."""
    names = [
        p.name
        for p in inspect.signature(function).parameters.values()
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        and (p.default is p.empty or _SYNONYMS.get(p.name, p.name) in given)
    ]
    order = list(given)
    chosen = []
    for i, name in enumerate(names):
        known = _SYNONYMS.get(name, name)
        chosen.append(given[known] if known in given else given[order[i]] if i < len(order) else None)
    return chosen


def optimizer(
    init: Any, update: Callable | None = None, params: Callable | None = None, name: str | None = None
) -> JaxOptimizer:
    """An optimizer: `init(params)` gives a state, `update(state, grads, loss, iteration, num_steps, key)` the next
    (those of these arguments that it names), `params(state)` the parameters (by default state["params"]). Or a
    transformation of optax.
    """
    if update is None:
        return _optimizer_of_optax(init, name)
    return JaxOptimizer(init, update, params, name)


def learned_optimizer(
    theta: Any,
    start: Callable | None = None,
    update: Callable | None = None,
    params: Callable | None = None,
    name: str | None = None,
) -> LearnedOptimizer:
    """A learned optimizer: `theta(key)` gives weights, `start(theta, params)` a state, `update(theta, state, grads,
    loss, iteration, num_steps, key)` the next, `params(state)` the parameters in it. Or one of learned_optimization."""
    if start is None or update is None:
        from .learned_optimization import learned_of_package

        return learned_of_package(theta)
    return JaxLearnedOptimizer(theta, start, update, params, name)


def _optimizer_of_optax(transformation: Any, name: str | None) -> JaxOptimizer:
    import optax

    full = optax.with_extra_args_support(transformation)

    def init(params: Any) -> dict:
        return {"params": params, "optax": full.init(params)}

    def update(state: Any, grads: Any, loss: Any) -> dict:
        updates, inner = full.update(grads, state["optax"], state["params"], value=loss, grad=grads, value_fn=None)
        return {"params": optax.apply_updates(state["params"], updates), "optax": inner}

    return JaxOptimizer(init, update, name=name or "optax")


def task_family(family: Any, count: int = 8) -> TaskFamily:
    """Of a family of learned_optimization (`sample(key)`, `task_fn(config)`), `count` members."""
    from .learned_optimization import JaxFamily

    return JaxFamily(family, count)


_taken: dict[int, tuple[Any, Any]] = {}  # what was taken over, by its identity, so that it is one component


def taken_over(value: Any) -> Any:
    """The component for a transformation of optax, or a task, family or learned optimizer of learned_optimization; else
    the value."""
    if isinstance(value, (type, str, int, float, dict, list, np.ndarray)) or value is None:
        return value
    make: Callable | None = None
    if hasattr(value, "init") and hasattr(value, "update") and isinstance(value, tuple):
        make = optimizer
    elif hasattr(value, "opt_fn") and hasattr(value, "init"):
        make = learned_optimizer
    elif hasattr(value, "sample") and hasattr(value, "task_fn"):
        make = task_family
    elif hasattr(value, "init") and hasattr(value, "loss") and not hasattr(value, "kind"):
        make = task
    if make is None:
        return value
    if id(value) not in _taken:
        _taken[id(value)] = (value, make(value))
    return _taken[id(value)][1]
