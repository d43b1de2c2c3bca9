"""Specs run from Python, by the runner in a process of its own: what it prints is printed, what it refuses is
raised."""

import contextlib
import html
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator

import numpy as np

from ._library import prefix
from .component import Component
from .errors import LoptError, UsageError, error_of
from .objects import module_name, plain, taken_over, yaml_of


class Run:
    """What a training or an evaluation left in its folder."""

    def __init__(self, folder: str | os.PathLike):
        self.folder = pathlib.Path(folder)
        if not self.folder.is_dir():
            raise error_of(4, f"{self.folder}: there is no such run")

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r})"

    def _repr_html_(self) -> str:
        """In a notebook: its curves, where it has some."""
        curves = self.folder / "curves.svg"
        _, tag, drawn = (curves.read_text() if curves.exists() else "").partition("<svg")
        return f"<p>lopt run in <code>{html.escape(str(self.folder))}</code></p>{tag}{drawn}"

    @property
    def summary(self) -> dict:
        """What came out, as the runner's summary.json has it."""
        return json.loads((self.folder / "summary.json").read_text())

    @property
    def metrics(self):
        """A row for each step: a pandas.DataFrame, or a list of dictionaries, of which a name gives a column, where
        pandas is not there."""
        with (self.folder / "metrics.jsonl").open() as lines:
            return _table([json.loads(line) for line in lines])

    @property
    def results(self):
        """Of an evaluation: a row for each task, optimizer and length."""
        return _table(json.loads((self.folder / "evaluation.json").read_text())["results"])

    @property
    def verdict(self) -> str:
        """Of an evaluation: what it says of the optimizers beside each other."""
        return "\n".join(json.loads((self.folder / "evaluation.json").read_text()).get("verdict", []))

    @property
    def theta(self) -> dict[str, np.ndarray]:
        """The weights of the learned optimizer, by their paths; the best ones where there are such."""
        best = self.folder / "best" / "theta.npz"
        with np.load(best if best.exists() else self.folder / "theta.npz") as file:
            return {name: file[name] for name in file.files}

    def plot(self, *keys: str, axes=None):
        """Draws columns of the metrics by step (the loss, or the meta-loss, unless others are named); the Matplotlib
        axes."""
        import matplotlib.pyplot

        with (self.folder / "metrics.jsonl").open() as lines:
            rows = [json.loads(line) for line in lines]
        axes = axes or matplotlib.pyplot.gca()
        for key in keys or [name for name in ("meta_loss", "loss") if rows and name in rows[0]]:
            drawn = [(row["step"], row[key]) for row in rows if row.get(key) is not None]
            axes.plot([step for step, _ in drawn], [value for _, value in drawn], label=key)
        axes.set_xlabel("step")
        axes.legend()
        return axes


def train(
    spec: str | os.PathLike | dict | None = None,
    *,
    out: str | os.PathLike | None = None,
    quiet: bool = False,
    **overrides: object,
) -> Run:
    """Runs a spec, as `lopt-run train SPEC key.path=value …`: a file, its text, or a mapping. Keys with dots are
    written `**{"estimator.std": 0.02}`. Without a spec the keys are the spec: `train(task=MyTask(),
    learned_optimizer="per_parameter_mlp", estimator="{plugin: pes, …}", …)`; components of Python may stand wherever a
    plugin may. Ctrl-C ends it after the step that it is in; `resume` goes on."""
    return _run("train", spec, out, quiet, overrides)


def evaluate(
    spec: str | os.PathLike | dict | None = None,
    *,
    out: str | os.PathLike | None = None,
    quiet: bool = False,
    **overrides: object,
) -> Run:
    """Trains tasks by optimizers, and says which is better, as `lopt-run evaluate`; without a spec as `train`:
    `evaluate(tasks={"mine": MyTask()}, optimizers={"adam": {"tuned": "adam"}, "learned": run}, steps=[100], seeds=5)`.
    """
    return _run("evaluate", spec, out, quiet, overrides)


