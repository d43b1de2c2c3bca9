"""Ranks: two of one thread against one of two threads; exchanges measured with up to 64 ranks on this machine, and a
model of them calibrated with that; and what the model says of a thousand ranks on a network.

usage: ranks.py [--runs N] [--steps N] [--most RANKS] [--only speed|model|scale]"""

import argparse
import json
import os
import statistics
import subprocess
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RUNNER = os.path.join(ROOT, "build", "bin", "lopt-run")
MODEL = os.path.join(ROOT, "build", "bin", "lopt-model-ranks")
ENVIRONMENT = dict(
    os.environ,
    OMPI_ALLOW_RUN_AS_ROOT="1",
    OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1",
    OMPI_MCA_btl_vader_single_copy_mechanism="none",
)
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--runs", type=int, default=5, help="runs of each kind, in turn")
parser.add_argument("--steps", type=int, default=60, help="meta-steps of a run")
parser.add_argument("--most", type=int, default=4000, help="ranks, at least 16")
parser.add_argument("--only", choices=["speed", "model", "scale"])
args = parser.parse_args()


def run(ranks, threads, *overrides, spec="pes", steps=args.steps):
    """Step times in ms, and the summary."""
    with tempfile.TemporaryDirectory() as folder:
        launcher = [] if ranks == 1 else ["mpirun", "--oversubscribe", "--bind-to", "none", "-n", str(ranks)]
        subprocess.run(
            [
                *launcher,
                RUNNER,
                "train",
                f"configs/tutorial/{spec}.yaml",
                f"steps={steps}",
                "apply=null",
                "checkpoint={every: never}",
                *overrides,
                "--threads",
                str(threads),
                "-q",
                "--out",
                folder + "/run",
            ],
            cwd=ROOT,
            env=ENVIRONMENT,
            check=True,
        )
        with open(folder + "/run/metrics.jsonl") as file:
            seconds = [json.loads(line)["seconds"] for line in file][5:]
        with open(folder + "/run/summary.json") as file:
            return 1e3 * statistics.median(seconds), json.load(file)


def two_ranks():
    print(
        "| loop | 1 rank × 2 threads, ms | 2 ranks × 1 thread, ms | speed of ranks by speed of threads | bytes a "
        "step, by a rank |"
    )
    print("| --- | --- | --- | --- | --- |")
    kinds = [
        ("`pes`", "pes", []),
        ("`pes`, 2 shards", "pes", ["shards=2", "estimator.tasks=16"]),
        ("`truncated_es`", "truncated_es", []),
        ("`full_es`", "full_es", []),
        ("`truncated_gradient`", "truncated_gradient", []),
        ("`truncated_gradient`, 2 shards", "truncated_gradient", ["shards=2", "estimator.tasks=8"]),
    ]
    for name, spec, overrides in kinds:
        pairs = [(run(1, 2, *overrides, spec=spec), run(2, 1, *overrides, spec=spec)) for _ in range(args.runs)]
        threads, ranks = (statistics.median(pair[i][0] for pair in pairs) for i in (0, 1))
        ratio = statistics.median(pair[0][0] / pair[1][0] for pair in pairs)
        print(f"| {name} | {threads:.1f} | {ranks:.1f} | {ratio:.2f} | {pairs[0][1][1]['bytes_a_step']} |")


def model(**settings):
    done = subprocess.run(
        [MODEL, *[f"{name}={value!r}" for name, value in settings.items()]],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return json.loads(done.stdout)


TINY = ["task.hidden=[1]", "task.batch_size=1", "estimator.unroll_length=1", "estimator.tasks=1"]


def measured_step(ranks):
    """Seconds of a step of a shard a rank, whose problem is hardly one: from two lengths, so that beginning and end do
    not count. And what travels."""
    results = []
    short, long = 10 * args.steps // 3, 35 * args.steps // 3
    for _ in range(args.runs):
        times = [run(ranks, 1, *TINY, f"shards={ranks}", steps=steps)[1] for steps in (short, long)]
        results.append((times[1]["seconds"] - times[0]["seconds"]) / (long - short))
    return statistics.median(results), times[1].get("messages_a_step", 0), times[1].get("bytes_a_step", 0)


def calibrated():
    """Latency and overhead from two ranks, a rank's turn from sixteen; the others are predicted."""
    cores = os.cpu_count()
    measured = {ranks: measured_step(ranks) for ranks in (1, 2, 4, 8, 16, 32, 64) if ranks <= args.most}
    alone = measured[1][0]
    shared = dict(step=alone, jitter=0, bandwidth=5e9, cores=cores, deaths=0)

    def fitted(ranks, name, **others):
        low, high = 0.0, 5e-3
        for _ in range(20):
            middle = (low + high) / 2
            low, high = (
                (middle, high)
                if model(ranks=ranks, **shared, **others, **{name: middle})["step"] < measured[ranks][0]
                else (low, middle)
            )
        return middle

    latency = fitted(2, "latency", overhead=0.5e-6)
    turn = fitted(16, "turn", overhead=0.5e-6, latency=latency)
    print(
        f"\nA rank alone: {1e6 * alone:.0f} µs a step. From 2 ranks: {1e6 * latency:.1f} µs a message. From 16 ranks "
        "on "
        f"{cores} processors: {1e6 * turn:.1f} µs until a rank has its turn, for each that shares its processor.\n"
    )
    print(
        "| ranks on this machine | a step measured, ms | by the model, ms | messages a step, by a rank | bytes a "
        "step, by a rank |"
    )
    print("| --- | --- | --- | --- | --- |")
    for ranks, (seconds, messages, sent) in measured.items():
        said = model(ranks=ranks, **shared, overhead=0.5e-6, latency=latency, turn=turn)
        note = {1: " (given)", 2: " (fitted)", 16: " (fitted)"}.get(ranks, "")
        print(f"| {ranks} | {1e3 * seconds:.2f} | {1e3 * said['step']:.2f}{note} | {messages:.0f} | {sent} |")


def at_scale():
    print(
        "\n| ranks | weights of θ | a step, ms | of it exchange | messages, by a rank | bytes, by a rank | speed a "
        "rank by one rank's | with a death an hour |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    handling = min(model(ranks=1, steps=1)["handling"] for _ in range(5))  # this processor's; the same for all rows
    for weights in (450, 100_000):
        for ranks in (1, 8, 64, 256, 1000, 4000) if weights < 1000 else (1, 8, 64, 256, 1000):
            if ranks > args.most:
                continue
            shared = dict(ranks=ranks, weights=weights, handling=handling)
            without, dying = model(**shared, deaths=0), model(**shared)
            print(
                f"| {ranks} | {weights:,} | {1e3 * without['step']:.1f} | {1e3 * without['exchange']:.1f} | "
                f"{without['messages']} | "
                f"{without['bytes']:,} | {without['weak_scaling']:.2f} | {dying['weak_scaling']:.2f} |"
            )


if __name__ == "__main__":
    if args.only in (None, "speed"):
        two_ranks()
    if args.only in (None, "model"):
        calibrated()
    if args.only in (None, "model", "scale"):
        at_scale()
