"""What other programs read: the schema of specs by jsonschema, events by TensorBoard, θ by safetensors, docs by their
code.

usage: test_ecosystem.py BUILD

TensorBoard and safetensors are no Debian packages: without them the files are read by the few lines below, and this
says so."""

import glob
import json
import os
import re
import struct
import subprocess
import sys
import tempfile
import unittest

import jsonschema
import numpy
import yaml
from counting import main

runner = os.path.abspath(sys.argv[1]) + "/bin/lopt-run"
source = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

META = """
steps: 3
task: {plugin: mlp_classifier, hidden: [8], batch_size: 16}
learned_optimizer: per_parameter_mlp
estimator: {plugin: truncated_es, tasks: 2, unroll_length: 3, problem_length: 6}
meta_optimizer: {plugin: adam, learning_rate: 0.01}
"""
INNER = "{steps: 3, task: {plugin: mlp_classifier, hidden: [8]}, optimizer: {plugin: adam, learning_rate: 0.01}}"
EVALUATION = "{tasks: [mlp_classifier], optimizers: [adam, {tuned: adam}], steps: [10], seeds: 2}"

# Key paths with a value that is wrong there; DELETE takes the key away.
DELETE = object()
WRONG = [
    (META, "steps", "many"),
    (META, "steps", 0),
    (META, "steps", 1.5),
    (META, "steps", DELETE),
    (META, "step", 3),
    (META, "seed", -1),
    (META, "seed", "x"),
    (META, "name", [1]),
    (META, "task", "no_such_task"),
    (META, "task", DELETE),
    (META, "task", 3),
    (META, "task.plugin", DELETE),
    (META, "task.plugin", "adam"),
    (META, "task.hiden", [3]),
    (META, "task.hidden", ["a"]),
    (META, "task.hidden", [0]),
    (META, "task.batch_size", -3),
    (META, "task.batch_size", "x"),
    (META, "task.activation", "rellu"),
    (META, "task.dataset", "mnist_of_mine"),
    (META, "task.dataset", {"plugin": "adam"}),
    (META, "task_family", "sampled"),
    (META, "learned_optimizer", "adam"),
    (META, "learned_optimizer", DELETE),
    (META, "learned_optimizer", {"plugin": "per_parameter_mlp", "hiden": 3}),
    (META, "optimizer", "adam"),
    (META, "estimator", "pess"),
    (META, "estimator.std", 0),
    (META, "estimator.std", "wide"),
    (META, "estimator.task", 3),
    (META, "estimator.tasks", 0),
    (META, "meta_optimizer", "sgdd"),
    (META, "meta_optimizer.learning_rate", "fast"),
    (META, "meta_optimizer.learning_rate", {"plugin": "cosin"}),
    (META, "meta_optimizer.beta1", 1.5),
    (META, "apply", {"stps": 3}),
    (META, "apply", {"steps": 0}),
    (META, "compare", [{"tuned": "sgdd"}]),
    (META, "compare", "adam"),
    (META, "meta_gradient", {"clip": 1}),
    (META, "meta_gradient", {"clip_norm": -1}),
    (META, "meta_objective", {"of": "first"}),
    (META, "checkpoint", {"keep": 0}),
    (META, "validate", {"every": 0}),
    (META, "stages", {"steps": 3}),
    (INNER, "optimizer.learning_rate", [1]),
    (INNER, "optimizer", DELETE),
    (INNER, "optimizer.lr", 0.1),
    (INNER, "metrics", {"split": "all"}),
    (INNER, "nonsense", 1),
    (EVALUATION, "optimizers", 3),
    (EVALUATION, "optimizers", [{"tuned": "adam", "more": 1}]),
    (EVALUATION, "steps", DELETE),
    (EVALUATION, "seeds", 0),
    (EVALUATION, "task", "mlp_classifier"),
]


def call(*arguments, cwd=None, env=None):
    done = subprocess.run(
        arguments,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=cwd,
        timeout=300,
        env=dict(os.environ, **(env or {})),
    )
    if done.returncode:
        raise AssertionError(f"{' '.join(arguments)}: code {done.returncode}\n{done.stdout}")
    return done.stdout


def changed(text, path, value):
    spec = yaml.safe_load(text)
    at = spec
    *above, last = path.split(".")
    for key in above:
        if not isinstance(at[key], dict):
            at[key] = {"plugin": at[key]}
        at = at[key]
    if value is DELETE:
        at.pop(last, None)
    else:
        at[last] = value
    return spec


