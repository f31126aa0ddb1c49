"""The instances: integer rows with a 0/1 label, and how many hidden units are asked for.

Most are files of $INFIMUM_DATA/instances/threshold, whose `expected.json` holds the known answers. The others are made
once into bench/data, with fixed seeds.
"""

import json
import os
import random
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .. import BENCH, Skip

CACHE = BENCH / "data" / "threshold"


@dataclass(frozen=True)
class Instance:
    """One question: can a network with `hidden` threshold units and one output get every row right?"""

    set: str
    name: str
    hidden: int
    recipe: tuple = ()  # of a generated file; empty: a file of INFIMUM_DATA

    @property
    def title(self):
        return f"{self.name} k={self.hidden}"


@dataclass(frozen=True)
class Rows:
    """What the file holds: integer rows, 0/1 labels, and whether its first line names the columns."""

    points: tuple
    labels: tuple
    header: bool


def dense():
    """Integers from 0 to 1000 and measurements: random labels, planted networks, iris, wdbc."""
    asked = [(f"rand_d{columns}_m{rows}", hidden) for columns, rows, hidden in (
        (3, 40, 2), (5, 40, 2), (5, 100, 2), (7, 80, 2), (10, 80, 2), (10, 200, 2),
        (3, 40, 3), (3, 200, 3), (4, 80, 3), (5, 40, 3), (5, 80, 3), (5, 200, 3), (7, 80, 3))]
    asked += [(f"planted_k2_d{columns}_m{rows}", 2)
              for columns, rows in ((3, 400), (5, 100), (5, 400), (10, 100), (10, 400))]
    asked += [(f"planted_k3_d{columns}_m{rows}", 3)
              for columns, rows in ((3, 100), (3, 400), (5, 100), (5, 400), (10, 100))]
    asked += [("iris_1v2", 2), ("iris_1vrest", 2), ("iris_1vrest", 3), ("iris_2vrest", 2)]
    asked += [("wdbc_f2_m100", 2), ("wdbc_f2_m100", 3), ("wdbc_f3_m100", 2), ("wdbc_f3_m100", 3), ("wdbc_f5_m100", 2),
              ("wdbc_f10_m100", 2), ("wdbc_f30_m569", 2)]
    return [Instance("dense", name, hidden) for name, hidden in asked]


def parity():
    return [Instance("parity", f"parity{bits}", hidden) for bits, hidden in ((3, 2), (4, 3), (5, 4), (5, 5))]


def blum_rivest():
    """60 and 150 elements are generated, the others are files."""
    found = []
    for elements in (60, 80, 100, 150, 200):
        for ratio in ("1.8", "2.0", "2.1", "2.2", "2.4", "3.0"):
            recipe = ()
            if elements in (60, 150):
                recipe = ("blum-rivest", "--elements", str(elements), "--ratio", ratio, "--seed", "1")
            found.append(Instance("blum-rivest", f"br_n{elements}_r{ratio}", 2, recipe))
    return found


def satlib():
    return [Instance("satlib", f"satlib_{kind}-0{number}", 2) for kind in ("uf20", "uuf50") for number in range(1, 6)]


def wide():
    """0/1 rows without structure: 10 or 50 % of the entries are 1, labels random (`srnd`) or planted (`spl`)."""
    asked = [(kind, columns, rows, share, seed) for share, seeds in ((10, (0, 1)), (50, (0,)))
             for columns, rows in ((30, 300), (60, 200), (60, 600), (100, 300), (100, 1000))
             for kind in ("srnd", "spl") for seed in seeds]
    return [Instance("wide", f"{kind}{share}_d{columns}_m{rows}_s{seed}", 2, ("bits", kind, columns, rows, share, seed))
            for kind, columns, rows, share, seed in asked]


