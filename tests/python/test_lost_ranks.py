"""Ranks that are killed, hang or are cut off: what becomes of the job.

usage: test_lost_ranks.py BUILD"""

import glob
import json
import os
import shutil
import signal
import subprocess
import time
import unittest

from counting import main
from ranks_of_a_run import call, command, digest, environment, OnRanks, runner
from run_folders import processes_of_ranks, steps_of


class LostRanks(OnRanks):
    def start(self, run, ranks, env=None):
        child = subprocess.Popen(
            command(ranks, "train", self.spec("pes", 1000000), "--out", run, "-q", "--threads", "1"),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=dict(environment, **(env or {})),
            start_new_session=True,
        )
        deadline = time.time() + 60
        while not glob.glob(run + "/checkpoints/*.checkpoint"):
            self.assertLess(time.time(), deadline)
            time.sleep(0.05)
        return child

    @staticmethod
    def process_of_rank(child, rank):
        for path in glob.glob("/proc/[0-9]*/environ"):
            try:
                with open(path, "rb") as file:
                    text = file.read()
                with open(os.path.dirname(path) + "/stat") as file:
                    parent = int(file.read().rsplit(")", 1)[1].split()[1])
            except OSError:
                continue
            if parent == child.pid and f"OMPI_COMM_WORLD_RANK={rank}\0".encode() in text:
                return int(path.split("/")[2])
        raise AssertionError(f"no process of rank {rank}")

    def check_goes_on(self, run):
        with open(run + "/metrics.jsonl") as file:
            steps = len(file.readlines()) + 2
        call(2, "resume", run, f"steps={steps}", "-q")
        whole = run + "-whole"
        call(1, "train", self.spec("pes", steps), "--out", whole, "-q")
        self.assertEqual(digest(run), digest(whole))

    def test_a_killed_rank_ends_the_job(self):
        run = self.folder + "/run"
        child = self.start(run, 3)
        start = time.time()
        os.kill(self.process_of_rank(child, 2), signal.SIGKILL)
        output, _ = child.communicate(timeout=40)
        print(f"\nended {time.time() - start:.1f} s after rank 2 was killed")
        self.assertNotEqual(child.returncode, 0)
        self.assertIn("rank 2", output)
        self.assertLess(time.time() - start, 30)
        self.check_goes_on(run)

    def test_a_hung_rank_ends_the_job(self):
        for rank in (1, 0):
            run = f"{self.folder}/run{rank}"
            child = self.start(run, 3, {"LOPT_RANK_SECONDS": "4"})
            start = time.time()
            hung = self.process_of_rank(child, rank)
            os.kill(hung, signal.SIGSTOP)
            output, _ = child.communicate(timeout=60)
            print(f"\nended {time.time() - start:.1f} s after rank {rank} was stopped, with a patience of 4 s")
            self.assertNotEqual(child.returncode, 0)
            self.assertIn(f"rank {rank} of 3 has not answered", output)
            self.assertLess(time.time() - start, 30)
            self.assertFalse(os.path.exists(f"/proc/{hung}/exe"))
            self.check_goes_on(run)

    def test_signal_to_the_job(self):
        run = self.folder + "/run"
        child = self.start(run, 2)
        child.send_signal(signal.SIGTERM)
        child.communicate(timeout=40)
        self.check_goes_on(run)

    def test_two_jobs_in_one_folder(self):
        run = self.folder + "/run"
        child = self.start(run, 2)
        try:
            self.assertIn("is at work in this run's folder", call(2, "resume", run, code=None))
        finally:
            child.send_signal(signal.SIGTERM)
            child.communicate(timeout=40)
        self.check_goes_on(run)

    def sharded(self, run, shards):
        """What a long training is called with, of which each step is kept."""
        spec = self.spec("pes", 1000000)
        return ["train", spec, f"shards={shards}", "checkpoint.every=1 step", "--out", run, "-q", "--threads", "1"]

    def check_as_if_nothing_died(self, run, shards):
        steps = steps_of(run)
        if not os.path.exists(run + "/theta.npz"):  # it was beginning again
            call(1, "resume", run, f"steps={steps}", "-q")
        whole = self.folder + "/whole"
        call(1, "train", self.spec("pes", steps), f"shards={shards}", "--out", whole, "-q")
        self.assertEqual(digest(run), digest(whole))

    def test_supervise_goes_on_without_a_rank_that_dies(self):
        """Killed, and hung: each time the same bits, and within seconds."""
        run = self.folder + "/run"
        env = {"LOPT_RANK_SECONDS": "2"}
        child = subprocess.Popen(
            [runner, "supervise", "--", *command(3, *self.sharded(run, 3))],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=dict(environment, **env),
        )
        print()
        for way, rank in ((signal.SIGSTOP, 1), (signal.SIGKILL, 0)):
            self.wait_for_more(run, 20)
            process = processes_of_ranks(run)[rank]
            before, start = steps_of(run), time.time()
            os.kill(process, way)
            while steps_of(run) <= before + 3 or os.path.exists(f"/proc/{process}/exe"):
                self.assertLess(time.time() - start, 60)
                time.sleep(0.02)
            print(f"  {way.name} of rank {rank}: it goes on {time.time() - start:.1f} s later")
        child.send_signal(signal.SIGTERM)
        _, said = child.communicate(timeout=60)
        self.assertEqual(said.count("and is begun again"), 2, said)
        self.check_as_if_nothing_died(run, 3)

    def wait_for_more(self, run, steps):
        start, deadline = steps_of(run), time.time() + 60
        while steps_of(run) < start + steps or not glob.glob(run + "/checkpoints/*.checkpoint"):
            self.assertLess(time.time(), deadline)
            time.sleep(0.02)

    @unittest.skipUnless(
        (
            "Fault Tolerance support: yes"
            in subprocess.run(["ompi_info"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout
            if shutil.which("ompi_info")
            else False
        ),
        "this Open MPI has no fault tolerance (5 has)",
    )
    def test_the_others_go_on_where_mpi_can(self):
        run = self.folder + "/run"
        words = command(4, *self.sharded(run, 4))
        words[1:1] = ["--with-ft", "ulfm", "--mca", "btl", "tcp,self", "--mca", "btl_tcp_if_include", "lo"]
        child = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
        for rank in (2, 0):
            self.wait_for_more(run, 20)
            before, start = steps_of(run), time.time()
            os.kill(processes_of_ranks(run)[rank], signal.SIGKILL)
            while steps_of(run) <= before + 3:
                self.assertLess(time.time() - start, 60)
                time.sleep(0.02)
            print(f"\nthe others go on {time.time() - start:.1f} s after rank {rank} was killed")
        child.send_signal(signal.SIGTERM)
        child.communicate(timeout=60)
        self.check_as_if_nothing_died(run, 4)

    def test_two_network_namespaces(self):
        """Ranks on two hosts, which are network namespaces of this machine with a link between them."""
        script = f"""
        set -e
        a=lopta$$ b=loptb$$
        trap 'ip netns del $a 2>/dev/null; ip netns del $b 2>/dev/null' EXIT
        ip netns add $a; ip netns add $b
        ip link add va$$ netns $a type veth peer name vb$$ netns $b
        ip -n $a addr add 10.77.0.1/24 dev va$$; ip -n $b addr add 10.77.0.2/24 dev vb$$
        for n in $a $b; do ip -n $n link set lo up; done
        ip -n $a link set va$$ up; ip -n $b link set vb$$ up
        touch "{self.folder}/permitted"
        cat > "{self.folder}/agent" <<END
#!/bin/sh
shift
exec ip netns exec $b sh -c "\\$*"
END
        chmod +x "{self.folder}/agent"
        exec ip netns exec $a mpirun --mca plm_rsh_agent "{self.folder}/agent" --mca btl tcp,self \\
          --mca btl_tcp_if_include 10.77.0.0/24 --mca oob_tcp_if_include 10.77.0.0/24 --bind-to none \\
          --host 10.77.0.1:1,10.77.0.2:1 -n 2 {runner} train {self.spec("pes")} --out {self.folder}/two -q
        """
        done = subprocess.run(
            ["bash", "-c", script],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            env=environment,
        )
        if not os.path.exists(self.folder + "/permitted"):
            self.skipTest(f"network namespaces are not permitted here: {done.stdout[-300:]}")
        self.assertEqual(done.returncode, 0, done.stdout)
        call(1, "train", self.spec("pes"), "--out", self.folder + "/one", "-q")
        self.assertEqual(digest(self.folder + "/one"), digest(self.folder + "/two"))
        with open(self.folder + "/two/run.json") as file:
            self.assertEqual(json.load(file)["ranks"], 2)
        print("\ntwo network namespaces: same bits as one process")


if __name__ == "__main__":
    main()
