"""The instances: name, file, loss, β, and what is asked."""

import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import Skip


@dataclass
class Instance:
    """`known`: a value that the optimum is known not to exceed. `limit`: seconds for ours, None: until the gap is reached."""

    set: str
    name: str
    file: Path
    loss: str
    beta: float
    gap: float
    known: float
    limit: float = None

    def rows(self):
        table = np.loadtxt(self.file, delimiter=",", skiprows=1)
        return table[:, :-1], table[:, -1]


def folder():
    if "INFIMUM_DATA" not in os.environ:
        raise Skip("INFIMUM_DATA is not set; it names the folder with instances/relu")
    return Path(os.environ["INFIMUM_DATA"], "instances", "relu")


def reference():
    entries = json.loads((folder() / "reference.json").read_text())
    loss = {"sq": "squared", "lg": "logistic"}
    return [Instance("reference", entry["id"], folder() / entry["file"], loss[entry["id"].split("_")[1]], entry["beta"],
                     1e-6, entry["upper_bound"]) for entry in entries]


def quick():
    known = {"bc2": 117.75339115678747, "iris4": 37.75877379914805, "bc3": 113.06883273293855, "diab3": float("inf")}
    return [Instance("quick", f"{name}_sq_{beta}", folder() / f"{name}.csv", "squared", beta, 1e-3, known[name])
            for name, beta in (("bc2", 40), ("iris4", 10), ("bc3", 40), ("diab3", 30))]


def high(limit):
    entries = json.loads((folder() / "high.json").read_text())
    return [Instance(f"high-{limit:g}s", f"{entry['id']}", folder() / entry["file"], entry["loss"], entry["beta"],
                     1e-4, entry["incumbent"], limit) for entry in entries]


def largest_decay(x, slope):
    """About the β at which the zero network is optimal: the best of many ascents of |Σ slope relu(x·u)| over the unit ball."""
    random, best = np.random.default_rng(0), 0.0
    for start in random.normal(size=(200, x.shape[1])):
        for sign in (1.0, -1.0):
            u = start / np.linalg.norm(start)
            for _ in range(200):
                step = sign * ((x @ u > 0) * slope) @ x
                if not np.linalg.norm(step) > 0:
                    break
                u = step / np.linalg.norm(step)
            best = max(best, sign * slope @ np.maximum(x @ u, 0))
    return best


def exact():
    """Where exactness stops: real sets and Gaussian rows with random targets ±1, squared loss, shares of the largest decay."""
    made = Path(tempfile.gettempdir(), "infimum-bench-relu")
    made.mkdir(exist_ok=True)
    files = {name: folder() / f"{name}.csv" for name in ("bc3", "diab3", "iris4", "bc5")}
    for d in (4, 5, 6):
        for m in (50, 200):
            random, file = np.random.default_rng(10 * d + m), made / f"gauss{d}_{m}.csv"
            table = np.hstack([random.normal(size=(m, d - 1)), np.ones((m, 1)), random.choice([-1.0, 1.0], size=(m, 1))])
            np.savetxt(file, table, delimiter=",", header=",".join([*(f"x{j}" for j in range(d - 1)), "one", "y"]), comments="", fmt="%.17g")
            files[file.stem] = file
    found = []
    for name, file in files.items():
        table = np.loadtxt(file, delimiter=",", skiprows=1)
        beta = largest_decay(table[:, :-1], table[:, -1])
        found += [Instance("exact", f"{name}_sq_{share}bm", file, "squared", share * beta, 1e-4, float("inf"), 60)
                  for share in (0.1, 0.01)]
    return found


SETS = {"quick": quick, "exact": exact, "reference": reference, "high-1s": lambda: high(1), "high-10s": lambda: high(10),
        "high-20s": lambda: high(20), "high-60s": lambda: high(60)}
