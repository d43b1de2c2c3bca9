"""Runs where calls fail, disks are full, signals come, or another process wants their folder.

usage: test_interruption.py BUILD"""

import glob
import json
import os
import re
import shutil
import signal
import subprocess
import time
import unittest

from counting import main
from ending_runs import EndingRuns, build, call, children_of, patience, runner, sanitized, start, with_faults
from run_folders import results, steps_of


class Interruption(EndingRuns):
    def test_supervise_goes_on_as_often_as_it_comes_further(self):
        run = self.path("run")
        child = start(
            "supervise",
            "--",
            runner,
            "train",
            self.spec("pes", 4000),
            "checkpoint.every=1 step",
            "--out",
            run,
            "-q",
            "--threads",
            "1",
            text=True,
        )
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
        steps = steps_of(run)
        whole = self.path("whole")
        call("train", self.spec("pes", steps), "--out", whole, "-q")
        self.assertEqual(results(run), results(whole))
        said = call("top", run, "--once")
        self.assertIn(f"step {steps} of 4000", said)
        self.assertIn("It was begun again 3 times", said)

    def test_supervise_ends_where_nothing_comes_of_it(self):
        missing = self.path("missing.yaml")
        began = time.time()
        said = call("supervise", "--", runner, "train", missing, "--out", self.path("run"), code=None)
        self.assertEqual(said.returncode, 2, said.stdout)  # a spec that is not there is not there the next time
        said = call(
            "supervise",
            "--attempts",
            "2",
            "--",
            "false",
            "lopt-run",
            "train",
            missing,
            "--out",
            self.path("run"),
            code=1,
        )
        self.assertIn("it has died 2 times without a first step", said)
        for words, sentence in (
            (["--", "true"], "what would be begun again"),
            ([], "what would be begun again"),
            (["--", runner, "train", missing], "needs --out RUN"),
        ):
            self.assertIn(sentence, call("supervise", *words, code=2))
        self.assertLess(time.time() - began, 30)

    def test_each_failing_call(self):
        for if_it_fails, every in (("go_on", "3 steps"), ("stop", "3 steps"), ("go_on", "1 step")):
            path = self.spec("pes", 12, if_it_fails)
            count = self.path("count")
            call(
                "train",
                path,
                f"checkpoint.every={every}",
                "--out",
                self.path(f"count-run-{if_it_fails}-{every}"),
                "-q",
                env=with_faults(LOPT_FAULT_COUNT=count),
            )
            with open(count) as file:
                calls = int(file.read())
            self.assertGreater(calls, 30)
            outcomes = {}
            # Under a sanitizer, which is slow, a seventh of them.
            numbers = range(1, calls + 1, (1 if every == "3 steps" else 5) * (7 if sanitized else 1))
            for number in numbers:
                for later in ("", "+"):
                    run = self.path(f"{if_it_fails}{number}{later}")
                    done = call(
                        "train",
                        path,
                        f"checkpoint.every={every}",
                        "--out",
                        run,
                        "--trace",
                        run + ".npz",
                        "-q",
                        code=None,
                        env=with_faults(LOPT_FAULT=f"fail:{number}{later}"),
                    )
                    # But for what the symbolizer of a sanitizer cannot read.
                    said = re.sub(r"^LLVMSymbolizer: .*\n*", "", done.stdout, flags=re.MULTILINE)
                    message = f"call {number}{later}, {if_it_fails}: code {done.returncode}: {said}"
                    self.assertIn(done.returncode, (0, 1, 2), message)
                    self.assertTrue(said == "" or "lopt-run: " in said, message)
                    self.assertTrue(done.returncode == 0 or "No space left" in said, message)
                    outcome = "went on" if done.returncode == 0 else "stopped"
                    outcomes[outcome] = outcomes.get(outcome, 0) + 1
                    if done.returncode == 0:
                        self.assertEqual(results(run, run + ".npz"), self.unbroken("pes"), message)
                    elif glob.glob(run + "/checkpoints/*.checkpoint"):
                        call("resume", run, "-q")
                        self.assertEqual(results(run, run + ".npz"), self.unbroken("pes"), message)
                    shutil.rmtree(run, ignore_errors=True)
            print(
                f"\n{if_it_fails}, every {every}: {len(numbers)} of {calls} calls failed once, and with all after it: "
                f"{outcomes}"
            )

    def test_full_disk(self):
        disk = self.path("disk")
        os.mkdir(disk)
        if subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=96k", "none", disk], stderr=subprocess.DEVNULL
        ).returncode:
            self.skipTest("a small disk cannot be mounted here")
        try:
            done = call("train", self.spec("pes", 400), "--out", disk + "/run", "-q", code=None)
            self.assertEqual(done.returncode, 1, done.stdout)
            self.assertIn("No space left", done.stdout)
            self.assertIn("the run goes on", done.stdout)
            self.assertTrue(glob.glob(disk + "/run/checkpoints/*.checkpoint"))
            done = call(
                "train", self.spec("pes", 400), "checkpoint.every=1 step", "--out", disk + "/log", "-q", code=None
            )
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
            file.write(
                "{name: e, steps: [3, 5], seeds: 3, tasks: [quadratic, rosenbrock],"
                " optimizers: {adam: {tuned: adam}, sgd: sgd}}"
            )
        if subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=16k", "none", disk], stderr=subprocess.DEVNULL
        ).returncode:
            self.skipTest("a small disk cannot be mounted here")
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
        child = start("train", self.spec("pes", 1000000), "--out", run, "-q")
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
        env = dict(os.environ, **with_faults(LOPT_FAULT="no-locks:0"))
        run, owner = self.path("run"), self.path("run") + "/lock.owner"
        child = start("train", self.spec("pes", 1000000), "--out", run, "-q", env=env)
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
        for overrides, number, code in (
            ([], signal.SIGTERM, 143),
            ([], signal.SIGINT, 130),
            (long_steps, signal.SIGTERM, 143),
        ):
            run = self.path(f"run{code}{len(overrides)}")
            child = start("train", self.spec("pes", 1000000), *overrides, "--out", run, "-q")
            while not os.path.exists(run + "/metrics.jsonl"):
                time.sleep(0.02)
            time.sleep(0.5)
            began = time.time()
            child.send_signal(number)
            self.assertEqual(child.wait(30), code)
            print(f"\nended {time.time() - began:.2f} s after signal {number}")
            if not sanitized:
                self.assertLess(time.time() - began, 2)
            self.assertEqual(len(glob.glob(run + "/checkpoints/*.checkpoint")) > 0, True)
            done = steps_of(run)
            steps = done + (1 if overrides else 3)
            call("resume", run, f"steps={steps}", "-q")
            whole = self.path(f"whole{code}{len(overrides)}")
            call("train", self.spec("pes", steps), *overrides, "--out", whole, "-q")
            self.assertEqual(results(run), results(whole))

    def test_a_signal_ends_an_estimator_that_goes_on_by_itself(self):
        run = self.path("run")
        child = start(
            "train",
            self.spec("pes", 5),
            "--out",
            run,
            "--plugin-path",
            build + "/tests/plugins/slow_estimator.so",
            "estimator={plugin: slow_estimator, seconds: 1000}",
            text=True,
        )
        while not os.path.exists(run + "/run.json"):
            time.sleep(0.02)
        time.sleep(0.5)
        child.send_signal(signal.SIGTERM)
        said, _ = child.communicate(timeout=60)
        self.assertEqual(child.returncode, 143, said)
        self.assertIn("did not end in the time that a step may take", said)

    def test_a_signal_ends_the_search_for_rates(self):
        run = self.path("run")
        child = start(
            "train",
            self.spec("pes", 1),
            "--out",
            run,
            "-q",
            "apply={steps: 1000000, seeds: [0]}",
            "compare=[{tuned: adam}]",
        )
        while not os.path.exists(run + "/metrics.jsonl"):
            time.sleep(0.02)
        time.sleep(0.5)
        child.send_signal(signal.SIGINT)
        self.assertEqual(child.wait(20 * patience), 130)  # a search takes minutes

    @unittest.skipIf(sanitized, "sanitizers explain crashes themselves")
    def test_a_file_that_is_cut_short_under_a_run_is_named(self):
        text, run, path = (
            "to be or not to be, that is the question\n" * 100_000,
            self.path("run"),
            self.path("text.txt"),
        )
        with open(path, "w") as file:
            file.write(text)
        child = start(
            "train",
            self.spec("pes", 1000000),
            "--out",
            run,
            "-q",
            "checkpoint.every=1 step",
            f"task={{plugin: char_rnn, embedding: 4, hidden: 4, batch_size: 4, dataset: {{plugin: text, file: "
            f"{path}}}}}",
            text=True,
        )
        self.wait_for_steps(run, 3)
        os.truncate(path, 1000)
        said, _ = child.communicate(timeout=30)
        self.assertEqual(child.returncode, 4, said)
        self.assertIn(f"{path}: was cut short while it was in use", said)
        with open(path, "w") as file:
            file.write(text)
        steps = steps_of(run)
        call("resume", run, f"steps={steps + 2}", "-q")


if __name__ == "__main__":
    main()
