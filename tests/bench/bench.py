"""Times the tutorial's loops: a meta-step, the first one from the command's start to its end, and memory.

usage: bench.py [--peer] [--limit] [--steps N] [--data DIR] [--shared DIR]

--peer   also times JAX, in a venv under .cache, and prints how many times faster lopt is, from the same run.
--limit  also builds and times the loops that are fused by hand.
Both need the folder --shared (default ../shared) with peer/ and limit/; what is not there is said and left out.
"""
import argparse, json, os, re, statistics, subprocess, sys, tempfile, time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RUNNER = os.path.join(ROOT, "build", "bin", "lopt-run")
# loop: its spec, and the name that the peer gives it
LOOPS = {"full_gradient": "grad", "full_gradient_vectorized": "vec_grad", "full_es": "es",
         "truncated_gradient": "tbptt", "truncated_es": "tes", "pes": "pes"}

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--peer", action="store_true", help="time JAX too, and print the ratio")
parser.add_argument("--limit", action="store_true", help="time the hand-fused loops too")
parser.add_argument("--steps", type=int, default=40, help="meta-steps of each loop")
parser.add_argument("--data", default="", help="folder with IDX files instead of digits")
parser.add_argument("--shared", default=os.path.join(ROOT, "..", "shared"), help="folder with peer/ and limit/")
args = parser.parse_args()


def run_loop(spec, steps, *more):
    """Median step in ms, whole process in s, peak memory in MB."""
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "run")
        command = [RUNNER, "train", f"configs/tutorial/{spec}.yaml", f"steps={steps}", "apply=null", "-q", "--out", out, *more]
        if args.data:
            command += ["--data", os.path.abspath(args.data)]
        start = time.perf_counter()
        process = subprocess.Popen(command, cwd=ROOT)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        if status:
            sys.exit(f"bench: {' '.join(command)} failed")
        with open(os.path.join(out, "metrics.jsonl")) as file:
            times = [json.loads(line).get("seconds", 0) for line in file]
        return statistics.median(times) * 1e3, seconds, usage.ru_maxrss / 1024


def inner_step(spec, *more):
    """One inner step in ms: the difference of two lengths, so that starting is not counted."""
    short, long = (min(run_loop(spec, n, *more)[1] for _ in range(3)) for n in (200, 2200))
    return (long - short) / 2000 * 1e3


def peer():
    """JAX's times in ms by loop, from a venv that is made on first use."""
    folder, data = os.path.join(args.shared, "peer"), os.path.join(args.shared, "data", "fashion-mnist")
    if not os.path.isdir(folder):
        print(f"bench: {folder} is not there: JAX is not timed", file=sys.stderr)
        return {}
    venv = os.path.join(ROOT, ".cache", "peer")
    python = os.path.join(venv, "bin", "python")
    if not os.path.exists(os.path.join(venv, "ready")):
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "jax[cpu]==0.10.2", "numpy"], check=True)
        open(os.path.join(venv, "ready"), "w").close()
    with tempfile.TemporaryDirectory() as temporary:
        result = os.path.join(temporary, "peer.json")
        environment = {k: v for k, v in os.environ.items() if not k.startswith("OPENBLAS_")}
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
        subprocess.run([python, "bench_jax.py", os.path.abspath(data), "--steps", str(max(5, args.steps // 2)), "--json", result],
                       cwd=folder, check=True, stdout=subprocess.DEVNULL, env=environment)
        with open(result) as file:
            # The time without that of loading batches, which is numpy's.
            return {row["name"]: (row["step_ms"] - row.get("data_ms", 0), row["first_s"]) for row in json.load(file)}


def limit():
    """The hand-fused steps in ms: {"pes": …, "truncated_gradient": …}."""
    result = {}
    for loop, name in (("pes", "limit"), ("truncated_gradient", "limit_gradient")):
        source = os.path.join(args.shared, "limit", name + ".cpp")
        if not os.path.exists(source):
            print(f"bench: {source} is not there: the limit of {loop} is not timed", file=sys.stderr)
            continue
        binary = os.path.join(ROOT, ".cache", name)
        os.makedirs(os.path.dirname(binary), exist_ok=True)
        subprocess.run(["g++", "-std=c++20", "-O3", "-march=native", "-ffast-math", source, "-o", binary, "-lpthread"], check=True)
        text = subprocess.run([binary, str(os.cpu_count())], check=True, capture_output=True, text=True).stdout
        result[loop] = float(re.search(r"step:? ([0-9.]+) ms", text).group(1))
    return result


def main():
    jax = peer() if args.peer else {}
    limits = limit() if args.limit else {}
    print(f"{'loop':<26}{'step ms':>9}{'first s':>9}{'MB':>7}" + ("{:>10}{:>8}".format("JAX ms", "ratio") if jax else "") +
          ("{:>10}{:>9}".format("limit ms", "× limit") if limits else ""))
    for spec, name in LOOPS.items():
        first = min(run_loop(spec, 1)[1] for _ in range(3))
        step, _, memory = run_loop(spec, args.steps)
        line = f"{spec:<26}{step:>9.2f}{first:>9.2f}{memory:>7.0f}"
        if name in jax:
            line += f"{jax[name][0]:>10.1f}{jax[name][0] / step:>8.1f}"
        elif jax:
            line += " " * 18
        if spec in limits:
            line += f"{limits[spec]:>10.1f}{step / limits[spec]:>9.2f}"
        print(line, flush=True)
    for label, name, more in (("inner step, SGD", "inner_sgd", ("sgd",)),
                              ("inner step, learned", "inner_lopt", ("random_optimizer", "theta_seeds=[0]"))):
        step = inner_step(*more)
        line = f"{label:<26}{step:>9.4f}{'':>16}"
        if name in jax:
            line += f"{jax[name][0]:>10.3f}{jax[name][0] / step:>8.1f}"
        print(line, flush=True)


if __name__ == "__main__":
    main()
