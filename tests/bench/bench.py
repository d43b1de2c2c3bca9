"""Times the tutorial's loops: a meta-step, the first one from the command's start to its end, and memory.

usage: bench.py [--peer] [--limit] [--growth] [--rules [ROW …]] [--tasks] [--optimizers] [--steps N] [--data DIR]
[--shared DIR]

--peer   also times JAX, in a venv under .cache, and prints how many times faster lopt is, from the same run.
--limit  also builds and times the loops that are fused by hand, in turn with ours.
--rules  times other rules and tasks (configs/bench/), by evolution strategies and by the truncated gradient.
--tasks  times the tasks of configs/bench/ by the tutorial's rule and by Adam; with --peer beside JAX.
--tasks --growth prints how time and memory grow with a task's sizes, and draws docs/growth-task-*.svg.
--optimizers times updates of optimizers on 10⁴ and 10⁷ parameters; with --peer beside JAX.
--growth prints how time and memory grow with tasks, unroll length, parameters and threads, and draws docs/growth-*.svg.
The first two need the folder --shared (default ../shared) with peer/ and limit/; what is not there is said and left
out.
"""

import argparse
import json
import math
import os
import re
import subprocess
import sys
import tempfile

import optimizers
import rules
import tasks

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RUNNER = os.path.join(ROOT, "build", "bin", "lopt-run")
# loop: its spec, and the name that the peer gives it
LOOPS = {
    "full_gradient": "grad",
    "full_gradient_vectorized": "vec_grad",
    "full_es": "es",
    "truncated_gradient": "tbptt",
    "truncated_es": "tes",
    "pes": "pes",
}

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--peer", action="store_true", help="time JAX too, and print the ratio")
parser.add_argument("--limit", action="store_true", help="time the hand-fused loops too")
parser.add_argument("--growth", action="store_true", help="how cost grows: tables, and docs/growth-*.svg")
parser.add_argument("--rules", nargs="*", metavar="ROW", help="rules and tasks of configs/bench/, all or those named")
parser.add_argument("--tasks", action="store_true", help="the tasks of configs/bench/ instead of the tutorial's loops")
parser.add_argument("--optimizers", action="store_true", help="updates of optimizers")
parser.add_argument("--steps", type=int, default=40, help="meta-steps of each loop")
parser.add_argument("--data", default="", help="folder with IDX files instead of digits")
parser.add_argument("--shared", default=os.path.join(ROOT, "..", "shared"), help="folder with peer/ and limit/")
args = parser.parse_args()


def run_loop(spec, steps, *more):
    """A loop of the tutorial: median step in ms, whole process in s, peak memory in MB."""
    data = ["--data", os.path.abspath(args.data)] if args.data else []
    return tasks.measured(f"configs/tutorial/{spec}.yaml", steps, "apply=null", *more, *data)


def inner_step(spec, *more):
    """One inner step in ms: the difference of two lengths, so that starting is not counted."""
    short, long = (min(run_loop(spec, n, *more)[1] for _ in range(3)) for n in (200, 2200))
    return (long - short) / 2000 * 1e3


def peer_python():
    """The Python of a venv that has JAX, made on first use."""
    venv = os.path.join(ROOT, ".cache", "peer")
    python = os.path.join(venv, "bin", "python")
    if not os.path.exists(os.path.join(venv, "ready")):
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "jax[cpu]==0.10.2", "numpy"], check=True)
        open(os.path.join(venv, "ready"), "w").close()
    return python


