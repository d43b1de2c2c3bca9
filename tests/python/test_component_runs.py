"""Runs of components in Python: what their folders keep, and tasks whose gradient Python computes.

usage: test_component_runs.py BUILD
"""

import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
import unittest

import numpy

from counting import main
from python_components import ADAM, build, InFolder, PES, quietly, runner, RUNNER, source  # finds lopt

import lopt
import waves


class Runs(InFolder):
    def train(self, **more):
        given = dict(
            task=waves.Waves(), learned_optimizer=waves.Momentum(), seed=1, steps=6, estimator=PES, meta_optimizer=ADAM
        )
        return quietly(lopt.train, **{**given, **more})

    def test_what_is_in_memory_and_what_is_in_a_module_is_one(self):
        here = self.train()
        spec = pathlib.Path(here.folder, "spec.yaml").read_text()
        self.assertIn('plugin: "waves.Waves"', spec)
        (self.folder / "spec.yaml").write_text(spec)
        runner("train", "spec.yaml", "--out", "there", folder=self.folder)
        self.assertEqual(
            {n: float(v) for n, v in here.theta.items()}, {n: float(v) for n, v in lopt.Run("there").theta.items()}
        )

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
        self.assertEqual(
            {n: float(v) for n, v in whole.theta.items()}, {n: float(v) for n, v in lopt.Run("killed").theta.items()}
        )

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
        subprocess.run(
            [
                "mpirun",
                "--allow-run-as-root",
                "--oversubscribe",
                "-n",
                "2",
                RUNNER,
                "train",
                spec,
                "--out",
                "ranks",
                "-q",
            ],
            env=env,
            check=True,
            capture_output=True,
        )
        self.assertEqual(*({n: float(v) for n, v in lopt.Run(name).theta.items()} for name in ("alone", "ranks")))

    def test_what_was_trained_is_an_optimizer(self):
        run = self.train()
        w = numpy.ones((12, 1), numpy.float32)
        optimizer = lopt.Optimizer(run.folder, {"w": w})
        optimizer.step({"w": numpy.full((12, 1), 2, numpy.float32)})
        theta = run.theta
        numpy.testing.assert_allclose(w, 1 - numpy.exp(theta["log_rate"]) * 2, rtol=1e-6)
        verdict = quietly(
            lopt.evaluate, tasks={"w": waves.Waves(width=5)}, optimizers={"sgd": "sgd", "mine": run}, steps=[5], seeds=1
        ).verdict
        self.assertIn("mine beside sgd", verdict)

    def test_what_was_trained_goes_where_its_module_is_not(self):
        run = self.train()
        program = (
            "import sys, numpy, lopt; w = numpy.ones((7, 3), 'f'); o = lopt.Optimizer(sys.argv[1], {'w': w, 'b': "
            "numpy.ones(2, 'f')}); "
            "o.step({'w': w * 2}); print(float(w[0, 0]))"
        )
        env = {n: v for n, v in os.environ.items() if n != "LOPT_TRACER"}
        done = subprocess.run(
            [sys.executable, "-c", program, run.folder.resolve()],
            capture_output=True,
            text=True,
            cwd="/",
            env={**env, "PYTHONPATH": str(source / "sdk/python/src"), "LOPT_PYTHON": sys.executable},
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertAlmostEqual(float(done.stdout), float(1 - 2 * numpy.exp(run.theta["log_rate"])), places=5)

    def test_all_kinds_of_components(self):
        kinds = self.module("kinds")
        run = quietly(lopt.train, task=kinds.Linear(), optimizer=kinds.Sign(kinds.Halves(0.05)), steps=60, seed=1)
        ran = run.summary["runs"][0]
        self.assertLess(ran["loss_last_20"], ran["loss_first_20"])
        self.assertGreater(ran["test_metrics"]["accuracy"], 0.8)
        again = quietly(
            lopt.train,
            task=kinds.Linear(),
            optimizer=kinds.Twice("{plugin: adam, learning_rate: 0.01}"),
            steps=10,
            seed=1,
        )
        self.assertTrue(again.summary["runs"][0]["loss_last_20"] > 0)
        family = quietly(
            lopt.train,
            task_family=kinds.Scales(),
            learned_optimizer="learnable_sgd",
            steps=4,
            seed=1,
            estimator=PES,
            meta_optimizer=ADAM,
        )
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
        self.assertEqual(
            schema["$defs"]["task.waves.Waves"]["properties"]["width"]["description"].split(";")[0], "how many cosines"
        )
        spec = {"task": {"plugin": "waves.Waves", "width": 0}, "optimizer": "sgd", "steps": 2}
        with self.assertRaisesRegex(lopt.UsageError, "task.width: must be at least 1, not '0'"):
            quietly(lopt.train, spec)
        with self.assertRaisesRegex(lopt.UsageError, "task.widht: is no setting"):
            quietly(lopt.train, {**spec, "task": {"plugin": "waves.Waves", "widht": 3}})
        drawn = quietly(
            lopt.train,
            task_family="{plugin: sampled, members: 3, task: waves.Waves, width: {choice: [3, 9]}}",
            learned_optimizer="learnable_sgd",
            steps=2,
            seed=1,
            estimator=PES,
            meta_optimizer=ADAM,
        )
        self.assertIn("log_lr", drawn.theta)
        (self.folder / "sweep.yaml").write_text("{task: waves.Waves, optimizer: sgd, steps: 4}")
        swept = runner("sweep", "sweep.yaml", "task.width=[3,5]", "--out", "swept", folder=self.folder, ok=False)
        self.assertEqual(swept.returncode, 0, swept.stderr)

    def test_an_estimator_in_python_is_the_plugins(self):
        es = self.module("full_es")
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
                self.assertIn(
                    "passed",
                    subprocess.run(
                        [sys.executable, f"test_{name}.py"],
                        cwd=folder,
                        capture_output=True,
                        text=True,
                        check=True,
                        env={**os.environ, "PYTHONPATH": str(source / "sdk/python/src")},
                    ).stdout,
                )
                runner("train", f"{name}.yaml", "steps=2", "--out", "run", folder=folder)

    def test_a_rule_in_c_is_a_plugin(self):
        folder = source / "sdk/examples/c_momentum"
        subprocess.run(
            [
                "cc",
                "-std=c99",
                "-Wall",
                "-Wextra",
                "-Werror",
                "-shared",
                "-fPIC",
                folder / "c_momentum.c",
                "-o",
                "c_momentum.so",
                "-I",
                source / "sdk/include",
                "-L",
                os.path.join(build, "lib"),
                "-llopt",
            ],
            check=True,
        )
        (self.folder / "c.yaml").write_text((folder / "c_momentum.yaml").read_text())
        runner("train", "c.yaml", "steps=20", "--out", "c", folder=self.folder)
        runner(
            "train",
            "c.yaml",
            "steps=20",
            "optimizer={plugin: momentum, learning_rate: 0.05}",
            "--out",
            "cpp",
            folder=self.folder,
        )
        there, here = (numpy.load(self.folder / name / "params.npz") for name in ("cpp", "c"))
        for name in there.files:
            numpy.testing.assert_allclose(here[name], there[name], rtol=1e-5, atol=1e-6)
        self.assertIn("0 failed", runner("check-plugin", "c_momentum.so", folder=self.folder).stdout)


class Host(InFolder):
    def spec(self):
        self.module("host_task")
        (self.folder / "host.yaml").write_text(
            f"{{seed: 1, steps: 4, task: host_task.task, learned_optimizer: learnable_sgd, estimator: {PES}, "
            f"meta_optimizer: {ADAM}}}"
        )

    def test_loss_and_gradient_are_the_functions(self):
        host = self.module("host_task")
        task = lopt.tasks.Task(host.task, seed=3)
        params = task.init()
        numpy.testing.assert_array_equal(params["w"], host.init(numpy.array([0, 3], numpy.uint32))["w"])
        loss, grads = task.loss_and_gradient(params, {})
        moved = {name: params[name] - 1e-3 * grads[name] for name in params}
        self.assertLess(task.loss(moved, {}), loss)

    @unittest.skipUnless(importlib.util.find_spec("torch"), "python3-torch is not here")
    def test_the_example_of_a_model_of_pytorch(self):
        done = subprocess.run(
            [sys.executable, source / "sdk/python/examples/torch_task.py", "2"],
            capture_output=True,
            text=True,
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(source / "sdk/python/src")},
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("mine beside adam", done.stdout)

    def test_a_worker_that_dies_is_replaced_and_its_value_computed_again(self):
        self.spec()
        runner("train", "host.yaml", "--out", "alone", folder=self.folder)
        done = runner("train", "host.yaml", "--out", "dead", folder=self.folder, LOPT_TEST_DIES="1")
        self.assertIn("its last words: 'I feel unwell'; another takes its place", done.stderr)
        numpy.testing.assert_array_equal(
            numpy.load("alone/theta.npz")["log_lr"], numpy.load("dead/theta.npz")["log_lr"]
        )

    def test_an_exception_in_the_function_is_a_sentence_with_its_line(self):
        self.spec()
        done = runner("train", "host.yaml", "--out", "raises", folder=self.folder, ok=False, LOPT_TEST_RAISES="1")
        self.assertEqual(done.returncode, 3)
        self.assertRegex(done.stderr, r"host_task.py:\d+: in loss_and_gradient\(\): ValueError: no such data")


if __name__ == "__main__":
    main(*sys.argv[2:])
