"""What is compared: each entry is one training problem with one exact objective."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Specification:
    """A problem before its data are loaded. `strength` is C, or the fraction of lambda_max for the lasso."""

    data: str
    loss: str  # of infimum, or `ridge`: squared with l2
    intercept: str
    strength: float

    @property
    def name(self):
        strength = f"C={self.strength:g}"
        if self.loss == "squared":
            strength = f"lambda_max/{1 / self.strength:g}"
        intercept = "" if self.intercept == "none" else f" {self.intercept} intercept"
        loss = "lasso" if self.loss == "squared" else self.loss
        return f"{loss} {self.data} {strength}{intercept}"

    def bind(self, data):
        """The problem with its coefficients in the unnormalised sum of objective.py."""
        if self.loss == "quantile:0.3":  # scikit-learn's has l1 alone
            l1 = self.strength
            arguments = ("--task", "regression", "--quantile", "0.3", "--l1", repr(l1))
            return Problem(self.name, self.loss, self.intercept, l1 * len(data.target), 0.0, arguments, l1)
        if self.loss != "squared":
            loss = "squared" if self.loss == "ridge" else self.loss
            kind = () if loss in MARGINS else ("--task", "regression")
            kind += ("--epsilon", loss.partition(":")[2]) if "epsilon" in loss else ()
            return Problem(self.name, loss, self.intercept, 0.0, 1 / self.strength, ("--C", repr(self.strength), *kind))
        centred = data.target - data.target.mean() if self.intercept == "free" else data.target
        rows = len(data.target)
        l1 = float(np.abs(data.matrix.T @ centred).max()) / rows * self.strength
        arguments = ("--task", "regression", "--l1", repr(l1))
        return Problem(self.name, self.loss, self.intercept, l1 * rows, 0.0, arguments, l1)


MARGINS = ("logistic", "softmax", "hinge", "squared-hinge")


@dataclass(frozen=True)
class Problem:
    """U(W, b) = sum loss + lambda1 ||W||_1 + lambda2/2 ||W||^2; `l1` is lambda1 / rows."""

    name: str
    loss: str
    intercept: str
    lambda1: float
    lambda2: float
    arguments: tuple
    l1: float = 0.0


def specifications():
    """All problems, cheap ones first. Without an intercept all peers can take part; with a free one only those that
    do not penalise it."""
    margins = ("logistic", "hinge", "squared-hinge")
    found = []
    for data, strengths in (("breast-cancer", (1.0,)), ("a9a", (1.0, 100.0)), ("text-like", (1.0,)),
                            ("easy-dense", (1.0,)), ("ill-conditioned", (1.0,))):
        found += [Specification(data, loss, "none", strength) for loss in margins for strength in strengths]
        found += [Specification(data, "logistic", "free", strength) for strength in strengths]
    softmax = [Specification("digits", "softmax", intercept, 1.0) for intercept in ("none", "free")]
    topics = [Specification("topics", "softmax", "none", 1.0)]
    lasso = [Specification(data, "squared", intercept, fraction)
             for data, intercept in (("wide", "free"), ("text-like-regression", "none")) for fraction in (0.1, 0.01)]
    others = [Specification("regression", loss, "none", 1.0) for loss in ("ridge", "epsilon:0.1", "squared-epsilon:0.1")]
    others += [Specification("regression", "ridge", "free", 1.0)]
    others += [Specification("counts", "poisson", intercept, 1.0) for intercept in ("none", "free")]
    others += [Specification("small-regression", "quantile:0.3", "free", 1e-3)]
    return softmax + lasso[:2] + found[:12] + topics + lasso[2:] + found[12:] + others
