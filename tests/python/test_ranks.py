"""Meta-trainings whose problems ranks share, over MPI: the same bits, and what happens when a rank does not answer.

usage: test_ranks.py BUILD"""
import glob
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from run_folders import processes_of_ranks, steps_of

build = os.path.abspath(sys.argv[1])
runner = build + "/bin/lopt-run"
environment = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1",
                   OMPI_MCA_btl_vader_single_copy_mechanism="none")

estimators = {"full_gradient": "{plugin: full_gradient, tasks: 5, unroll_length: 4}",
              "full_es": "{plugin: full_es, tasks: 5, unroll_length: 4}",
              "truncated_gradient": "{plugin: truncated_gradient, tasks: 5, unroll_length: 4, problem_length: 9}",
              "truncated_es": "{plugin: truncated_es, tasks: 5, unroll_length: 4, problem_length: 9}",
              "pes": "{plugin: pes, tasks: 5, unroll_length: 4, problem_length: 9}"}
spec = """name: ranks
seed: 3
steps: %d
task: {plugin: mlp_classifier, hidden: [%d], batch_size: 16}
learned_optimizer: {plugin: per_parameter_mlp, hidden: 8}
estimator: %s
meta_optimizer: {plugin: adam, learning_rate: 0.003}
checkpoint: {every: 3 steps, keep: 2}
"""


def command(ranks, *arguments):
    if ranks == 1:
        return [runner, *arguments]
    return ["mpirun", "--oversubscribe", "--bind-to", "none", "-n", str(ranks), runner, *arguments]


def call(ranks, *arguments, code=0, env=None):
    done = subprocess.run(command(ranks, *arguments), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=120, env=dict(environment, **(env or {})))
    if done.returncode != code:
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


@unittest.skipUnless(shutil.which("mpirun") and os.path.exists(build + "/lib/lopt/liblopt_mpi.so"),
                     "NOT RUN: there is no mpirun, or lopt was built without MPI")
