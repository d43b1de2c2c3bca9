"""What stands in sdk/clusters for clusters: job scripts, which are read as Slurm and PBS read them and then run with a
mpirun of this machine; a job of Kubernetes' MPI operator; and a container's file, which is built where there is an
engine for it.

usage: test_clusters.py BUILD"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import yaml
from counting import main

build = os.path.abspath(sys.argv[1])
root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
clusters = root + "/sdk/clusters"

slurm_options = {
    "job-name": r"[\w-]+",
    "nodes": r"[1-9]\d*",
    "ntasks-per-node": r"[1-9]\d*",
    "cpus-per-task": r"[1-9]\d*",
    "time": r"\d\d:\d\d:\d\d",
    "signal": r"(B:)?(TERM|INT|USR1)@\d+",
    "requeue": None,
    "open-mode": r"append|truncate",
}
pbs_options = {"N": r"[\w-]{1,15}", "l": r"select=\d+(:\w+=\d+)*|walltime=\d\d:\d\d:\d\d", "r": r"y|n", "j": r"oe|eo|n"}
instructions = {"FROM", "WORKDIR", "COPY", "RUN", "ENV", "ENTRYPOINT", "CMD"}

spec = """name: job
seed: 1
steps: 400
task: {plugin: mlp_classifier, hidden: [8], batch_size: 16}
learned_optimizer: {plugin: per_parameter_mlp, hidden: 4}
estimator: {plugin: pes, tasks: 2, unroll_length: 4, problem_length: 9}
meta_optimizer: {plugin: adam, learning_rate: 0.003}
"""
# Takes its own options away, and runs what it is to run once.
mpirun = """#!/bin/bash
while [ "${1##*/}" != lopt-run ]; do shift; done
exec "$@"
"""


def directives(text, word):
    return [line[len(word) :].strip() for line in text.splitlines() if line.startswith(word)]


def read(name):
    with open(f"{clusters}/{name}") as file:
        return file.read()


class Clusters(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="lopt-clusters-")

    def tearDown(self):
        shutil.rmtree(self.folder)

    def test_slurm_and_pbs_read_them(self):
        for line in directives(read("slurm.sh"), "#SBATCH"):
            name, _, value = line.removeprefix("--").partition("=")
            self.assertTrue(line.startswith("--") and name in slurm_options, line)
            self.assertTrue(re.fullmatch(slurm_options[name] or "", value), line)
        for line in directives(read("pbs.sh"), "#PBS"):
            name, _, value = line.removeprefix("-").partition(" ")
            self.assertTrue(line.startswith("-") and name in pbs_options, line)
            self.assertTrue(re.fullmatch(pbs_options[name], value), line)
        for name in ("slurm.sh", "pbs.sh"):
            # Directives behind a command are comments.
            text = read(name).splitlines()
            first_command = next(i for i, line in enumerate(text) if line and not line.startswith("#"))
            self.assertFalse(any(re.match("#(SBATCH|PBS)", line) for line in text[first_command:]), name)
            subprocess.run(["bash", "-n", f"{clusters}/{name}"], check=True)

    def job(self, script, *arguments, **variables):
        """The script as its system would start it, with commands of the system's that note what they are told."""
        tools = self.folder + "/tools"
        os.makedirs(tools, exist_ok=True)
        for name, text in (
            ("mpirun", mpirun),
            ("scontrol", f'#!/bin/sh\necho "$@" >> {self.folder}/told\n'),
            ("qsub", f'#!/bin/sh\necho "$@" >> {self.folder}/told\n'),
        ):
            with open(f"{tools}/{name}", "w") as file:
                file.write(text)
            os.chmod(f"{tools}/{name}", 0o755)
        environment = dict(os.environ, PATH=f"{tools}:{build}/bin:{os.environ['PATH']}", **variables)
        return subprocess.Popen(
            ["bash", f"{clusters}/{script}", *arguments],
            env=environment,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def check_job(self, begin, told):
        with open(self.folder + "/job.yaml", "w") as file:
            file.write(spec)
        run = self.folder + "/run"
        child = begin(run)
        deadline = time.time() + 60
        while not os.path.exists(run + "/checkpoints") or not os.listdir(run + "/checkpoints"):
            self.assertLess(time.time(), deadline)
            time.sleep(0.02)
        child.send_signal(signal.SIGTERM)  # its time is over
        output, _ = child.communicate(timeout=60)
        with open(self.folder + "/told") as file:
            self.assertRegex(file.read(), told, output)
        with open(run + "/metrics.jsonl") as file:
            self.assertLess(len(file.readlines()), 400, output)
        child = begin(run)  # its turn again
        output, _ = child.communicate(timeout=120)
        self.assertEqual(child.returncode, 0, output)
        with open(run + "/run.json") as file:
            self.assertEqual(len(json.load(file)["resumed"]), 1, output)
        with open(run + "/metrics.jsonl") as file:
            self.assertEqual(len(file.readlines()), 400, output)

    def test_slurm_job(self):
        self.check_job(
            lambda run: self.job(
                "slurm.sh", self.folder + "/job.yaml", run, SLURM_SUBMIT_DIR=self.folder, SLURM_JOB_ID="17"
            ),
            r"^requeue 17$",
        )

    def test_pbs_job(self):
        self.check_job(
            lambda run: self.job(
                "pbs.sh", PBS_O_WORKDIR=self.folder, PBS_NODEFILE="/dev/null", SPEC=self.folder + "/job.yaml", RUN=run
            ),
            r"^-v SPEC=.*job.yaml,RUN=.*run ",
        )

    def test_kubernetes_job(self):
        job = yaml.safe_load(read("kubernetes.yaml"))
        self.assertEqual((job["apiVersion"], job["kind"]), ("kubeflow.org/v2beta1", "MPIJob"))
        self.assertLessEqual(set(job["spec"]), {"slotsPerWorker", "runPolicy", "mpiReplicaSpecs"})
        replicas = job["spec"]["mpiReplicaSpecs"]
        self.assertEqual(set(replicas), {"Launcher", "Worker"})
        self.assertEqual(replicas["Launcher"]["replicas"], 1)
        for replica in replicas.values():
            pod = replica["template"]["spec"]
            volumes = {volume["name"] for volume in pod["volumes"]}
            for container in pod["containers"]:
                self.assertLessEqual({"name", "image", "command", "resources", "volumeMounts"}, set(container))
                self.assertTrue(all(isinstance(word, str) for word in container["command"]), container["command"])
                self.assertLessEqual({mount["name"] for mount in container["volumeMounts"]}, volumes)
        # The words are a command: with mpirun's own taken away, it says that the spec is not there.
        words = replicas["Launcher"]["template"]["spec"]["containers"][0]["command"]
        self.assertEqual(words[:2], ["lopt-run", "supervise"])
        with open(self.folder + "/mpirun", "w") as file:
            file.write(mpirun)
        os.chmod(self.folder + "/mpirun", 0o755)
        done = subprocess.run(
            words,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=dict(os.environ, PATH=f"{self.folder}:{build}/bin:{os.environ['PATH']}"),
        )
        self.assertEqual(done.returncode, 2, done.stdout)
        self.assertIn("/runs/pes.yaml", done.stdout)

    def test_container(self):
        text = read("Containerfile").replace("\\\n", " ")
        lines = [line for line in text.splitlines() if line and not line.startswith("#")]
        self.assertTrue(lines[0].startswith("FROM "))
        for line in lines:
            word, _, rest = line.partition(" ")
            self.assertIn(word, instructions, line)
            if word in ("ENTRYPOINT", "CMD"):
                self.assertTrue(all(isinstance(part, str) for part in json.loads(rest)), line)
            if word == "COPY" and "--from" not in rest:
                for source in rest.split()[:-1]:
                    self.assertTrue(os.path.exists(f"{root}/{source}"), line)
        for engine in ("podman", "docker"):
            if (
                shutil.which(engine)
                and subprocess.run([engine, "info"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
                == 0
            ):
                subprocess.run(
                    [engine, "build", "-q", "-f", clusters + "/Containerfile", "-t", "lopt-test", root], check=True
                )
                return
        print("\nNOT RUN: the container is not built, there is no engine for it here; its file is read")


if __name__ == "__main__":
    main()
