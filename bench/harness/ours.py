"""infimum itself: the release binary, run on the file, timed by its own result.json."""

import json
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import REPOSITORY, Skip


@dataclass
class Run:
    """One `infimum fit`. `seconds` is solve + certify; `lower` and `upper` are of the unnormalised sum."""

    seconds: float = float("inf")
    phases: dict = None
    gap: float = float("inf")
    lower: float = float("-inf")
    upper: float = float("inf")
    ending: str = ""
    solver: str = ""
    certified: bool = False
    weights: object = None
    intercepts: object = None
    failure: str = ""


def build():
    """Builds the release binary and returns its path."""
    command = ["cargo", "build", "--release", "--package", "infimum-cli", "--message-format", "json"]
    try:
        built = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise Skip(f"infimum cannot be built: {error}") from error
    for line in built.stdout.splitlines():
        message = json.loads(line)
        if message.get("executable") and message["target"]["name"] == "infimum":
            return Path(message["executable"])
    raise Skip("cargo built no binary `infimum`")


def fit(binary, problem, data, gap, threads, limit):
    """Trains to `gap` and reads the certificate back. The run folder lies in memory where the system has a place for
    that: peers write nothing, so waiting for a disk should not be in the comparison."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="infimum-bench-", dir=memory) as folder:
        command = [str(binary), "fit", data.source, *data.arguments, "--loss", problem.loss.partition(":")[0], *problem.arguments,
                   "--intercept", problem.intercept, "--gap", repr(gap), "--threads", str(threads),
                   "--time-limit", f"{limit}s", "--json", "--quiet", "--out", str(Path(folder, "run"))]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=4 * limit + 60)
        except subprocess.TimeoutExpired:
            return Run(failure=f"did not obey its limit of {limit:g} s")
        if not done.stdout:
            lines = done.stderr.strip().splitlines() or ["it said nothing"]
            return Run(failure=f"exit {done.returncode}: {lines[-1]}")
        result = json.loads(done.stdout)
        phases = result["seconds"]
        run = Run(phases["solve"] + phases["certify"], phases, result["gap"], ending=result["ending"],
                  solver=result.get("solver", ""), certified=result["certified"])
        read_certificate(run, next(Path(folder, "run").glob("certificate.*")))
        if not run.certified:
            run.failure = f"not certified: {result.get('refusal', 'no reason given')}"
        elif run.gap > gap:
            run.failure = f"{run.ending} at gap {run.gap:.1e}"
        return run


def read_certificate(run, path):
    """Bounds and model from the certificate, a safetensors file (crates/infimum-problem/src/certificate.rs)."""
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    claim = json.loads(header["__metadata__"]["claim"])
    run.lower, run.upper = claim["lower"], claim["upper"]

    def tensor(name):
        begin, end = header[name]["data_offsets"]
        return np.frombuffer(content[8 + length + begin : 8 + length + end]).reshape(header[name]["shape"])

    run.weights, run.intercepts = tensor("weights"), tensor("intercepts")
