"""One training run of a contender, as a process of its own: how long it trained, what it reached, how much memory it took."""

import json
import math
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Contender:
    """`recipe`: of a peer {rate, schedule}; of ours the options for `infimum fit`."""

    name: str
    recipe: object
    ours: bool = False


@dataclass
class Run:
    """`wall` and `cpu` are of training alone. Ours are `network.runs[0].seconds`, and of the CPU time of the whole process that share."""

    epochs: int = 0
    value: float = math.nan
    wall: float = math.inf
    cpu: float = math.inf
    steps: int = 0
    megabytes: float = math.nan
    failure: str = ""
    phases: dict = field(default_factory=dict)

    def seconds(self, clock):
        return self.cpu if clock == "cpu" else self.wall


def process(command, threads, limit):
    """Runs a command; its output, CPU seconds and peak memory, or why there are none."""
    # Read by the libraries when they are loaded. Spinning threads would take the other core from everybody.
    environment = os.environ | {f"{name}_NUM_THREADS": str(threads) for name in ("OMP", "MKL", "OPENBLAS")} | {"OMP_WAIT_POLICY": "PASSIVE"}
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        # `timeout` ends it; the usage of its waited-for child is counted as its own.
        child = subprocess.Popen(["timeout", "--foreground", str(limit), *command], stdout=output, stderr=errors, env=environment)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0), errors.seek(0)
        said, complaint = output.read(), errors.read().strip()
    failure = "" if said else f"not within {limit:g} s" if child.returncode == 124 else f"exit {child.returncode}: {complaint[-300:]}"
    return said, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, failure


def ours(binary, contender, problem, epochs, seed, threads, limit):
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="infimum-bench-", dir=memory) as folder:
        command = [str(binary), "fit", str(problem.source), "--loss", problem.loss, "--l2", "0",
                   *(["--hidden", ",".join(map(str, problem.net))] if isinstance(problem.net, list) else ["--net", str(problem.net)]),
                   *(["--target", "y"] if problem.source.is_file() else []),
                   "--epochs", str(epochs), "--batch-size", str(problem.batch), "--seed", str(seed), "--threads", str(threads),
                   *contender.recipe, "--json", "--quiet", "--out", str(Path(folder, "run"))]
        said, cpu, megabytes, failure = process(command, threads, limit)
    if failure:
        return Run(failure=failure, megabytes=megabytes)
    result = json.loads(said)
    run, phases = result["network"]["runs"][0], result["seconds"]
    value = result["valid"]["accuracy"] if problem.measure == "accuracy" else run["value"]
    return Run(epochs, value, run["seconds"], cpu * run["seconds"] / phases["total"], run["steps"], megabytes, phases=phases)


def search_ours(binary, contender, problem, budgets, seed, threads, limit):
    """A run for each budget until one reaches the target."""
    found = []
    for epochs in budgets:
        found.append(ours(binary, contender, problem, epochs, seed, threads, limit))
        if found[-1].failure or (problem.target is not None and problem.reached(found[-1].value)):
            break
    return found


def search_peer(contender, problem, budgets, seed, threads, limit):
    """The same of PyTorch, in one process."""
    job = {"source": str(problem.source), "images": problem.source.is_dir(), "loss": problem.loss, "measure": problem.measure,
           "target": problem.target, "net": problem.net if isinstance(problem.net, list) else str(problem.net), "batch": problem.batch,
           "budgets": budgets, "seed": seed, "threads": threads, **contender.recipe}
    said, _, megabytes, failure = process([sys.executable, "-m", "harness.deep.peer", json.dumps(job)], threads, limit)
    if failure:
        return [Run(failure=failure, megabytes=megabytes)]
    return [Run(**run, megabytes=megabytes) for run in json.loads(said)]