class Ranks(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="lopt-ranks-")

    def tearDown(self):
        shutil.rmtree(self.folder)

    def test_a_sweep_shares_its_trials(self):
        spec_file = self.folder + "/sweep.yaml"
        with open(spec_file, "w") as file:
            file.write("{name: s, steps: 20, task: {plugin: quadratic, dimensions: 4}, optimizer: {plugin: sgd, learning_rate: 0.1}}")
        tables = []
        for ranks in (1, 2):
            out = f"{self.folder}/sweep-{ranks}"
            call(ranks, "sweep", spec_file, "optimizer.learning_rate=[0.01, 0.1, 0.3, 1]", "--out", out)
            with open(out + "/sweep.csv") as file:
                tables.append(file.read())
        self.assertEqual(tables[0], tables[1])
        self.assertEqual(len(tables[0].splitlines()), 5)

    def spec(self, estimator, steps=7, hidden=8):
        path = f"{self.folder}/{estimator}-{steps}-{hidden}.yaml"
        with open(path, "w") as file:
            file.write(spec % (steps, hidden, estimators[estimator]))
        return path

    def test_same_bits_for_any_ranks_and_threads(self):
        print("\nθ, metrics and trace by ranks × threads")
        for estimator in estimators:
            hashes = {}
            for ranks, threads in ((1, "1"), (1, "2"), (2, "2"), (3, "1"), (4, "2")):
                run = f"{self.folder}/{estimator}-{ranks}-{threads}"
                call(ranks, "train", self.spec(estimator), "--out", run, "--trace", run + ".npz", "--threads", threads, "-q")
                hashes[ranks, threads] = digest(run, run + ".npz")
            print(f"  {estimator:<20} {hashes[1, '1']}, {len(set(hashes.values()))} of {len(hashes)} different")
            self.assertEqual(len(set(hashes.values())), 1, (estimator, hashes))

    def test_resume_with_another_number_of_ranks(self):
        for estimator in estimators:
            whole, part = f"{self.folder}/whole-{estimator}", f"{self.folder}/part-{estimator}"
            call(1, "train", self.spec(estimator), "--out", whole, "-q")
            call(3, "train", self.spec(estimator, 3), "--out", part, "-q")
            call(2, "resume", part, "steps=5", "-q")
            call(1, "resume", part, "steps=7", "-q")
            self.assertEqual(digest(whole), digest(part), estimator)

    def test_what_travels_does_not_grow_with_the_parameters(self):
        print("\nbytes a step to a rank, with 5 tasks of 4 steps and 2 ranks")
        for estimator in estimators:
            sent = []
            for hidden in (8, 256):
                run = f"{self.folder}/{estimator}-{hidden}"
                call(2, "train", self.spec(estimator, 3, hidden), "--out", run, "-q")
                with open(run + "/summary.json") as file:
                    sent.append(json.load(file)["bytes_a_step"])
            print(f"  {estimator:<20} {sent[0]} with 8 hidden units, {sent[1]} with 256")
            self.assertEqual(sent[0], sent[1])  # exact gradients are of θ, which does not grow either

    def start(self, run, ranks, env=None):
        child = subprocess.Popen(command(ranks, "train", self.spec("pes", 1000000), "--out", run, "-q", "--threads", "1"),
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                 env=dict(environment, **(env or {})), start_new_session=True)
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

    def test_ranks_that_differ_are_refused(self):
        wrapper = self.folder + "/differs"
        with open(wrapper, "w") as file:
            file.write(f"#!/bin/sh\n[ $OMPI_COMM_WORLD_RANK = 1 ] && set -- \"$@\" seed=4\nexec {runner} \"$@\"\n")
        os.chmod(wrapper, 0o755)
        done = subprocess.run(["mpirun", "--oversubscribe", "-n", "2", wrapper, "train", self.spec("pes"), "--out",
                               self.folder + "/run", "-q"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=60, env=environment)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("rank 1 differs from rank 0 in its spec", done.stdout)

    def test_ranks_with_other_data_are_refused(self):
        with open(self.folder + "/own.csv", "w") as file:
            file.write("x,y,label\n" + "".join(f"{i % 7},{i % 5},{i % 2}\n" for i in range(50)))
        shutil.copy(self.folder + "/own.csv", self.folder + "/data.csv")
        with open(self.folder + "/csv.yaml", "w") as file:
            file.write((spec % (3, 4, estimators["pes"])).replace(
                "batch_size: 16}", "batch_size: 16, dataset: {plugin: csv, file: data.csv, label: label}}"))
        wrapper = self.folder + "/elsewhere"
        with open(wrapper, "w") as file:
            file.write(f"#!/bin/sh\nmkdir -p {self.folder}/$OMPI_COMM_WORLD_RANK; cd {self.folder}/$OMPI_COMM_WORLD_RANK\n"
                       f"sed \"s/^3,3,1/3,3,$OMPI_COMM_WORLD_RANK/\" ../own.csv > data.csv\nexec {runner} \"$@\"\n")
        os.chmod(wrapper, 0o755)
        done = subprocess.run(["mpirun", "--oversubscribe", "-n", "2", wrapper, "train", self.folder + "/csv.yaml", "--out",
                               self.folder + "/run", "-q"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=60, env=environment)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("rank 1 differs from rank 0 in its data", done.stdout)

    def test_two_jobs_in_one_folder(self):
        run = self.folder + "/run"
        child = self.start(run, 2)
        try:
            done = subprocess.run(command(2, "resume", run), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                  timeout=60, env=environment)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("is at work in this run's folder", done.stdout)
        finally:
            child.send_signal(signal.SIGTERM)
            child.communicate(timeout=40)
        self.check_goes_on(run)

    def test_shards_are_shared(self):
        """More or fewer ranks than shards: the same bits; and what travels is sums."""
        hashes = {}
        for ranks in (1, 2, 3, 5):
            run = f"{self.folder}/shards-{ranks}"
            call(ranks, "train", self.spec("pes"), "shards=3", "checkpoint.every=1 step", "--out", run, "--trace", run + ".npz", "-q")
            hashes[ranks] = digest(run, run + ".npz")
        self.assertEqual(len(set(hashes.values())), 1, hashes)
        with open(self.folder + "/shards-3/run.json") as file:
            hosts = json.load(file)["hosts"]
        self.assertEqual([host["ranks"] for host in hosts], [[0, 1, 2]])
        self.assertTrue(hosts[0]["processor"])

    def test_supervise_goes_on_without_a_rank_that_dies(self):
        """Killed, and hung: each time the same bits, and within seconds."""
        run = self.folder + "/run"
        env = {"LOPT_RANK_SECONDS": "2"}
        child = subprocess.Popen([runner, "supervise", "--", *command(3, "train", self.spec("pes", 1000000), "shards=3",
                                  "checkpoint.every=1 step", "--out", run, "-q", "--threads", "1")],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=dict(environment, **env))
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
        steps = steps_of(run)
        if not os.path.exists(run + "/theta.npz"):  # it was beginning again
            call(1, "resume", run, f"steps={steps}", "-q")
        whole = self.folder + "/whole"
        call(1, "train", self.spec("pes", steps), "shards=3", "--out", whole, "-q")
        self.assertEqual(digest(run), digest(whole))

    def wait_for_more(self, run, steps):
        start, deadline = steps_of(run), time.time() + 60
        while steps_of(run) < start + steps or not glob.glob(run + "/checkpoints/*.checkpoint"):
            self.assertLess(time.time(), deadline)
            time.sleep(0.02)

    @unittest.skipUnless("Fault Tolerance support: yes" in subprocess.run(
        ["ompi_info"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout if shutil.which("ompi_info") else False,
                         "NOT RUN: this Open MPI has no fault tolerance (5 has)")
    def test_the_others_go_on_where_mpi_can(self):
        run = self.folder + "/run"
        words = command(4, "train", self.spec("pes", 1000000), "shards=4", "checkpoint.every=1 step", "--out", run, "-q",
                        "--threads", "1")
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
        steps = steps_of(run)
        whole = self.folder + "/whole"
        call(1, "train", self.spec("pes", steps), "shards=4", "--out", whole, "-q")
        if not os.path.exists(run + "/theta.npz"):
            call(1, "resume", run, f"steps={steps}", "-q")
        self.assertEqual(digest(run), digest(whole))

    def test_ranks_that_do_not_wait_for_each_other(self):
        """A rank that is five times as slow slows all others five times where they wait, and hardly where they do not."""
        seconds = {}
        for exchange in ("exact", "asynchronous"):
            for slow in (-1, 3):
                run = f"{self.folder}/{exchange}{slow}"
                call(9, "train", self.spec("pes", 30), f"estimator={{plugin: slow_estimator, slow_rank: {slow}}}", "shards=8",
                     f"exchange={exchange}", "checkpoint.every=never", "--plugin-path", build + "/tests/plugins/slow_estimator.so",
                     "--out", run, "-q", "--threads", "1")
                with open(run + "/summary.json") as file:
                    summary = json.load(file)
                seconds[exchange, slow] = summary["seconds_by_part"]["meta-steps"]
                if exchange == "asynchronous":
                    self.assertEqual(summary["asynchronous"]["estimates"], 8 * 30)
                    self.assertEqual(sum(summary["asynchronous"]["by_rank"]), 8 * 30)
        exact, loose = (seconds[exchange, 3] / seconds[exchange, -1] for exchange in ("exact", "asynchronous"))
        print(f"\nslowed by a rank of five times the time: {exact:.2f} times where ranks wait, {loose:.2f} times where not")
        self.assertGreater(exact, 2 * loose)

    def test_asynchronous_training_learns_and_goes_on(self):
        run = self.folder + "/run"
        said = call(2, "train", self.spec("full_es", 20), "exchange=asynchronous", "shards=1", "staleness=1", "--out", run, "--threads", "1")
        self.assertIn("Meta-loss", said)
        call(3, "resume", run, "steps=30", "-q", code=1)  # three ranks, and one shard
        call(1, "resume", run, "steps=25", "-q")
        call(2, "resume", run, "steps=30", "-q")
        with open(run + "/metrics.jsonl") as file:
            lines = [json.loads(line) for line in file]
        self.assertEqual([line["step"] for line in lines], list(range(30)))
        self.assertTrue(all(line["gradient_age"] <= 1 for line in lines if "gradient_age" in line))

    def test_without_mpirun_nothing_of_mpi_is_loaded(self):
        maps = subprocess.run(["env", "LD_DEBUG=files", runner, "train", self.spec("pes", 1), "--out",
                               self.folder + "/run", "-q"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True).stdout
        self.assertIn("liblopt.so", maps)
        self.assertNotIn("libmpi", maps)
        self.assertNotIn("liblopt_mpi", maps)

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
        done = subprocess.run(["bash", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=120, env=environment)
        if not os.path.exists(self.folder + "/permitted"):
            self.skipTest(f"NOT RUN: network namespaces are not permitted here: {done.stdout[-300:]}")
        self.assertEqual(done.returncode, 0, done.stdout)
        call(1, "train", self.spec("pes"), "--out", self.folder + "/one", "-q")
        self.assertEqual(digest(self.folder + "/one"), digest(self.folder + "/two"))
        with open(self.folder + "/two/run.json") as file:
            self.assertEqual(json.load(file)["ranks"], 2)
        print("\ntwo network namespaces: same bits as one process")


if __name__ == "__main__":
    program = unittest.main(argv=[sys.argv[0]], exit=False, verbosity=1)
    for _, reason in program.result.skipped:
        print(reason)
    bad = len({getattr(test, "test_case", test).id() for test, _ in program.result.failures + program.result.errors})
    print(f"{program.result.testsRun - bad - len(program.result.skipped)} passed, {bad} failed")
    sys.exit(bad > 0)