def peer():
    """JAX's times in ms by loop, from a venv that is made on first use."""
    folder, data = os.path.join(args.shared, "peer"), os.path.join(args.shared, "data", "fashion-mnist")
    if not os.path.isdir(folder):
        print(f"bench: {folder} is not there: JAX is not timed", file=sys.stderr)
        return {}
    python = peer_python()
    with tempfile.TemporaryDirectory() as temporary:
        result = os.path.join(temporary, "peer.json")
        environment = {k: v for k, v in os.environ.items() if not k.startswith("OPENBLAS_")}
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
        subprocess.run(
            [python, "bench_jax.py", os.path.abspath(data), "--steps", str(max(5, args.steps // 2)), "--json", result],
            cwd=folder,
            check=True,
            stdout=subprocess.DEVNULL,
            env=environment,
        )
        with open(result) as file:
            # The time without that of loading batches, which is numpy's.
            return {row["name"]: (row["step_ms"] - row.get("data_ms", 0), row["first_s"]) for row in json.load(file)}


# What is fused by hand: the source, by loop.
LIMITS = {"pes": "limit", "truncated_gradient": "limit_gradient"}


def limit(loop):
    """Times in ms of the hand-fused step and of a loop, the best of four each, taken in turn: (limit, own), or
    nothing."""
    source = os.path.join(args.shared, "limit", LIMITS[loop] + ".cpp")
    if not os.path.exists(source):
        print(f"bench: {source} is not there: the limit of {loop} is not timed", file=sys.stderr)
        return None
    # At the level that LOPT_SIMD asks for.
    march = {"AVX2": "x86-64-v3", "SSE4": "x86-64-v2"}.get(os.environ.get("LOPT_SIMD", ""), "native")
    binary = os.path.join(ROOT, ".cache", f"{LIMITS[loop]}-{march}")
    os.makedirs(os.path.dirname(binary), exist_ok=True)
    subprocess.run(
        ["g++", "-std=c++20", "-O3", f"-march={march}", "-ffast-math", source, "-o", binary, "-lpthread"], check=True
    )
    by_hand, own = [], []
    for _ in range(4):
        text = subprocess.run([binary, str(os.cpu_count())], check=True, capture_output=True, text=True).stdout
        by_hand.append(float(re.search(r"step:? ([0-9.]+) ms", text).group(1)))
        own.append(run_loop(loop, args.steps)[0])
    return min(by_hand), min(own)


def engine(*flags):
    """What build/bin/lopt-bench measures of the engine itself."""
    return json.loads(
        subprocess.run(
            [os.path.join(ROOT, "build", "bin", "lopt-bench"), *flags], check=True, capture_output=True, text=True
        ).stdout
    )


def kernel_share():
    """How much of a PES step's time is spent in kernels."""
    text = subprocess.run(
        [RUNNER, "plan", "configs/tutorial/pes.yaml"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    step = text[text.index("\nstep:") :]
    kernels = float(re.search(r"([0-9.]+)  in all", step).group(1))  # µs of one inner step
    measured, _, _ = run_loop("pes", args.steps, "--threads", "1")
    return kernels * 640 / 1e3 / measured


def plot(name, title, x_label, y_label, series):
    """A log-log plot as SVG: series is {label: [(x, y), …]}."""
    points = [p for line in series.values() for p in line]
    low = [math.floor(math.log10(min(p[k] for p in points))) for k in (0, 1)]
    high = [max(low[k] + 1, math.ceil(math.log10(max(p[k] for p in points)) - 1e-9)) for k in (0, 1)]
    place = lambda p: (
        70 + 380 * (math.log10(p[0]) - low[0]) / (high[0] - low[0]),
        290 - 240 * (math.log10(p[1]) - low[1]) / (high[1] - low[1]),
    )
    svg = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 680 340" font-family="DejaVu Sans, sans-serif" '
        'font-size="12" fill="#222">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="70" y="28" font-size="15">{title}</text>',
    ]
    for exponent in range(low[0], high[0] + 1):
        x, _ = place((10**exponent, 10 ** low[1]))
        svg.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="50" y2="290" stroke="#e4e4e4"/><text x="{x:.1f}" y="308" '
            f'text-anchor="middle">{10 ** exponent:g}</text>'
        )
    for exponent in range(low[1], high[1] + 1):
        _, y = place((10 ** low[0], 10**exponent))
        svg.append(
            f'<line x1="70" x2="450" y1="{y:.1f}" y2="{y:.1f}" stroke="#e4e4e4"/><text x="62" y="{y + 4:.1f}" '
            f'text-anchor="end">{10 ** exponent:g}</text>'
        )
    for i, (label, line) in enumerate(series.items()):
        colour = ["#1f77b4", "#d62728", "#2ca02c", "#9467bd"][i]
        placed = [place(p) for p in line]
        svg.append(
            '<polyline fill="none" stroke="%s" stroke-width="2" points="%s"/>'
            % (colour, " ".join(f"{x:.1f},{y:.1f}" for x, y in placed))
        )
        svg += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in placed]
        svg.append(
            f'<line x1="462" x2="484" y1="{60 + 18 * i}" y2="{60 + 18 * i}" stroke="{colour}" '
            f'stroke-width="2.5"/><text x="490" y="{64 + 18 * i}">{label}</text>'
        )
    svg.append(
        f'<text x="260" y="330" text-anchor="middle">{x_label}</text><text transform="translate(18 170) rotate(-90)" '
        f'text-anchor="middle">{y_label}</text></svg>'
    )
    with open(os.path.join(ROOT, "docs", f"growth-{name}.svg"), "w") as file:
        file.write("\n".join(svg) + "\n")


def table(title, header, rows):
    print(f"\n{title}\n\n| " + " | ".join(header) + " |\n|" + " --- |" * len(header))
    for row in rows:
        print("| " + " | ".join(f"{x:.3g}" if isinstance(x, float) else str(x) for x in row) + " |", flush=True)


def growth():
    rows, times = [], {"pes": [], "truncated gradient": []}
    for count in (1, 2, 4, 16, 64, 256, 1024):
        steps = 8 if count < 256 else 3
        es, gradient = (run_loop(spec, steps, f"estimator.tasks={count}") for spec in ("pes", "truncated_gradient"))
        rows.append((count, es[0], es[0] / count, es[2], gradient[0], gradient[0] / count, gradient[2]))
        times["pes"].append((count, es[0]))
        times["truncated gradient"].append((count, gradient[0]))
    table("Tasks", ("tasks", "PES step, ms", "a task", "MB", "truncated-gradient step, ms", "a task", "MB"), rows)
    plot("tasks", "A meta-step against tasks", "tasks", "ms", times)

    rows, times, memory = [], {"kept": [], "every √n-th": []}, {"kept": [], "every √n-th": []}
    for length in (1, 3, 10, 30, 100, 300, 1000):
        steps = 5 if length < 300 else 2
        kept, some = (
            run_loop(
                "full_gradient_vectorized",
                steps,
                "learned_optimizer.step_multiplier=1e-5",  # random weights, which else diverge after some hundred steps
                f"estimator.unroll_length={length}",
                f"estimator.recompute_states={flag}",
            )
            for flag in ("false", "true")
        )
        rows.append((length, kept[0], kept[0] / length, kept[2], some[0], some[2]))
        for label, run in (("kept", kept), ("every √n-th", some)):
            times[label].append((length, run[0]))
            memory[label].append((length, run[2]))
    table(
        "Unroll length (exact gradient, 8 tasks)", ("length", "ms", "a step", "MB", "every √n-th state: ms", "MB"), rows
    )
    plot("length", "A meta-step against the unroll's length", "inner steps", "ms", times)
    plot("memory", "Memory against the unroll's length", "inner steps", "MB of the process", memory)

    costs = engine("--growth")["update_ns_a_parameter"]
    table(
        "Parameters (an update by the 3-64-2 network)",
        ("parameters", "ns a parameter", "ms"),
        [(int(n), ns, ns * int(n) / 1e6) for n, ns in costs.items()],
    )
    plot(
        "parameters",
        "An update against parameters",
        "parameters",
        "ms",
        {"3-64-2": [(int(n), ns * int(n) / 1e6) for n, ns in costs.items()]},
    )

    rows = []
    for spec in LOOPS:
        one, two = (run_loop(spec, 100 if spec == "full_gradient" else 15, "--threads", str(n))[0] for n in (1, 2))
        rows.append((spec, one, two, one / two))
    table("Threads", ("loop", "1 thread, ms", "2 threads, ms", "ratio"), rows)


def main():
    if args.optimizers:
        return optimizers.main(peer_python() if args.peer else None)
    if args.rules is not None:
        return rules.main(
            peer_python() if args.peer else None, os.path.join(args.shared, "peer"), args.steps, args.rules
        )
    if args.tasks and args.growth:
        return tasks.growth(table, plot)
    if args.growth:
        return growth()
    if args.tasks:
        return tasks.main(peer_python() if args.peer else None, os.path.join(args.shared, "peer"), args.steps)
    jax = peer() if args.peer else {}
    print(
        f"{'loop':<26}{'step ms':>9}{'first s':>9}{'MB':>7}"
        + ("{:>10}{:>8}".format("JAX ms", "ratio") if jax else "")
        + ("{:>10}{:>9}".format("limit ms", "× limit") if args.limit else "")
    )
    for spec, name in LOOPS.items():
        first = min(run_loop(spec, 1)[1] for _ in range(3))
        step, _, memory = run_loop(spec, args.steps)
        line = f"{spec:<26}{step:>9.2f}{first:>9.2f}{memory:>7.0f}"
        if name in jax:
            line += f"{jax[name][0]:>10.1f}{jax[name][0] / step:>8.1f}"
        elif jax:
            line += " " * 18
        if args.limit and spec in LIMITS and (both := limit(spec)):
            line += f"{both[0]:>10.1f}{both[1] / both[0]:>9.2f}"
        print(line, flush=True)
    for label, name, more in (
        ("inner step, SGD", "inner_sgd", ("sgd",)),
        ("inner step, learned", "inner_lopt", ("random_optimizer", "theta_seeds=[0]")),
    ):
        step = inner_step(*more)
        line = f"{label:<26}{step:>9.4f}{'':>16}"
        if name in jax:
            line += f"{jax[name][0]:>10.3f}{jax[name][0] / step:>8.1f}"
        print(line, flush=True)
    numbers = engine()
    print(
        f"update of 10⁷ parameters: {numbers['update_1e7_s'] * 1e3:.1f} ms, "
        f"{numbers['update_1e7_share_of_peak']:.0%} of the FMA peak of "
        f"{numbers['peak_gflops']:.0f} GFLOP/s ({numbers['simd']}, {numbers['threads']} threads)"
    )
    print(
        f"tiny problems (10 dimensions, Adam, 1,000 lanes): {numbers['tiny_steps_per_s'] / 1e6:.2f} million inner "
        "steps/s"
    )
    print(
        f"functions, cycles an element ({numbers['simd']}): "
        + ", ".join(f"{name} {cycles:.2f}" for name, cycles in numbers["function_cycles"].items())
    )
    print(f"share of a PES step that is spent in kernels: {kernel_share():.0%}")


if __name__ == "__main__":
    main()
