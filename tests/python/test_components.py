"""Tasks, rules, data and estimators in Python: the plugins' numbers, what a run's folder keeps, and what is wrong, as sentences.

usage: test_components.py BUILD
"""
import copy
import importlib.util
import json
import os
import pathlib
import pickle
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
import unittest

import numpy

build = os.path.abspath(sys.argv[1])
source = pathlib.Path(__file__).resolve().parents[2]
os.environ["LOPT_PREFIX"] = build
sys.path[:0] = [str(source / "sdk/python/src"), str(source / "sdk/python/examples")]
import lopt  # noqa: E402
import lopt.numpy as lnp  # noqa: E402
import waves  # noqa: E402
from lopt._trace import Trace  # noqa: E402

RUNNER = os.path.join(build, "bin", "lopt-run")
PES = "{plugin: pes, tasks: 4, unroll_length: 5, problem_length: 20, std: 0.01}"
ADAM = "{plugin: adam, learning_rate: 0.01}"


def runner(*words, folder=None, python=True, ok=True, **environment):
    """What lopt-run prints, in a process that knows nothing of this one; with `python` the examples are modules."""
    env = {name: value for name, value in os.environ.items() if name not in ("LOPT_TRACER", "PYTHONPATH")}
    env["LOPT_PYTHON"] = sys.executable if python else "/bin/false"
    if python:
        env["PYTHONPATH"] = str(source / "sdk/python/examples")
    env.update(environment)
    done = subprocess.run([RUNNER, *map(str, words)], capture_output=True, text=True, cwd=folder, env=env)
    if ok and done.returncode:
        raise AssertionError(f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


def quietly(function, *arguments, **named):
    return function(*arguments, quiet=True, **named)


class InFolder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.folder)

    def module(self, name, text):
        (self.folder / f"{name}.py").write_text("import lopt\nimport lopt.numpy as np\n" + textwrap.dedent(text))
        sys.path.insert(0, str(self.folder))
        self.addCleanup(sys.path.remove, str(self.folder))
        self.addCleanup(sys.modules.pop, name, None)
        return __import__(name)


