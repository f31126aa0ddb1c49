"""Generated data sets. Every number comes from a fixed seed."""

import numpy as np
from scipy import sparse


def text_like(seed=1, rows=50_000, columns=60_000, draws=150):
    """Documents as TF-IDF rows: columns drawn by Zipf's law, lengths log-normal (about 130 distinct columns a row),
    values (1 + ln tf) * idf, rows of length 1. Returns the matrix and a score: a planted sparse direction plus noise.
    """
    generator = np.random.default_rng(seed)
    share = 1 / (np.arange(columns) + 10.0) ** 1.05
    lengths = np.clip(draws * generator.lognormal(-0.125, 0.5, rows), 20, 2000).astype(int)
    drawn = np.searchsorted(np.cumsum(share / share.sum()), generator.random(lengths.sum()))
    starts = np.concatenate([[0], np.cumsum(lengths)])
    counts = sparse.csr_matrix((np.ones(starts[-1]), np.minimum(drawn, columns - 1), starts), (rows, columns))
    counts.sum_duplicates()
    documents = np.bincount(counts.indices, minlength=columns)
    matrix = counts.copy()
    matrix.data = (1 + np.log(counts.data)) * (1 + np.log((1 + rows) / (1 + documents)))[counts.indices]
    length = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    matrix.data = np.round(matrix.data / np.repeat(length, np.diff(matrix.indptr)), 6)
    planted = generator.standard_normal(columns) * (generator.random(columns) < 0.05)
    score = matrix @ planted
    return matrix, score / score.std() + 0.5 * generator.standard_normal(rows)


def ill_conditioned(seed=1, rows=500_000, columns=50):
    """Dense rows whose columns are correlated and scaled over nine decades; -1/+1 labels of a planted direction."""
    generator = np.random.default_rng(seed)
    factors = generator.standard_normal((rows, 8)) @ generator.standard_normal((8, columns))
    matrix = factors + 0.3 * generator.standard_normal((rows, columns))
    matrix[:, ::3] = np.exp(matrix[:, ::3] / 2)  # skewed, as counts and durations are
    score = (matrix - matrix.mean(0)) / matrix.std(0) @ generator.standard_normal(columns)
    target = np.where(score / score.std() + 0.3 * generator.logistic(size=rows) > 0.5, 1.0, -1.0)
    return matrix * 10.0 ** generator.uniform(-5, 4, columns), target


def easy_dense(seed=1, rows=250_000, columns=19):
    """Dense independent standard normal columns; -1/+1 labels of a planted direction."""
    generator = np.random.default_rng(seed)
    matrix = generator.standard_normal((rows, columns))
    score = matrix @ generator.standard_normal(columns)
    return matrix, np.where(score / score.std() + 0.5 * generator.logistic(size=rows) > 0, 1.0, -1.0)


def wide(seed=1, rows=71, columns=4_000):
    """Far more columns than rows, as in gene expression: neighbouring columns correlated 0.9, 20 of them count."""
    generator = np.random.default_rng(seed)
    matrix = generator.standard_normal((rows, columns))
    for column in range(1, columns):
        matrix[:, column] = 0.9 * matrix[:, column - 1] + np.sqrt(1 - 0.9**2) * matrix[:, column]
    planted = np.zeros(columns)
    planted[generator.choice(columns, 20, replace=False)] = generator.standard_normal(20)
    score = matrix @ planted
    return matrix, score / score.std() + 0.3 * generator.standard_normal(rows)
