"""Which modules of learned_optimization, and which optimizers of optax, come over from JAX, and how near their numbers
are.

usage: survey_jax.py PACKAGE_FOLDER [fixed|parametric|rules|optax] [NAME…]     (needs jax, flax, dm-haiku, optax, chex,
gin-config)

PACKAGE_FOLDER holds learned_optimization/. Data are random numbers of the right shapes: what is compared is
computation.
"""

import collections
import functools
import importlib
import importlib.machinery
import inspect
import os
import sys
import time
import types
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "sdk", "python", "src"))
sys.path.insert(0, sys.argv[1])
np.product = np.prod  # a name that the package knows
import lopt  # noqa: E402
import lopt.jax  # noqa: E402
from lopt import numpy as lnp  # noqa: E402
from lopt._trace import Trace  # noqa: E402


class _Stub(types.ModuleType):
    """A package that is not here, of which nothing is wanted."""

    __path__: list = []

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return mock.MagicMock(name=name)


for missing in (
    "tensorflow",
    "tensorflow_datasets",
    "tensorflow_text",
    "seqio",
    "t5",
    "t5.data",
    "tensorflow.io",
    "ml_collections",
    "oryx",
    "oryx.core",
    "jax.experimental.maps",
    "courier",
    "launchpad",
    "tensorflow.python",
    "tensorflow.compat",
    "tensorflow.compat.v2",
    "dm_env",
):
    try:
        importlib.import_module(missing)
    except Exception:
        sys.modules[missing] = _Stub(missing)
        sys.modules[missing].__spec__ = importlib.machinery.ModuleSpec(missing, None)

import gin  # noqa: E402

_configurable, _external = gin.configurable, gin.external_configurable


def _where_it_can(configure):
    """Some of the package's names are refused by later versions of gin."""

    def wrapped(*given, **named):
        try:
            made = configure(*given, **named)
        except ValueError:
            return given[0]
        if given and callable(given[0]):
            return made

        def decorate(function):
            try:
                return made(function)
            except ValueError:
                return function

        return decorate

    return wrapped


gin.configurable, gin.external_configurable = _where_it_can(_configurable), _where_it_can(_external)


def fake_datasets(batch_size, shape, classes, text):
    from learned_optimization.tasks.datasets import base

    def batches(seed):
        random = np.random.default_rng(seed)
        while True:
            if text:
                numbers = random.integers(1, classes, (batch_size, shape[0] + 1)).astype(np.int32)
                yield {"obs": numbers[:, :-1], "target": numbers[:, 1:]}
            else:
                yield {
                    "image": random.random((batch_size, *shape), np.float32),
                    "label": random.integers(0, classes, batch_size).astype(np.int32),
                }

    info = {"num_classes": classes, "vocab_size": classes, "name": "fake"}
    first = next(batches(0))
    return base.Datasets(
        *(batches(i) for i in range(4)),
        extra_info=info,
        abstract_batch=jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), first),
    )


def replace_data():
    """What the package's data functions load from disk; they find these by their names in its modules."""
    from learned_optimization.tasks.datasets import base, language

    sizes = {
        "mnist": (28, 1, 10),
        "fashion_mnist": (28, 1, 10),
        "cifar10": (32, 3, 10),
        "cifar100": (32, 3, 100),
        "svhn_cropped": (32, 3, 10),
        "food101": (32, 3, 101),
        "imagenet2012_8": (8, 3, 1000),
        "imagenet2012_16": (16, 3, 1000),
        "imagenet2012_32": (32, 3, 1000),
        "imagenet2012_64": (64, 3, 1000),
    }

    def images(datasetname, splits=None, batch_size=128, image_size=None, **more):
        side, channels, classes = sizes.get(datasetname, (32, 3, 1000))
        height, width = image_size or (side, side)
        return fake_datasets(
            batch_size, (height, width, 1 if more.get("convert_to_black_and_white") else channels), classes, False
        )

    for name in (
        "tfds_image_classification_datasets",
        "preload_tfds_image_classification_datasets",
        "tfrecord_image_classification_datasets",
    ):
        setattr(base, name, images)

    class Vocabulary:
        vocab_size = 256

    language._make_datasets = lambda name, vocab, batch_size, sequence_length, **_: fake_datasets(
        batch_size, (sequence_length,), vocab.vocab_size, True
    )
    language.get_bytes_vocab = Vocabulary
    language.get_32k_sentence_piece_vocab = type("Large", (Vocabulary,), {"vocab_size": 32000})