class Numbers(InFolder):
    def test_the_tutorial_in_python_is_the_plugins_to_the_bit(self):
        spec = (source / "configs/tutorial/pes.yaml").read_text()
        theirs = spec.replace("plugin: mlp_classifier", "plugin: tutorial.Classifier").replace("hidden: [128]", "hidden: 128") \
            .replace("  activation: relu\n", "").replace("plugin: per_parameter_mlp", "plugin: tutorial.PerParameterMlp")
        thetas = []
        for name, text in (("plugin", spec), ("python", theirs)):
            (self.folder / f"{name}.yaml").write_text(text)
            runner("train", f"{name}.yaml", "steps=3", "--out", name, folder=self.folder)
            thetas.append(numpy.load(self.folder / name / "theta.npz"))
        for name in thetas[0].files:
            numpy.testing.assert_array_equal(thetas[0][name], thetas[1][name])

    def test_functions_are_numpys(self):
        random = numpy.random.default_rng(0)
        x, y = random.normal(size=(3, 4)).astype(numpy.float32), random.normal(size=(3, 4)).astype(numpy.float32)
        i = numpy.array([2, 0, 1], numpy.int32)
        cases = {
            "x + y": None, "x - 2 * y": None, "x / y": None, "x ** 2": None, "x ** 3": None, "abs(x) ** 0.5": None, "x // y": None, "x % y": None,
            "-x": None, "x @ y.T": None, "(x > y) & (x > 0)": None, "x[1]": None, "x[:, 1:3]": None, "x[::-1, -1]": None, "x[i]": None,
            "x[i, i]": None, "x[:, None, 2]": None, "x[..., ::2]": None, "x.sum()": None, "x.mean(0)": None, "x.max(1)": None, "x.min()": None,
            "x.reshape(2, 6)": None, "x.T": None, "np.exp(x)": None, "np.tanh(x)": None, "np.where(x > 0, x, y)": None, "np.sort(x, 0)": None,
            "np.argsort(x)": None, "np.cumsum(x, 1)": None, "np.cumprod(x, 0)": None, "np.concatenate([x, y], 1)": None, "np.stack([x, y], 1)": None,
            "np.argmax(x, 1)": None, "np.argmin(x, 0)": None, "np.var(x, 0)": None, "np.std(x)": None, "np.prod(x, 1)": None, "np.clip(x, -0.5, 0.5)": None,
            "np.floor(x)": None, "np.ceil(x)": None, "np.round(x * 3)": None, "np.sign(x)": None, "np.maximum(x, y)": None, "np.pad(x, ((1, 0), (0, 2)))": None,
            "np.tile(x, (2, 1))": None, "np.repeat(x, 2, 1)": None, "np.flip(x, 1)": None, "np.roll(x, 1, 0)": None, "np.tril(x)": None, "np.triu(x, 1)": None,
            "np.einsum('ij,kj->ik', x, y)": None, "np.einsum('ij,ij->j', x, y)": None, "np.outer(x[0], y[0])": None, "np.dot(x, y.T)": None,
            "np.tensordot(x, y, axes=2)": None, "np.median(x)": None, "np.arange(5) * 2": None, "np.linspace(0, 1, 5)": None, "np.eye(3)": None,
            "np.full((2, 2), 7.0)": None, "i * 2 + 1": None, "i // 2": None, "i % 2": None, "i ** 2": None, "~(i > 1)": None, "np.expand_dims(x, 1)": None,
            "np.squeeze(x[None])": None, "np.swapaxes(x, 0, 1)": None, "np.moveaxis(x, 0, 1)": None, "np.all(x > -9)": None, "np.any(x > 9, 0)": None,
            "np.hypot(x, y)": None, "np.log2(abs(x))": None, "np.sinh(x)": None, "np.arcsinh(x)": None, "np.cbrt(x)": None, "np.isnan(x)": None,
            "np.take(x, i, 1)": None, "np.take_along_axis(x, i[:, None], 1)": None, "np.trunc(x * 3)": None, "np.diag(x[:3, :3])": None,
        }
        for text in cases:
            with self.subTest(text), Trace():
                expected = eval(text, {"np": numpy, "x": x, "y": y, "i": i})
                found = eval(text, {"np": lnp, "x": lnp.asarray(x), "y": lnp.asarray(y), "i": lnp.asarray(i)})
                found = numpy.asarray(found)
                self.assertEqual(found.shape, numpy.shape(expected))
                self.assertEqual(found.dtype.kind, numpy.asarray(expected).dtype.kind)
                numpy.testing.assert_allclose(found, expected, rtol=2e-6, atol=1e-6)

    def test_arrays_change_by_index_as_in_jax(self):
        x = numpy.arange(12, dtype=numpy.float32).reshape(3, 4)
        with Trace():
            s = lnp.asarray(x)
            changed = x.copy()
            changed[1] = 7
            numpy.testing.assert_array_equal(numpy.asarray(s.at[1].set(7.0)), changed)
            numpy.testing.assert_array_equal(numpy.asarray(s.at[:, 2].add(1.0))[:, 2], x[:, 2] + 1)
            twice = numpy.asarray(s.at[numpy.array([0, 0])].add(1.0))
            numpy.testing.assert_array_equal(twice[0], x[0] + 2)

    def test_loops_and_choices(self):
        with Trace():
            carry, kept = lnp.scan(lambda c, x: ({"n": c["n"] + 1, "s": c["s"] * 0.5 + x}, c["s"]), {"n": 0, "s": lnp.float32(1)},
                                   lnp.arange(4, dtype=lnp.float32))
            self.assertEqual(int(carry["n"]), 4)
            s = 1.0
            for i in range(4):
                self.assertAlmostEqual(float(kept[i]), s)
                s = 0.5 * s + i
            self.assertEqual(float(lnp.fori_loop(0, 5, lambda i, v: v + 2.0, 1.0)), 11)
            self.assertEqual(float(lnp.cond(lnp.asarray(2) > 1, lambda x: x + 1, lambda x: x, lnp.float32(1))), 2)
            key = lopt.random.key(3)
            a, b = lopt.random.split(key)
            self.assertFalse((numpy.asarray(a) == numpy.asarray(b)).all())


