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


def standardised(train, test, together):
    """Mean 0 and variance 1 over the training rows, of all numbers `together` (images) or of each column; constants keep their scale."""
    axis = None if together else 0
    mean, deviation = train.mean(axis=axis, dtype=np.float64), train.std(axis=axis, dtype=np.float64)
    deviation = np.where(deviation > 1e-12, deviation, 1.0)
    return [None if rows is None else ((rows - mean) / deviation).astype(np.float32) for rows in (train, test)]
