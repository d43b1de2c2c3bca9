"""Ranks: two of one thread against one of two threads, and a simulation of many from measured parts.

usage: ranks.py [--runs N]"""
import argparse
import json
import os
import statistics
import subprocess
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RUNNER = os.path.join(ROOT, "build", "bin", "lopt-run")
ENVIRONMENT = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--runs", type=int, default=5, help="runs of each kind, in turn")
args = parser.parse_args()


def step_ms(ranks, threads, *overrides, spec="pes", steps=60):
    """Median time of a meta-step in ms, and the bytes that one brings to a rank."""
    with tempfile.TemporaryDirectory() as folder:
        launcher = [] if ranks == 1 else ["mpirun", "--oversubscribe", "--bind-to", "none", "-n", str(ranks)]
        subprocess.run([*launcher, RUNNER, "train", f"configs/tutorial/{spec}.yaml", f"steps={steps}", "apply=null",
                        "checkpoint={every: never}", *overrides, "--threads", str(threads), "-q", "--out",
                        folder + "/run"], cwd=ROOT, env=ENVIRONMENT, check=True)
        with open(folder + "/run/metrics.jsonl") as file:
            seconds = [json.loads(line)["seconds"] for line in file][5:]
        with open(folder + "/run/summary.json") as file:
            sent = json.load(file).get("bytes_a_step_to_a_rank", 0)
    return 1e3 * statistics.median(seconds), sent


def two_ranks():
    print("| loop | 1 rank × 2 threads, ms | 2 ranks × 1 thread, ms | speed of ranks by speed of threads | bytes a step to a rank |")
    print("| --- | --- | --- | --- | --- |")
    for spec in ("pes", "truncated_es", "full_es", "truncated_gradient"):
        pairs = [(step_ms(1, 2, spec=spec), step_ms(2, 1, spec=spec)) for _ in range(args.runs)]
        threads, ranks = (statistics.median(pair[i][0] for pair in pairs) for i in (0, 1))
        ratio = statistics.median(pair[0][0] / pair[1][0] for pair in pairs)
        print(f"| `{spec}` | {threads:.1f} | {ranks:.1f} | {ratio:.2f} | {pairs[0][1][1]} |")


def simulate():
    """A step is: what every rank does for all tasks (noise, sums), the unroll of its own tasks, and exchanges, in which
    rank 0 handles a message from and to each of the others."""
    long, short = step_ms(1, 1)[0], step_ms(1, 1, "estimator.unroll_length=1")[0]
    unroll_of_task = (long - short) / 9 / 32 * 10  # 32 tasks, ten inner steps
    all_of_task = short / 32 - unroll_of_task / 10
    tiny = ["task.hidden=[1]", "task.batch_size=1", "estimator.unroll_length=1", "learned_optimizer.hidden=1"]
    # A task a rank. Two exchanges (losses and counts) are within a step's time: four messages at rank 0.
    messages = [step_ms(2, 1, *tiny, "estimator.tasks=2", steps=2000)[0] -
                step_ms(1, 1, *tiny, "estimator.tasks=1", steps=2000)[0] for _ in range(args.runs)]
    message = max(0.0, statistics.median(messages)) / 4
    bytes_of_task = 2 * 10 * 4
    network = 1e6  # bytes a ms: a link of about 10 Gbit/s at rank 0
    print(f"\nmeasured: {unroll_of_task:.3f} ms a task's unroll on one thread, {all_of_task * 1e3:.1f} µs a task on every "
          f"rank, {message * 1e3:.1f} µs a message at rank 0; assumed: {network / 1e6:g} GB/s at rank 0")
    print("| ranks | tasks | a step, ms | of it exchanges | speed by one rank's | tasks | a step, ms | of it exchanges | tasks a ms by one rank's |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    alone = {}
    for ranks in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024):
        row = f"| {ranks} |"
        for name, tasks in (("fixed", 1024), ("growing", 32 * ranks)):
            exchanges = 3 * 2 * (ranks - 1) * message + (ranks - 1) * tasks * bytes_of_task / network
            total = tasks * all_of_task + -(-tasks // ranks) * unroll_of_task + exchanges
            alone.setdefault(name, tasks / total)
            row += f" {tasks} | {total:.1f} | {exchanges:.1f} | {tasks / total / alone[name]:.1f} |"
        print(row)


if __name__ == "__main__":
    two_ranks()
    simulate()
