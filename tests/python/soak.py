"""Twenty minutes of persistent evolution strategies: memory flat, no growth of open files, disk use bounded by `keep`.

usage: soak.py BUILD [MINUTES]. Not among the tests: it takes as long as it says."""

import glob
import os
import signal
import subprocess
import sys
import tempfile
import time

build = os.path.abspath(sys.argv[1])
minutes = float(sys.argv[2]) if len(sys.argv) > 2 else 20
source = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def main():
    with tempfile.TemporaryDirectory(prefix="lopt-soak-") as folder:
        run = folder + "/run"
        child = subprocess.Popen(
            [
                build + "/bin/lopt-run",
                "train",
                source + "/configs/tutorial/pes.yaml",
                "task.dataset=digits",
                "steps=100000000",
                "checkpoint={every: 2 s, keep: 3}",
                "--threads",
                os.environ.get("LOPT_SOAK_THREADS", "2"),
                "--out",
                run,
                "-q",
            ]
        )
        samples = []  # seconds, resident KB, open files, bytes of checkpoints, steps
        start = time.time()
        while time.time() - start < minutes * 60:
            time.sleep(2)
            if child.poll() is not None:
                print(f"the run ended with code {child.returncode}")
                return 1
            with open(f"/proc/{child.pid}/status") as file:
                resident = next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))
            disk = sum(os.path.getsize(path) for path in glob.glob(run + "/checkpoints/*") if os.path.exists(path))
            samples.append((time.time() - start, resident, len(os.listdir(f"/proc/{child.pid}/fd")), disk))
        child.send_signal(signal.SIGTERM)
        child.wait()
        with open(run + "/metrics.jsonl") as file:
            steps = sum(1 for _ in file)
        later = [sample for sample in samples if sample[0] > min(60, minutes * 30)]
        memory, files, disk = ([sample[i] for sample in later] for i in (1, 2, 3))
        spread = (max(memory) - min(memory)) / (max(memory) + min(memory))
        one = max(os.path.getsize(path) for path in glob.glob(run + "/checkpoints/*"))
        print(
            f"{minutes:g} minutes, {steps} meta-steps: memory {min(memory) / 1024:.1f} to {max(memory) / 1024:.1f} MB "
            f"(± {spread:.1%}), open files {min(files)} to {max(files)}, checkpoints at most {max(disk) / 1024:.0f} KB "
            f"(one has {one / 1024:.0f} KB), exit code {child.returncode}"
        )
        good = spread <= 0.02 and max(files) - min(files) <= 2 and max(disk) <= 5 * one and child.returncode == 143
        print(f"{int(good)} passed, {int(not good)} failed")
        return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
