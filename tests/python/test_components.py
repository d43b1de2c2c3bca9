"""Tasks, rules and data in Python: the plugins' numbers, and what is wrong, as sentences.

usage: test_components.py BUILD
"""

import copy
import json
import os
import pickle
import subprocess
import sys

import numpy

from counting import main
from python_components import InFolder, quietly, runner, source  # finds lopt

import lopt
import lopt.numpy as lnp
import waves
from lopt._trace import Trace


class Numbers(InFolder):
    def test_the_tutorial_in_python_is_the_plugins_to_the_bit(self):
        spec = (source / "configs/tutorial/pes.yaml").read_text()
        theirs = (
            spec.replace("plugin: mlp_classifier", "plugin: tutorial.Classifier")
            .replace("hidden: [128]", "hidden: 128")
            .replace("  activation: relu\n", "")
            .replace("plugin: per_parameter_mlp", "plugin: tutorial.PerParameterMlp")
        )
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
            "x + y": None,
            "x - 2 * y": None,
            "x / y": None,
            "x ** 2": None,
            "x ** 3": None,
            "abs(x) ** 0.5": None,
            "x // y": None,
            "x % y": None,
            "-x": None,
            "x @ y.T": None,
            "(x > y) & (x > 0)": None,
            "x[1]": None,
            "x[:, 1:3]": None,
            "x[::-1, -1]": None,
            "x[i]": None,
            "x[i, i]": None,
            "x[:, None, 2]": None,
            "x[..., ::2]": None,
            "x.sum()": None,
            "x.mean(0)": None,
            "x.max(1)": None,
            "x.min()": None,
            "x.reshape(2, 6)": None,
            "x.T": None,
            "np.exp(x)": None,
            "np.tanh(x)": None,
            "np.where(x > 0, x, y)": None,
            "np.sort(x, 0)": None,
            "np.argsort(x)": None,
            "np.cumsum(x, 1)": None,
            "np.cumprod(x, 0)": None,
            "np.concatenate([x, y], 1)": None,
            "np.stack([x, y], 1)": None,
            "np.argmax(x, 1)": None,
            "np.argmin(x, 0)": None,
            "np.var(x, 0)": None,
            "np.std(x)": None,
            "np.prod(x, 1)": None,
            "np.clip(x, -0.5, 0.5)": None,
            "np.floor(x)": None,
            "np.ceil(x)": None,
            "np.round(x * 3)": None,
            "np.sign(x)": None,
            "np.maximum(x, y)": None,
            "np.pad(x, ((1, 0), (0, 2)))": None,
            "np.tile(x, (2, 1))": None,
            "np.repeat(x, 2, 1)": None,
            "np.flip(x, 1)": None,
            "np.roll(x, 1, 0)": None,
            "np.tril(x)": None,
            "np.triu(x, 1)": None,
            "np.einsum('ij,kj->ik', x, y)": None,
            "np.einsum('ij,ij->j', x, y)": None,
            "np.outer(x[0], y[0])": None,
            "np.dot(x, y.T)": None,
            "np.tensordot(x, y, axes=2)": None,
            "np.median(x)": None,
            "np.arange(5) * 2": None,
            "np.linspace(0, 1, 5)": None,
            "np.eye(3)": None,
            "np.full((2, 2), 7.0)": None,
            "i * 2 + 1": None,
            "i // 2": None,
            "i % 2": None,
            "i ** 2": None,
            "~(i > 1)": None,
            "np.expand_dims(x, 1)": None,
            "np.squeeze(x[None])": None,
            "np.swapaxes(x, 0, 1)": None,
            "np.moveaxis(x, 0, 1)": None,
            "np.all(x > -9)": None,
            "np.any(x > 9, 0)": None,
            "np.hypot(x, y)": None,
            "np.log2(abs(x))": None,
            "np.sinh(x)": None,
            "np.arcsinh(x)": None,
            "np.cbrt(x)": None,
            "np.isnan(x)": None,
            "np.take(x, i, 1)": None,
            "np.take_along_axis(x, i[:, None], 1)": None,
            "np.trunc(x * 3)": None,
            "np.diag(x[:3, :3])": None,
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
            carry, kept = lnp.scan(
                lambda c, x: ({"n": c["n"] + 1, "s": c["s"] * 0.5 + x}, c["s"]),
                {"n": 0, "s": lnp.float32(1)},
                lnp.arange(4, dtype=lnp.float32),
            )
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


