"""Meta-trainings whose problems ranks share, over MPI: the same bits.

usage: test_ranks.py BUILD"""

import json
import os
import shutil
import subprocess

from counting import main
from ranks_of_a_run import build, call, digest, estimators, OnRanks, runner, spec


class Ranks(OnRanks):
    def test_a_sweep_shares_its_trials(self):
        spec_file = self.folder + "/sweep.yaml"
        with open(spec_file, "w") as file:
            file.write(
                "{name: s, steps: 20, task: {plugin: quadratic, dimensions: 4}, optimizer: {plugin: sgd, "
                "learning_rate: 0.1}}"
            )
        tables = []
        for ranks in (1, 2):
            out = f"{self.folder}/sweep-{ranks}"
            call(ranks, "sweep", spec_file, "optimizer.learning_rate=[0.01, 0.1, 0.3, 1]", "--out", out)
            with open(out + "/sweep.csv") as file:
                tables.append(file.read())
        self.assertEqual(tables[0], tables[1])
        self.assertEqual(len(tables[0].splitlines()), 5)

    def test_same_bits_for_any_ranks_and_threads(self):
        print("\nθ, metrics and trace by ranks × threads")
        for estimator in estimators:
            hashes = {}
            for ranks, threads in ((1, "1"), (1, "2"), (2, "2"), (3, "1"), (4, "2")):
                run = f"{self.folder}/{estimator}-{ranks}-{threads}"
                call(
                    ranks,
                    "train",
                    self.spec(estimator),
                    "--out",
                    run,
                    "--trace",
                    run + ".npz",
                    "--threads",
                    threads,
                    "-q",
                )
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

    def test_ranks_that_differ_are_refused(self):
        wrapper = self.folder + "/differs"
        with open(wrapper, "w") as file:
            file.write(f'#!/bin/sh\n[ $OMPI_COMM_WORLD_RANK = 1 ] && set -- "$@" seed=4\nexec {runner} "$@"\n')
        os.chmod(wrapper, 0o755)
        said = call(2, "train", self.spec("pes"), "--out", self.folder + "/run", "-q", program=wrapper, code=None)
        self.assertIn("rank 1 differs from rank 0 in its spec", said)

    def test_ranks_with_other_data_are_refused(self):
        with open(self.folder + "/own.csv", "w") as file:
            file.write("x,y,label\n" + "".join(f"{i % 7},{i % 5},{i % 2}\n" for i in range(50)))
        shutil.copy(self.folder + "/own.csv", self.folder + "/data.csv")
        with open(self.folder + "/csv.yaml", "w") as file:
            file.write(
                (spec % (3, 4, estimators["pes"])).replace(
                    "batch_size: 16}", "batch_size: 16, dataset: {plugin: csv, file: data.csv, label: label}}"
                )
            )
        wrapper = self.folder + "/elsewhere"
        with open(wrapper, "w") as file:
            file.write(
                f"#!/bin/sh\nmkdir -p {self.folder}/$OMPI_COMM_WORLD_RANK; cd {self.folder}/$OMPI_COMM_WORLD_RANK\n"
                f'sed "s/^3,3,1/3,3,$OMPI_COMM_WORLD_RANK/" ../own.csv > data.csv\nexec {runner} "$@"\n'
            )
        os.chmod(wrapper, 0o755)
        said = call(
            2, "train", self.folder + "/csv.yaml", "--out", self.folder + "/run", "-q", program=wrapper, code=None
        )
        self.assertIn("rank 1 differs from rank 0 in its data", said)

    def test_shards_are_shared(self):
        """More or fewer ranks than shards: the same bits; and what travels is sums."""
        hashes = {}
        for ranks in (1, 2, 3, 5):
            run = f"{self.folder}/shards-{ranks}"
            call(
                ranks,
                "train",
                self.spec("pes"),
                "shards=3",
                "checkpoint.every=1 step",
                "--out",
                run,
                "--trace",
                run + ".npz",
                "-q",
            )
            hashes[ranks] = digest(run, run + ".npz")
        self.assertEqual(len(set(hashes.values())), 1, hashes)
        with open(self.folder + "/shards-3/run.json") as file:
            hosts = json.load(file)["hosts"]
        self.assertEqual([host["ranks"] for host in hosts], [[0, 1, 2]])
        self.assertTrue(hosts[0]["processor"])

    def test_ranks_that_do_not_wait_for_each_other(self):
        """A rank that is five times as slow slows all others five times where they wait, and hardly where they do
        not."""
        seconds = {}
        for exchange in ("exact", "asynchronous"):
            for slow in (-1, 3):
                run = f"{self.folder}/{exchange}{slow}"
                call(
                    9,
                    "train",
                    self.spec("pes", 30),
                    f"estimator={{plugin: slow_estimator, slow_rank: {slow}}}",
                    "shards=8",
                    f"exchange={exchange}",
                    "checkpoint.every=never",
                    "--plugin-path",
                    build + "/tests/plugins/slow_estimator.so",
                    "--out",
                    run,
                    "-q",
                    "--threads",
                    "1",
                )
                with open(run + "/summary.json") as file:
                    summary = json.load(file)
                seconds[exchange, slow] = summary["seconds_by_part"]["meta-steps"]
                if exchange == "asynchronous":
                    self.assertEqual(summary["asynchronous"]["estimates"], 8 * 30)
                    self.assertEqual(sum(summary["asynchronous"]["by_rank"]), 8 * 30)
        exact, loose = (seconds[exchange, 3] / seconds[exchange, -1] for exchange in ("exact", "asynchronous"))
        print(
            f"\nslowed by a rank of five times the time: {exact:.2f} times where ranks wait, {loose:.2f} times where "
            "not"
        )
        self.assertGreater(exact, 2 * loose)

    def test_asynchronous_training_learns_and_goes_on(self):
        run = self.folder + "/run"
        said = call(
            2,
            "train",
            self.spec("full_es", 20),
            "exchange=asynchronous",
            "shards=1",
            "staleness=1",
            "--out",
            run,
            "--threads",
            "1",
        )
        self.assertIn("Meta-loss", said)
        call(3, "resume", run, "steps=30", "-q", code=1)  # three ranks, and one shard
        call(1, "resume", run, "steps=25", "-q")
        call(2, "resume", run, "steps=30", "-q")
        with open(run + "/metrics.jsonl") as file:
            lines = [json.loads(line) for line in file]
        self.assertEqual([line["step"] for line in lines], list(range(30)))
        self.assertTrue(all(line["gradient_age"] <= 1 for line in lines if "gradient_age" in line))

    def test_without_mpirun_nothing_of_mpi_is_loaded(self):
        maps = subprocess.run(
            ["env", "LD_DEBUG=files", runner, "train", self.spec("pes", 1), "--out", self.folder + "/run", "-q"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ).stdout
        self.assertIn("liblopt.so", maps)
        self.assertNotIn("libmpi", maps)
        self.assertNotIn("liblopt_mpi", maps)


if __name__ == "__main__":
    main()