def primitives_of(jaxpr, found):
    for equation in jaxpr.eqns:
        found[equation.primitive.name] += 1
        for value in jax.tree.leaves(
            list(equation.params.values()), is_leaf=lambda x: hasattr(x, "eqns") or hasattr(x, "jaxpr")
        ):
            inner = getattr(value, "jaxpr", value)
            if hasattr(inner, "eqns"):
                primitives_of(inner, found)


def largest_difference(a, b):
    """Relative to the largest element: some arrays' gradients are 0 but for rounding, as of biases before a
    normalisation."""
    pairs = [
        (np.asarray(x, np.float64), np.asarray(y, np.float64)) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b))
    ]
    pairs = [
        (np.where(np.isnan(x) & np.isnan(y), 0, x), np.where(np.isnan(x) & np.isnan(y), 0, y)) for x, y in pairs
    ]  # NaN of both
    largest = max(np.max(np.abs(y), initial=0) for _, y in pairs)
    return float(max(np.max(np.abs(x - y), initial=0) for x, y in pairs) / largest) if largest > 0 else float("nan")


def compare_task(task, counts):
    """The loss and the gradient of the package's task, by JAX and by lopt: worst relative differences."""
    key = jax.random.PRNGKey(0)
    step_key = jax.random.fold_in(jax.random.fold_in(key, 0), 0)
    params, state = task.init_with_state(key)
    batch = next(task.datasets.train) if getattr(task, "datasets", None) is not None else {}
    batch = jax.tree.map(np.asarray, batch)

    def loss(p):
        return task.loss_with_state(p, state, step_key, batch)[0]

    primitives_of(jax.make_jaxpr(loss)(params).jaxpr, counts)
    value, slope = jax.jit(jax.value_and_grad(loss))(params)
    ours = lopt.jax.task(task)
    if not jax.tree.leaves(state):
        arrays = lopt.tasks.Task(ours, seed=0)
        start = arrays.init()
        drift = largest_difference(list(start.values()), params)
        given = dict(zip(arrays.parameter_names, map(np.asarray, jax.tree.leaves(params))))
        flat = lopt.jax.named(batch)
        flat = (
            {n: leaf for n, leaf in zip(lopt.tree.names(flat), lopt.tree.leaves(flat))}
            if isinstance(flat, dict)
            else {}
        )
        found, grads = arrays.loss_and_gradient(given, flat, 0)
        return abs(found - float(value)) / abs(float(value)), largest_difference(list(grads.values()), slope), drift
    with Trace():
        named = lopt.jax.named(params)
        symbolic = lopt.tree.map(lambda x: lnp.asarray(np.asarray(x)), named)
        found = ours.training_loss(
            symbolic,
            lopt.tree.map(lambda x: lnp.asarray(np.asarray(x)), lopt.jax.named(state)),
            lopt.tree.map(lnp.asarray, batch),
            lnp.asarray(np.asarray(step_key)),
        )[0]
        grads = lnp.gradient(found, symbolic)
        return (
            abs(float(found) - float(value)) / abs(float(value)),
            largest_difference([np.asarray(g) for g in lopt.tree.leaves(grads)], slope),
            0.0,
        )


def report(name, function, results):
    start = time.time()
    try:
        differences = function()
        good = max(differences) < 1e-5
        print(
            f"{'agrees ' if good else 'DIFFERS'} {name:60} loss {differences[0]:.1e} gradient {differences[1]:.1e} "
            f"start {differences[2]:.1e}  {time.time() - start:.0f} s"
        )
        results[good] += 1
    except Exception as error:
        print(f"MISSING {name:60} {type(error).__name__}: {str(error)[:300]}")
        results["missing"] += 1
    sys.stdout.flush()