class Runs(InFolder):
    def train(self, **more):
        given = dict(task=waves.Waves(), learned_optimizer=waves.Momentum(), seed=1, steps=6, estimator=PES, meta_optimizer=ADAM)
        return quietly(lopt.train, **{**given, **more})

    def test_what_is_in_memory_and_what_is_in_a_module_is_one(self):
        here = self.train()
        spec = pathlib.Path(here.folder, "spec.yaml").read_text()
        self.assertIn('plugin: "waves.Waves"', spec)
        (self.folder / "spec.yaml").write_text(spec)
        runner("train", "spec.yaml", "--out", "there", folder=self.folder)
        self.assertEqual({n: float(v) for n, v in here.theta.items()}, {n: float(v) for n, v in lopt.Run("there").theta.items()})

    def test_a_run_goes_on_without_python_to_the_same_bits(self):
        whole, half = self.train(steps=8), self.train(steps=4)
        runner("resume", half.folder, "steps=8", folder=self.folder, python=False)
        self.assertEqual({n: float(v) for n, v in whole.theta.items()}, {n: float(v) for n, v in half.theta.items()})

    def test_a_killed_run_goes_on_to_the_same_bits(self):
        whole = self.train(steps=400)
        command = [RUNNER, "train", str(whole.folder / "spec.yaml"), "--out", "killed", "-q", "checkpoint.every=1 step"]
        env = {**os.environ, "LOPT_PYTHON": "/bin/false"}
        env.pop("LOPT_TRACER", None)
        process = subprocess.Popen(command, env=env)
        deadline = time.time() + 30
        while not list(self.folder.glob("killed/checkpoints/*")) and time.time() < deadline:
            time.sleep(0.005)
        process.kill()
        process.wait()
        runner("resume", "killed", folder=self.folder, python=False)
        self.assertEqual({n: float(v) for n, v in whole.theta.items()}, {n: float(v) for n, v in lopt.Run("killed").theta.items()})

    def test_the_same_bits_for_any_number_of_threads(self):
        spec = self.train().folder / "spec.yaml"
        thetas = []
        for threads in (1, 2):
            runner("train", spec, "--out", f"threads{threads}", "--threads", threads, folder=self.folder)
            thetas.append({n: float(v) for n, v in lopt.Run(f"threads{threads}").theta.items()})
        self.assertEqual(*thetas)

    @unittest.skipUnless(shutil.which("mpirun"), "mpirun is not here")
    def test_the_same_bits_for_any_number_of_ranks(self):
        spec = self.train().folder / "spec.yaml"
        runner("train", spec, "--out", "alone", folder=self.folder)
        env = {**os.environ, "LOPT_PYTHON": sys.executable, "PYTHONPATH": str(source / "sdk/python/examples")}
        env.pop("LOPT_TRACER", None)
        subprocess.run(["mpirun", "--allow-run-as-root", "--oversubscribe", "-n", "2", RUNNER, "train", spec, "--out", "ranks", "-q"], env=env, check=True,
                       capture_output=True)
        self.assertEqual(*({n: float(v) for n, v in lopt.Run(name).theta.items()} for name in ("alone", "ranks")))

    def test_what_was_trained_is_an_optimizer(self):
        run = self.train()
        w = numpy.ones((12, 1), numpy.float32)
        optimizer = lopt.Optimizer(run.folder, {"w": w})
        optimizer.step({"w": numpy.full((12, 1), 2, numpy.float32)})
        theta = run.theta
        numpy.testing.assert_allclose(w, 1 - numpy.exp(theta["log_rate"]) * 2, rtol=1e-6)
        verdict = quietly(lopt.evaluate, tasks={"w": waves.Waves(width=5)}, optimizers={"sgd": "sgd", "mine": run}, steps=[5], seeds=1).verdict
        self.assertIn("mine beside sgd", verdict)

    def test_what_was_trained_goes_where_its_module_is_not(self):
        run = self.train()
        program = ("import sys, numpy, lopt; w = numpy.ones((7, 3), 'f'); o = lopt.Optimizer(sys.argv[1], {'w': w, 'b': numpy.ones(2, 'f')}); "
                   "o.step({'w': w * 2}); print(float(w[0, 0]))")
        env = {n: v for n, v in os.environ.items() if n != "LOPT_TRACER"}
        done = subprocess.run([sys.executable, "-c", program, run.folder.resolve()], capture_output=True, text=True, cwd="/",
                              env={**env, "PYTHONPATH": str(source / "sdk/python/src"), "LOPT_PYTHON": sys.executable})
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertAlmostEqual(float(done.stdout), float(1 - 2 * numpy.exp(run.theta["log_rate"])), places=5)

    def test_all_kinds_of_components(self):
        kinds = self.module("kinds", '''
            import numpy

            class Lines(lopt.Dataset):
                """Points on two lines."""
                def __init__(self, count: int = 64): self.count = count
                def examples(self, split):
                    random = numpy.random.default_rng(0 if split == "train" else 1)
                    label = random.integers(0, 2, self.count)
                    angle = random.uniform(0, 6.28, self.count)
                    return {"image": (numpy.stack([2.0 * label - 1, numpy.sin(angle)])).T.astype("float32"), "label": label}

            class Linear(lopt.Task):
                """A linear classifier with a running mean of its logits."""
                def __init__(self, data: lopt.Dataset = None, scale: float = 0.1): self.data, self.scale = data or Lines(), scale
                def batches(self): return self.data, 16
                def init(self, key): return {"layers": [{"w": self.scale * lopt.random.normal(key, (2, 2)), "b": np.zeros(2)}]}
                def logits(self, params, batch): return batch["image"] @ params["layers"][0]["w"] + params["layers"][0]["b"]
                def loss(self, params, batch, key): return np.cross_entropy(self.logits(params, batch), batch["label"])
                def metrics(self, params, batch): return {"accuracy": (np.accuracy(self.logits(params, batch), batch["label"]), "higher")}
                def init_state(self, key): return {"mean": np.zeros(2)}
                def training_loss(self, params, state, batch, key):
                    return self.loss(params, batch, key), {"mean": 0.9 * state["mean"] + 0.1 * self.logits(params, batch).mean(0)}

            class Scales(lopt.TaskFamily):
                """Linear classifiers of different scales."""
                def size(self): return 3
                def task(self, index): return Linear(Lines(), scale=0.1 * (index + 1))

            class Halves(lopt.Schedule):
                """Half as much every `every` updates."""
                def __init__(self, value: float = 0.1, every: int = 10): self.value, self.every = value, every
                def rate(self, context): return self.value * 0.5 ** np.floor(context.step / self.every)

            class Sign(lopt.Optimizer):
                """p ← p − rate · sign(g)"""
                def __init__(self, rate: lopt.Schedule = Halves()): self.rate = rate
                def init(self, params): return {"params": params, "n": 0}
                def update(self, state, grads, context):
                    rate = self.rate.rate(lopt.components.ScheduleContext(np.astype(context.iteration, np.float32), None, 0)) if isinstance(self.rate, lopt.Schedule) else self.rate
                    return {"params": lopt.tree.map(lambda p, g: p - rate * np.sign(g), state["params"], grads), "n": state["n"] + 1}

            class Twice(lopt.Optimizer):
                """Two updates of another optimizer with the same gradient."""
                def __init__(self, inner: lopt.Optimizer = "adam"): self.inner = inner
                def init(self, params, context): return self.inner.init(params, context)
                def update(self, state, grads, context): return self.inner.update(self.inner.update(state, grads, context), grads, context)
                def params(self, state): return self.inner.params(state)
            ''')
        run = quietly(lopt.train, task=kinds.Linear(), optimizer=kinds.Sign(kinds.Halves(0.05)), steps=60, seed=1)
        ran = run.summary["runs"][0]
        self.assertLess(ran["loss_last_20"], ran["loss_first_20"])
        self.assertGreater(ran["test_metrics"]["accuracy"], 0.8)
        again = quietly(lopt.train, task=kinds.Linear(), optimizer=kinds.Twice("{plugin: adam, learning_rate: 0.01}"), steps=10, seed=1)
        self.assertTrue(again.summary["runs"][0]["loss_last_20"] > 0)
        family = quietly(lopt.train, task_family=kinds.Scales(), learned_optimizer="learnable_sgd", steps=4, seed=1, estimator=PES, meta_optimizer=ADAM)
        self.assertEqual(set(family.theta), {"log_lr"})
        for name in ("Linear", "Scales", "Lines", "Halves", "Sign", "Twice"):
            with self.subTest(name):
                found = quietly(lopt.check, getattr(kinds, name))
                self.assertFalse([text for text in found.values() if text.startswith("FAILED")])

    def test_settings_are_known_to_describe_specs_families_and_sweeps(self):
        said = runner("describe", "waves.Waves", folder=self.folder).stdout
        self.assertIn("how many cosines", said)
        self.assertIn("at least 1, default 12", said)
        schema = json.loads(runner("schema", "waves.Waves", folder=self.folder).stdout)
        self.assertEqual(schema["$defs"]["task.waves.Waves"]["properties"]["width"]["description"].split(";")[0], "how many cosines")
        spec = {"task": {"plugin": "waves.Waves", "width": 0}, "optimizer": "sgd", "steps": 2}
        with self.assertRaisesRegex(lopt.UsageError, "task.width: must be at least 1, not '0'"):
            quietly(lopt.train, spec)
        with self.assertRaisesRegex(lopt.UsageError, "task.widht: is no setting"):
            quietly(lopt.train, {**spec, "task": {"plugin": "waves.Waves", "widht": 3}})
        drawn = quietly(lopt.train, task_family="{plugin: sampled, members: 3, task: waves.Waves, width: {choice: [3, 9]}}", learned_optimizer="learnable_sgd", steps=2, seed=1,
                        estimator=PES, meta_optimizer=ADAM)
        self.assertIn("log_lr", drawn.theta)
        (self.folder / "sweep.yaml").write_text("{task: waves.Waves, optimizer: sgd, steps: 4}")
        swept = runner("sweep", "sweep.yaml", "task.width=[3,5]", "--out", "swept", folder=self.folder, ok=False)
        self.assertEqual(swept.returncode, 0, swept.stderr)

    def test_an_estimator_in_python_is_the_plugins(self):
        es = self.module("es", '''
            import numpy
            from lopt import estimators

            class FullEs(lopt.GradientEstimator):
                """Antithetic evolution strategies through whole problems."""
                def __init__(self, tasks: int = 2, steps: int = 5, std: float = 0.01):
                    self.tasks, self.steps, self.std, self.problem_steps = tasks, steps, std, steps
                def init(self, theta, key, unroller):
                    return {"count": numpy.float32(0)}
                def estimate(self, theta, key, state, unroller):
                    keys = estimators.split(key, self.tasks)
                    noise = [estimators.normal_like(k, theta, self.std) for k in keys]
                    thetas = [lopt.tree.map(lambda t, e: t + s * e, theta, n) for n in noise for s in (1, -1)]
                    lanes = unroller.start([(t, keys[i // 2], i // 2) for i, t in enumerate(thetas)])
                    losses = unroller.unroll(lanes, thetas, steps=self.steps).losses.mean(1)
                    slopes = (losses[0::2] - losses[1::2]) / (2 * self.std ** 2)
                    gradient = lopt.tree.map(lambda *e: numpy.float32(sum(s * x for s, x in zip(slopes, e)) / self.tasks), *noise)
                    return losses.mean(), gradient, {"count": state["count"] + 1}
            ''')
        run = self.train(estimator=es.FullEs(), steps=4)
        self.assertEqual(len(run.metrics["meta_loss"]), 4)
        again = self.train(estimator=es.FullEs(), steps=2)
        quietly(lopt.resume, again, steps=4)
        self.assertEqual({n: float(v) for n, v in run.theta.items()}, {n: float(v) for n, v in again.theta.items()})
        found = quietly(lopt.check, es.FullEs)
        self.assertFalse([text for text in found.values() if text.startswith("FAILED")])

    def test_new_plugins_in_python_run_and_pass_their_checks(self):
        for kind in ("task", "task_family", "dataset", "optimizer", "schedule", "learned_optimizer", "estimator"):
            with self.subTest(kind):
                name = f"a_{kind}"
                runner("new-plugin", "--python", kind, name, folder=self.folder)
                folder = self.folder / name
                self.assertIn("passed", subprocess.run([sys.executable, f"test_{name}.py"], cwd=folder, capture_output=True, text=True, check=True,
                                                       env={**os.environ, "PYTHONPATH": str(source / "sdk/python/src")}).stdout)
                runner("train", f"{name}.yaml", "steps=2", "--out", "run", folder=folder)

    def test_a_rule_in_c_is_a_plugin(self):
        folder = source / "sdk/examples/c_momentum"
        subprocess.run(["cc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", folder / "c_momentum.c", "-o", "c_momentum.so",
                        "-I", source / "sdk/include", "-L", os.path.join(build, "lib"), "-llopt"], check=True)
        (self.folder / "c.yaml").write_text((folder / "c_momentum.yaml").read_text())
        runner("train", "c.yaml", "steps=20", "--out", "c", folder=self.folder)
        runner("train", "c.yaml", "steps=20", "optimizer={plugin: momentum, learning_rate: 0.05}", "--out", "cpp", folder=self.folder)
        there, here = (numpy.load(self.folder / name / "params.npz") for name in ("cpp", "c"))
        for name in there.files:
            numpy.testing.assert_allclose(here[name], there[name], rtol=1e-5, atol=1e-6)
        self.assertIn("0 failed", runner("check-plugin", "c_momentum.so", folder=self.folder).stdout)


