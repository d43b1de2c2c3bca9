"""Optimizers outside the runner: the same bits by the runner, C and Python; what is wrong, as exceptions.

usage: test_embedding.py BUILD
"""

import copy
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import numpy

from counting import main
from embedded_problem import build, by_python, problem, RULES, SHAPES, source, STEPS  # finds lopt

import lopt

try:
    import torch
    import lopt.torch
except ImportError:
    torch = None

try:
    import optax
except ImportError:
    optax = None


class Embedding(unittest.TestCase):
    def same(self, a, b):
        for step, (one, other) in enumerate(zip(a, b, strict=True)):
            for name in SHAPES:
                self.assertEqual(one[name].tobytes(), other[name].tobytes(), f"{name} after step {step}")

    def the_runner_agrees(self, rule):
        from lopt.spec import spec_text

        start, grads, losses = problem()
        with self.subTest(rule), tempfile.TemporaryDirectory() as folder:
            arrays = {"loss": losses} | {f"param_0/{name}": array for name, array in start.items()}
            for k, (grad, params) in enumerate(zip(grads, by_python(rule))):
                arrays |= {f"grad_{k}/{name}": grad[name] for name in SHAPES}
                arrays |= {f"param_{k + 1}/{name}": params[name] for name in SHAPES}
            file = os.path.join(folder, "updates.npz")
            numpy.savez(file, **arrays)
            done = subprocess.run(
                [
                    f"{build}/bin/lopt-run",
                    "replay-updates",
                    file,
                    f"optimizer={spec_text(rule)}",
                    "--tolerance",
                    "0",
                    "--num-steps",
                    "100",
                ],
                text=True,
                capture_output=True,
            )
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertIn(f"{STEPS} steps of 3 leaves", done.stdout)

    def test_the_runner_and_python_compute_the_same_bits(self):
        for rule in RULES:
            self.the_runner_agrees(rule)

    def test_and_of_every_learned_optimizer(self):
        """With a θ that one meta-step has made."""
        listed = subprocess.run([f"{build}/bin/lopt-run", "list"], text=True, capture_output=True, check=True).stdout
        below = listed.split("learned_optimizer\n")[1]
        names = [line.split()[0] for line in re.match(r"(?:  .*\n)*", below)[0].splitlines()]
        self.assertGreaterEqual(len(names), 15)
        for name in names:
            with tempfile.TemporaryDirectory() as folder:
                run = lopt.train(
                    {
                        "name": name,
                        "steps": 1,
                        "task": "quadratic",
                        "learned_optimizer": name,
                        "estimator": {"plugin": "pes", "tasks": 2},
                        "meta_optimizer": "adam",
                    },
                    out=folder + "/run",
                    quiet=True,
                )
                self.the_runner_agrees(os.fspath(run.folder))

    def test_memory_that_is_not_aligned_and_threads_change_nothing(self):
        for rule in ["adam", "general", "schedule_free"]:
            self.same(by_python(rule), by_python(rule, threads=3, odd=True))

    def test_a_state_goes_on_where_it_was(self):
        for rule in RULES:
            with self.subTest(rule):
                start, grads, losses = problem()
                params = copy.deepcopy(start)
                optimizer = lopt.Optimizer(rule, params, num_steps=100)
                for grad, loss in zip(grads[:3], losses):
                    optimizer.step(grad, loss)
                other = lopt.Optimizer(rule, params, num_steps=100)
                other.load_state_dict(optimizer.state_dict())
                for grad, loss in zip(grads[3:], losses[3:]):
                    other.step(grad, loss)
                self.same(by_python(rule)[-1:], [params])

    def test_parameters_that_somebody_moves_are_taken_as_they_are(self):
        for rule in ["adam", "schedule_free", "{plugin: look_ahead, inner: adam}"]:
            params = {"w": numpy.ones(4, numpy.float32)}
            optimizer = lopt.Optimizer(rule, params)
            optimizer.step({"w": numpy.ones(4, numpy.float32)})
            params["w"][:] = 100
            optimizer.step({"w": numpy.ones(4, numpy.float32)})
            self.assertTrue((numpy.abs(params["w"] - 100) < 1).all(), (rule, params))

    def test_threads_each_with_an_optimizer(self):
        seen = {}

        def work(i):
            seen[i] = by_python("general")

        threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for i in range(4):
            self.same(seen[0], seen[i])

    def test_after_a_fork(self):
        params = {"w": numpy.zeros(1 << 20, numpy.float32)}
        optimizer = lopt.Optimizer("adam", params, threads=2)
        optimizer.step({"w": numpy.ones(1 << 20, numpy.float32)})
        child = os.fork()
        if child == 0:
            optimizer.step({"w": numpy.ones(1 << 20, numpy.float32)})
            os._exit(0 if abs(params["w"][-1] + 0.002) < 1e-5 else 1)
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        self.assertAlmostEqual(params["w"][0], -0.001, 6)

    def test_a_recipe_has_its_name_beside_a_folder_that_is_called_so(self):
        w, before = {"w": numpy.zeros((2, 3), numpy.float32)}, os.getcwd()
        with tempfile.TemporaryDirectory() as folder:
            os.mkdir(os.path.join(folder, "general"))
            os.chdir(folder)
            try:
                self.assertIn("steered", repr(lopt.Optimizer("general", w, 100).state_dict()["state"][:200]))
                with self.assertRaisesRegex(lopt.DataError, "./general/theta.npz"):
                    lopt.Optimizer({"plugin": "learned", "theta": "./general"}, w, 100)
            finally:
                os.chdir(before)

    def test_what_is_wrong_is_said(self):
        w = {"w": numpy.zeros((2, 3), numpy.float32)}
        for error, words, make in [
            (
                lopt.UsageError,
                "did you mean 'learning_rate'",
                lambda: lopt.Optimizer("{plugin: adam, learning_rat: 1}", w),
            ),
            (lopt.UsageError, "there is no optimizer plugin", lambda: lopt.Optimizer("adamm", w)),
            (
                lopt.DataError,
                "no such run or file",
                lambda: lopt.Optimizer({"plugin": "learned", "theta": "generall"}, w),
            ),
            (lopt.UsageError, "float32", lambda: lopt.Optimizer("adam", {"w": numpy.zeros(3)})),
            (lopt.UsageError, "contiguous", lambda: lopt.Optimizer("adam", {"w": w["w"].T})),
            (lopt.UsageError, "at least one parameter", lambda: lopt.Optimizer("adam", {})),
            (lopt.UsageError, "axes", lambda: lopt.Optimizer("adam", w, axes={"w": (0, 2)})),
            (
                lopt.UsageError,
                "looks at the loss",
                lambda: lopt.Optimizer("{plugin: guard, inner: adam}", w, 10).step(w),
            ),
            (lopt.UsageError, "no such parameter", lambda: lopt.Optimizer("adam", w).step({"v": w["w"]})),
            (lopt.UsageError, "has the shape", lambda: lopt.Optimizer("adam", w).step({"w": numpy.zeros(3)})),
            (
                lopt.PluginError,
                "no such plugin file",
                lambda: lopt.Optimizer("{plugin: adam, plugin_path: /nowhere}", w),
            ),
            (
                lopt.DataError,
                "is of 'adam",
                lambda: lopt.Optimizer("sgd", w).load_state_dict(lopt.Optimizer("adam", w).state_dict()),
            ),
            (lopt.DataError, "cut short", lambda: lopt.Optimizer("sgd", w).load_state_dict({"state": b"lopt"})),
        ]:
            with self.subTest(words):
                with self.assertRaises(error) as raised:
                    make()
                self.assertIn(words, str(raised.exception))
        state = bytearray(lopt.Optimizer("adam", w).state_dict()["state"])
        state[-20] ^= 1
        with self.assertRaisesRegex(lopt.DataError, "damaged"):
            lopt.Optimizer("adam", w).load_state_dict({"state": bytes(state)})

    def test_gradients_that_are_not_finite_go_through(self):
        params = {"w": numpy.zeros(3, numpy.float32)}
        lopt.Optimizer("sgd", params).step({"w": numpy.array([1, numpy.nan, 1], numpy.float32)})
        self.assertEqual(numpy.isnan(params["w"]).tolist(), [False, True, False])

    def test_runs_are_trained_and_read(self):
        with tempfile.TemporaryDirectory() as folder:
            spec = os.path.join(source, "configs", "quickstart.yaml")
            run = lopt.train(spec, out=folder + "/run", quiet=True, steps=2, apply=None, compare=None)
            self.assertEqual(len(run.metrics), 2)
            self.assertTrue(run.theta)
            lopt.resume(run, steps=3, quiet=True)
            self.assertEqual(len(run.metrics), 3)
            optimizer = lopt.Optimizer(run.folder, {"w": numpy.zeros(3, numpy.float32)}, 10)
            optimizer.step({"w": numpy.ones(3, numpy.float32)}, 1.0)
            with self.assertRaisesRegex(lopt.UsageError, "did you mean 'std'"):
                lopt.train(spec, out=folder + "/other", quiet=True, **{"estimator.stdd": 1})
            line = "{name: of_a_line, task: quadratic, optimizer: adam, steps: 3}"
            self.assertEqual(len(lopt.train(line, out=folder + "/line", quiet=True).metrics), 3)
            with self.assertRaisesRegex(lopt.UsageError, "missing.yaml"):
                lopt.train("missing.yaml", out=folder + "/none", quiet=True)
            evaluation = lopt.evaluate(
                {"name": "e", "steps": [3], "seeds": 2, "tasks": ["quadratic"], "optimizers": ["adam", "sgd"]},
                out=folder + "/evaluation",
                quiet=True,
            )
            self.assertEqual(len(evaluation.results), 2)

    def test_ctrl_c_leaves_a_run_that_resumes(self):
        program = "import lopt, sys; lopt.train(sys.argv[1], out=sys.argv[2], steps=100000, apply=None, compare=None)"
        with tempfile.TemporaryDirectory() as folder:
            process = subprocess.Popen(
                [sys.executable, "-c", program, os.path.join(source, "configs", "quickstart.yaml"), folder + "/run"],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=dict(os.environ, PYTHONPATH=os.path.join(source, "sdk/python/src")),
                # Who starts tests in the background may have told the system to ignore it.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )
            metrics = os.path.join(folder, "run", "metrics.jsonl")
            for _ in range(600):
                if os.path.exists(metrics) and os.path.getsize(metrics):
                    break
                time.sleep(0.05)
            process.send_signal(signal.SIGINT)
            said, errors = process.communicate(timeout=60)
            self.assertIn("KeyboardInterrupt", errors)
            self.assertIn("resume", said)
            done = len(lopt.Run(folder + "/run").metrics)
            self.assertEqual(len(lopt.resume(folder + "/run", steps=done + 1, quiet=True).metrics), done + 1)

    @unittest.skipUnless(optax, "optax is not here, so lopt.optax is not tested")
    def test_optax_takes_our_optimizers(self):
        import jax
        import lopt.optax

        start, grads, losses = problem()
        for rule in ("adam", "general"):
            transformation = lopt.optax.learned_optimizer(rule, num_steps=100)
            params = jax.tree.map(jax.numpy.asarray, start)
            state = transformation.init(params)

            @jax.jit
            def step(params, state, grad, loss):
                updates, state = transformation.update(grad, state, params, value=loss)
                return optax.apply_updates(params, updates), state

            for grad, loss in zip(grads, losses):
                params, state = step(params, state, grad, loss)
            for name, array in by_python(rule)[-1].items():
                numpy.testing.assert_allclose(params[name], array, rtol=0, atol=1e-6)
        with self.assertRaisesRegex(Exception, "began with the loss"):
            transformation.update(grads[0], state, params)

    def test_a_task_is_what_the_runner_trains(self):
        """Losses of a run, step by step, and the same bits from the task's functions and an optimizer of NumPy
        arrays."""
        for spec in ["{plugin: mlp_classifier, hidden: [9], batch_size: 16}", "{plugin: quadratic, noise: 0.1}"]:
            with self.subTest(spec), tempfile.TemporaryDirectory() as folder:
                run = lopt.train(
                    f"name: t\nseed: 3\nsteps: 12\ntask: {spec}\noptimizer: adam\n", out=folder + "/run", quiet=True
                )
                rows = run.metrics  # a DataFrame, where pandas is there
                seen = list(rows["loss"]) if hasattr(rows, "columns") else [row["loss"] for row in rows]
                task = lopt.tasks.Task(spec, seed=3)
                params = task.init()
                optimizer = lopt.Optimizer("adam", params, 12)
                for step in range(12):
                    loss, grads = task.loss_and_gradient(params, task.batch(step), step)
                    self.assertEqual(numpy.float32(loss), numpy.float32(seen[step]))
                    optimizer.step(grads, loss)

    def test_wrong_tasks_are_refused(self):
        for words, make in [
            ("there is no task plugin", lambda: lopt.tasks.Task("mlp_clasifier")),
            ("is missing", lambda: lopt.tasks.Task("quadratic").loss({}, {})),
            ("has the shape", lambda: lopt.tasks.Task("quadratic").loss({"x": numpy.zeros(1)}, {})),
        ]:
            with self.assertRaisesRegex(lopt.UsageError, words):
                make()

    def test_the_guide_to_python(self):
        """The blocks of docs/python.md run, with what they take for granted in front of them."""
        with open(os.path.join(source, "docs", "python.md")) as file:
            blocks = re.findall(r"^```python\n(.*?)^```$", file.read(), re.M | re.S)
        waves, functions, models, arrays, tasks, runs = blocks
        given = {
            models: "import torch\nmodel, loss_of = torch.nn.Linear(3, 2), torch.nn.functional.cross_entropy\n"
            "x, y = torch.ones(4, 3), torch.zeros(4, dtype=torch.long)\n",
            functions: "import numpy, torch, lopt, lopt.torch\nmake_model = lambda: torch.nn.Linear(3, 2)\n"
            "batches = lambda generator: torch.randn(4, 3, generator=generator)\nloss = lambda model, batch: "
            "model(batch).sum()\n"
            "init = lambda key: {'w': numpy.zeros(3, 'f')}\nloss_and_gradient = lambda params, key: (1.0, params)\n",
            arrays: "import numpy\ngradient, loss = numpy.ones((784, 10), numpy.float32), 1.0\n",
            tasks: "import lopt\n",
            runs: "import lopt, numpy\nparams = {'w': numpy.zeros(3, numpy.float32)}\n",
        }
        for block in blocks:
            if block in (models, functions) and not torch:
                continue
            text = given.get(block, "") + block
            if block == runs:  # short, and without what takes minutes
                text = text.replace("steps=400", "out=FOLDER, quiet=True, steps=3, apply=None, compare=None")
                text = text.replace("steps=800", "steps=4, quiet=True").replace(", run.plot()", "")
                text = "\n".join(line for line in text.splitlines() if "lopt.evaluate" not in line)
            with tempfile.TemporaryDirectory() as folder:
                os.chdir(source if block == runs else folder)
                if block == waves:  # a program of its own
                    done = subprocess.run(
                        [sys.executable, "-c", text.replace("steps=1000", "steps=5")],
                        capture_output=True,
                        text=True,
                        env={**os.environ, "PYTHONPATH": os.path.join(source, "sdk/python/src")},
                    )
                    self.assertEqual(done.returncode, 0, done.stderr)
                else:
                    exec(text.replace("FOLDER", repr(folder + "/run")), {})
                os.chdir(source)


if __name__ == "__main__":
    main()
