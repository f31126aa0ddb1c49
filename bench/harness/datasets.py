"""The data sets: in memory for the peers, as a file for infimum, with equal values in both.

Made or converted once and kept in bench/data (ignored by git). A text file is written first and the arrays are read
back from it, so that both sides see the float64 nearest to the same decimals.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import sparse
from sklearn import datasets as sklearn_datasets

from . import BENCH, Skip, generators

CACHE = BENCH / "data"


@dataclass
class DataSet:
    """Rows and target in memory, and the arguments with which infimum reads the same values."""

    name: str
    matrix: object  # ndarray, rows x columns, C order; or csr_matrix
    target: np.ndarray  # -1/+1 (two classes), class indices, or numbers
    source: str  # DATA argument of `infimum fit`
    arguments: tuple = ()

    @property
    def is_sparse(self):
        return sparse.issparse(self.matrix)

    @property
    def shape(self):
        rows, columns = self.matrix.shape
        entries = f", {self.matrix.nnz / rows:.0f} non-zeros a row" if self.is_sparse else ""
        return f"{rows:,} x {columns:,}{entries}"


def breast_cancer():
    matrix, target = sklearn_datasets.load_breast_cancer(return_X_y=True)
    return DataSet("breast-cancer", matrix, 2.0 * target - 1, "builtin:breast-cancer")


def digits():
    matrix, target = sklearn_datasets.load_digits(return_X_y=True)
    return DataSet("digits", matrix, target.astype(float), "builtin:digits")


def a9a():
    root = os.environ.get("INFIMUM_DATA")
    if not root:
        raise Skip("INFIMUM_DATA is not set; set it to the folder that holds data/libsvm/a9a")
    path = Path(root) / "data" / "libsvm" / "a9a"
    if not path.is_file():
        raise Skip(f"{path} does not exist; get a9a from the LIBSVM data page")
    return from_svmlight("a9a", path)


def text_like():
    path = CACHE / "text-like.svm"
    if not path.exists():
        matrix, score = generators.text_like()
        save(path, lambda file: sklearn_datasets.dump_svmlight_file(matrix, np.sign(score), file, zero_based=False))
    return from_svmlight("text-like", path)


def text_like_regression():
    path = CACHE / "text-like-regression.svm"
    if not path.exists():
        matrix, score = generators.text_like()
        save(path, lambda file: sklearn_datasets.dump_svmlight_file(matrix, score, file, zero_based=False))
    return from_svmlight("text-like-regression", path)


def easy_dense():
    return from_npz("easy-dense", generators.easy_dense)


def ill_conditioned():
    return from_npz("ill-conditioned", generators.ill_conditioned)


def wide():
    return from_npz("wide", generators.wide)


def from_svmlight(name, path):
    """Reads an SVMlight file, keeping the arrays beside it in the cache: scikit-learn's reader is slow."""
    arrays = CACHE / f"{name}.arrays.npz"
    if not arrays.exists() or arrays.stat().st_mtime < path.stat().st_mtime:
        matrix, target = sklearn_datasets.load_svmlight_file(str(path), zero_based=False)
        matrix.sort_indices()
        save(arrays, lambda file: np.savez(file, values=matrix.data, columns=matrix.indices.astype(np.int32),
                                           starts=matrix.indptr.astype(np.int32), shape=matrix.shape, target=target))
    stored = np.load(arrays)
    matrix = sparse.csr_matrix((stored["values"], stored["columns"], stored["starts"]), shape=tuple(stored["shape"]))
    return DataSet(name, matrix, stored["target"], str(path))


def from_npz(name, generate):
    path = CACHE / f"{name}.npz"
    if not path.exists():
        matrix, target = generate()
        save(path, lambda file: np.savez(file, X=matrix, y=target))
    stored = np.load(path)
    return DataSet(name, np.ascontiguousarray(stored["X"]), stored["y"].astype(float), str(path), ("--target", "y"))


def save(path, write):
    """Writes a cache file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".unfinished")
    with open(unfinished, "wb") as file:
        write(file)
    unfinished.replace(path)