class Host(InFolder):
    MODULE = '''
        import numpy, os, sys

        def init(key):
            return {"w": numpy.random.default_rng(key).normal(size=(6,)).astype("float32"), "b": numpy.zeros((), "float32")}

        def loss_and_gradient(params, key):
            x = numpy.random.default_rng(key).normal(size=(32, 6)).astype("float32")
            if os.environ.get("LOPT_TEST_DIES") and not os.path.exists("died"):
                open("died", "w").close()
                print("I feel unwell", file=sys.stderr)
                os._exit(7)
            if os.environ.get("LOPT_TEST_RAISES"):
                raise ValueError("no such data")
            error = x @ params["w"] + params["b"] - x.sum(1)
            return (error ** 2).mean(), {"w": 2 * x.T @ error / 32, "b": 2 * error.mean()}

        task = lopt.Task.from_function(init, loss_and_gradient)
        '''

    def spec(self):
        self.module("host_task", self.MODULE)
        (self.folder / "host.yaml").write_text(f"{{seed: 1, steps: 4, task: host_task.task, learned_optimizer: learnable_sgd, estimator: {PES}, meta_optimizer: {ADAM}}}")

    def test_loss_and_gradient_are_the_functions(self):
        host = self.module("host_task", self.MODULE)
        task = lopt.tasks.Task(host.task, seed=3)
        params = task.init()
        numpy.testing.assert_array_equal(params["w"], host.init(numpy.array([0, 3], numpy.uint32))["w"])
        loss, grads = task.loss_and_gradient(params, {})
        moved = {name: params[name] - 1e-3 * grads[name] for name in params}
        self.assertLess(task.loss(moved, {}), loss)

    @unittest.skipUnless(importlib.util.find_spec("torch"), "python3-torch is not here")
    def test_the_example_of_a_model_of_pytorch(self):
        done = subprocess.run([sys.executable, source / "sdk/python/examples/torch_task.py", "2"], capture_output=True, text=True, cwd=self.folder,
                              env={**os.environ, "PYTHONPATH": str(source / "sdk/python/src")})
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("mine beside adam", done.stdout)

    def test_a_worker_that_dies_is_replaced_and_its_value_computed_again(self):
        self.spec()
        runner("train", "host.yaml", "--out", "alone", folder=self.folder)
        done = runner("train", "host.yaml", "--out", "dead", folder=self.folder, LOPT_TEST_DIES="1")
        self.assertIn("its last words: 'I feel unwell'; another takes its place", done.stderr)
        numpy.testing.assert_array_equal(numpy.load("alone/theta.npz")["log_lr"], numpy.load("dead/theta.npz")["log_lr"])

    def test_an_exception_in_the_function_is_a_sentence_with_its_line(self):
        self.spec()
        done = runner("train", "host.yaml", "--out", "raises", folder=self.folder, ok=False, LOPT_TEST_RAISES="1")
        self.assertEqual(done.returncode, 3)
        self.assertRegex(done.stderr, r"host_task.py:\d+: in loss_and_gradient\(\): ValueError: no such data")


