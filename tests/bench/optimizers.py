"""Updates of optimizers: ns a parameter on one thread, memory traffic beside what the formula needs, and JAX beside
it."""

import json
import os
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SIZES = ["10000", "10000000"]


def main(python):
    """python: of the venv that has JAX, or None."""
    alone = ["taskset", "-c", "0"]
    text = subprocess.run(
        [*alone, os.path.join(ROOT, "build", "bin", "lopt-bench-optimizers"), *SIZES],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    rows = [json.loads(line) for line in text.splitlines()]
    jax = {}
    if python:
        script = os.path.join(ROOT, "tests", "bench", "optimizers_jax.py")
        jax = json.loads(
            subprocess.run([*alone, python, script, *SIZES], check=True, capture_output=True, text=True).stdout
        )
    print(
        f"{'optimizer':<22}{'traffic':>9}" + "".join(f"{'ns, ' + n:>14}{'JAX':>8}{'ratio':>7}" for n in ("10⁴", "10⁷"))
    )
    for name in dict.fromkeys(row["optimizer"] for row in rows):
        own = {str(row["parameters"]): row for row in rows if row["optimizer"] == name}
        largest = own[max(own, key=int)]
        line = f"{name:<22}{largest['plan_bytes'] / largest['formula_bytes']:>8.2f}×"
        for size in SIZES:
            if size not in own:
                line += " " * 29
                continue
            line += f"{own[size]['ns']:>14.3f}"
            other = jax.get(name, {}).get(size)
            line += f"{other:>8.3f}{other / own[size]['ns']:>7.1f}" if other else " " * 15
        print(line, flush=True)
