"""The data sets: in memory for the peers, as a file for infimum, with equal values in both.

Made once and kept in bench/data (ignored by git); delete that folder after a change of a generator. Where infimum reads
text, the arrays are read back from the same text, so that both sides see the float64 nearest to the same decimals.
"""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import sparse
from sklearn import datasets as sklearn_datasets

from . import BENCH, Skip

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


def load(name, binary):
    """The data set called `name`; `binary` is infimum, for what its `generate` makes."""
    if name == "breast-cancer":
        matrix, target = sklearn_datasets.load_breast_cancer(return_X_y=True)
        # scikit-learn counts benign as 1; infimum sorts the labels, and the second, malignant, is +1.
        return DataSet(name, matrix, 1 - 2.0 * target, "builtin:breast-cancer")
    if name == "digits":
        matrix, target = sklearn_datasets.load_digits(return_X_y=True)
        return DataSet(name, matrix, target.astype(float), "builtin:digits")
    if name == "a9a":
        return from_svmlight(name, external("data/libsvm/a9a"))
    if name == "text-like":
        return from_svmlight(name, generated(name, "svm", binary))
    if name == "text-like-regression":
        return from_svmlight(name, text_like_regression(binary))
    if name == "topics":
        return from_svmlight(name, topics())
    if name == "wide":
        return from_npy(name, wide())
    if name in ("regression", "small-regression", "counts"):
        return from_npy(name, numbers(name, binary))
    data = from_npy(name, generated(name, "npy", binary))
    data.target = 2 * data.target - 1  # written as 0 and 1
    return data


def external(path):
    """A file that the repository does not hold."""
    root = os.environ.get("INFIMUM_DATA")
    if not root:
        raise Skip(f"INFIMUM_DATA is not set; set it to the folder that holds {path}")
    if not Path(root, path).is_file():
        raise Skip(f"{Path(root, path)} does not exist")
    return Path(root, path)


def generated(kind, extension, binary):
    """The file that `infimum generate KIND --seed 1` writes."""
    path = CACHE / f"{kind}.{extension}"
    if path.exists():
        return path
    if binary is None:
        raise Skip(f"{path} is made by `infimum generate`; run once with infimum")
    CACHE.mkdir(exist_ok=True)
    unfinished = path.with_name(f"unfinished-{path.name}")
    done = subprocess.run([binary, "generate", kind, "--seed", "1", "-o", unfinished], capture_output=True, text=True)
    if done.returncode != 0:
        raise Skip(f"`infimum generate {kind}` failed: {done.stderr.strip()}")
    return unfinished.replace(path)


def text_like_regression(binary):
    """The rows of `text-like` with a number as target: a planted direction in a twentieth of the columns, noise."""
    path = CACHE / "text-like-regression.svm"
    if not path.exists():
        matrix = load("text-like", binary).matrix
        random = np.random.default_rng(1)
        rows, columns = matrix.shape
        score = matrix @ (random.standard_normal(columns) * (random.random(columns) < 0.05))
        target = score / score.std() + 0.5 * random.standard_normal(rows)
        save(path, lambda file: sklearn_datasets.dump_svmlight_file(matrix, target, file, zero_based=False))
    return path


def numbers(kind, binary):
    """Rows of `easy-dense` with a number as target: a planted direction and noise with heavy tails, or counts."""
    path = CACHE / f"{kind}.npy"
    if not path.exists():
        rows = 5_000 if kind == "small-regression" else 100_000
        matrix = load("easy-dense", binary).matrix[:rows]
        random = np.random.default_rng(1)
        score = matrix @ random.standard_normal(matrix.shape[1])
        score /= score.std()
        noisy = score + 0.5 * random.standard_t(3, rows)
        target = random.poisson(np.exp(0.5 * score)).astype(float) if kind == "counts" else noisy
        save(path, lambda file: np.save(file, np.column_stack([matrix, target])))
    return path


def wide(rows=71, columns=4_000):
    """Far more columns than rows, as in gene expression: neighbouring columns correlated 0.9, 20 of them count."""
    path = CACHE / "wide.npy"
    if not path.exists():
        random = np.random.default_rng(1)
        matrix = random.standard_normal((rows, columns))
        for column in range(1, columns):
            matrix[:, column] = 0.9 * matrix[:, column - 1] + np.sqrt(1 - 0.9**2) * matrix[:, column]
        score = matrix[:, random.choice(columns, 20, replace=False)] @ random.standard_normal(20)
        target = score / score.std() + 0.3 * random.standard_normal(rows)
        save(path, lambda file: np.save(file, np.column_stack([matrix, target])))
    return path


def topics(rows=20_000, columns=2_000, classes=10, words=60):
    """Counts of words, sparse: each class has its own frequencies of words, and each row seven tenths of its words from what is common to all."""
    path = CACHE / "topics.svm"
    if not path.exists():
        random = np.random.default_rng(1)
        common = 1.0 / np.arange(1, columns + 1)
        own = np.array([random.permutation(common) for _ in range(classes)])
        frequencies = [(0.7 * common + 0.3 * of_class) / common.sum() for of_class in own]
        target = random.integers(classes, size=rows)
        drawn = np.stack([random.choice(columns, words, p=frequencies[label]) for label in target])
        ones = np.ones(rows * words)
        matrix = sparse.csr_matrix((ones, drawn.ravel(), np.arange(rows + 1) * words), shape=(rows, columns))
        matrix.sum_duplicates()
        save(path, lambda file: sklearn_datasets.dump_svmlight_file(matrix, target, file, zero_based=False))
    return path


def from_npy(name, path):
    """An array whose last column is the target; infimum calls columns by their number."""
    stored = np.load(path)
    matrix, target = np.ascontiguousarray(stored[:, :-1]), stored[:, -1].copy()
    return DataSet(name, matrix, target, str(path), ("--target", str(stored.shape[1])))


def from_svmlight(name, path):
    """An SVMlight file; its arrays are kept beside it in the cache, because scikit-learn's reader is slow."""
    arrays = CACHE / f"{name}.arrays.npz"
    if not arrays.exists() or arrays.stat().st_mtime < path.stat().st_mtime:
        matrix, target = sklearn_datasets.load_svmlight_file(str(path), zero_based=False)
        matrix.sort_indices()
        save(arrays, lambda file: np.savez(file, values=matrix.data, columns=matrix.indices.astype(np.int32),
                                           starts=matrix.indptr.astype(np.int32), shape=matrix.shape, target=target))
    stored = np.load(arrays)
    matrix = sparse.csr_matrix((stored["values"], stored["columns"], stored["starts"]), shape=tuple(stored["shape"]))
    return DataSet(name, matrix, stored["target"], str(path))


def save(path, write):
    """Writes a cache file whole or not at all."""
    path.parent.mkdir(exist_ok=True)
    unfinished = path.with_name(f"unfinished-{path.name}")
    with open(unfinished, "wb") as file:
        write(file)
    unfinished.replace(path)