class WrongInput(InFolder):
    """A sentence with the Python line, of the class that the exit code has."""

    CASES = {
        "if": (lopt.UsageError, "if params['w'].sum() > 0:\n            return params['w'].sum()\n        return 0.0", "`if`, `while`"),
        "numpy": (lopt.UsageError, "import numpy\n        return numpy.exp(params['w']).sum()", "numpy.exp of a symbolic array"),
        "numpy function": (lopt.UsageError, "import numpy\n        return numpy.mean(params['w'])", "numpy.mean of a symbolic array"),
        "float": (lopt.UsageError, "return float(params['w'].sum())", r"float\(\): the value is symbolic"),
        "shapes": (lopt.UsageError, "return (params['w'] @ np.ones((5, 1))).sum()", "matmul"),
        "dtype": (lopt.UsageError, "return params['w'].astype('float64').sum()", "elements of float64 are not there"),
        "no scalar": (lopt.UsageError, "return params['w']", r"the loss is float32\[3, 2\]; a float32 scalar is wanted"),
        "none": (lopt.UsageError, "pass", "the loss is a NoneType"),
        "raises": (lopt.PluginError, "raise KeyError('gone')", "KeyError: 'gone'"),
        "division": (lopt.PluginError, "return 1 / 0", "ZeroDivisionError"),
        "another each time": (lopt.UsageError, "import random\n        return params['w'].sum() * random.random()", "gives another program each time"),
        "index": (lopt.UsageError, "return params['w'][3].sum()", "index 3 of 3 elements"),
        "mask": (lopt.UsageError, "return params['w'][params['w'] > 0].sum()", "a mask as an index"),
    }

    def test_in_a_loss(self):
        for number, (name, (kind, body, sentence)) in enumerate(self.CASES.items()):
            with self.subTest(name):
                module = self.module(f"wrong{number}", f'''
                    class Wrong(lopt.Task):
                        """x"""
                        def init(self, key): return {{"w": np.ones((3, 2))}}
                        def loss(self, params, batch, key):
                            {body.replace(chr(10) + "        ", chr(10) + " " * 28)}
                    ''')
                with self.assertRaisesRegex(kind, sentence) as caught:
                    quietly(lopt.train, task=module.Wrong(), optimizer="sgd", steps=2)
                if name not in ("no scalar", "none", "another each time"):
                    self.assertRegex(str(caught.exception), rf"wrong{number}.py:\d+: in loss\(\)")

    def test_in_a_rule(self):
        rules = self.module("rules", '''
            class Grows(lopt.Optimizer):
                """x"""
                def init(self, params): return {"params": params, "m": np.zeros(1)}
                def update(self, state, grads): return {"params": state["params"], "m": np.zeros(2)}

            class Forgets(Grows):
                """x"""
                def update(self, state, grads): return {"params": state["params"]}

            class Hides(Grows):
                """x"""
                def init(self, params): return {"p": params}

            class Strange(lopt.Optimizer):
                """x"""
                def __init__(self, what): self.what = what
            ''')
        cases = {"Grows": r"'m' of the state is float32\[1\] before update\(\) and float32\[2\] after it", "Forgets": r"the state was \{params/w, m\}",
                 "Hides": "has no entry 'params'"}
        for name, sentence in cases.items():
            with self.subTest(name), self.assertRaisesRegex(lopt.UsageError, sentence):
                quietly(lopt.train, task=waves.Waves(), optimizer=getattr(rules, name)(), steps=2)
        with self.assertRaisesRegex(lopt.UsageError, "the argument 'what' of Strange has neither a type nor a default"):
            quietly(lopt.train, task=waves.Waves(), optimizer="rules.Strange", steps=2)

    def test_modules(self):
        (self.folder / "broken.py").write_text("import lopt\nclass A(lopt.Task\n")
        (self.folder / "raises.py").write_text("raise RuntimeError('not today')\n")
        (self.folder / "empty.py").write_text("import lopt\nnothing = 3\nclass Mine(lopt.Task):\n  pass\n")
        for name, code, sentence in (("nowhere.Task", 2, "there is no Python module 'nowhere'"), ("broken.A", 3, r"broken.py:\d+: SyntaxError"),
                                     ("raises.A", 3, "raises.py:1: in <module>\\(\\): RuntimeError: not today"), ("empty.Mien", 2, "has no 'Mien'; there is Mine"),
                                     ("empty.nothing", 2, "'empty.nothing' is a int"), ("waves.Momentum", 2, "is a learned_optimizer; a task is needed here")):
            with self.subTest(name):
                (self.folder / "spec.yaml").write_text(f"{{task: {name}, optimizer: sgd, steps: 2}}")
                done = runner("train", "spec.yaml", folder=self.folder, ok=False)
                self.assertEqual(done.returncode, code, done.stderr)
                self.assertRegex(done.stderr, sentence)
                self.assertNotIn("Traceback", done.stderr)

    def test_no_python(self):
        (self.folder / "spec.yaml").write_text("{task: waves.Waves, optimizer: sgd, steps: 2}")
        done = runner("train", "spec.yaml", folder=self.folder, python=False, ok=False, LOPT_PYTHON="/no/such/python")
        self.assertEqual(done.returncode, 3)
        self.assertIn("'/no/such/python' cannot be run; LOPT_PYTHON names another", done.stderr)

    def test_a_damaged_file_of_traced_programs(self):
        run = quietly(lopt.train, task=waves.Waves(), optimizer="sgd", steps=2)
        (run.folder / "traced.lopt").write_bytes(b"nonsense" * 10)
        done = runner("train", run.folder / "spec.yaml", folder=self.folder, ok=False)
        self.assertEqual(done.returncode, 4)
        self.assertIn("is no file of traced programs", done.stderr)


