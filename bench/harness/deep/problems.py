"""The problems: data, network, and when it is solved. Tables are written as CSV once, so that both sides read the same file."""

import csv
import gzip
import io
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from .. import REPOSITORY, Skip

REFERENCE_EPOCHS = 100  # of AdamW with its default rate: the loss it ends with is the target on the small tables
GRID = [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256]


@dataclass
class Problem:
    """`measure`: loss (mean over the training rows) or accuracy (on the test images). `target` None: the loss that PyTorch's AdamW reaches
    in REFERENCE_EPOCHS. `net`: widths of the hidden layers, or a file. `loss`: softmax, logistic or squared."""

    group: str
    name: str
    source: Path
    net: object
    loss: str
    measure: str = "loss"
    target: float = None
    batch: int = 128

    def reached(self, value):
        return value >= self.target if self.measure == "accuracy" else value <= self.target


def data():
    if "INFIMUM_DATA" not in os.environ:
        raise Skip("INFIMUM_DATA is not set; it names the folder with data/fashion-mnist and data/uci")
    return Path(os.environ["INFIMUM_DATA"], "data")


def mlp():
    return [Problem("mlp", "fashion-mlp", data() / "fashion-mnist", [512, 256], "softmax", target=0.2)]


def cnn():
    return [Problem("cnn", "fashion-cnn", data() / "fashion-mnist", Path(__file__).with_name("cnn.toml"), "softmax", "accuracy", 0.91)]


def lines(path, skip=0):
    text = gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text()
    return [row for row in csv.reader(io.StringIO(text)) if row][skip:]


def table(name, rows):
    """Writes the rows, the target last, under column names that both sides understand; returns the file."""
    folder = Path(tempfile.gettempdir(), "infimum-bench-deep")
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.csv"
    with open(path, "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*(f"x{j}" for j in range(len(rows[0]) - 1)), "y"])
        writer.writerows(rows)
    return path


def small():
    """The built-in tables and those of INFIMUM_DATA/data/uci with numbers alone; regression: diabetes, its target scaled."""
    built_in, uci = REPOSITORY / "crates" / "infimum-data" / "builtin", data() / "uci"
    found = {name: lines(built_in / f"{name}.csv.gz", 1) for name in ("iris", "wine", "breast-cancer", "digits")}
    found |= {name: lines(uci / f"{name}.csv") for name in ("sonar", "ionosphere", "banknote_authentication")}
    found["optdigits"] = lines(uci / "optdigits.tra")
    problems = []
    for name, rows in found.items():
        classes = len({row[-1] for row in rows})
        # As words, so that nobody takes labels for numbers.
        rows = [[*row[:-1], f"class_{row[-1]}"] for row in rows]
        problems.append(Problem("small", name, table(name, rows), [64, 64], "softmax" if classes > 2 else "logistic",
                                batch=128 if len(rows) >= 1000 else 32))
    diabetes = lines(data().parent / "instances" / "relu" / "diab3.csv", 1)
    values = [float(row[-1]) for row in diabetes]
    mean = sum(values) / len(values)
    deviation = (sum((value - mean) ** 2 for value in values) / len(values)) ** 0.5
    rows = [[*row[:-2], repr((value - mean) / deviation)] for row, value in zip(diabetes, values)]
    problems.append(Problem("small", "diabetes", table("diabetes", rows), [64, 64], "squared", batch=32))
    return problems


GROUPS = {"mlp": mlp, "cnn": cnn, "small": small}
