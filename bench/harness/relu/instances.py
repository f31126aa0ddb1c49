"""The instances: name, file, loss, β, and what is asked."""

import json
import os
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


SETS = {"quick": quick, "reference": reference, "high-1s": lambda: high(1), "high-10s": lambda: high(10),
        "high-20s": lambda: high(20), "high-60s": lambda: high(60)}
