"""The peers: how each is called so that it minimises a multiple of the objective in objective.py.

A peer is prepared once per problem (`prepare`, not timed: it gets its own input structure ready, as infimum's reading
is not timed either) and returns a function `fit(tolerance) -> (weights, intercepts)`, which is timed. Iteration
limits are lifted, so that a peer stops by its own tolerance alone.
"""

import importlib
import warnings
from dataclasses import dataclass
from typing import Callable

import numpy as np
from scipy import sparse

from . import Skip

UNLIMITED = 10_000_000
DENSE_HESSIAN_COLUMNS = 5_000  # newton-cholesky forms a columns x columns matrix


@dataclass(frozen=True)
class Peer:
    """`prepare(problem, data)` gives the timed function, or raises `Skip` when the peer cannot solve the problem."""

    name: str
    package: str
    prepare: Callable

    def ready(self, problem, data):
        try:
            importlib.import_module(self.package)
        except Exception as error:  # a peer that cannot be imported must not end the run
            raise Skip(f"{self.package} cannot be imported: {error}") from error
        return self.prepare(problem, data)


def require(condition, reason):
    if not condition:
        raise Skip(reason)


def coefficients(estimator):
    return np.array(estimator.coef_, dtype=float), np.array(estimator.intercept_, dtype=float)


def sklearn_logistic(solver):
    """scikit-learn: C sum loss + 1/2 ||w||^2, a free intercept with fit_intercept=True; = C * U with lambda2 = 1/C."""

    def prepare(problem, data):
        from sklearn.linear_model import LogisticRegression

        require(problem.loss in ("logistic", "softmax") and problem.lambda1 == 0, "another loss")
        outputs = int(data.target.max()) + 1 if problem.loss == "softmax" else 1
        size = outputs * data.matrix.shape[1]
        require(solver != "newton-cholesky" or size <= DENSE_HESSIAN_COLUMNS, f"its Hessian would be {size} x {size}")

        def fit(tolerance):
            free = problem.intercept == "free"
            model = LogisticRegression(C=1 / problem.lambda2, solver=solver, tol=tolerance, max_iter=UNLIMITED,
                                       fit_intercept=free)
            return coefficients(model.fit(data.matrix, data.target))

        return fit

    return prepare


def sklearn_linear_svc(loss, dual):
    """scikit-learn's copy of LIBLINEAR, whose iteration limit can be lifted: 1/2 ||w||^2 + C sum loss."""

    def prepare(problem, data):
        from sklearn.svm import LinearSVC

        require(problem.loss == loss, "another loss")
        require(problem.intercept == "none", "it penalises the intercept")

        def fit(tolerance):
            model = LinearSVC(C=1 / problem.lambda2, loss=loss.replace("-", "_"), dual=dual, tol=tolerance,
                              max_iter=UNLIMITED, fit_intercept=False, random_state=0)
            return coefficients(model.fit(data.matrix, data.target))

        return fit

    return prepare


def liblinear(solver, loss):
    """LIBLINEAR, `-s solver`, without bias: 1/2 ||w||^2 + C sum loss. Its own iteration limits cannot be lifted."""

    def prepare(problem, data):
        from liblinear.liblinearutil import parameter, train
        from liblinear.liblinearutil import problem as Training

        require(problem.loss == loss, "another loss")
        require(problem.intercept == "none", "it penalises the intercept")
        training = Training(data.target, sparse.csr_matrix(data.matrix))

        def fit(tolerance):
            model = train(training, parameter(f"-s {solver} -c {1 / problem.lambda2!r} -e {tolerance!r} -q"))
            weights = np.ctypeslib.as_array(model.w, (model.nr_feature,)).copy()
            return (weights if model.get_labels()[0] > 0 else -weights), np.zeros(1)

        return fit

    return prepare


def sklearn_poisson(solver):
    """scikit-learn: half the mean deviance + alpha/2 ||w||^2 = U / n with alpha = lambda2 / n."""

    def prepare(problem, data):
        from sklearn.linear_model import PoissonRegressor

        require(problem.loss == "poisson", "another loss")

        def fit(tolerance):
            model = PoissonRegressor(alpha=problem.lambda2 / len(data.target), solver=solver, tol=tolerance,
                                     max_iter=UNLIMITED, fit_intercept=problem.intercept == "free")
            return coefficients(model.fit(data.matrix, data.target))

        return fit

    return prepare


def sklearn_svr(dual):
    """scikit-learn's LinearSVR (LIBLINEAR): 1/2 ||w||^2 + C sum loss."""

    def prepare(problem, data):
        from sklearn.svm import LinearSVR

        kind, _, epsilon = problem.loss.partition(":")
        require(kind in ("epsilon", "squared-epsilon"), "another loss")
        require(problem.intercept == "none", "it penalises the intercept")
        require(dual or kind == "squared-epsilon", "its primal solver is for squared-epsilon")
        loss = {"epsilon": "epsilon_insensitive", "squared-epsilon": "squared_epsilon_insensitive"}[kind]

        def fit(tolerance):
            model = LinearSVR(C=1 / problem.lambda2, loss=loss, epsilon=float(epsilon), dual=dual, tol=tolerance,
                              max_iter=UNLIMITED, fit_intercept=False, random_state=0)
            return coefficients(model.fit(data.matrix, data.target))

        return fit

    return prepare