def frontier():
    """Random labels on integers from 0 to 1000: how far one minute reaches. Ours only, the peers stop far below."""
    columns = {2: (5, 7, 10, 12, 15, 20), 3: (3, 4, 5, 6, 7), 4: (2, 3, 4, 5)}
    return [Instance("frontier", f"random_d{count}_m{rows}", hidden,
                     ("random", "--columns", str(count), "--rows", str(rows), "--seed", "1"))
            for hidden in columns for count in columns[hidden] for rows in (40, 80, 100, 200)]


def longer():
    """Refutations of a second and more, besides those of the other sets."""
    return [Instance("longer", "parity6", 5, ("parity", "--columns", "6"))]


def tiny():
    """Instances of 2 to 12 rows, answered by enumeration: the test of the encodings."""
    names = sorted(known_answers(folder() / "tiny" / "expected.json"))
    return [Instance("tiny", name, hidden) for name in names for hidden in (1, 2, 3)]


def known():
    """Every question of expected.json with a recorded answer."""
    answers = known_answers(folder() / "expected.json")
    return [Instance("known", name, int(hidden)) for name in sorted(answers)
            for hidden in sorted(answers[name].get("expected", {}))]


SETS = {"dense": dense, "parity": parity, "blum-rivest": blum_rivest, "satlib": satlib, "wide": wide,
        "frontier": frontier, "longer": longer, "known": known, "tiny": tiny}


def folder():
    root = os.environ.get("INFIMUM_DATA")
    if not root:
        raise Skip("INFIMUM_DATA is not set; set it to the folder that holds instances/threshold")
    return Path(root, "instances", "threshold")


@cache
def known_answers(path):
    return json.loads(path.read_text())


def expected(instance):
    """The recorded answer and where it comes from, or None."""
    if instance.recipe:
        return None
    if instance.set == "tiny":
        found = known_answers(folder() / "tiny" / "expected.json")[instance.name][str(instance.hidden)]
        return found["answer"], "enumeration"
    answers = known_answers(folder() / "expected.json").get(instance.name, {}).get("expected", {})
    found = answers.get(str(instance.hidden))
    return found and (found["answer"], found["source"])


def path(instance, binary):
    """The file, made first if it is a generated one; `binary` is infimum."""
    if not instance.recipe:
        file = folder() / ("tiny" if instance.set == "tiny" else ".") / f"{instance.name}.csv"
        if not file.is_file():
            raise Skip(f"{file} does not exist")
        return file
    file = CACHE / f"{instance.name}.csv"
    if not file.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        unfinished = file.with_name(f"unfinished-{file.name}")
        if instance.recipe[0] == "bits":
            unfinished.write_text(bits(*instance.recipe[1:]))
        else:
            command = [binary, "generate", *instance.recipe, "-o", unfinished]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode != 0:
                raise Skip(f"`infimum generate {' '.join(instance.recipe)}` failed: {done.stderr.strip()}")
        unfinished.replace(file)
    return file


def bits(kind, columns, rows, share, seed):
    """0/1 rows as CSV. `srnd`: a coin is the label. `spl`: the AND of two half-spaces that hold 70 % of the rows."""
    source = random.Random(f"{kind} {columns} {rows} {share} {seed}")
    points = [[int(source.random() < share / 100) for _ in range(columns)] for _ in range(rows)]
    if kind == "srnd":
        labels = [source.randrange(2) for _ in points]
    else:
        sides = []
        for _ in range(2):
            weights = [source.randrange(-100, 101) for _ in range(columns)]
            values = [sum(weight for weight, bit in zip(weights, point) if bit) for point in points]
            threshold = sorted(values)[rows * 3 // 10]
            sides.append([value > threshold for value in values])
        labels = [int(first and second) for first, second in zip(*sides)]
    return "".join(",".join(map(str, (*point, label))) + "\n" for point, label in zip(points, labels))


def read(file):
    """The rows of a file, with duplicates left out (this favours the peers; infimum gets the file)."""
    lines = file.read_text().split()
    header = any(character.isalpha() for character in lines[0])
    rows = list(dict.fromkeys(tuple(map(int, line.split(","))) for line in lines[header:]))
    return Rows(tuple(row[:-1] for row in rows), tuple(row[-1] for row in rows), header)