class Schema(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        schema = json.loads(call(runner, "schema"))
        jsonschema.Draft202012Validator.check_schema(schema)
        cls.validator = jsonschema.Draft202012Validator(schema)

    def test_all_specs_of_the_tree_are_right(self):
        files = glob.glob(source + "/configs/**/*.yaml", recursive=True)
        self.assertGreater(len(files), 30)
        for path in files:
            if os.path.basename(path) == "paper.yaml":  # what `lopt-run reproduce` reads: runs and figures, no spec
                self.assertEqual(call(runner, "check", path), path + ": fine\n")
                continue
            with self.subTest(path), open(path) as file:
                named = re.match(r"# yaml-language-server: \$schema=(\S+)\n", file.readline())
                self.assertEqual(
                    os.path.normpath(os.path.join(os.path.dirname(path), named.group(1))),
                    source + "/configs/lopt.schema.json",
                )
                self.assertEqual([error.message for error in self.validator.iter_errors(yaml.safe_load(file))], [])

    def test_resolved_specs_are_right(self):
        for text in (META, INNER):
            with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
                file.write(text)
                file.flush()
                resolved = call(runner, "check", file.name, "--print")
            self.assertEqual([e.message for e in self.validator.iter_errors(yaml.safe_load(resolved))], [])

    def test_fifty_wrong_specs(self):
        self.assertGreaterEqual(len(WRONG), 50)
        for text in (META, INNER, EVALUATION):
            self.assertTrue(self.validator.is_valid(yaml.safe_load(text)))
        for text, path, value in WRONG:
            with self.subTest(path=path, value=str(value)):
                self.assertFalse(self.validator.is_valid(changed(text, path, value)))

    def test_specs_that_the_editor_opens_name_the_schema(self):
        folder = tempfile.mkdtemp(prefix="lopt-new-")
        call(runner, "new-experiment", "mlp_classifier", "--out", folder + "/mine")
        for name in ("spec", "evaluation"):
            with open(f"{folder}/mine/{name}.yaml") as file:
                self.assertTrue(file.readline().startswith("# yaml-language-server: $schema="), name)


def records_of(path):
    """The payloads of a file of records, with their checksums checked."""
    table = []
    for i in range(256):
        value = i
        for _ in range(8):
            value = value >> 1 ^ 0x82F63B78 if value & 1 else value >> 1
        table.append(value)

    def masked(data):
        crc = 0xFFFFFFFF
        for byte in data:
            crc = crc >> 8 ^ table[(crc ^ byte) & 255]
        crc ^= 0xFFFFFFFF
        return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF

    with open(path, "rb") as file:
        data = file.read()
    at = 0
    while at < len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        assert struct.unpack_from("<I", data, at + 8)[0] == masked(data[at : at + 8])
        payload = data[at + 12 : at + 12 + length]
        assert struct.unpack_from("<I", data, at + 12 + length)[0] == masked(payload)
        yield payload
        at += 16 + length


class Run(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="lopt-ecosystem-")
        with open(cls.folder + "/spec.yaml", "w") as file:
            file.write(META)
        call(runner, "train", cls.folder + "/spec.yaml", "--out", cls.folder + "/run", "-q")

    def test_tensorboard(self):
        events = glob.glob(self.folder + "/run/events.out.tfevents.*")
        self.assertEqual(len(events), 1)
        payloads = list(records_of(events[0]))
        self.assertEqual(len(payloads), 2 + 3)  # the version, the spec, each step
        self.assertIn(b"brain.Event:2", payloads[0])
        self.assertIn(b"per_parameter_mlp", payloads[1])
        try:
            from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
        except ImportError:
            print("NOT RUN: TensorBoard is not installed; its events were read by the test alone", file=sys.stderr)
            return
        events = EventAccumulator(self.folder + "/run")
        events.Reload()
        with open(self.folder + "/run/metrics.jsonl") as file:
            losses = [json.loads(line)["meta_loss"] for line in file]
        numpy.testing.assert_allclose([scalar.value for scalar in events.Scalars("meta_loss")], losses, rtol=1e-6)
        self.assertIn(b"per_parameter_mlp", events.Tensors("spec")[0].tensor_proto.string_val[0])

    def test_safetensors(self):
        path = self.folder + "/run/theta.safetensors"
        with open(path, "rb") as file:
            data = file.read()
        (length,) = struct.unpack_from("<Q", data)
        self.assertEqual(length % 8, 0)
        header = json.loads(data[8 : 8 + length])
        self.assertIn("per_parameter_mlp", header.pop("__metadata__")["lopt"])
        theta = numpy.load(self.folder + "/run/theta.npz")
        self.assertEqual(sorted(header), sorted(theta.files))
        for name, entry in header.items():
            begin, end = entry["data_offsets"]
            array = numpy.frombuffer(data[8 + length + begin : 8 + length + end], "<f4").reshape(entry["shape"])
            numpy.testing.assert_array_equal(array, theta[name])
        try:
            from safetensors.numpy import load_file
        except ImportError:
            print("NOT RUN: safetensors is not installed; θ was read by the test alone", file=sys.stderr)
            return
        numpy.testing.assert_array_equal(load_file(path)["w0"], theta["w0"])

    def test_learned_reads_safetensors(self):
        losses = []
        for ending in ("npz", "safetensors"):
            out = f"{self.folder}/by_{ending}"
            call(
                runner,
                "train",
                source + "/configs/tutorial/sgd.yaml",
                "steps=4",
                "-q",
                "--out",
                out,
                f"optimizer={{plugin: learned, theta: {self.folder}/run/theta.{ending}}}",
            )
            with open(out + "/metrics.jsonl") as file:
                losses.append([json.loads(line)["loss"] for line in file])
        self.assertEqual(*losses)

    def test_damaged_safetensors_are_refused_with_a_sentence(self):
        with open(self.folder + "/run/theta.safetensors", "rb") as file:
            good = file.read()
        for name, bad in (
            ("short", good[:5]),
            ("header", good[:40]),
            ("data", good[:-4]),
            ("json", good[:8] + b"x" + good[9:]),
        ):
            path = f"{self.folder}/{name}.safetensors"
            with open(path, "wb") as file:
                file.write(bad)
            done = subprocess.run(
                [
                    runner,
                    "train",
                    source + "/configs/tutorial/sgd.yaml",
                    "steps=2",
                    "-q",
                    "--out",
                    f"{self.folder}/refused_{name}",
                    f"optimizer={{plugin: learned, learned_optimizer: per_parameter_mlp, theta: {path}}}",
                ],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            self.assertEqual(done.returncode, 4, done.stdout)
            self.assertIn(path, done.stdout)


class Docs(unittest.TestCase):
    def page(self, name):
        with open(f"{source}/docs/{name}", encoding="utf-8") as file:
            return file.read()

    def test_every_key_of_a_spec_is_explained(self):
        schema = json.loads(call(runner, "schema"))["$defs"]
        page = self.page("specs.md")
        for kind in ("experiment", "evaluation"):
            for key, value in schema[kind]["properties"].items():
                self.assertIn(f"`{key}`", page)
                section = value["anyOf"][0]
                for below in section.get("properties", {}):
                    self.assertIn(f"`{key}.{below}`", page)
        known = {key for kind in ("experiment", "evaluation") for key in schema[kind]["properties"]}
        for path in re.findall(r"^\| `([a-z_]+)[.`]", page, re.M):
            self.assertIn(path, known, "docs/specs.md has a key that no spec has")

    def commands_of(self, name):
        """The lines of all shell blocks of a page."""
        for block in re.findall(r"```(?:sh|bash)\n(.*?)```", self.page(name), re.S):
            for line in block.replace("\\\n", " ").splitlines():
                if line.strip() and not line.startswith("#"):
                    yield line.split("  #")[0].strip()

    def run_page(self, name):
        folder = tempfile.mkdtemp(prefix="lopt-docs-")
        os.symlink(source + "/configs", folder + "/configs")
        for block in re.findall(r"```yaml\n# ([\w.-]+\.yaml)\n(.*?)```", self.page(name), re.S):
            with open(f"{folder}/{block[0]}", "w") as file:
                file.write(block[1])
        path = os.path.dirname(runner) + ":" + os.environ["PATH"]
        count = 0
        for command in self.commands_of(name):
            if command.startswith("./dev"):
                continue
            with self.subTest(command):
                call("bash", "-c", command, cwd=folder, env={"PATH": path, "LOPT_TRAIN_LENGTH": "4"})
            count += 1
        return folder, count

    def test_commands_of_the_tutorial(self):
        self.assertGreater(self.run_page("tutorial.md")[1], 15)

    def test_notebook(self):
        folder, _ = self.run_page("notebook.md")
        cells = re.findall(r"```python\n(.*?)```", self.page("notebook.md"), re.S)
        self.assertGreaterEqual(len(cells), 1)
        with open(folder + "/cells.py", "w") as file:
            file.write("import matplotlib\nmatplotlib.use('Agg')\n" + "\n".join(cells))
        call("/usr/bin/python3", "cells.py", cwd=folder)

    def test_specs_of_the_pages_for_newcomers_are_right(self):
        validator = jsonschema.Draft202012Validator(json.loads(call(runner, "schema")))
        for name in ("tutorial.md", "from-jax.md", "from-pytorch.md", "specs.md"):
            for block in re.findall(r"```yaml\n(.*?)```", self.page(name), re.S):
                with self.subTest(page=name, spec=block[:60]):
                    self.assertEqual([e.message for e in validator.iter_errors(yaml.safe_load(block))], [])


if __name__ == "__main__":
    main()