def fixed_tasks(names):
    for module in (
        "conv",
        "image_mlp",
        "image_mlp_ae",
        "resnet",
        "rnn_lm",
        "transformer_lm",
        "es_wrapped",
        "mlp_mixer",
        "vit",
        "lopt",
    ):
        try:
            loaded = importlib.import_module(f"learned_optimization.tasks.fixed.{module}")
        except Exception as error:
            print(f"(the package's own {module} cannot be imported here: {type(error).__name__}: {str(error)[:200]})")
            continue
        many = collections.Counter()  # of those that a loop makes, by sizes, a few
        for name, make in vars(loaded).items():
            is_partial = isinstance(make, functools.partial)
            if not callable(make) or not name[0].isupper() or (names and not any(n in name for n in names)):
                continue
            if is_partial or (inspect.isfunction(make) and make.__module__ == loaded.__name__):
                stem = name.rstrip("0123456789")
                many[stem] += is_partial
                if many[stem] <= 3:
                    yield f"{module}.{name}", make


def main():
    what, names = (sys.argv[2] if len(sys.argv) > 2 else "fixed"), sys.argv[3:]
    replace_data()
    counts, results = collections.Counter(), collections.Counter()
    if what == "fixed":
        for name, make in fixed_tasks(names):
            report(name, lambda: compare_task(make(), counts), results)
    elif what == "parametric":
        for module in (
            "image_conv",
            "image_mlp",
            "image_mlp_ae",
            "image_mlp_vae",
            "image_resnet",
            "lm_rnn",
            "lm_transformer",
            "vit",
            "lopt",
        ):
            try:
                loaded = importlib.import_module(f"learned_optimization.tasks.parametric.{module}")
            except Exception as error:
                print(
                    f"(the package's own {module} cannot be imported here: {type(error).__name__}: {str(error)[:200]})"
                )
                continue
            for name in [n for n in vars(loaded) if n.startswith("sample_")]:
                for seed in range(2):

                    def make():
                        from learned_optimization.tasks.parametric import cfgobject

                        family = cfgobject.object_from_config(getattr(loaded, name)(jax.random.PRNGKey(seed)))
                        task = family.task_fn(family.sample(jax.random.PRNGKey(seed)))
                        if getattr(task, "datasets", None) is None:
                            task.datasets = family.datasets
                        return task

                    report(f"{module}.{name}({seed})", lambda: compare_task(make(), counts), results)
    elif what == "optax":
        survey_optax(names, results)
    else:
        survey_rules(names, results)
    print(dict(results))
    if counts:
        print("primitives:", ", ".join(f"{name} {count}" for name, count in counts.most_common()))


def states_after(step, params, grads, steps=3):
    for g in grads[:steps]:
        params = step(params, g)
    return params


def compare_rule(make_jax, ours):
    """Parameters after three updates with the same gradients."""
    random = np.random.default_rng(0)
    params = {"w": random.normal(size=(6, 5)).astype(np.float32), "b": random.normal(size=(5,)).astype(np.float32)}
    grads = [{n: random.normal(size=x.shape).astype(np.float32) for n, x in params.items()} for _ in range(3)]
    expected = make_jax(params, grads)
    own = {n: x.copy() for n, x in params.items()}
    optimizer = lopt.Optimizer(ours, own, num_steps=100)
    for g in grads:
        optimizer.step(g, 1.0)
    difference = largest_difference(
        {n: own[n] - params[n] for n in own}, {n: np.asarray(expected[n]) - params[n] for n in own}
    )
    return difference, 0.0, 0.0


