"""One run of one contender: infimum as a process on the file, a peer in a forked process on rows in memory.

Each run is measured twice, in wall-clock and in CPU seconds; `clock` says which of the two the limit is for.
"""

import json
import math
import multiprocessing
import os
import resource
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from .exact import right
from .peers import PEERS

OURS = "infimum"
BUILDING = 120  # seconds a peer's model may take to build, wall clock
PATIENCE = 6  # with the CPU clock: wall-clock seconds allowed for each CPU second
TICK = 0.01  # CPU clocks advance in steps on some systems: for shorter runs the wall clock is taken


@dataclass
class Run:
    """`answer`: sat, unsat or unknown. `proven`: the network was evaluated exactly, or the certificate accepted."""

    contender: str
    answer: str = "unknown"
    wall: float = math.inf
    cpu: float = math.inf
    proven: bool = False
    phases: dict = field(default_factory=dict)  # ours: of result.json, and `process`, CPU seconds of the whole run
    failure: str = ""
    refused: bool = False  # ours: the checker did not accept the certificate

    def seconds(self, clock):
        return self.cpu if clock == "cpu" and self.wall >= TICK else self.wall


def capped(run, limit, clock):
    """A run beyond the limit found nothing; one that ended early without an answer counts as the limit."""
    if run.answer == "unknown" or run.seconds(clock) > limit:
        run.answer, run.wall, run.cpu = "unknown", limit, limit
    return run


def ours(binary, path, header, hidden, limit, clock, startup, threads=1, seed=0):
    """`infimum decide`. Our time is `seconds.solve + seconds.certify`. Their CPU time is not recorded: it is the
    process's, less `startup` (that of `infimum --version`), in proportion to wall-clock time, and at most that."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    patience = limit * (PATIENCE if clock == "cpu" else 1) + 2
    with tempfile.TemporaryDirectory(prefix="infimum-bench-", dir=memory) as folder:
        command = [str(binary), "decide", str(path), "--header" if header else "--no-header", "--hidden", str(hidden),
                   "--json", "--quiet", "--threads", str(threads), "--seed", str(seed), "--time-limit", f"{patience}s",
                   "--out", str(Path(folder, "run"))]
        before = children()
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=4 * patience + 60,
                                  preexec_fn=(lambda: limit_cpu(limit + 2)) if clock == "cpu" else None)
        except subprocess.TimeoutExpired:
            return capped(Run(OURS, failure=f"did not obey its limit of {patience:g} s"), limit, clock)
        process = children() - before
    if not done.stdout:
        lines = done.stderr.strip().splitlines() or ["it said nothing"]
        failure = "" if done.returncode == -signal.SIGXCPU else f"exit {done.returncode}: {lines[-1]}"
        return capped(Run(OURS, failure=failure, phases={"process": process}), limit, clock)
    result = json.loads(done.stdout)
    phases = result["seconds"] | {"process": process}
    wall = phases["solve"] + phases["certify"]
    cpu = min(wall, max(0.0, process - startup) * wall / phases["total"])
    answer = {"Satisfiable": "sat", "Infeasible": "unsat"}.get(result["ending"], "unknown")
    run = Run(OURS, answer, wall, cpu, result["certified"], phases)
    if answer != "unknown" and not run.proven:
        run.answer, run.failure, run.refused = "unknown", f"not certified: {result['message']}", True
    return capped(run, limit, clock)


def children():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def limit_cpu(seconds):
    """The process is ended by SIGXCPU after so many more CPU seconds."""
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(time.process_time() + seconds), resource.RLIM_INFINITY))


def startup(binary):
    """CPU seconds of starting infimum: the least of five."""
    def once():
        before = children()
        subprocess.run([str(binary), "--version"], stdout=subprocess.DEVNULL, check=True)
        return children() - before
    return min(once() for _ in range(5))


def peer(name, rows, hidden, limit, clock):
    """Builds the model, solves within the limit, evaluates the network exactly, in a process of its own."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=work, args=(sender, name, rows, hidden, limit, clock))
    process.start()
    sender.close()
    patience = limit * (PATIENCE if clock == "cpu" else 1) + 2
    run = Run(name)
    try:
        for stage, allowed in (("built", BUILDING), ("solved", patience), ("evaluated", BUILDING)):
            if not receiver.poll(allowed):
                run.failure = "" if stage == "solved" else f"not {stage} within {allowed} s"
                break
            said = receiver.recv()
            if stage == "solved":
                run.answer, run.wall, run.cpu = said
            elif stage == "evaluated":
                run.proven = said
    except EOFError:
        process.join(10)
        run.failure = "" if process.exitcode == -signal.SIGXCPU else f"ended with exit code {process.exitcode}"
    finally:
        process.kill()
        process.join()
        receiver.close()
    return capped(run, limit, clock)


def work(sender, name, rows, hidden, limit, clock):
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # HiGHS greets on stdout, silent or not
    model = PEERS[name](rows, hidden)
    sender.send("built")
    if clock == "cpu":
        limit_cpu(limit)
    wall, cpu = time.perf_counter(), time.process_time()
    answer = model.solve(limit * (PATIENCE if clock == "cpu" else 1))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    resource.setrlimit(resource.RLIMIT_CPU, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    sender.send((answer, wall, cpu))
    sender.send(answer == "sat" and right(rows.points, rows.labels, *model.network()))
