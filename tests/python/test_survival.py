"""Runs that end early and go on: kills, failing files, full disks, signals, locks, damaged checkpoints.

usage: test_survival.py BUILD [KILLS [SEED]]"""
import glob
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from run_folders import results

build = os.path.abspath(sys.argv[1])
kills = int(sys.argv[2]) if len(sys.argv) > 2 else 20
seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.SystemRandom().randrange(1 << 30)
runner, faults = build + "/bin/lopt-run", build + "/tests/lopt_faults.so"
sanitized = bool(os.environ.get("LOPT_SANITIZED"))

estimators = {"full_gradient": "{plugin: full_gradient, tasks: 3, unroll_length: 4}",
              "full_es": "{plugin: full_es, tasks: 4, unroll_length: 4}",
              "truncated_gradient": "{plugin: truncated_gradient, tasks: 3, unroll_length: 4, problem_length: 9}",
              "truncated_es": "{plugin: truncated_es, tasks: 4, unroll_length: 4, problem_length: 9}",
              "pes": "{plugin: pes, tasks: 4, unroll_length: 4, problem_length: 9}",
              "uoro": "{plugin: uoro, tasks: 3, unroll_length: 4, problem_length: 9}",
              "forward_gradient": "{plugin: forward_gradient, tasks: 3, unroll_length: 4, problem_length: 9}"}
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


