"""lopt's optimizers as an optax.GradientTransformation, by a callback: for programs in JAX on the processor.

>>> optimizer = lopt.optax.learned_optimizer("general", num_steps=1000)
>>> state = optimizer.init(params)
>>> updates, state = optimizer.update(grads, state, params, value=loss)
"""

import os
import threading

import jax
import jax.numpy as jnp
import numpy as np
import optax

from .optimizer import Optimizer


def learned_optimizer(
    spec: str | os.PathLike | dict = "general", num_steps: int = 0
) -> optax.GradientTransformationExtraArgs:
    """`spec`, `num_steps`: as of lopt.Optimizer. `value` of an update is the loss, for rules that look at it. The state
    is what the rule remembers, as one array of bytes, so it is kept, copied and saved as any other."""
    made: dict[tuple, Optimizer] = {}  # by shapes: planning a rule takes longer than a step
    lock = threading.Lock()

    def new(leaves) -> Optimizer:
        return Optimizer(
            spec, {f"parameter {i}": np.array(leaf, np.float32) for i, leaf in enumerate(leaves)}, num_steps
        )

    def step(params, grads, state, value):
        with lock:
            shapes = tuple(leaf.shape for leaf in params)
            optimizer = made[shapes] = made.get(shapes) or new(params)
            optimizer.load_state_dict({"state": np.asarray(state).tobytes()})
            for own, given in zip(optimizer.params.values(), params):
                own[...] = given
            optimizer.step({name: np.asarray(g) for name, g in zip(optimizer.params, grads)}, value)
            updates = [own - np.asarray(given) for own, given in zip(optimizer.params.values(), params)]
            return updates, np.frombuffer(optimizer.state_dict()["state"], np.uint8)

    def init(params):
        return jnp.asarray(np.frombuffer(new(jax.tree.leaves(params)).state_dict()["state"], np.uint8))

    def update(updates, state, params=None, *, value=None, **_):
        grads, tree = jax.tree.flatten(updates)
        leaves = jax.tree.leaves(params)
        result = (
            [jax.ShapeDtypeStruct(leaf.shape, jnp.float32) for leaf in leaves],
            jax.ShapeDtypeStruct(state.shape, jnp.uint8),
        )
        moved, state = jax.pure_callback(step, result, leaves, grads, state, value, vmap_method="sequential")
        return jax.tree.unflatten(tree, moved), state

    return optax.GradientTransformationExtraArgs(init, update)
