"""Files as arrays: IDX and CSV, standardised as infimum does it."""

import csv
import gzip
from pathlib import Path

import numpy as np


def idx(path):
    """An IDX file of bytes, gzipped: two zeros, type 8, number of dimensions, each as four bytes, then the values."""
    content = gzip.decompress(path.read_bytes())
    if content[:3] != b"\0\0\x08":
        raise ValueError(f"{path}: not an IDX file of bytes")
    shape = np.frombuffer(content, ">u4", content[3], 4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * content[3]).reshape(shape)


def images(folder):
    """Training and test images of a folder with the four MNIST files, a row each, and their labels."""
    folder, parts = Path(folder), []
    for name in ("train", "t10k"):
        rows = idx(folder / f"{name}-images-idx3-ubyte.gz")
        labels = idx(folder / f"{name}-labels-idx1-ubyte.gz")
        parts.append((rows.reshape(len(rows), -1).astype(np.float32), labels.astype(np.int64)))
    return parts


def table(path, loss):
    """Columns and the target of a CSV file with a header, the target last; classes are numbered in sorted order."""
    with open(path, newline="") as file:
        rows = list(csv.reader(file))[1:]
    x = np.array([row[:-1] for row in rows], dtype=np.float64)
    targets = [row[-1] for row in rows]
    if loss == "squared":
        return x, np.array(targets, dtype=np.float32)
    classes = {name: number for number, name in enumerate(sorted(set(targets)))}
    return x, np.array([classes[target] for target in targets], dtype=np.int64)


BLOCK = 4096  # rows at a time in doubles: the peer's peak memory should be that of its training


def standardised(train, test, together):
    """Mean 0 and variance 1 over the training rows, of all numbers `together` (images) or of each column; constants keep their scale."""
    def mean(function):
        sums = sum(function(train[first : first + BLOCK].astype(np.float64)).sum(axis=0) for first in range(0, len(train), BLOCK)) / len(train)
        return sums.mean() if together else sums

    middle = mean(lambda rows: rows)
    deviation = mean(lambda rows: (rows - middle) ** 2) ** 0.5
    deviation = np.where(deviation > 1e-12, deviation, 1.0)

    def scaled(rows):
        out = rows if rows.dtype == np.float32 else np.empty(rows.shape, np.float32)
        for first in range(0, len(rows), BLOCK):
            out[first : first + BLOCK] = (rows[first : first + BLOCK] - middle) / deviation
        return out

    return [None if rows is None else scaled(rows) for rows in (train, test)]
