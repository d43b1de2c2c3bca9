"""Plugin files damaged at random, given to list, check-plugin and train: a sentence and an exit code each time.

usage: test_damage.py BUILD [COUNT [SEED]]. Half of the files have no seal, so that damage is met where it hurts."""

import collections
import concurrent.futures
import os
import random
import signal
import struct
import subprocess
import sys
import tempfile
import time

build, count = os.path.abspath(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 60
seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.SystemRandom().randrange(1 << 30)
runner, plugins = build + "/bin/lopt-run", build + "/lib/lopt/plugins"
seal_size = len("\nlopt-seal-sha256:") + 64

base = {
    "task": "{plugin: mlp_classifier, hidden: [4], batch_size: 8}",
    "learned_optimizer": "{plugin: per_parameter_mlp, hidden: 4}",
    "estimator": "{plugin: full_gradient, tasks: 2, unroll_length: 3}",
    "meta_optimizer": "{plugin: sgd, learning_rate: 0.001}",
}
# How a spec uses each library.
uses = {
    "digits": {"task": "{plugin: mlp_classifier, hidden: [4], batch_size: 8, dataset: NAME}"},
    "mlp_classifier": {"task": "{plugin: NAME, hidden: [4], batch_size: 8}"},
    "fixed": {"task": None, "task_family": "{plugin: NAME, task: mlp_classifier}"},
    "per_parameter_mlp": {"learned_optimizer": "{plugin: NAME, hidden: 4}"},
    **{name: {"meta_optimizer": "{plugin: NAME, learning_rate: 0.001}"} for name in ("sgd", "momentum", "adam")},
    **{
        name: {"estimator": "{plugin: NAME, tasks: 2, unroll_length: 3}"}
        for name in ("full_gradient", "full_es", "truncated_gradient", "truncated_es", "pes")
    },
}


def flip(data, rng):
    for _ in range(rng.choice([1, 1, 2, 8, 64])):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return data


def overwrite(data, rng):
    start, size = rng.randrange(len(data)), rng.choice([1, 4, 16, 256, 4096])
    for i in range(start, min(start + size, len(data))):
        data[i] = rng.randrange(256)
    return data


def truncate(data, rng):
    return data[: rng.randrange(len(data))]


def swap_sections(data, rng):
    """Exchanges the contents of two sections as the section headers give them."""
    (offset,) = struct.unpack_from("<Q", data, 0x28)
    size, number = struct.unpack_from("<HH", data, 0x3A)
    places = [struct.unpack_from("<QQ", data, offset + i * size + 0x18) for i in range(number)]
    (a, length_a), (b, length_b) = rng.sample([p for p in places if p[1] and p[0] + p[1] <= len(data)], 2)
    length = min(length_a, length_b)
    data[a : a + length], data[b : b + length] = data[b : b + length], data[a : a + length]
    return data


def other_machine(data, rng):
    data[0x12:0x14] = struct.pack("<H", rng.choice([3, 40, 183, 243, 21, 8]))
    return data


def no_elf(data, rng):
    return bytearray(rng.randbytes(rng.choice([0, 1, 64, 10000])))


def run(*command, cwd):
    """The exit code (none if nothing ended it), what was said, seconds, and whether it had to be interrupted."""
    start = time.time()
    process = subprocess.Popen(
        [runner, *command], cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
    interrupted = False
    for _ in range(2):
        try:
            output, _ = process.communicate(timeout=20)
            return process.returncode, output, time.time() - start, interrupted
        except subprocess.TimeoutExpired:
            interrupted = True
            process.send_signal(signal.SIGINT)
    process.kill()
    output, _ = process.communicate()
    return None, output, time.time() - start, interrupted


def one(number):
    """Damages a library, gives it to the runner three times, and returns what was wrong, and codes."""
    rng = random.Random(f"{seed}-{number}")
    name = rng.choice(sorted(uses))
    with open(f"{plugins}/{name}.so", "rb") as file:
        data = bytearray(file.read())
    sealed = rng.random() >= 0.5
    if not sealed:
        data = data[:-seal_size]
    kind = rng.choice([flip, flip, flip, overwrite, overwrite, truncate, swap_sections, other_machine, no_elf])
    data = kind(data, rng)
    problems, codes = [], []
    with tempfile.TemporaryDirectory(prefix="lopt-damage-") as work:
        with open(work + "/bad.so", "wb") as file:
            file.write(data)
        spec = {**base, **{key: value and value.replace("NAME", "bad/" + name) for key, value in uses[name].items()}}
        with open(work + "/spec.yaml", "w") as file:
            file.write("name: damage\nsteps: 2\n" + "".join(f"{k}: {v}\n" for k, v in spec.items() if v))
        for command in (
            ["list", "--plugin-path", "bad.so"],
            ["check-plugin", "bad.so"] + (["task=mlp_classifier"] if name == "fixed" else []),
            ["train", "spec.yaml", "--plugin-path", "bad.so", "--out", "run"],
        ):
            code, output, seconds, interrupted = run(*command, cwd=work)
            codes.append((command[0], code))
            # Garbage in the code of a library without a seal may be a loop, which Ctrl-C ends.
            if interrupted and code in (130, -signal.SIGINT) and command[0] == "train" and not sealed:
                continue
            if code not in (0, 1, 2, 3, 4) or not output.strip() or seconds > 5:
                problems.append(
                    f"number {number}: {kind.__name__} of {name}, {command[0]}: code {code} after "
                    f"{seconds:.1f} s: {output[-500:]}"
                )
            if code not in (0, None) and command[0] == "train" and "lopt-run: " not in output:
                problems.append(f"number {number}: {kind.__name__} of {name}, train: no sentence: {output[-500:]}")
    return problems, codes


def main():
    print(f"{count} damaged libraries, seed {seed}")
    failed, codes = 0, collections.Counter()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for problems, found in pool.map(one, range(count)):
            failed += bool(problems)
            codes.update(found)
            for problem in problems:
                print(problem)
    for (command, code), times in sorted(codes.items(), key=str):
        print(f"  {command}: exit code {code}: {times}")
    print(f"{1 if not failed else 0} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
