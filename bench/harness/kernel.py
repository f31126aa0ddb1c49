"""Kernel SVM (RBF, hinge, free intercept) against scikit-learn's SVC, which is LIBSVM: seconds to the same relative gap.

    U(f, b) = sum max(0, 1 - y (f(x) + b)) + 1/(2C) ||f||^2

Both get the same rows, C, and the gamma that infimum recorded. Of SVC's tolerances (decades and their thirds) the loosest that reaches the
gap is timed; its gap is (U - L)/U with the lower bound L that infimum proved in its tightest run, U from the model's own
outputs and coefficients. infimum's time is solve + certify of a run whose certificate the checker accepted.
"""

import argparse
import json
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
from sklearn.svm import SVC

from . import ours
from .datasets import load

TOLERANCES = [1.0, 0.3, 0.1, 0.03, 0.01, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5, 1e-6]


def infimum(binary, rows, target, strength, gap):
    """Seconds, proven bounds and gamma of one run on the rows, written as NPY with the target last."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        path = Path(folder, "rows.npy")
        np.save(path, np.column_stack([rows, target]))
        command = [str(binary), "fit", str(path), "--kernel", "rbf", "--loss", "hinge", "--C", repr(strength), "--task",
                   "classification", "--gap", repr(gap), "--threads", "1", "--json", "--quiet", "--out", folder + "/run"]
        result = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
        certificate = Path(folder, "run", "certificate.safetensors").read_bytes()
        length = int.from_bytes(certificate[:8], "little")
        claim = json.loads(json.loads(certificate[8 : 8 + length])["__metadata__"]["claim"])
        if not result["certified"] or result["gap"] > gap:
            raise SystemExit(f"infimum ended {result['ending']} at gap {result['gap']:.1e}")
        seconds = result["seconds"]
        return seconds["solve"] + seconds["certify"], seconds["check"], claim["lower"], claim["recipe"]["kernel"]


def svc(rows, target, strength, gamma, tolerance):
    """Seconds of SVC's fit, and U of its model."""
    model = SVC(C=strength, kernel="rbf", gamma=gamma, tol=tolerance, cache_size=1000)
    start = time.perf_counter()
    model.fit(rows, target)
    seconds = time.perf_counter() - start
    outputs = model.decision_function(rows)
    norm = float(model.dual_coef_[0] @ (outputs[model.support_] - model.intercept_[0]))
    return seconds, float(np.maximum(0, 1 - target * outputs).sum()) + norm / (2 * strength)


def gamma_of(kernel):
    """The width in the claim's description of the kernel."""
    found = kernel if isinstance(kernel, dict) else {}
    while "gamma" not in found:
        found = next(value for value in found.values() if isinstance(value, dict))
    return found["gamma"]


def compare(binary, name, count, strength, gaps, rounds):
    data = load(name, binary)
    pick = np.random.default_rng(0).permutation(data.matrix.shape[0])[:count]
    rows = data.matrix[pick]
    rows = np.ascontiguousarray(rows.toarray() if data.is_sparse else rows)
    target = data.target[pick]
    _, _, lower, kernel = infimum(binary, rows, target, strength, gaps[-1] / 10)
    gamma = gamma_of(kernel)
    for gap in gaps:
        for tolerance in TOLERANCES:
            _, value = svc(rows, target, strength, gamma, tolerance)
            if value - lower <= gap * value:
                break
        else:
            tolerance = None
        mine, theirs, checks = [], [], []
        for _ in range(rounds):
            seconds, check, _, _ = infimum(binary, rows, target, strength, gap)
            mine.append(seconds)
            checks.append(check)
            if tolerance is not None:
                theirs.append(svc(rows, target, strength, gamma, tolerance)[0])
        peer = f"{statistics.median(theirs):.2f} s at tol {tolerance:g}" if theirs else "no tolerance reaches it"
        ratio = f" ({statistics.median(theirs) / statistics.median(mine):.2f}x)" if theirs else ""
        print(f"{name} {count:,} rows x {rows.shape[1]}, C={strength:g}, gamma={gamma:.4g}, gap {gap:g}: infimum "
              f"{statistics.median(mine):.2f} s{ratio}, SVC {peer}; check {statistics.median(checks):.2f} s", flush=True)


def main():
    parser = argparse.ArgumentParser(prog="bench/kernel", description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--data", nargs="+", default=["easy-dense", "a9a"], help="data sets of bench/run")
    parser.add_argument("--strength", type=float, default=1.0, metavar="C")
    parser.add_argument("--gaps", type=float, nargs="+", default=[1e-3, 1e-6])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    binary = ours.build()
    for name in options.data:
        compare(binary, name, options.rows, options.strength, options.gaps, options.rounds)


if __name__ == "__main__":
    main()