def sklearn_ridge(solver):
    """scikit-learn: ||y - Xw - b||^2 + alpha ||w||^2 = 2 U with alpha = lambda2."""

    def prepare(problem, data):
        from sklearn.linear_model import Ridge

        require(problem.loss == "squared" and problem.lambda1 == 0, "another loss")

        def fit(tolerance):
            model = Ridge(alpha=problem.lambda2, solver=solver, tol=tolerance, fit_intercept=problem.intercept == "free")
            return coefficients(model.fit(data.matrix, data.target))

        return fit

    return prepare


def sklearn_quantile(problem, data):
    """scikit-learn, a linear program by HiGHS: mean loss + alpha ||w||_1 = U / n with alpha = lambda1 / n."""
    from sklearn.linear_model import QuantileRegressor

    kind, _, share = problem.loss.partition(":")
    require(kind == "quantile", "another loss")

    def fit(tolerance):
        options = {"primal_feasibility_tolerance": tolerance, "dual_feasibility_tolerance": tolerance}
        model = QuantileRegressor(quantile=float(share), alpha=problem.l1, solver="highs", solver_options=options,
                                  fit_intercept=problem.intercept == "free")
        return coefficients(model.fit(data.matrix, data.target))

    return fit


def lasso(package):
    """scikit-learn, celer, skglm: 1/(2n) ||y - Xw - b||^2 + alpha ||w||_1 = U / n with alpha = lambda1 / n."""

    def prepare(problem, data):
        linear = importlib.import_module(package)
        require(problem.loss == "squared" and problem.lambda2 == 0, "another loss")
        # All three work by columns and convert a matrix that is not laid out so.
        matrix = sparse.csc_matrix(data.matrix) if data.is_sparse else np.asfortranarray(data.matrix)
        inner = {"max_epochs": UNLIMITED} if package != "sklearn.linear_model" else {}
        outer = UNLIMITED if package == "sklearn.linear_model" else 10_000

        def fit(tolerance):
            model = linear.Lasso(alpha=problem.l1, tol=tolerance, max_iter=outer,
                                 fit_intercept=problem.intercept == "free", **inner)
            return coefficients(model.fit(matrix, data.target))

        return fit

    return prepare


def skglm_hinge(problem, data):
    """skglm's LinearSVC: the dual of C sum hinge + 1/2 ||w||^2."""
    from skglm import LinearSVC

    require(problem.loss == "hinge", "another loss")
    require(problem.intercept == "none", "it has no intercept here")

    def fit(tolerance):
        model = LinearSVC(C=1 / problem.lambda2, tol=tolerance, max_iter=10_000, max_epochs=UNLIMITED,
                          fit_intercept=False)
        return coefficients(model.fit(data.matrix, data.target))

    return fit


PEERS = (
    Peer("LIBLINEAR -s 0", "liblinear", liblinear(0, "logistic")),
    Peer("LIBLINEAR -s 7", "liblinear", liblinear(7, "logistic")),
    Peer("LIBLINEAR -s 3", "liblinear", liblinear(3, "hinge")),
    Peer("LIBLINEAR -s 1", "liblinear", liblinear(1, "squared-hinge")),
    Peer("LIBLINEAR -s 2", "liblinear", liblinear(2, "squared-hinge")),
    Peer("sklearn newton-cholesky", "sklearn", sklearn_logistic("newton-cholesky")),
    Peer("sklearn newton-cg", "sklearn", sklearn_logistic("newton-cg")),
    Peer("sklearn lbfgs", "sklearn", sklearn_logistic("lbfgs")),
    Peer("sklearn LinearSVC hinge", "sklearn", sklearn_linear_svc("hinge", True)),
    Peer("sklearn LinearSVC dual", "sklearn", sklearn_linear_svc("squared-hinge", True)),
    Peer("skglm LinearSVC", "skglm", skglm_hinge),
    Peer("sklearn LinearSVR dual", "sklearn", sklearn_svr(True)),
    Peer("sklearn LinearSVR primal", "sklearn", sklearn_svr(False)),
    Peer("sklearn Ridge cholesky", "sklearn", sklearn_ridge("cholesky")),
    Peer("sklearn Poisson lbfgs", "sklearn", sklearn_poisson("lbfgs")),
    Peer("sklearn Poisson newton-cholesky", "sklearn", sklearn_poisson("newton-cholesky")),
    Peer("sklearn QuantileRegressor", "sklearn", sklearn_quantile),
    Peer("sklearn Lasso", "sklearn", lasso("sklearn.linear_model")),
    Peer("celer Lasso", "celer", lasso("celer")),
    Peer("skglm Lasso", "skglm", lasso("skglm")),
)


def quiet():
    warnings.simplefilter("ignore")
