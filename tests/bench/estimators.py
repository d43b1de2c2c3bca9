#!/usr/bin/env python3
"""Variance and bias of meta-gradients at equal cost, by the length of the problems: docs/estimators.md.

Each estimator gives meta-gradients at one θ, which does not move (a step size of 1e-30), with the same number of inner
steps for each. The truth is the mean of evolution strategies on whole problems. What is shown, over the truth's norm:
  bias: the norm of (mean of the estimates − truth), where the noise of the mean itself is subtracted in squares;
  noise: the root of the estimates' total variance, for one estimate and, since neighbouring estimates of reused noise
  are alike, for the mean of as many as a problem has segments.
"""
import argparse
import pathlib
import subprocess
import tempfile

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
RUN = ROOT / "build/bin/lopt-run"
TASKS, SEGMENT, STD = 8, 10, 0.01
SPEC = """
name: estimators
seed: 1
task: {plugin: mlp_classifier, hidden: [8], batch_size: 32}
learned_optimizer: {plugin: learnable_adam}
meta_optimizer: {plugin: sgd, learning_rate: 1e-30}
meta_gradient: {stop_after: 100000}
checkpoint: {every: never}
"""


def gradients(folder, name, estimator, steps, seed):
    """Meta-gradients [steps, weights] of an estimator."""
    spec, trace = folder / "spec.yaml", folder / f"{name}.npz"
    spec.write_text(SPEC)
    command = [RUN, "train", spec, f"estimator={estimator}", f"steps={steps}", f"seed={seed}", "--quiet", "--trace", trace,
               "--out", folder / f"{name}-{seed}"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    arrays = np.load(trace)
    leaves = sorted({key.split("_", 2)[2] for key in arrays.files if key.startswith("grad_")})
    return np.stack([np.concatenate([np.ravel(arrays[f"grad_{k}_{leaf}"]) for leaf in leaves]) for k in range(steps)])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--horizons", type=int, nargs="+", default=[30, 300, 3000])
    parser.add_argument("--cycles", type=int, default=8, help="problems' lengths for which each estimator is run")
    parser.add_argument("--svg", help="a picture of it")
    options = parser.parse_args()
    measured = []
    print(f"{TASKS} tasks, segments of {SEGMENT} steps, σ = {STD}, over the norm of the true meta-gradient")
    print(f"{'horizon':>8}  {'estimator':<14}{'bias':>8}{'noise of one':>14}{'of a problem':>14}")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for horizon in options.horizons:
            whole = gradients(folder, f"truth{horizon}",
                              f"{{plugin: full_es, tasks: 32, unroll_length: {horizon}, std: {STD}}}",
                              max(16, 3000 // horizon * 4), 7)
            truth = whole.mean(0)
            norm = np.linalg.norm(truth)
            segments = horizon // SEGMENT
            for plugin in ("truncated_es", "pes", "nres", "es_single"):
                starts = "" if plugin == "es_single" else ", starts: staggered"
                estimator = (f"{{plugin: {plugin}, tasks: {TASKS}, unroll_length: {SEGMENT}, problem_length: {horizon}, "
                             f"std: {STD}{starts}, loss_clip: 100}}")
                cycles = max(options.cycles, 400 // segments)
                all_of_them = gradients(folder, f"{plugin}{horizon}", estimator, (cycles + 1) * segments, 3)[segments:]
                by_problem = all_of_them.reshape(cycles, segments, -1).mean(1)
                mean = all_of_them.mean(0)
                one = np.sqrt(all_of_them.var(0).sum()) / norm
                problem = np.sqrt(by_problem.var(0, ddof=1).sum()) / norm
                noise_of_mean = problem**2 / cycles + whole.var(0).sum() / len(whole) / norm**2
                bias = np.sqrt(max(0.0, np.sum((mean - truth) ** 2) / norm**2 - noise_of_mean))
                measured.append((horizon, plugin, bias, one))
                print(f"{horizon:>8}  {plugin:<14}{bias:>8.2f}{one:>14.2f}{problem:>14.2f}", flush=True)
    if options.svg:
        draw(measured, options.svg)


def draw(measured, file):
    """Bias and noise by horizon, a line for each estimator."""
    import matplotlib
    matplotlib.use("svg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, 2, figsize=(8, 3), sharex=True)
    for panel, column, title in zip(panels, (2, 3), ("bias", "noise of one estimate")):
        for plugin in dict.fromkeys(row[1] for row in measured):
            rows = [row for row in measured if row[1] == plugin]
            panel.plot([row[0] for row in rows], [row[column] for row in rows], marker="o", label=plugin)
        panel.set_xscale("log")
        panel.set_xlabel("steps of a problem")
        panel.set_title(f"{title}, over the meta-gradient", fontsize=10)
    panels[0].legend(frameon=False)
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})


if __name__ == "__main__":
    main()
