"""What the tests of runs that end early share. The first argument of the test that runs is the build folder."""

import glob
import os
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

from run_folders import results

build = os.path.abspath(sys.argv[1])
runner, faults = build + "/bin/lopt-run", build + "/tests/lopt_faults.so"
sanitized = bool(os.environ.get("LOPT_SANITIZED"))
patience = 20 if sanitized else 1

estimators = {
    "full_gradient": "{plugin: full_gradient, tasks: 3, unroll_length: 4}",
    "full_es": "{plugin: full_es, tasks: 4, unroll_length: 4}",
    "truncated_gradient": "{plugin: truncated_gradient, tasks: 3, unroll_length: 4, problem_length: 9}",
    "truncated_es": "{plugin: truncated_es, tasks: 4, unroll_length: 4, problem_length: 9}",
    "pes": "{plugin: pes, tasks: 4, unroll_length: 4, problem_length: 9}",
    "uoro": "{plugin: uoro, tasks: 3, unroll_length: 4, problem_length: 9}",
    "forward_gradient": "{plugin: forward_gradient, tasks: 3, unroll_length: 4, problem_length: 9}",
}
populations = "{population: 3, every: 4, vary: {meta_optimizer.learning_rate: {log_uniform: [0.001, 0.1]}}}"
spec = """name: survival
seed: 3
steps: %d
task: {plugin: mlp_classifier, hidden: [8], batch_size: 16}
learned_optimizer: {plugin: per_parameter_mlp, hidden: 8}
estimator: %s
meta_optimizer: {plugin: adam, learning_rate: 0.003}
checkpoint: {every: 3 steps, keep: 2, if_it_fails: %s}
"""


def with_faults(**variables):
    """The environment of a run whose calls of the file system are counted, or fail (tests/faults).

    Whether a run leaks is asked of others: a sanitizer's symbolizer would be hit as well."""
    return {"LD_PRELOAD": faults, "ASAN_OPTIONS": "detect_leaks=0", **variables}


def call(*arguments, env=None, code=0, timeout=120):
    done = subprocess.run(
        [runner, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout * patience,
        env=dict(os.environ, **(env or {})),
    )
    if code is not None and done.returncode != code:
        raise AssertionError(f"{arguments}: code {done.returncode}\n{done.stdout[-3000:]}")
    return done if code is None else done.stdout


def start(*arguments, **options):
    """The process of a call that is not waited for. With `text=True`, what it says is kept."""
    if options.get("text"):
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, **options}
    return subprocess.Popen([runner, *arguments], **options)


def children_of(process):
    with open(f"/proc/{process}/task/{process}/children") as file:
        return [int(word) for word in file.read().split()]


class EndingRuns(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="lopt-survival-")
        cls.reference = {}

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def path(self, name):
        return f"{self.folder}/{self.id().split('.')[-1]}-{name}"

    def spec(self, estimator, steps=12, if_it_fails="go_on", more=""):
        path = self.path(f"{estimator}-{steps}-{if_it_fails}.yaml")
        with open(path, "w") as file:
            file.write(spec % (steps, estimators[estimator], if_it_fails) + more)
        return path

    def unbroken(self, estimator, steps=12):
        if (estimator, steps) not in self.reference:
            run = f"{self.folder}/unbroken-{estimator}-{steps}"
            call("train", self.spec(estimator, steps), "--out", run, "--trace", run + ".npz", "--threads", "2", "-q")
            self.reference[estimator, steps] = results(run, run + ".npz")
        return self.reference[estimator, steps]

    def wait_for_steps(self, run, steps):
        """Until so many are written, and there is a checkpoint."""
        deadline = time.time() + 60
        while time.time() < deadline:
            if glob.glob(run + "/checkpoints/*.checkpoint") and os.path.exists(run + "/metrics.jsonl"):
                with open(run + "/metrics.jsonl") as file:
                    if len(file.read().splitlines()) >= steps:
                        return
            time.sleep(0.001)
        self.fail("no steps")
