"""Ranks that die, one after the other, under `lopt-run supervise`: killed, stopped, or cut off from the others. What
comes out must be the bits of the run that was left alone.

usage: soak_ranks.py BUILD [MINUTES [SECONDS_BETWEEN_DEATHS [SEED]]]"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from run_folders import processes_of_ranks, results, steps_of

build = os.path.abspath(sys.argv[1])
minutes = float(sys.argv[2]) if len(sys.argv) > 2 else 10
between = float(sys.argv[3]) if len(sys.argv) > 3 else 20
seed = int(sys.argv[4]) if len(sys.argv) > 4 else random.SystemRandom().randrange(1 << 30)
runner, ranks = build + "/bin/lopt-run", 8
environment = dict(
    os.environ,
    OMPI_ALLOW_RUN_AS_ROOT="1",
    OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1",
    LOPT_RANK_SECONDS="3",
    OMPI_MCA_btl_vader_single_copy_mechanism="none",
)
spec = """name: soak
seed: 5
steps: 1000000
task: {plugin: mlp_classifier, hidden: [16], batch_size: 32}
learned_optimizer: {plugin: per_parameter_mlp, hidden: 8}
estimator: {plugin: pes, tasks: 2, unroll_length: 10, problem_length: 40}
shards: 8
meta_optimizer: {plugin: adam, learning_rate: 0.003}
checkpoint: {every: 1 step}
"""


class Hosts:
    """Two hosts, which are network namespaces of this machine with a link between them; where those are not permitted,
    this machine alone."""

    def __init__(self, folder):
        self.names = [f"lopta{os.getpid()}", f"loptb{os.getpid()}"]
        self.links = [f"va{os.getpid()}", f"vb{os.getpid()}"]
        self.agent = folder + "/agent"
        try:
            for name in self.names:
                self.ip("netns", "add", name)
            self.ip(
                "link",
                "add",
                self.links[0],
                "netns",
                self.names[0],
                "type",
                "veth",
                "peer",
                "name",
                self.links[1],
                "netns",
                self.names[1],
            )
            for i, (name, link) in enumerate(zip(self.names, self.links)):
                self.ip("-n", name, "addr", "add", f"10.78.0.{i + 1}/24", "dev", link)
                for device in ("lo", link):
                    self.ip("-n", name, "link", "set", device, "up")
            self.permitted = True
        except (OSError, subprocess.CalledProcessError):
            self.permitted = False
            self.end()
            return
        with open(self.agent, "w") as file:
            file.write(f'#!/bin/sh\nshift\nexec ip netns exec {self.names[1]} sh -c "$*"\n')
        os.chmod(self.agent, 0o755)

    @staticmethod
    def ip(*words):
        subprocess.run(["ip", *words], check=True, stderr=subprocess.DEVNULL)

    def command(self):
        mpirun = ["mpirun", "--oversubscribe", "--bind-to", "none"]
        if not self.permitted:
            return [*mpirun, "-n", str(ranks)]
        half = ranks // 2
        return [
            "ip",
            "netns",
            "exec",
            self.names[0],
            *mpirun,
            "--mca",
            "plm_rsh_agent",
            self.agent,
            "--mca",
            "btl",
            "tcp,self",
            "--mca",
            "btl_tcp_if_include",
            "10.78.0.0/24",
            "--mca",
            "oob_tcp_if_include",
            "10.78.0.0/24",
            "--host",
            f"10.78.0.1:{half},10.78.0.2:{ranks - half}",
            "-n",
            str(ranks),
        ]

    def cut(self, is_cut):
        """The second host sends, and nothing arrives."""
        subprocess.run(
            ["ip", "-n", self.names[1], "link", "set", self.links[1], "down" if is_cut else "up"], check=False
        )

    def end(self):
        for name in self.names:
            subprocess.run(["ip", "netns", "del", name], stderr=subprocess.DEVNULL, check=False)


def one_death(dice, hosts, run, child):
    """Ends a rank, holds it, or cuts its host off, and waits until there are more steps than before; the way it was
    done, None where no rank was there."""
    rank, process = dice.choice(sorted(processes_of_ranks(run).items()) or [(None, None)])
    way = dice.choice(["SIGKILL", "SIGSTOP"] + ["cut"] * hosts.permitted)
    if process is None:
        return None
    before = steps_of(run)
    began = time.time()
    if way == "cut":
        hosts.cut(True)
        time.sleep(5)
        hosts.cut(False)
    else:
        os.kill(process, getattr(signal, way))
    gone = (lambda: True) if way == "cut" else lambda: not os.path.exists(f"/proc/{process}/exe")
    while (steps_of(run) <= before or not gone()) and child.poll() is None and time.time() < began + 60:
        time.sleep(0.05)
    print(f"  {way} of rank {rank} after {before} steps: more steps {time.time() - began:.1f} s later", flush=True)
    return way


def main():
    dice = random.Random(seed)
    folder = tempfile.mkdtemp(prefix="lopt-soak-ranks-")
    hosts = Hosts(folder)
    where = "two network namespaces" if hosts.permitted else "one host: network namespaces are not permitted here"
    print(f"{ranks} ranks on {where}, a death every {between:g} s for {minutes:g} minutes, seed {seed}")
    with open(folder + "/soak.yaml", "w") as file:
        file.write(spec)
    run = folder + "/run"
    child = subprocess.Popen(
        [
            runner,
            "supervise",
            "--stall",
            "20",
            "--",
            *hosts.command(),
            runner,
            "train",
            folder + "/soak.yaml",
            "--out",
            run,
            "-q",
            "--threads",
            "1",
        ],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=open(folder + "/log", "w"),
    )
    deaths = {}
    try:
        while steps_of(run) < 5:
            time.sleep(0.1)
        end = time.time() + 60 * minutes
        while time.time() + between < end or not deaths:
            time.sleep(between * dice.uniform(0.5, 1))
            way = one_death(dice, hosts, run, child)
            assert child.poll() is None, open(folder + "/log").read()[-3000:]
            if way:
                deaths[way] = deaths.get(way, 0) + 1
        child.send_signal(signal.SIGTERM)
        child.wait(timeout=60)
        if not os.path.exists(run + "/theta.npz"):  # the signal came while it was begun again
            subprocess.run([runner, "resume", run, f"steps={steps_of(run)}", "-q"], check=True)
        steps = steps_of(run)
        with open(run + "/run.json") as file:
            again = len(json.load(file).get("resumed", []))
        print(f"{steps} steps, {sum(deaths.values())} deaths ({deaths}), begun again {again} times")
        subprocess.run(
            [runner, "train", folder + "/soak.yaml", f"steps={steps}", "--out", folder + "/alone", "-q"], check=True
        )
        same = results(run) == results(folder + "/alone")
        print("the same bits as alone" if same else "OTHER BITS than alone")
        return 0 if same and again > 0 else 1
    finally:
        child.kill()
        for process in processes_of_ranks(run).values():
            os.kill(process, signal.SIGKILL)
        if hosts.permitted:
            hosts.end()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
