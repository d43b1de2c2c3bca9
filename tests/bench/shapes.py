"""Tasks and rules in many sizes beside JAX: how many times faster a meta-step of ten inner steps is, by the worst of
each class.

usage: shapes.py [--peer] [--steps N] [CLASS …]      classes: those of SHAPES; all of them without names

--peer times JAX too, in the venv that bench.py makes. Where LOPT_SIMD holds lopt at AVX2, JAX is held there too.
"""

import contextlib
import json
import math
import os
import subprocess
import sys
import tempfile

from tasks import ROOT, peer_environment, step_ms

PEER = os.path.join(ROOT, ".cache", "peer", "bin", "python")
SPEC = """name: shapes
task: quadratic
learned_optimizer: per_parameter_mlp
estimator: {plugin: pes, tasks: 8, unroll_length: 10, problem_length: 30, std: 0.01}
meta_optimizer: {plugin: adam, learning_rate: 0.0003}
"""


def images(features=64):
    return {"plugin": "synthetic", "kind": "clusters", "features": features}


def characters(length, classes=64):
    return {"plugin": "synthetic", "kind": "characters", "classes": classes, "features": length}


def changed(base, changes):
    return [{**base, **change} for change in changes]


MLP = {"plugin": "mlp_classifier", "hidden": [128], "activation": "relu", "batch_size": 128, "dataset": images()}
TASKS = {
    "mlp_classifier": changed(
        MLP,
        [
            {"hidden": [8], "batch_size": 8},
            {"hidden": [32, 32], "activation": "gelu"},
            {"hidden": [100], "batch_size": 100, "activation": "tanh"},
            {"hidden": [33, 65, 17], "batch_size": 50},
            {"hidden": [256], "batch_size": 1},
            {"hidden": [512], "batch_size": 16, "activation": "silu"},
            {"hidden": [128, 128, 128], "batch_size": 256},
            {"hidden": [64], "dataset": images(784)},
            {"hidden": [16] * 8, "activation": "sigmoid"},
        ],
    ),
    "mlp_autoencoder": changed(
        {**MLP, "plugin": "mlp_autoencoder", "hidden": [128, 32, 128]},
        [
            {"hidden": [16]},
            {"hidden": [64, 8, 64], "batch_size": 32, "activation": "tanh"},
            {"hidden": [200, 50, 200], "activation": "gelu"},
            {"hidden": [256, 64, 16, 64, 256], "batch_size": 64},
            {"hidden": [64], "dataset": images(784)},
            {"batch_size": 512},
        ],
    ),
    "conv_classifier": changed(
        {"plugin": "conv_classifier", "channels": [16, 32], "strides": [1, 2], "batch_size": 64, "dataset": images()},
        [
            {"channels": [8], "strides": [1], "batch_size": 16},
            {"channels": [32, 32], "batch_size": 32},
            {"channels": [10, 20], "strides": [2, 1]},
            {"channels": [16, 16, 16], "strides": [1, 1, 1], "batch_size": 8},
        ],
    ),
    "char_rnn": changed(
        {"plugin": "char_rnn", "embedding": 32, "hidden": 64, "batch_size": 32, "dataset": characters(32)},
        [
            {"hidden": 16, "embedding": 8, "batch_size": 8},
            {"hidden": 32, "batch_size": 128},
            {"hidden": 128},
            {"hidden": 100, "batch_size": 20},
            {"hidden": 256, "batch_size": 16},
            {"batch_size": 1},
            {"dataset": characters(100)},
            {"dataset": characters(16, 200)},
        ],
    ),
    "transformer": changed(
        {
            "plugin": "transformer",
            "blocks": 2,
            "width": 64,
            "heads": 4,
            "feed_forward": 256,
            "batch_size": 16,
            "dataset": characters(32),
        },
        [
            {"blocks": 1, "width": 16, "heads": 2, "feed_forward": 64},
            {"width": 32, "heads": 1, "feed_forward": 128, "batch_size": 32},
            {"width": 128, "feed_forward": 512, "batch_size": 4},
            {"width": 96, "heads": 6, "feed_forward": 200},
            {"heads": 16, "batch_size": 8},
            {"blocks": 1, "batch_size": 1},
            {"blocks": 1, "dataset": characters(100), "batch_size": 4},
            {"dataset": characters(10, 30), "batch_size": 64},
        ],
    ),
    "quadratic": [{"plugin": "quadratic", "dimensions": n} for n in (1, 2, 10, 33, 100, 1000, 20_000)],
}
RULES = [
    {"plugin": "per_parameter_mlp", "hidden": hidden, "activation": activation}
    for hidden, activation in [
        ([4], "relu"),
        ([16], "tanh"),
        ([32], "gelu"),
        ([100], "relu"),
        ([256], "silu"),
        ([8, 8], "relu"),
        ([20, 20], "sigmoid"),
        ([64, 64], "relu"),
        ([32, 16, 8], "tanh"),
        ([128, 32], "relu"),
    ]
]
# Class: pairs of a task and the rules that train it.
SHAPES = {
    name: [(task, [{"plugin": "per_parameter_mlp"}, {"plugin": "learnable_adam"}]) for task in of_class]
    for name, of_class in TASKS.items()
}
SHAPES["rules"] = [({**MLP, "hidden": [32]}, [rule]) for rule in RULES]
ESTIMATORS = {"ES": ("pes", {"std": 0.01}), "gradient": ("truncated_gradient", {})}


