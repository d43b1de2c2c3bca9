"""Runs that are killed or damaged go on to the same bits.

usage: test_survival.py BUILD [KILLS [SEED]]"""

import glob
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import unittest

from counting import main
from ending_runs import EndingRuns, build, call, estimators, runner, sanitized, start, with_faults
from run_folders import results, steps_of

kills = int(sys.argv[2]) if len(sys.argv) > 2 else 20
seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.SystemRandom().randrange(1 << 30)


class Survival(EndingRuns):
    def test_every_estimator_goes_on_to_the_same_bits(self):
        for estimator in estimators:
            for threads in ("1", "3"):
                with self.subTest(estimator=estimator, threads=threads):
                    run = self.path(estimator + threads)
                    files = ["--out", run, "--trace", run + ".npz"]
                    call(
                        *["train", self.spec(estimator), *files, "--threads", threads, "-q"],
                        env=with_faults(LOPT_FAULT="kill:30") if not sanitized else {},
                        code=-9 if not sanitized else 0,
                    )
                    call("resume", run, "--threads", "2", "-q")
                    self.assertEqual(results(run, run + ".npz"), self.unbroken(estimator))

    def kill_after(self, run, steps):
        """Trains until so many steps are written, each of which is kept, and kills."""
        arguments = ["checkpoint.every=1 step", "--out", run, "--trace", run + ".npz", "--threads", "2", "-q"]
        child = start("train", self.spec("pes", 60), *arguments)
        self.wait_for_steps(run, steps)
        child.kill()
        child.wait()

    def test_more_steps_than_were_planned(self):
        run = self.path("run")
        call("train", self.spec("pes", 7), "--out", run, "--trace", run + ".npz", "-q")
        call("resume", run, "steps=12", "-q")
        self.assertEqual(results(run, run + ".npz"), self.unbroken("pes"))
        self.assertIn("12 steps already", call("resume", run, "steps=5", code=2))

    def test_inner_training_goes_on(self):
        path = self.path("spec.yaml")
        with open(path, "w") as file:
            file.write(
                "name: inner\nsteps: 40\ntask: {plugin: mlp_classifier, hidden: [8], batch_size: 16}\n"
                "optimizer: {plugin: adam, learning_rate: 0.01}\n"
            )
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
        began = time.time()
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
                    env = with_faults(LOPT_FAULT=f"kill:{rng.randrange(1, 200)}")
                child = start(
                    *arguments,
                    "-q",
                    "--threads",
                    rng.choice("123"),
                    env=dict(os.environ, **env),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
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
        print(
            f"{kills} runs survived, {inside} kills inside a call that writes, {before} before the first checkpoint, "
            f"{time.time() - began:.0f} s"
        )

    @unittest.skipIf(sanitized, "calls are counted for a build without sanitizers")
    def test_each_step_is_kept(self):
        """With `checkpoint.every: 1 step`, what dies at any moment goes on after the last step that it had."""
        reference = self.unbroken("pes", 60)
        for attempt in range(4):
            run = self.path(f"run{attempt}")
            self.kill_after(run, 5 + 13 * attempt)
            steps = steps_of(run)
            said = call("resume", run, "--threads", "1")
            after = int(said.split("Going on after step ")[1].split()[0])
            self.assertGreaterEqual(after, steps - 1, said)
            self.assertEqual(results(run, run + ".npz"), reference)

    def test_a_log_that_is_cut_short_or_damaged(self):
        for harm in ("cut", "damage", "remove"):
            run = self.path(harm)
            self.kill_after(run, 12)
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
        call(
            "train",
            self.spec("pes", 6),
            "meta_optimizer.plugin=" + os.path.basename(plugin)[:-3] + "/adam",
            "--plugin-path",
            plugin,
            "--out",
            run,
            "-q",
        )
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
    main()
