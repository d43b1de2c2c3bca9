"""What the tests of ranks share. The first argument of the test that runs is the build folder."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

build = os.path.abspath(sys.argv[1])
runner = build + "/bin/lopt-run"
environment = dict(
    os.environ,
    OMPI_ALLOW_RUN_AS_ROOT="1",
    OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1",
    OMPI_MCA_btl_vader_single_copy_mechanism="none",
)

estimators = {
    "full_gradient": "{plugin: full_gradient, tasks: 5, unroll_length: 4}",
    "full_es": "{plugin: full_es, tasks: 5, unroll_length: 4}",
    "truncated_gradient": "{plugin: truncated_gradient, tasks: 5, unroll_length: 4, problem_length: 9}",
    "truncated_es": "{plugin: truncated_es, tasks: 5, unroll_length: 4, problem_length: 9}",
    "pes": "{plugin: pes, tasks: 5, unroll_length: 4, problem_length: 9}",
}
spec = """name: ranks
seed: 3
steps: %d
task: {plugin: mlp_classifier, hidden: [%d], batch_size: 16}
learned_optimizer: {plugin: per_parameter_mlp, hidden: 8}
estimator: %s
meta_optimizer: {plugin: adam, learning_rate: 0.003}
checkpoint: {every: 3 steps, keep: 2}
"""


def command(ranks, *arguments, program=runner):
    if ranks == 1:
        return [program, *arguments]
    return ["mpirun", "--oversubscribe", "--bind-to", "none", "-n", str(ranks), program, *arguments]


def call(ranks, *arguments, code=0, env=None, program=runner):
    """What the job prints, which must end with the code, or with any but 0 for None."""
    done = subprocess.run(
        command(ranks, *arguments, program=program),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        env=dict(environment, **(env or {})),
    )
    if done.returncode != code and (code is not None or done.returncode == 0):
        raise AssertionError(f"{ranks} ranks, {arguments}: code {done.returncode}\n{done.stdout[-3000:]}")
    return done.stdout


def digest(run, trace=None):
    """Of θ, metrics but for the seconds, and the trace."""
    hashed = hashlib.sha256()
    for path in [run + "/theta.npz"] + ([trace] if trace else []):
        with open(path, "rb") as file:
            hashed.update(file.read())
    with open(run + "/metrics.jsonl") as file:
        for line in file:
            entry = json.loads(line)
            del entry["seconds"]
            hashed.update(json.dumps(entry).encode())
    return hashed.hexdigest()[:16]


@unittest.skipUnless(
    shutil.which("mpirun") and os.path.exists(build + "/lib/lopt/liblopt_mpi.so"),
    "there is no mpirun, or lopt was built without MPI",
)
class OnRanks(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="lopt-ranks-")

    def tearDown(self):
        shutil.rmtree(self.folder)

    def spec(self, estimator, steps=7, hidden=8):
        path = f"{self.folder}/{estimator}-{steps}-{hidden}.yaml"
        with open(path, "w") as file:
            file.write(spec % (steps, hidden, estimators[estimator]))
        return path
