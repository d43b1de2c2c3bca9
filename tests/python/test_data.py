"""Arrays and tables as they are found: what is read as what, how it is split, and what is refused with its place.

usage: test_data.py BUILD
"""

import gzip
import json
import os
import subprocess
import sys
import tempfile
import unittest

import numpy as np
from counting import main

runner = os.path.abspath(sys.argv[1]) + "/bin/lopt-run"
random = np.random.default_rng(0)
X = random.normal(size=(200, 8)).astype(np.float32)
Y = (X[:, 0] > 0).astype(int)
IMAGES = random.integers(0, 256, size=(200, 8, 8)).astype(np.uint8)
TABLE = "".join(f"{i},{i % 3},{'xyz'[i % 3]}\n" for i in range(30))


class Data(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder, self.count = folder.name, 0

    def train(self, dataset, task="mlp_classifier, hidden: [8], classes: 2", code=0, batch_size=16, more="", steps=4):
        """The summary of a run, or what it said."""
        self.count += 1
        spec, out = f"{self.folder}/{self.count}.yaml", f"{self.folder}/run{self.count}"
        with open(spec, "w") as file:
            file.write(
                f"name: data\nsteps: {steps}\ntask: "
                f"{{plugin: {task}, batch_size: {batch_size}, dataset: {{{dataset}}}}}\n"
                f"optimizer: {{plugin: adam, learning_rate: 0.01}}\n{more}"
            )
        done = subprocess.run(
            [runner, "train", spec, "-q", "--out", out], text=True, capture_output=True, cwd=self.folder
        )
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        self.assertFalse(any(ord(c) < 32 and c != "\n" for c in done.stderr), repr(done.stderr))
        if code:
            return done.stderr
        with open(out + "/summary.json") as file:
            return json.load(file)

    def npz(self, code=0, task="mlp_classifier, hidden: [8], classes: 2", settings="", steps=4, **arrays):
        np.savez(f"{self.folder}/a.npz", **arrays)
        return self.train(f"plugin: npz, file: a.npz{settings}", task, code, steps=steps)

    def csv(self, content, settings="label: c", code=0, task="logistic_regression", file="t.csv"):
        with open(f"{self.folder}/{file}", "wb") as out:
            out.write(content if isinstance(content, bytes) else content.encode())
        return self.train(f"plugin: csv, file: {file}, {settings}", task, code, batch_size=4)

    def notes(self, summary):
        return " ".join(note for data in summary["data"] for note in data["notes"])

    def test_layouts_that_people_have(self):
        layouts = [
            dict(x_train=IMAGES, y_train=Y, x_test=IMAGES[:60], y_test=Y[:60]),  # Keras
            {
                "train_images": IMAGES,
                "train_labels": Y[:, None].astype(np.uint8),
                "val_images": IMAGES[:9],
                "val_labels": Y[:9, None].astype(np.uint8),
                "test_images": IMAGES[:40],
                "test_labels": Y[:40, None].astype(np.uint8),
            },
            {"X_train": X, "Y_train": Y, "X_val": X[:20], "Y_val": Y[:20]},
            {"train/image": X, "train/label": Y, "test/image": X[:20], "test/label": Y[:20]},
            dict(images=IMAGES, labels=Y),
            dict(x=X, y=Y),
            dict(data=X, target=Y),
        ]
        for arrays in layouts:
            with self.subTest(list(arrays)):
                self.assertIsNotNone(self.npz(**arrays)["runs"][0]["test_loss"])

    def test_bytes_become_numbers_up_to_1(self):
        """As IDX's do: the loss of a network on them is that on images over 255."""
        as_bytes = self.npz(image=IMAGES, label=Y)["runs"]
        as_reals = self.npz(image=(IMAGES / np.float32(255)).astype(np.float32), label=Y)["runs"]
        self.assertEqual(as_bytes, as_reals)

    def test_channels_in_front(self):
        """As PyTorch has them."""
        last = random.normal(size=(200, 8, 8, 3)).astype(np.float32)
        task = "conv_classifier, channels: [4], classes: 2"
        front = self.npz(task=task, image=np.ascontiguousarray(last.transpose(0, 3, 1, 2)), label=Y)
        self.assertEqual(front["runs"], self.npz(task=task, image=last, label=Y)["runs"])
        self.assertIn("[n, channels, height, width]", self.notes(front))

    def test_lone_files(self):
        np.save(self.folder + "/images.npy", IMAGES)
        np.save(self.folder + "/labels.npy", Y.astype(np.float32))
        np.save(self.folder + "/other_labels.npy", Y[:5])
        self.train("plugin: npz, file: images.npy")
        os.mkdir(self.folder + "/set")
        for name, array in dict(
            mnist_x_train=IMAGES, mnist_y_train=Y, mnist_x_test=IMAGES[:9], mnist_y_test=Y[:9], x_train=X[:3]
        ).items():
            np.save(f"{self.folder}/set/{name}.npy", array)
        self.train("plugin: npz, file: set/mnist_x_train.npy")
        os.mkdir(self.folder + "/folder")
        np.save(self.folder + "/folder/image.npy", X)
        np.save(self.folder + "/folder/label.npy", Y)
        self.train("plugin: npz, file: folder")

    def test_labels_are_classes_in_their_order(self):
        kinds = [
            (Y.astype(bool), "0 is 'false', 1 is 'true'"),
            (Y.astype(np.float32), "0 is '0'"),
            (np.eye(2)[Y], "1 is '1'"),
            (np.eye(2, dtype=np.uint8)[Y], "1 is '1'"),
            (Y[:, None], "0 is '0'"),
            (np.array(["dog", "cat"])[Y], "0 is 'cat', 1 is 'dog'"),
            (np.array([b"dog", b"cat"])[Y], "0 is 'cat'"),
            (Y * 2 - 1, "0 is '-1', 1 is '1'"),
            (Y * 4 + 3, "0 is '3', 1 is '7'"),
            (np.where(Y, 10, 9), "0 is '9', 1 is '10'"),
            (Y.astype(">i8"), "1 is '1'"),
        ]
        for label, names in kinds:
            with self.subTest(names):
                self.assertIn(names, self.notes(self.npz(image=X, label=label)))

    def test_numbers_in_any_form(self):
        runs = [
            self.npz(image=array, label=Y)["runs"]
            for array in (X, np.asfortranarray(X), X.astype(">f4"), X.astype(">f8"), X.astype(np.float64))
        ]
        for other in runs[1:]:
            self.assertEqual(runs[0], other)
        half = self.npz(image=X.astype(np.float16), label=Y)["runs"][0]
        self.assertAlmostEqual(half["test_loss"], runs[0][0]["test_loss"], 3)
        # bfloat16, as NumPy saves what it does not know: the upper halves of float32.
        upper = (X.view(np.uint32) >> 16).astype(np.uint16)
        rounded = (upper.astype(np.uint32) << 16).view(np.float32)
        self.assertEqual(self.npz(image=upper.view("V2"), label=Y)["runs"], self.npz(image=rounded, label=Y)["runs"])
        grid = random.normal(size=(200, 3, 4, 2)).astype(np.float32)
        self.assertEqual(
            self.npz(image=np.asfortranarray(grid), label=Y)["runs"], self.npz(image=grid, label=Y)["runs"]
        )

    def test_what_is_no_number(self):
        broken = X.copy()
        broken[3, 2] = np.nan
        self.assertIn("a.npz: image[3, 2] is NaN; `missing: drop`", self.npz(4, image=broken, label=Y))
        self.assertIn(
            "1 of 200 examples were left out", self.notes(self.npz(settings=", missing: drop", image=broken, label=Y))
        )
        self.assertIn("replaced by means", self.notes(self.npz(settings=", missing: mean", image=broken, label=Y)))
        broken[5, 0] = np.inf
        broken[3, 2] = 0
        self.assertIn("a.npz: image[5, 0] is infinite", self.npz(4, image=broken, label=Y))
        self.assertIn(
            "test/image[5, 0] is infinite",
            self.npz(4, **{"train/image": X, "train/label": Y, "test/image": broken, "test/label": Y}),
        )
        gaps = np.where(np.arange(200) == 4, np.nan, Y)
        self.assertIn("a.npz: label has no label in row 4", self.npz(4, image=X, label=gaps))
        self.assertIn(
            "1 of 200 examples were left out", self.notes(self.npz(settings=", missing: drop", image=X, label=gaps))
        )
        self.assertIn(
            "y[2] is NaN", self.npz(4, "linear_regression", x=X, y=np.where(np.arange(200) == 2, np.nan, X[:, 1]))
        )

    def test_mistakes_in_arrays_name_file_and_array(self):
        for words, arrays in [
            ("a.npz: image: its elements are Python objects", dict(image=X.astype(object), label=Y)),
            ("a.npz: label has the label", dict(image=X, label=Y + 0.5)),
            ("a.npz: label has 100 examples, but image has 200", dict(image=X, label=Y[:100])),
            ("the dataset of a.npz has no array 'label'", dict(image=X, foo=Y)),
            ("the dataset of a.npz has no array 'image'", {"im\x1b[31mage": X, "label": Y}),
            ("alone", dict(x_train=X, y_train=Y)),
            ("belongs to no split", dict(x_train=X, y_train=Y, x_test=X, y_test=Y, z=X)),
            ("holds text", dict(image=np.array(["a"] * 200), label=Y)),
            ("a second array for what lopt calls", dict(image=X, images=X, label=Y)),
            ("of other names, shapes or types", dict(x_train=X, y_train=Y, x_test=X[:, :3], y_test=Y)),
            ("has the shape [0, 3]", dict(image=np.zeros((0, 3)), label=Y)),
            ("complex", dict(image=X.astype(complex), label=Y)),
        ]:
            with self.subTest(words):
                said = self.npz(4, **arrays)
                self.assertIn("a.npz", said)
                self.assertIn(words if words != "complex" else "'<c16'", said)
                self.assertNotIn("plugin", said)
        self.assertIn("nope.npz", self.train("plugin: npz, file: nope.npz", code=4))

    def test_rows_are_shuffled_before_they_are_split(self):
        """Sorted by class, the last tenth is one that training never saw."""
        y = np.repeat(np.arange(10), 60)
        x = np.eye(10, dtype=np.float32)[y] + 0.1 * random.normal(size=(600, 10)).astype(np.float32)
        loss = {}
        for shuffle in ("true", "false"):
            runs = self.npz(
                task="mlp_classifier, hidden: [32], initial_scale: 0.3",
                settings=f", shuffle: {shuffle}",
                steps=300,
                image=x,
                label=y,
            )
            loss[shuffle] = runs["runs"][0]["test_loss"]
        self.assertLess(loss["true"], 0.5)
        self.assertGreater(loss["false"], 3)
        rows = "".join(f"{','.join(f'{v:.4f}' for v in row)},{c}\n" for row, c in zip(x, y))
        table = ",".join("abcdefghij") + ",label\n" + rows
        with open(self.folder + "/sorted.csv", "w") as file:
            file.write(table)
        task = "mlp_classifier, hidden: [32], initial_scale: 0.3"
        shuffled, as_it_lies = (
            self.train(f"plugin: csv, file: sorted.csv, label: label, shuffle: {s}", task, steps=300)["runs"][0][
                "test_loss"
            ]
            for s in ("true", "false")
        )
        self.assertLess(shuffled, 0.5)
        self.assertGreater(as_it_lies, 3)

    def test_the_whole_test_split_is_measured(self):
        """One smaller than a batch, and the rest of one that is no multiple."""
        for rows in (5, 16, 21):
            np.savez(self.folder + "/a.npz", x_train=IMAGES, y_train=Y, x_test=IMAGES[:rows], y_test=Y[:rows])
            run = self.train("plugin: npz, file: a.npz", more="metrics: {every: 2}\n")["runs"][0]
            self.assertIn(round(run["test_metrics"]["accuracy"] * rows, 4) % 1, (0.0,))
            with open(f"{self.folder}/run{self.count}/metrics.jsonl") as file:
                self.assertIn("test_loss", file.readlines()[1])

    def test_tables_that_people_have(self):
        self.csv("a,b,c\n" + TABLE)
        text = '﻿"a","b","c"\r\n' + "".join(f'"{i}",+3.7E-01,"say ""hi"", {"xy"[i % 2]}\nnext"\r\n' for i in range(30))
        self.assertIn("2 classes: 0 is 'say \"hi\", x\\x0anext'", self.notes(self.csv(text)))
        same = self.csv("a,b,c\n" + TABLE)["runs"]
        self.assertEqual(same, self.csv(gzip.compress(("a,b,c\n" + TABLE).encode()), file="t.csv.gz")["runs"])
        self.assertEqual(same, self.csv(("a;b;c\n" + TABLE.replace(",", ";")), 'label: c, separator: ";"')["runs"])
        self.assertEqual(same, self.csv(("a\tb\tc\n" + TABLE.replace(",", "\t")), "label: c, separator: tab")["runs"])
        self.assertEqual(same, self.csv("# what it is\na,b,c\n# here\n" + TABLE, 'label: c, comment: "#"')["runs"])
        self.assertEqual(same, self.csv(TABLE, "label: 3, header: false")["runs"])
        self.assertEqual(same, self.csv(("a,b,c\n" + TABLE).replace("\n", "\r"))["runs"])
        self.assertEqual(
            same,
            self.csv("".join(f'"{line}"\n'.replace(",", '","') for line in ("a,b,c\n" + TABLE).splitlines()))["runs"],
        )
        decimal = "a;b;c\n" + "".join(f"{i},5;{i % 3};{'xyz'[i % 3]}\n" for i in range(30))
        point = "a,b,c\n" + "".join(f"{i}.5,{i % 3},{'xyz'[i % 3]}\n" for i in range(30))
        self.assertEqual(self.csv(decimal, 'label: c, separator: ";", decimal: ","')["runs"], self.csv(point)["runs"])

    def test_texts_and_truths(self):
        table = "colour,sure,c\n" + "".join(
            f"{['red', 'blue'][i % 2]},{['true', 'False'][i % 2]},{'xyz'[i % 3]}\n" for i in range(30)
        )
        self.assertIn("The column 'colour' became 2: colour=blue, colour=red.", self.notes(self.csv(table)))
        self.assertIn("became 3: b=0, b=1, b=2", self.notes(self.csv("a,b,c\n" + TABLE, "label: c, one_hot: [b]")))
        with open(f"{self.folder}/run{self.count}/report.html") as page:
            self.assertIn("became 3: b=0, b=1, b=2", page.read())

    def test_cells_that_are_missing(self):
        for word in ("", "NA", "NaN", "?", '""'):
            self.assertIn(
                f"t.csv:32: the column 'b' is '{word.strip(chr(34))}', which is missing",
                self.csv(f"a,b,c\n{TABLE}1,{word},x\n", code=4),
            )
        self.assertIn(
            "1 of 31 rows were left out", self.notes(self.csv(f"a,b,c\n{TABLE}1,NA,x\n", "label: c, missing: drop"))
        )
        self.assertIn("1 cells are missing", self.notes(self.csv(f"a,b,c\n{TABLE}1,NA,x\n", "label: c, missing: mean")))
        self.assertIn("has no mean", self.csv(f"a,b,c\n{TABLE}1,2,?\n", "label: c, missing: mean", 4))

    def test_mistakes_in_tables_name_line_and_column(self):
        for words, content in [
            ("t.csv:32: the column 'b' is '2x', no number", f"a,b,c\n{TABLE}1,2x,x\n"),
            ("t.csv:32: the column 'b' is '\\x1b[31m2', no number", f"a,b,c\n{TABLE}1,\x1b[31m2,x\n"),
            ("has no column 'c'; there are: a, b, \\x1b[31mc", "a,b,\x1b[31mc\n" + TABLE),
            ("is UTF-16", ("a,b,c\n" + TABLE).encode("utf-16")),
            ("t.csv:4: the byte 0xe9", ("a,b,c\n" + TABLE.replace("z", "é")).encode("latin-1")),
            ("has two columns 'a'", "a,a,c\n" + TABLE),
            ("t.csv:32: has 2 columns, not 3", f"a,b,c\n{TABLE}1,2\n"),
            ("t.csv:32: a quote begins", f'a,b,c\n{TABLE}1,"2,x\n'),
            ("t.csv:32: a quote stands", f'a,b,c\n{TABLE}1,2"3,x\n'),
            ('`separator: ";"` may be meant', "a;b;c\n" + TABLE.replace(",", ";")),
            ("has no rows", ""),
            ("too few", "a,b,c\n"),
            ("compression is", gzip.compress(("a,b,c\n" + TABLE).encode())[:-20]),
        ]:
            with self.subTest(words):
                said = self.csv(content, code=4)
                self.assertIn(words, said)
                self.assertNotIn("plugin", said)
        names = "a,b,c\n" + "".join(f"n{i},{i},x{i % 2}\n" for i in range(600))
        self.assertIn("600 different texts", self.csv(names, code=4))
        self.assertIn("`label` of csv", self.csv("a,b,c\n" + TABLE, "target: a, ignore: [c]", 4))

    def test_numbers_are_found(self):
        table = "a,kind,user,item,y\n" + "".join(
            f"{i % 17},{'uv'[i % 2]},u{i % 7},i{i % 5},{100 + 10 * (i % 17) + 30 * (i % 2)}\n" for i in range(400)
        )
        with open(self.folder + "/t.csv", "w") as file:
            file.write(table)
        metrics = self.train("plugin: csv, file: t.csv, target: y, ignore: [user, item]", "mlp_regression", steps=300)[
            "runs"
        ][0]["test_metrics"]
        self.assertGreater(metrics["r2"], 0.95)
        self.assertLess(metrics["mean_absolute_error"], 15)
        embedded = self.train(
            "plugin: csv, file: t.csv, target: y, categories: [user, item, kind]", "embedding_regression", steps=300
        )
        self.assertGreater(embedded["runs"][0]["test_metrics"]["r2"], 0.9)
        self.assertIn("'user' has 7 categories", self.notes(embedded))

    def test_a_series_is_split_by_time(self):
        rows = "date,load,heat\n" + "".join(f"2020-{i},{50 + 10 * np.sin(i / 5):.4f},{i % 24}\n" for i in range(600))
        with open(self.folder + "/s.csv", "w") as file:
            file.write(rows)
        for network in ("dense", "gru, hidden: 8", "lstm, hidden: 8"):
            run = self.train(
                "plugin: series, file: s.csv, length: 12, targets: load", f"forecast, network: {network}", steps=200
            )
            self.assertGreater(run["runs"][0]["test_metrics"]["r2"], 0.8, network)
            self.assertIn("testing begins at row 481 of 600", self.notes(run))
            self.assertIn("left out: date", self.notes(run))
        self.assertIn("too few for windows", self.train("plugin: series, file: s.csv, length: 590", "forecast", 4))
        self.assertIn(
            "s.csv:2: the column 'date'", self.train("plugin: series, file: s.csv, columns: date", "forecast", 4)
        )
        self.assertIn(
            "`hidden` of a gru", self.train("plugin: series, file: s.csv", "forecast, network: gru, hidden: [8, 8]", 2)
        )


if __name__ == "__main__":
    main()
