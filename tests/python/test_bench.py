"""The benchmarks and the pictures of the docs, each at its smallest size: that they run, and print what they are to
measure. No time is judged.

usage: test_bench.py BUILD [all]        all: those too that take minutes
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import unittest
from counting import main

try:
    import torch

    has_torch = hasattr(torch.nn.functional, "scaled_dot_product_attention")
except ImportError:
    has_torch = False

build = os.path.abspath(sys.argv[1])
everything = sys.argv[2:] == ["all"]
source = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


jax = source + "/.cache/jax/bin/python"
has_jax = os.path.exists(source + "/.cache/jax/ready")


def output(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300, cwd=source)
    if done.returncode:
        raise AssertionError(f"{command}: code {done.returncode}\n{done.stdout[-3000:]}")
    return done.stdout


def script(name, *arguments):
    return output(sys.executable, f"tests/bench/{name}.py", *arguments)


class Bench(unittest.TestCase):
    def rows(self, text, names):
        for name in names:
            self.assertRegex(text, rf"(?m)^{re.escape(name)} .*\d")

    def test_the_loops_of_the_tutorial(self):
        said = script("bench", "--steps", "2")
        self.rows(said, ["full_gradient", "truncated_es", "pes", "inner step, SGD", "update of 10⁷ parameters:"])

    def test_tasks_and_rules(self):
        self.rows(script("bench", "--tasks", "--steps", "1"), ["conv_classifier", "transformer", "quadratic"])
        self.rows(script("bench", "--rules", "tiny", "tanh2", "--steps", "1"), ["tiny", "tanh2"])

    def test_other_sizes(self):
        self.assertEqual(
            len(re.findall(r"(?m)^\| dimensions \d+ .*\d", script("shapes", "--steps", "1", "quadratic"))), 28
        )

    def test_updates(self):
        lines = [json.loads(line) for line in output(f"{build}/bin/lopt-bench-optimizers", "100").splitlines()]
        self.assertIn("adam", [line["optimizer"] for line in lines])
        for line in lines:
            self.assertGreater(line["ns"], 0)

    def test_the_model_of_ranks(self):
        said = json.loads(output(f"{build}/bin/lopt-model-ranks", "ranks=64", "steps=1", "deaths=0"))
        self.assertGreater(said["weak_scaling"], 0)

    def test_the_pictures_of_the_docs(self):
        with tempfile.TemporaryDirectory() as folder:
            output("docs/figures/make", folder, "steps=2")
            self.assertLessEqual({"adam.svg", "pes.svg", "quickstart.svg"}, set(os.listdir(folder)))

    @unittest.skipUnless(everything, "takes minutes: ./dev nightly bench runs it")
    def test_updates_of_large_models_and_ranks(self):
        self.rows(script("bench", "--optimizers"), ["adam"])
        said = script("ranks", "--runs", "1", "--steps", "7", "--most", "16")
        self.assertEqual(len(re.findall(r"(?m)^\| `.* \| [\d.]+ \| [\d.]+ \| [\d.]+ \| \d+ \|$", said)), 6)
        self.assertRegex(said, r"(?m)^\| 16 \| .*fitted")

    @unittest.skipUnless(everything and has_jax, "takes minutes, and JAX: ./dev jax, ./dev nightly bench")
    def test_beside_jax(self):
        self.rows(output(jax, "tests/bench/segments_jax.py", "pes"), ["pes"])
        self.assertIn("of 1 no slower", output(jax, "tests/bench/meta_steps_jax.py", "mlp 64-32-10"))
        self.rows(script("shapes", "--peer", "--steps", "1", "quadratic"), ["| dimensions 1"])

    @unittest.skipUnless(has_torch, "the benchmark of wide models needs PyTorch 2, which is not here")
    def test_wide_models(self):
        said = script("wide", "--blocks", "1", "--width", "64", "--heads", "2", "--steps", "1")
        self.rows(said, ["adam", "muon", "general", "per_parameter_mlp", "mlp_lopt", "adafac_mlp_lopt"])


if __name__ == "__main__":
    main()