class WrongInput(InFolder):
    """A sentence with the Python line, of the class that the exit code has."""

    CASES = {
        "if": (
            lopt.UsageError,
            "if params['w'].sum() > 0:\n            return params['w'].sum()\n        return 0.0",
            "`if`, `while`",
        ),
        "numpy": (
            lopt.UsageError,
            "import numpy\n        return numpy.exp(params['w']).sum()",
            "numpy.exp of a symbolic array",
        ),
        "numpy function": (
            lopt.UsageError,
            "import numpy\n        return numpy.mean(params['w'])",
            "numpy.mean of a symbolic array",
        ),
        "float": (lopt.UsageError, "return float(params['w'].sum())", r"float\(\): the value is symbolic"),
        "shapes": (lopt.UsageError, "return (params['w'] @ np.ones((5, 1))).sum()", "matmul"),
        "dtype": (lopt.UsageError, "return params['w'].astype('float64').sum()", "elements of float64 are not there"),
        "no scalar": (
            lopt.UsageError,
            "return params['w']",
            r"the loss is float32\[3, 2\]; a float32 scalar is wanted",
        ),
        "none": (lopt.UsageError, "pass", "the loss is a NoneType"),
        "raises": (lopt.PluginError, "raise KeyError('gone')", "KeyError: 'gone'"),
        "division": (lopt.PluginError, "return 1 / 0", "ZeroDivisionError"),
        "another each time": (
            lopt.UsageError,
            "import random\n        return params['w'].sum() * random.random()",
            "gives another program each time",
        ),
        "index": (lopt.UsageError, "return params['w'][3].sum()", "index 3 of 3 elements"),
        "mask": (lopt.UsageError, "return params['w'][params['w'] > 0].sum()", "a mask as an index"),
    }

    def test_in_a_loss(self):
        for number, (name, (kind, body, sentence)) in enumerate(self.CASES.items()):
            with self.subTest(name):
                module = self.module(
                    f"wrong{number}",
                    f'''
                    class Wrong(lopt.Task):
                        """x"""
                        def init(self, key): return {{"w": np.ones((3, 2))}}
                        def loss(self, params, batch, key):
                            {body.replace(chr(10) + "        ", chr(10) + " " * 28)}
                    ''',
                )
                with self.assertRaisesRegex(kind, sentence) as caught:
                    quietly(lopt.train, task=module.Wrong(), optimizer="sgd", steps=2)
                if name not in ("no scalar", "none", "another each time"):
                    self.assertRegex(str(caught.exception), rf"wrong{number}.py:\d+: in loss\(\)")

    def test_in_a_rule(self):
        rules = self.module(
            "rules",
            '''
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
            ''',
        )
        cases = {
            "Grows": r"'m' of the state is float32\[1\] before update\(\) and float32\[2\] after it",
            "Forgets": r"the state was \{params/w, m\}",
            "Hides": "has no entry 'params'",
        }
        for name, sentence in cases.items():
            with self.subTest(name), self.assertRaisesRegex(lopt.UsageError, sentence):
                quietly(lopt.train, task=waves.Waves(), optimizer=getattr(rules, name)(), steps=2)
        with self.assertRaisesRegex(lopt.UsageError, "the argument 'what' of Strange has neither a type nor a default"):
            quietly(lopt.train, task=waves.Waves(), optimizer="rules.Strange", steps=2)

    def test_modules(self):
        (self.folder / "broken.py").write_text("import lopt\nclass A(lopt.Task\n")
        (self.folder / "raises.py").write_text("raise RuntimeError('not today')\n")
        (self.folder / "empty.py").write_text("import lopt\nnothing = 3\nclass Mine(lopt.Task):\n  pass\n")
        for name, code, sentence in (
            ("nowhere.Task", 2, "there is no Python module 'nowhere'"),
            ("broken.A", 3, r"broken.py:\d+: SyntaxError"),
            ("raises.A", 3, "raises.py:1: in <module>\\(\\): RuntimeError: not today"),
            ("empty.Mien", 2, "has no 'Mien'; there is Mine"),
            ("empty.nothing", 2, "'empty.nothing' is a int"),
            ("waves.Momentum", 2, "is a learned_optimizer; a task is needed here"),
        ):
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
        run = quietly(
            lopt.train,
            {
                "task": {"plugin": "mlp_classifier", "hidden": numpy.array([8])},
                "optimizer": {"plugin": "sgd", "learning_rate": numpy.float32(0.5)},
                "steps": numpy.int64(2),
                "seed": numpy.uint8(3),
            },
        )
        self.assertEqual(run.summary["steps"], 2)

    def test_optimizers_of_nested_parameters_copies_and_words(self):
        random = numpy.random.default_rng(0)
        params = {
            "layers": [{"w": random.normal(size=(4, 3)).astype("f"), "b": numpy.zeros(3, "f")}],
            "scale": numpy.ones((), "f"),
        }
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
        rules = self.module(
            "half",
            '''
            class Half(lopt.Optimizer):
                """p ← p / 2"""
                def init(self, params): return {"params": params}
                def update(self, state, grads): return {"params": lopt.tree.map(lambda p: p * 0.5, state["params"])}
            ''',
        )
        w = numpy.ones(3, numpy.float32)
        lopt.Optimizer(rules.Half(), {"w": w}).step({"w": w.copy()})
        numpy.testing.assert_array_equal(w, [0.5] * 3)

    def run_notebook(self, name):
        """Its code, in a program that has no file, as a kernel has none."""
        cells = json.loads((source / "sdk/python/examples" / name).read_text())["cells"]
        code = "STEPS = 5\n" + "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
        done = subprocess.run(
            [sys.executable, "-"],
            input="import matplotlib; matplotlib.use('agg')\n" + code,
            capture_output=True,
            text=True,
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(source / "sdk/python/src"), "LOPT_TRACER": ""},
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_the_notebook(self):
        self.assertIn("mine beside adam", self.run_notebook("waves.ipynb"))

    def test_the_example(self):
        done = subprocess.run(
            [sys.executable, source / "sdk/python/examples/waves.py", "5"],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(source / "sdk/python/src")},
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("mine beside adam", done.stdout)


if __name__ == "__main__":
    main(*sys.argv[2:])