def survey_optax(names, results):
    import optax

    plain = {
        n: getattr(optax, n)
        for n in (
            "adabelief",
            "adadelta",
            "adafactor",
            "adagrad",
            "adam",
            "adamax",
            "adamaxw",
            "adamw",
            "adan",
            "amsgrad",
            "fromage",
            "lamb",
            "lars",
            "lion",
            "nadam",
            "nadamw",
            "novograd",
            "optimistic_adam_v2",
            "optimistic_gradient_descent",
            "radam",
            "rmsprop",
            "rprop",
            "sgd",
            "sign_sgd",
            "signum",
            "sm3",
            "yogi",
            "noisy_sgd",
            "adafisher",
            "polyak_sgd",
        )
        if hasattr(optax, n)
    }
    for name in (
        "prodigy",
        "dadapt_adamw",
        "schedule_free_adamw",
        "muon",
        "momo",
        "momo_adam",
        "cocob",
        "dog",
        "dowg",
        "adopt",
        "ademamix",
        "sophia",
        "acprop",
        "galore",
    ):
        if hasattr(optax.contrib, name):
            plain[f"contrib.{name}"] = getattr(optax.contrib, name)
    more = {
        "chain(clip_by_global_norm, adam)": lambda: optax.chain(optax.clip_by_global_norm(1.0), optax.adam(1e-2)),
        "adam(warmup_cosine)": lambda: optax.adam(optax.warmup_cosine_decay_schedule(0.0, 1e-2, 2, 100)),
        "lookahead": None,
        "apply_if_finite(adam)": lambda: optax.apply_if_finite(optax.adam(1e-2), 5),
        "MultiSteps(adam, 2)": lambda: optax.MultiSteps(optax.adam(1e-2), 2).gradient_transformation(),
        "ema": lambda: optax.chain(optax.adam(1e-2), optax.ema(0.9)),
        "adaptive_grad_clip": lambda: optax.chain(optax.adaptive_grad_clip(0.01), optax.sgd(0.1)),
        "centralize": lambda: optax.chain(optax.centralize(), optax.sgd(0.1)),
        "scale_by_trust_ratio": lambda: optax.chain(optax.scale_by_trust_ratio(), optax.scale(-0.1)),
    }
    for name, make in [*plain.items(), *more.items()]:
        if make is None or (names and not any(n in name for n in names)):
            continue

        def transformation(make=make, name=name):
            for given in (
                {},
                {"learning_rate": 1e-2},
                {"learning_rate": 1e-2, "seed": 0},
                {"learning_rate": 1e-2, "eta": 0.1, "gamma": 0.1, "key": 0},
                {"max_learning_rate": 1.0},
            ):
                try:
                    return make(**given)
                except TypeError:
                    continue
            raise ValueError("its arguments are not known here")

        def run():
            tx = optax.with_extra_args_support(transformation())

            def by_jax(params, grads):
                state = tx.init(params)
                update = jax.jit(lambda g, s, p: tx.update(g, s, p, value=jnp.float32(1.0), grad=g))
                for g in grads:
                    updates, state = update(g, state, params)
                    params = optax.apply_updates(params, updates)
                return params

            return compare_rule(by_jax, lopt.jax.optimizer(transformation()))

        report(f"optax.{name}", run, results)


def survey_rules(names, results):
    modules = {
        "mlp_lopt": "MLPLOpt",
        "adafac_mlp_lopt": "AdafacMLPLOpt",
        "rnn_mlp_lopt": "RNNMLPLOpt",
        "nn_adam": "NNAdam",
        "adafac_nominal": "MLPNomLOpt",
        "base": "LearnableSGD LearnableSGDM LearnableAdam",
    }
    for module, classes in modules.items():
        for name in classes.split():

            def run():
                loaded = importlib.import_module(f"learned_optimization.learned_optimizers.{module}")
                rule = getattr(loaded, name)()
                theta = rule.init(jax.random.PRNGKey(0))

                def by_jax(params, grads):
                    opt = rule.opt_fn(theta)
                    state = opt.init(params, num_steps=100, key=jax.random.PRNGKey(0))
                    for g in grads:
                        state = opt.update(state, g, 1.0, key=jax.random.PRNGKey(0))
                    return opt.get_params(state)

                ours = lopt.jax.learned_optimizer(rule)
                path = os.path.join("/tmp", f"survey-{os.getpid()}.npz")
                named = lopt.jax.named(theta)
                np.savez(path, **{n: np.asarray(x) for n, x in zip(lopt.tree.names(named), lopt.tree.leaves(named))})
                try:
                    return compare_rule(by_jax, {"plugin": "learned", "theta": path, "learned_optimizer": ours})
                finally:
                    os.remove(path)

            report(f"{module}.{name}", run, results)


if __name__ == "__main__":
    main()
