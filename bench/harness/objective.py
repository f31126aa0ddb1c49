"""The training objective, evaluated from coefficients.

    U(W, b) = sum_i loss(y_i, W x_i + b) + lambda1 * ||W||_1 + lambda2/2 * ||W||^2

the unnormalised sum of docs/canonical-problem.md, section 3, for unit example weights and an intercept that is free
or absent. Every peer's objective is a positive multiple of this one (see peers.py), so relative gaps are the same.
The outputs W x + b are formed in float64, everything after that in long double: the relative error is far below the
finest target (1e-9).
"""

import numpy as np


def losses(loss, target, outputs):
    """Loss of every row, long double. `outputs` is rows x outputs; `target` holds -1/+1, class indices, or numbers."""
    outputs = outputs.astype(np.longdouble)
    if loss == "softmax":
        largest = outputs.max(axis=1, keepdims=True)
        logarithm = largest[:, 0] + np.log(np.exp(outputs - largest).sum(axis=1))
        return logarithm - outputs[np.arange(len(target)), target.astype(int)]
    outputs = outputs[:, 0]
    if loss == "squared":
        return (outputs - target) ** 2 / 2
    if loss == "poisson":
        # exp(z) - y z, less its least value y - y ln y, so that no loss is negative.
        logarithm = np.log(np.where(target > 0, target, 1).astype(np.longdouble))
        return np.exp(outputs) - target * outputs - (target - target * logarithm)
    kind, _, parameter = loss.partition(":")
    if kind == "quantile":
        share = np.longdouble(parameter)
        return share * np.maximum(0, target - outputs) + (1 - share) * np.maximum(0, outputs - target)
    if kind in ("epsilon", "squared-epsilon"):
        excess = np.maximum(0, np.abs(outputs - target) - np.longdouble(parameter))
        return excess if kind == "epsilon" else excess**2
    margin = target * outputs
    if loss == "logistic":
        return np.logaddexp(np.longdouble(0), -margin)
    shortfall = np.maximum(0, 1 - margin)
    return shortfall if loss == "hinge" else shortfall**2


def objective(problem, data, weights, intercepts):
    """U(W, b) as a float; `weights` is outputs x columns."""
    weights = np.asarray(weights, dtype=float).reshape(-1, data.matrix.shape[1])
    intercepts = np.asarray(intercepts, dtype=float).reshape(-1)
    outputs = np.asarray(data.matrix @ weights.T) + intercepts
    exact = weights.astype(np.longdouble)
    penalty = problem.lambda1 * np.abs(exact).sum() + problem.lambda2 / 2 * (exact**2).sum()
    return float(losses(problem.loss, data.target, outputs).sum() + penalty)