def check(component: object, *, quiet: bool = False) -> dict[str, str]:
    """The checks of `lopt-run check-plugin` on a component of Python, or on a plugin's file: what each found, by name;
    "passed …", "skipped …" or "FAILED …". Raises PluginError where one failed."""
    component = taken_over(component)
    if isinstance(component, type) and issubclass(component, Component):
        name = f"{module_name(component.__module__)}.{component.__qualname__}"
        words = [name]
    elif isinstance(component, Component):
        spec = plain(component)
        words = (
            [spec]
            if isinstance(spec, str)
            else [str(spec.pop("plugin")), *(f"{key}={yaml_of(value)}" for key, value in spec.items())]
        )
    else:
        words = [os.fspath(component)]
    lines = _call(["check-plugin", *words], quiet, refused=3)
    found = {
        line.split()[1]: " ".join([line.split()[0], *line.split()[2:]])
        for line in lines
        if line.startswith("  ") and line.split()[0] in ("passed", "FAILED", "skipped")
    }
    failed = [f"{name}: {text.removeprefix('FAILED ')}" for name, text in found.items() if text.startswith("FAILED")]
    if failed or not found:
        raise error_of(3, "\n".join(failed or lines))
    return found


def resume(run: Run | str | os.PathLike, *, steps: int | None = None, quiet: bool = False) -> Run:
    """Goes on with a run that ended early, or for longer."""
    folder = run.folder if isinstance(run, Run) else pathlib.Path(run)
    _call(["resume", os.fspath(folder), *([] if steps is None else [f"steps={steps}"])], quiet)
    return Run(folder)


def _run(
    verb: str, spec: str | os.PathLike | dict | None, out: str | os.PathLike | None, quiet: bool, overrides: dict
) -> Run:
    if spec is None:
        spec, overrides = overrides, {}
        if not spec:
            raise UsageError(f"{verb}() wants a spec: a file, its text, a mapping, or keys, as task=…")
    with _spec_file(spec) as file:
        words = [verb, file, *(f"{key}={yaml_of(plain(value))}" for key, value in overrides.items())]
        if out is not None:
            words += ["--out", os.fspath(out)]
        printed = _call(words, quiet)
    folder = os.fspath(out) if out is not None else _folder_in(printed)
    return Run(folder)


@contextlib.contextmanager
def _spec_file(spec: str | os.PathLike | dict) -> Iterator[str]:
    if isinstance(spec, dict):
        text = "".join(f"{json.dumps(key)}: {yaml_of(value)}\n" for key, value in plain(spec).items())
    else:
        text = os.fspath(spec)
        # A text has lines, or keys on one line, which no file is called by.
        if "\n" not in text and (": " not in text or os.path.exists(text)):
            yield text
            return
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder, "spec.yaml")
        file.write_text(text)
        yield str(file)


def _call(words: list[str], quiet: bool, refused: int = 0) -> list[str]:
    """Runs the runner; what it printed. In a session of its own, so that Ctrl-C comes to it once, from here."""
    process = subprocess.Popen(
        [prefix() / "bin" / "lopt-run", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    lines: list[str] = []
    with process:
        try:
            _follow(process, lines, quiet)
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)
            _follow(process, lines, quiet)
            raise
    if (code := process.wait()) and code != refused:
        if code == 130:
            raise KeyboardInterrupt
        sentences = [line.removeprefix("lopt-run: ") for line in lines if line.startswith("lopt-run: ")]
        raise error_of(code, "\n".join(sentences) or "\n".join(lines[-3:]) or f"lopt-run ended with code {code}")
    return lines


def _follow(process: subprocess.Popen, lines: list[str], quiet: bool) -> None:
    """Prints each line; those of progress in one place."""
    assert process.stdout
    under_way = False
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if quiet or line.startswith("lopt-run: "):
            continue
        is_progress = re.match(r"\d+/\d+ steps", line) is not None
        print(
            ("\r" if is_progress else "\n" if under_way else "") + line.rstrip("\n").ljust(78 if is_progress else 0),
            end="" if is_progress else "\n",
            flush=True,
            file=sys.stdout,
        )
        under_way = is_progress


def _folder_in(lines: list[str]) -> str:
    for line in reversed(lines):
        if found := re.match(r"(?:The run's folder: )?(.*\S)\s+\(report\.html", line):
            return found[1]
    raise LoptError("the runner did not say where its folder is:\n" + "\n".join(lines[-3:]))


def _table(rows: list[dict]):
    try:
        import pandas
    except ImportError:
        return Rows(rows)
    return pandas.DataFrame(rows)


class Rows(list):
    """A list of dictionaries, of which a name gives a column: what stands for a DataFrame where pandas is not there."""

    def __getitem__(self, key):
        return [row.get(key) for row in self] if isinstance(key, str) else super().__getitem__(key)