def words(settings):
    """Settings as a row of a table has them: what is not a plugin's name or data."""
    data = settings.get("dataset", {})
    shown = {key: value for key, value in settings.items() if key not in ("plugin", "dataset")}
    shown |= {"data": f"{data['features']}" + (f" of {data['classes']}" if "classes" in data else "")} if data else {}
    return ", ".join(f"{key} {value}" for key, value in shown.items())


def lanes_of(task):
    return {"transformer": 8, "conv_classifier": 8, "quadratic": 64}.get(task["plugin"], 16)


def times(jax, spec, steps, task, rule, name):
    """(ms of lopt, ms of JAX) for one estimator; without JAX nan."""
    plugin, more = ESTIMATORS[name]
    lanes = lanes_of(task)
    tasks = lanes if name == "gradient" else lanes // 2  # each of ES's tasks is unrolled twice
    estimator = {"plugin": plugin, "tasks": tasks, "unroll_length": 10, "problem_length": 1000, **more}
    # A rule with random weights takes small steps, so that no problem diverges: what that costs would not be known.
    small = {"step_multiplier": 1e-4} if rule["plugin"] == "per_parameter_mlp" else {}
    own = step_ms(
        spec,
        steps,
        f"task={json.dumps(task)}",
        f"learned_optimizer={json.dumps(rule | small)}",
        f"estimator={json.dumps(estimator)}",
    )
    if not jax:
        return own, math.nan
    jax.stdin.write(json.dumps({"task": task, "rule": rule, "lanes": lanes, "gradient": name == "gradient"}) + "\n")
    jax.stdin.flush()
    answer = jax.stdout.readline()
    if not answer:
        sys.exit("bench: JAX ended")
    return own, float(answer)


def main(arguments):
    steps = int(arguments.pop(arguments.index("--steps") + 1)) if "--steps" in arguments else 40
    classes = [name for name in arguments if not name.startswith("--")] or list(SHAPES)
    if unknown := [name for name in classes if name not in SHAPES]:
        sys.exit(f"bench: there is no class '{unknown[0]}'; there is: {', '.join(SHAPES)}")
    has_jax = "--peer" in arguments
    if has_jax and not os.path.exists(PEER):
        sys.exit(f"bench: {PEER} is not there; `tests/bench/bench.py --peer` makes it")
    script = os.path.join(ROOT, "tests", "bench", "shapes_jax.py")
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        jax = (
            stack.enter_context(
                subprocess.Popen(
                    [PEER, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=peer_environment()
                )
            )
            if has_jax
            else None
        )
        spec = os.path.join(folder, "shapes.yaml")
        with open(spec, "w") as file:
            file.write(SPEC)
        for name in classes:
            print(f"\n| {name} | rule | by | ms | JAX, ms | ratio |\n| --- | --- | --- | --- | --- | --- |")
            worst = float("inf")
            for task, rules in SHAPES[name]:
                for rule in rules:
                    for estimator in ESTIMATORS:
                        own, other = times(jax, spec, steps, task, rule, estimator)
                        worst = min(worst, other / own)
                        print(
                            f"| {words(task)} | {words(rule) or rule['plugin']} | {estimator} | {own:.3g} | "
                            f"{other:.3g} | {other / own:.1f} |",
                            flush=True,
                        )
            print(f"\n{name}: at least {worst:.1f} times as fast" if jax else "", flush=True)
        if jax:
            jax.stdin.close()


if __name__ == "__main__":
    main(sys.argv[1:])