class Small(InFolder):
    def test_numpy_scalars_in_a_spec(self):
        run = quietly(lopt.train, {"task": {"plugin": "mlp_classifier", "hidden": numpy.array([8])}, "optimizer": {"plugin": "sgd", "learning_rate": numpy.float32(0.5)},
                                   "steps": numpy.int64(2), "seed": numpy.uint8(3)})
        self.assertEqual(run.summary["steps"], 2)

    def test_optimizers_of_nested_parameters_copies_and_words(self):
        random = numpy.random.default_rng(0)
        params = {"layers": [{"w": random.normal(size=(4, 3)).astype("f"), "b": numpy.zeros(3, "f")}], "scale": numpy.ones((), "f")}
        grads = {"layers": [{"w": random.normal(size=(4, 3)), "b": random.normal(size=3)}], "scale": 0.5}
        optimizer = lopt.Optimizer("adam", params, num_steps=10)
        optimizer.step(grads)
        self.assertIn("adam of 3 arrays, 16 parameters, num_steps=10, after 1 steps", repr(optimizer))
        others = [copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))]
        for one in [optimizer, *others]:
            one.step(grads)
        for other in others:
            for a, b in zip(lopt.tree.leaves(optimizer.params), lopt.tree.leaves(other.params)):
                numpy.testing.assert_array_equal(a, b)
        self.assertEqual(lopt.tree.names(optimizer.evaluation_params()), ["layers/0/w", "layers/0/b", "scale"])
        with self.assertRaisesRegex(lopt.UsageError, "gradient of 'other'"):
            optimizer.step({"other": 1.0})
        self.assertIsInstance(optimizer, lopt.Optimizer)

    def test_rules_of_python_as_optimizers_of_arrays(self):
        rules = self.module("half", '''
            class Half(lopt.Optimizer):
                """p ← p / 2"""
                def init(self, params): return {"params": params}
                def update(self, state, grads): return {"params": lopt.tree.map(lambda p: p * 0.5, state["params"])}
            ''')
        w = numpy.ones(3, numpy.float32)
        lopt.Optimizer(rules.Half(), {"w": w}).step({"w": w.copy()})
        numpy.testing.assert_array_equal(w, [0.5] * 3)

    def run_notebook(self, name):
        """Its code, in a program that has no file, as a kernel has none."""
        cells = json.loads((source / "sdk/python/examples" / name).read_text())["cells"]
        code = "STEPS = 5\n" + "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
        done = subprocess.run([sys.executable, "-"], input="import matplotlib; matplotlib.use('agg')\n" + code, capture_output=True, text=True,
                              cwd=self.folder, env={**os.environ, "PYTHONPATH": str(source / "sdk/python/src"), "LOPT_TRACER": ""})
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_the_notebook(self):
        self.assertIn("mine beside adam", self.run_notebook("waves.ipynb"))

    def test_the_example(self):
        done = subprocess.run([sys.executable, source / "sdk/python/examples/waves.py", "5"], capture_output=True, text=True,
                              env={**os.environ, "PYTHONPATH": str(source / "sdk/python/src")})
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("mine beside adam", done.stdout)


if __name__ == "__main__":
    result = unittest.main(argv=sys.argv[:1] + sys.argv[2:], exit=False, verbosity=1).result
    bad = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - bad} passed, {bad} failed")
    sys.exit(1 if bad else 0)
