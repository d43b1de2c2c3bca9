"""What a run writes opens in NumPy and pandas. usage: test_files.py BUILD"""

import json
import os
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

import numpy
import pandas
from counting import main

RUNNER = os.path.abspath(sys.argv[1]) + "/bin/lopt-run"
SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def train(folder, spec, *arguments):
    command = [
        RUNNER,
        "train",
        f"configs/{spec}.yaml",
        "-q",
        "--out",
        os.path.join(folder, "run"),
        "--trace",
        os.path.join(folder, "trace.npz"),
        *arguments,
    ]
    subprocess.run(command, check=True, cwd=SOURCE)


class Files(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = cls.temporary.name
        train(
            cls.folder,
            "quickstart",
            "learned_optimizer=per_parameter_mlp",
            "steps=5",
            "task.batch_size=16",
            "estimator.tasks=3",
            "apply.steps=4",
        )

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def path(self, name):
        return os.path.join(self.folder, "run", name)

    def test_theta_opens_in_numpy(self):
        theta = numpy.load(self.path("theta.npz"))
        self.assertEqual(
            {name: theta[name].shape for name in theta.files}, {"w0": (3, 64), "b0": (64,), "w1": (64, 2), "b1": (2,)}
        )
        self.assertEqual(theta["w0"].dtype, numpy.float32)
        self.assertTrue(all(numpy.isfinite(theta[name]).all() for name in theta.files))

    def test_metrics_open_in_pandas(self):
        metrics = pandas.read_json(self.path("metrics.jsonl"), lines=True)
        self.assertEqual(list(metrics["step"]), [0, 1, 2, 3, 4])
        for column in ("meta_loss", "gradient_norm", "seconds"):
            self.assertTrue((metrics[column] > 0).all(), column)

    def test_trace_follows_theta(self):
        trace, theta = numpy.load(os.path.join(self.folder, "trace.npz")), numpy.load(self.path("theta.npz"))
        numpy.testing.assert_array_equal(trace["theta_5_w0"], theta["w0"])
        metrics = pandas.read_json(self.path("metrics.jsonl"), lines=True)
        losses = [float(trace[f"loss_{step}"]) for step in range(5)]
        numpy.testing.assert_allclose(metrics["meta_loss"], losses, rtol=1e-6)
        norm = numpy.sqrt(sum((trace[f"grad_2_{leaf}"] ** 2).sum() for leaf in ("w0", "b0", "w1", "b1")))
        self.assertAlmostEqual(metrics["gradient_norm"][2], norm, delta=1e-5 * norm)

    def test_json_files(self):
        with open(self.path("summary.json")) as file:
            summary = json.load(file)
        names = [row["optimizer"] for row in summary["applied"]]
        self.assertEqual(names[:2], ["learned optimizer", "sgd 0.1"])
        self.assertRegex(names[2], r"^adam [0-9.e-]+, the best of [0-9]+ rates$")
        with open(self.path("run.json")) as file:
            self.assertGreater(len(json.load(file)["plugins"]), 4)

    def test_curves_are_svg_with_a_legend(self):
        for name, words in (("curves.svg", ("meta-step", "meta-loss")), ("applied.svg", ("inner step", "sgd 0.1"))):
            root = xml.etree.ElementTree.parse(self.path(name)).getroot()
            texts = " ".join(element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text"))
            for word in words:
                self.assertIn(word, texts)

    def test_numpy_files_of_other_types_can_be_replayed(self):
        generator = numpy.random.default_rng(0)
        data, batches = os.path.join(self.folder, "data.npz"), os.path.join(self.folder, "batches.npz")
        numpy.savez(data, images=generator.integers(0, 256, (50, 64), dtype=numpy.uint8), labels=numpy.arange(50) % 10)
        numpy.savez_compressed(batches, batches=generator.integers(0, 50, (3, 4, 16)))
        with tempfile.TemporaryDirectory() as folder:
            train(
                folder,
                "tutorial/full_gradient",
                f"task.dataset={{plugin: replay, data: {data}, batches: {batches}}}",
                "task.batch_size=16",
                "estimator.unroll_length=4",
                "steps=3",
                "apply=null",
            )
            self.assertTrue(numpy.isfinite(numpy.load(os.path.join(folder, "trace.npz"))["loss_2"]))


if __name__ == "__main__":
    main()
