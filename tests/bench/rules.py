"""Rules and tasks other than the tutorial's, beside JAX: ms of a meta-step by evolution strategies and by the truncated
gradient."""

import json
import os
import subprocess
import sys

from tasks import peer_environment, step_ms

GRADIENT = ["estimator={plugin: truncated_gradient, tasks: 16, unroll_length: 10, problem_length: 100}"]
# A row, whose spec is configs/bench/ROW.yaml: rule and task of the peer's script, and how many times faster lopt is to
# be.
ROWS = {
    "mlp64": (["mlp64", "seed"], None, None),
    "mlp32x32": (["mlp32x32", "seed"], 4, 9),
    "tanh32": (["tanh32", "seed"], 5, 9),
    "adamfeat": (["adamfeat", "seed"], 3.5, 8),
    "gru16": (["gru16", "seed"], 2.5, 6),
    "hybrid": (["hybrid", "seed"], 8, 10),
    "celo2": (None, 9, None),
    "tanh2": (["mlp64", "tanh2"], 9, 12),
    "wide": (["mlp64", "wide"], 8, 13),
    "tiny": (["mlp64", "tiny"], 10, 10),
}


def peer_ms(python, folder, row):
    """JAX's times by estimator; nothing where its script is not there."""
    words = ROWS[row][0]
    script = os.path.join(folder, "bench_rules.py" if words else "bench_celo2.py")
    if not python or not os.path.exists(script):
        return {}
    done = subprocess.run(
        [python, script, *(words or [])], check=True, capture_output=True, text=True, env=peer_environment()
    )
    found = json.loads(done.stdout.strip().splitlines()[-1])
    return {"ES": found.get("es_ms", found.get("meta_step_ms"))} | (
        {"gradient": found["tbptt_ms"]} if "tbptt_ms" in found else {}
    )


def main(python, peer, steps, rows):
    """python: of the venv that has JAX, or None; peer: the folder with its scripts; rows: which, or none for all."""
    if unknown := [row for row in rows if row not in ROWS]:
        sys.exit(f"bench: there is no row '{unknown[0]}'; there is: {', '.join(ROWS)}")
    print(
        f"{'rule or task':<14}"
        + "".join(f"{name + ', ms':>14}{'JAX ms':>9}{'ratio':>7}{'goal':>6}" for name in ("ES", "gradient"))
    )
    for row in rows or ROWS:
        jax = peer_ms(python, peer, row)
        line = f"{row:<14}"
        for name, goal, more in (("ES", ROWS[row][1], []), ("gradient", ROWS[row][2], GRADIENT)):
            if row == "celo2" and more:
                continue  # its meta-training has no gradient
            own = step_ms(f"configs/bench/{row}.yaml", steps, *more)
            line += f"{own:>14.1f}"
            line += f"{jax[name]:>9.0f}{jax[name] / own:>7.1f}" if name in jax else " " * 16
            line += f"{goal or '':>6}"
        print(line.rstrip(), flush=True)
