"""What tests of runs look at: what came out of one, how far one is, and which processes are at work in it."""

import glob
import json
import os


def results(run, trace=None):
    """All that must be the same bits: θ, metrics but for the seconds, the trace."""
    with open(run + "/theta.npz", "rb") as file:
        found = [file.read()]
    with open(run + "/metrics.jsonl") as file:
        for line in file:
            entry = json.loads(line)
            del entry["seconds"]
            found.append(entry)
    if trace:
        with open(trace, "rb") as file:
            found.append(file.read())
    return found


def steps_of(run):
    """Steps whose metrics are written."""
    try:
        with open(run + "/metrics.jsonl") as file:
            return len(file.readlines())
    except OSError:
        return 0


def processes_of_ranks(run):
    """By rank, of those that mpirun has started in a run's folder."""
    found = {}
    for path in glob.glob("/proc/[0-9]*/environ"):
        try:
            with open(os.path.dirname(path) + "/cmdline") as file:
                words = file.read().split("\0")
            with open(path, "rb") as file:
                text = file.read()
        except OSError:
            continue
        if run in words and os.path.basename(words[0]) == "lopt-run" and b"OMPI_COMM_WORLD_RANK=" in text:
            found[int(text.split(b"OMPI_COMM_WORLD_RANK=")[1].split(b"\0")[0])] = int(path.split("/")[2])
    return found