def call(*arguments, env=None, code=0, timeout=120):
    done = subprocess.run([runner, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=timeout, env=dict(os.environ, **(env or {})))
    if code is not None and done.returncode != code:
        raise AssertionError(f"{arguments}: code {done.returncode}\n{done.stdout[-3000:]}")
    return done if code is None else done.stdout


def children_of(process):
    with open(f"/proc/{process}/task/{process}/children") as file:
        return [int(word) for word in file.read().split()]


class Survival(unittest.TestCase):
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

    def test_every_estimator_goes_on_to_the_same_bits(self):
        for estimator in estimators:
            for threads in ("1", "3"):
                with self.subTest(estimator=estimator, threads=threads):
                    run = self.path(estimator + threads)
                    call("train", self.spec(estimator), "--out", run, "--trace", run + ".npz", "--threads", threads,
                         "-q", env={"LD_PRELOAD": faults, "LOPT_FAULT": "kill:30"} if not sanitized else {},
                         code=-9 if not sanitized else 0)
                    call("resume", run, "--threads", "2", "-q")
                    self.assertEqual(results(run, run + ".npz"), self.unbroken(estimator))

    def test_more_steps_than_were_planned(self):
        run = self.path("run")
        call("train", self.spec("pes", 7), "--out", run, "--trace", run + ".npz", "-q")
        call("resume", run, "steps=12", "-q")
        self.assertEqual(results(run, run + ".npz"), self.unbroken("pes"))
        self.assertIn("12 steps already", call("resume", run, "steps=5", code=2))

    def test_inner_training_goes_on(self):
        path = self.path("spec.yaml")
        with open(path, "w") as file:
            file.write("name: inner\nsteps: 40\ntask: {plugin: mlp_classifier, hidden: [8], batch_size: 16}\n"
                       "optimizer: {plugin: adam, learning_rate: 0.01}\n")
        whole, part = self.path("whole"), self.path("part")
        call("train", path, "--out", whole, "-q")
        call("train", path, "steps=15", "--out", part, "-q")
        call("resume", part, "steps=40", "-q")
        for file in ("params.npz", "metrics.jsonl"):
            with open(f"{whole}/{file}", "rb") as a, open(f"{part}/{file}", "rb") as b:
                self.assertEqual(a.read(), b.read())

    @unittest.skipIf(sanitized, "kills are timed for a build without sanitizers")
    def test_kills(self):
        rng = random.Random(seed)
        start = time.time()
        self.unbroken("pes", 60)
        print(f"\n{kills} kills, seed {seed}")
        inside, before = 0, 0
        for number in range(kills):
            estimator = rng.choice(list(estimators))
            expected = self.unbroken(estimator, 60)
            run, killed = self.path(f"kill{number}"), 0
            arguments = ["train", self.spec(estimator, 60), "--out", run, "--trace", run + ".npz"]
            # Up to three kills of one run, each after a random time or inside a random call that writes.
            for _ in range(rng.choice([1, 1, 2, 3])):
                env = {}
                if rng.random() < 0.5:
                    env = {"LD_PRELOAD": faults, "LOPT_FAULT": f"kill:{rng.randrange(1, 200)}"}
                child = subprocess.Popen([runner, *arguments, "-q", "--threads", rng.choice("123")],
                                         env=dict(os.environ, **env), stdout=subprocess.DEVNULL,
                                         stderr=subprocess.DEVNULL)
                try:
                    child.wait(None if env else rng.random() * 0.25)
                except subprocess.TimeoutExpired:
                    child.kill()
                    child.wait()
                killed += child.returncode == -signal.SIGKILL
                inside += bool(env) and child.returncode == -signal.SIGKILL
                if glob.glob(run + "/checkpoints/*.checkpoint"):
                    arguments = ["resume", run]
                elif os.path.exists(run + "/run.json"):  # nothing was kept yet: resume begins the run anew
                    before += 1
                    arguments = ["resume", run]
                else:
                    shutil.rmtree(run, ignore_errors=True)
            call(*arguments, "-q")
            self.assertEqual(results(run, run + ".npz"), expected, f"kill {number} of {estimator}")
            self.assertEqual(glob.glob(run + "/*.partial"), [])
            shutil.rmtree(run)
        print(f"{kills} runs survived, {inside} kills inside a call that writes, {before} before the first checkpoint, "
              f"{time.time() - start:.0f} s")

    @unittest.skipIf(sanitized, "calls are counted for a build without sanitizers")
    def test_each_step_is_kept(self):
        """With `checkpoint.every: 1 step`, what dies at any moment goes on after the last step that it had."""
        reference = self.unbroken("pes", 60)
        for attempt in range(4):
            run = self.path(f"run{attempt}")
            child = subprocess.Popen([runner, "train", self.spec("pes", 60), "checkpoint.every=1 step", "--out", run, "--trace",
                                      run + ".npz", "--threads", "2", "-q"])
            self.wait_for_steps(run, 5 + 13 * attempt)
            child.kill()
            child.wait()
            with open(run + "/metrics.jsonl") as file:
                steps = len(file.read().splitlines())
            said = call("resume", run, "--threads", "1")
            after = int(said.split("Going on after step ")[1].split()[0])
            self.assertGreaterEqual(after, steps - 1, said)
            self.assertEqual(results(run, run + ".npz"), reference)

    def test_a_log_that_is_cut_short_or_damaged(self):
        for harm in ("cut", "damage", "remove"):
            run = self.path(harm)
            child = subprocess.Popen([runner, "train", self.spec("pes", 60), "checkpoint.every=1 step", "--out", run, "--trace",
                                      run + ".npz", "-q"])
            self.wait_for_steps(run, 12)
            child.kill()
            child.wait()
            log = max(glob.glob(run + "/checkpoints/*.log"), key=os.path.getsize)
            with open(log, "rb") as file:
                content = bytearray(file.read())
            if harm == "cut":
                content = content[:-7]
            elif harm == "damage":
                content[len(content) // 2] ^= 1
            with open(log, "wb") as file:
                file.write(content)
            if harm == "remove":
                os.unlink(log)
            call("resume", run, "-q")
            self.assertEqual(results(run, run + ".npz"), self.unbroken("pes", 60), harm)

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

    def test_supervise_goes_on_as_often_as_it_comes_further(self):
        run = self.path("run")
        child = subprocess.Popen([runner, "supervise", "--", runner, "train", self.spec("pes", 4000), "checkpoint.every=1 step",
                                  "--out", run, "-q", "--threads", "1"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                 text=True)
        for steps in (5, 10, 15):
            self.wait_for_steps(run, steps)
            for process in children_of(child.pid):
                os.kill(process, signal.SIGKILL)
            time.sleep(0.3)
        self.wait_for_steps(run, 20)
        child.send_signal(signal.SIGTERM)
        said, _ = child.communicate(timeout=30)
        self.assertEqual(child.returncode, 143, said)
        self.assertEqual(said.count("and is begun again"), 3, said)
        with open(run + "/metrics.jsonl") as file:
            steps = len(file.read().splitlines())
        whole = self.path("whole")
        call("train", self.spec("pes", steps), "--out", whole, "-q")
        self.assertEqual(results(run), results(whole))
        said = call("top", run, "--once")
        self.assertIn(f"step {steps} of 4000", said)
        self.assertIn("It was begun again 3 times", said)

    def test_supervise_ends_where_nothing_comes_of_it(self):
        missing = self.path("missing.yaml")
        start = time.time()
        said = call("supervise", "--", runner, "train", missing, "--out", self.path("run"), code=None)
        self.assertEqual(said.returncode, 2, said.stdout)  # a spec that is not there is not there the next time
        said = call("supervise", "--attempts", "2", "--", "false", "lopt-run", "train", missing, "--out", self.path("run"), code=1)
        self.assertIn("it has died 2 times without a first step", said)
        for words, sentence in ((["--", "true"], "what would be begun again"), ([], "what would be begun again"),
                                (["--", runner, "train", missing], "needs --out RUN")):
            self.assertIn(sentence, call("supervise", *words, code=2))
        self.assertLess(time.time() - start, 30)

    def test_each_failing_call(self):
        for if_it_fails, every in (("go_on", "3 steps"), ("stop", "3 steps"), ("go_on", "1 step")):
            path = self.spec("pes", 12, if_it_fails)
            count = self.path("count")
            call("train", path, f"checkpoint.every={every}", "--out", self.path(f"count-run-{if_it_fails}-{every}"), "-q",
                 env={"LD_PRELOAD": faults, "LOPT_FAULT_COUNT": count})
            with open(count) as file:
                calls = int(file.read())
            self.assertGreater(calls, 30)
            outcomes = {}
            for number in range(1, calls + 1, 1 if every == "3 steps" else 5):
                for later in ("", "+"):
                    run = self.path(f"{if_it_fails}{number}{later}")
                    done = call("train", path, f"checkpoint.every={every}", "--out", run, "--trace", run + ".npz", "-q", code=None,
                                env={"LD_PRELOAD": faults, "LOPT_FAULT": f"fail:{number}{later}"})
                    message = f"call {number}{later}, {if_it_fails}: code {done.returncode}: {done.stdout}"
                    self.assertIn(done.returncode, (0, 1, 2), message)
                    self.assertTrue(done.stdout == "" or "lopt-run: " in done.stdout, message)
                    self.assertTrue(done.returncode == 0 or "No space left" in done.stdout, message)
                    outcome = "went on" if done.returncode == 0 else "stopped"
                    outcomes[outcome] = outcomes.get(outcome, 0) + 1
                    if done.returncode == 0:
                        self.assertEqual(results(run, run + ".npz"), self.unbroken("pes"), message)
                    elif glob.glob(run + "/checkpoints/*.checkpoint"):
                        call("resume", run, "-q")
                        self.assertEqual(results(run, run + ".npz"), self.unbroken("pes"), message)
                    shutil.rmtree(run, ignore_errors=True)
            print(f"\n{if_it_fails}, every {every}: each of {calls} calls failed once, and with all after it: {outcomes}")

    def test_full_disk(self):
        disk = self.path("disk")
        os.mkdir(disk)
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96k", "none", disk], stderr=subprocess.DEVNULL).returncode:
            self.skipTest("NOT RUN: a small disk cannot be mounted here")
        try:
            done = call("train", self.spec("pes", 400), "--out", disk + "/run", "-q", code=None)
            self.assertEqual(done.returncode, 1, done.stdout)
            self.assertIn("No space left", done.stdout)
            self.assertIn("the run goes on", done.stdout)
            self.assertTrue(glob.glob(disk + "/run/checkpoints/*.checkpoint"))
            done = call("train", self.spec("pes", 400), "checkpoint.every=1 step", "--out", disk + "/log", "-q", code=None)
            self.assertIn(done.returncode, (1, 2), done.stdout)
            self.assertIn("No space left", done.stdout)
            done = call("train", self.spec("pes", 400, "stop"), "--out", disk + "/second", "-q", code=None)
            self.assertIn(done.returncode, (1, 2), done.stdout)
            subprocess.run(["mount", "-o", "remount,size=8m", disk], check=True)
            call("resume", disk + "/run", "-q")
            call("train", self.spec("pes", 400), "--out", self.path("whole"), "-q")
            self.assertEqual(results(disk + "/run"), results(self.path("whole")))
            subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
            self.assertIn("Read-only", call("resume", disk + "/run", "steps=401", code=2))
            self.assertIn("Read-only", call("train", self.spec("pes"), "--out", disk + "/third", code=2))
        finally:
            subprocess.run(["umount", disk])

    def test_an_evaluation_on_a_full_disk_goes_on_where_it_was(self):
        disk, spec_file = self.path("disk"), self.path("evaluation.yaml")
        os.mkdir(disk)
        with open(spec_file, "w") as file:
            file.write("{name: e, steps: [3, 5], seeds: 3, tasks: [quadratic, rosenbrock],"
                       " optimizers: {adam: {tuned: adam}, sgd: sgd}}")
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "none", disk], stderr=subprocess.DEVNULL).returncode:
            self.skipTest("NOT RUN: a small disk cannot be mounted here")
        try:
            done = call("evaluate", spec_file, "--out", disk + "/run", "-q", code=None)
            self.assertEqual(done.returncode, 1, done.stdout)
            self.assertIn("No space left", done.stdout)
            subprocess.run(["mount", "-o", "remount,size=8m", disk], check=True)
            call("resume", disk + "/run", "-q")
            call("evaluate", spec_file, "--out", self.path("whole"), "-q")
            losses = []
            for folder in (disk + "/run", self.path("whole")):
                with open(folder + "/evaluation.json") as file:
                    losses.append([row["mean_losses"] for row in json.load(file)["results"]])
            self.assertEqual(losses[0], losses[1])
        finally:
            subprocess.run(["umount", disk])

    def test_one_process_a_folder(self):
        run = self.path("run")
        child = subprocess.Popen([runner, "train", self.spec("pes", 1000000), "--out", run, "-q"])
        while not glob.glob(run + "/checkpoints/*.checkpoint"):
            time.sleep(0.02)
        refused = call("resume", run, code=2)
        self.assertIn(f"another process ({child.pid}) is at work", refused)
        child.kill()
        child.wait()
        with open(run + "/metrics.jsonl") as file:
            done = json.loads(file.readlines()[-1])["step"]
        call("resume", run, f"steps={done + 10}", "-q")

    def test_one_process_a_folder_where_there_are_no_locks(self):
        env = dict(os.environ, LD_PRELOAD=faults, LOPT_FAULT="no-locks:0")
        run, owner = self.path("run"), self.path("run") + "/lock.owner"
        child = subprocess.Popen([runner, "train", self.spec("pes", 1000000), "--out", run, "-q"], env=env)
        while not glob.glob(run + "/checkpoints/*.checkpoint"):
            time.sleep(0.02)
        self.assertIn(f"another process ({child.pid}) is at work", call("resume", run, code=2, env=env))
        child.kill()
        child.wait()
        with open(owner) as file:
            held = file.read()
        self.assertEqual(held.split()[1], str(child.pid))
        with open(run + "/metrics.jsonl") as file:
            done = json.loads(file.readlines()[-1])["step"]
        # One of another host may live: who knows says so, by removing its file.
        with open(owner, "w") as file:
            file.write("elsewhere " + held.split(" ", 1)[1])
        refused = call("resume", run, code=2, env=env)
        self.assertRegex(refused, f"process {child.pid} of elsewhere, since 2.*remove .*/lock.owner")
        # A process of the same number that began at another time is another one: this one's.
        with open(owner, "w") as file:
            file.write(" ".join([held.split()[0], str(os.getpid()), "1", held.split()[3]]) + "\n")
        said = call("resume", run, f"steps={done + 10}", "-q", env=env)
        self.assertEqual(said.count("lock.owner"), 1, said)
        self.assertEqual(glob.glob(run + "/lock.owner*"), [])

    def test_signals_end_a_run_soon_with_a_checkpoint(self):
        # The second spec has steps of some seconds: they are abandoned.
        long_steps = ["task.hidden=[32]", "estimator.tasks=32", "estimator.unroll_length=4000"]
        for overrides, number, code in (([], signal.SIGTERM, 143), ([], signal.SIGINT, 130),
                                        (long_steps, signal.SIGTERM, 143)):
            run = self.path(f"run{code}{len(overrides)}")
            child = subprocess.Popen([runner, "train", self.spec("pes", 1000000), *overrides, "--out", run, "-q"])
            while not os.path.exists(run + "/metrics.jsonl"):
                time.sleep(0.02)
            time.sleep(0.5)
            start = time.time()
            child.send_signal(number)
            self.assertEqual(child.wait(30), code)
            print(f"\nended {time.time() - start:.2f} s after signal {number}")
            if not sanitized:
                self.assertLess(time.time() - start, 2)
            self.assertEqual(len(glob.glob(run + "/checkpoints/*.checkpoint")) > 0, True)
            with open(run + "/metrics.jsonl") as file:
                done = len(file.readlines())
            steps = done + (1 if overrides else 3)
            call("resume", run, f"steps={steps}", "-q")
            whole = self.path(f"whole{code}{len(overrides)}")
            call("train", self.spec("pes", steps), *overrides, "--out", whole, "-q")
            self.assertEqual(results(run), results(whole))

    def test_a_signal_ends_an_estimator_that_goes_on_by_itself(self):
        run = self.path("run")
        child = subprocess.Popen([runner, "train", self.spec("pes", 5), "--out", run, "--plugin-path",
                                  build + "/tests/plugins/slow_estimator.so", "estimator={plugin: slow_estimator, seconds: 1000}"],
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        while not os.path.exists(run + "/run.json"):
            time.sleep(0.02)
        time.sleep(0.5)
        child.send_signal(signal.SIGTERM)
        said, _ = child.communicate(timeout=60)
        self.assertEqual(child.returncode, 143, said)
        self.assertIn("did not end in the time that a step may take", said)

    def test_a_signal_ends_the_search_for_rates(self):
        run = self.path("run")
        child = subprocess.Popen([runner, "train", self.spec("pes", 1), "--out", run, "-q", "apply={steps: 1000000, seeds: [0]}",
                                  "compare=[{tuned: adam}]"])
        while not os.path.exists(run + "/metrics.jsonl"):
            time.sleep(0.02)
        time.sleep(0.5)
        child.send_signal(signal.SIGINT)
        self.assertEqual(child.wait(20), 130)  # a search takes minutes

    @unittest.skipIf(sanitized, "sanitizers explain crashes themselves")
    def test_a_file_that_is_cut_short_under_a_run_is_named(self):
        text, run, path = "to be or not to be, that is the question\n" * 100_000, self.path("run"), self.path("text.txt")
        with open(path, "w") as file:
            file.write(text)
        child = subprocess.Popen([runner, "train", self.spec("pes", 1000000), "--out", run, "-q", "checkpoint.every=1 step",
                                  f"task={{plugin: char_rnn, embedding: 4, hidden: 4, batch_size: 4, dataset: {{plugin: text, file: {path}}}}}"],
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.wait_for_steps(run, 3)
        os.truncate(path, 1000)
        said, _ = child.communicate(timeout=30)
        self.assertEqual(child.returncode, 4, said)
        self.assertIn(f"{path}: was cut short while it was in use", said)
        with open(path, "w") as file:
            file.write(text)
        with open(run + "/metrics.jsonl") as file:
            steps = len(file.read().splitlines())
        call("resume", run, f"steps={steps + 2}", "-q")

    def test_damaged_checkpoints(self):
        run = self.path("run")
        call("train", self.spec("pes", 7), "--out", run, "--trace", run + ".npz", "-q")
        newest = sorted(glob.glob(run + "/checkpoints/*.checkpoint"))[-1]
        with open(newest, "r+b") as file:
            file.seek(1000)
            byte = file.read(1)
            file.seek(1000)
            file.write(bytes([byte[0] ^ 1]))
        output = call("resume", run, "steps=12")
        self.assertIn(newest, output)
        self.assertIn("the one before is used", output)
        self.assertEqual(results(run, run + ".npz"), self.unbroken("pes"))
        for path in glob.glob(run + "/checkpoints/*.checkpoint"):
            with open(path, "wb") as file:
                file.write(b"lopt")
        self.assertIn("no good checkpoint", call("resume", run, code=4))
        self.assertIn("kept no trace", self.untraced())
        self.assertIn("no folder of a run", call("resume", self.folder, code=2))

    def untraced(self):
        run = self.path("untraced")
        call("train", self.spec("pes", 3), "--out", run, "-q")
        return call("resume", run, "steps=4", "--trace", run + ".npz", code=2)

    def test_what_differs_is_said(self):
        run, plugin = self.path("run"), self.path("mine.so")
        shutil.copy(build + "/lib/lopt/plugins/adam.so", plugin)
        call("train", self.spec("pes", 6), "meta_optimizer.plugin=" + os.path.basename(plugin)[:-3] + "/adam",
             "--plugin-path", plugin, "--out", run, "-q")
        with open(run + "/spec.yaml") as file:
            text = file.read()
        self.assertIn("std: 0.01", text)
        with open(run + "/spec.yaml", "w") as file:
            file.write(text.replace("std: 0.01", "std: 0.02"))
        output = call("resume", run, "steps=8", code=2)
        self.assertIn("`std: 0.01` there, `std: 0.02` now", output)
        self.assertIn("--force", output)
        call("resume", run, "steps=8", "--force", "-q")
        with open(run + "/spec.yaml", "w") as file:
            file.write(text)
        subprocess.run(["strip", plugin], check=True)
        output = call("resume", run, "steps=9", code=2)
        self.assertIn("the optimizer 'adam'", output)
        self.assertIn("SHA-256", output)

    def test_files_are_their_owners(self):
        run = self.path("run")
        subprocess.run(["sh", "-c", f"umask 077; exec {runner} train {self.spec('pes', 3)} --out {run} -q"], check=True)
        for folder, folders, files in os.walk(run):
            for name in folders + files:
                self.assertEqual(os.stat(os.path.join(folder, name)).st_mode & 0o077, 0, name)


if __name__ == "__main__":
    program = unittest.main(argv=[sys.argv[0]], exit=False, verbosity=1)
    bad = len({getattr(test, "test_case", test).id() for test, _ in program.result.failures + program.result.errors})
    print(f"{program.result.testsRun - bad} passed, {bad} failed")
    sys.exit(bad > 0)
