"""The tasks beyond the tutorial's, beside JAX: ms of a meta-step of ten inner steps, and how many times faster lopt
is."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RUNNER = os.path.join(ROOT, "build", "bin", "lopt-run")
TASKS = ["conv_classifier", "mlp_autoencoder", "char_rnn", "transformer", "quadratic"]
RULES = {"network": "per_parameter_mlp", "adam": "learnable_adam"}


def measured(spec, steps, *more):
    """Median step of a spec in ms, whole process in s, peak memory in MB."""
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "run")
        start = time.perf_counter()
        process = subprocess.Popen([RUNNER, "train", spec, f"steps={steps}", "-q", "--out", out, *more], cwd=ROOT)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        if status:
            sys.exit(f"bench: {spec} {' '.join(more)} failed")
        with open(os.path.join(out, "metrics.jsonl")) as file:
            times = [json.loads(line).get("seconds", 0) for line in file]
        return statistics.median(times) * 1e3, seconds, usage.ru_maxrss / 1024


def peer_environment():
    """JAX's: where LOPT_SIMD holds us at AVX2, it is held there too."""
    flags = {"XLA_FLAGS": "--xla_cpu_max_isa=AVX2"} if os.environ.get("LOPT_SIMD") == "AVX2" else {}
    return {**os.environ, **flags, "PYTHONDONTWRITEBYTECODE": "1"}


def step_ms(spec, steps, *more):
    return measured(spec, steps, *more)[0]


# What grows, in which task, by which settings.
GROWTH = {
    "batch": ("conv_classifier", [(n, [f"task.batch_size={n}"]) for n in (16, 32, 64, 128, 256)]),
    "channels": ("conv_classifier", [(n, [f"task.channels=[{n}, {n}]"]) for n in (16, 32, 64, 128)]),
    "sequence": ("char_rnn", [(n, [f"task.dataset.features={n}"]) for n in (16, 64, 256, 1024)]),
    "width": ("transformer", [(n, [f"task.width={n}", f"task.feed_forward={4 * n}"]) for n in (32, 64, 128, 256)]),
}


def growth(table, plot):
    """Time and memory of a meta-step of two pairs against sizes, by the table and plot of bench.py."""
    for name, (task, sizes) in GROWTH.items():
        runs = [
            (
                n,
                measured(
                    f"configs/bench/{task}.yaml", 5, "learned_optimizer=learnable_adam", "estimator.tasks=2", *more
                ),
            )
            for n, more in sizes
        ]
        rows = [(n, ms, megabytes) for n, (ms, _, megabytes) in runs]
        table(f"{task}: {name}", (name, "a step, ms", "MB"), rows)
        plot(f"task-{name}", f"{task}: a meta-step against {name}", name, "ms", {task: [row[:2] for row in rows]})


def main(python, peer, steps):
    """python: of the venv that has JAX, or None; peer: the folder with bench_tasks.py."""
    script = os.path.join(peer, "bench_tasks.py")
    if python and not os.path.exists(script):
        print(f"bench: {script} is not there: JAX is not timed", file=sys.stderr)
        python = None
    print(f"{'task':<18}{'network ms':>12}{'JAX ms':>10}{'ratio':>8}{'Adam ms':>12}{'JAX ms':>10}{'ratio':>8}")
    for task in TASKS:
        own = {
            name: step_ms(f"configs/bench/{task}.yaml", steps, f"learned_optimizer={rule}")
            for name, rule in RULES.items()
        }
        line = f"{task:<18}"
        jax = {}
        if python:
            jax = json.loads(
                subprocess.run(
                    [python, script, task], check=True, capture_output=True, text=True, env=peer_environment()
                ).stdout
            )
        for name in RULES:
            line += f"{own[name]:>12.1f}"
            line += f"{jax[name + '_ms']:>10.1f}{jax[name + '_ms'] / own[name]:>8.1f}" if jax else " " * 18
        print(line, flush=True)
