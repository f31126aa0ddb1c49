"""The comparison of one problem: a reference bound, a search for each peer's tolerances, and timed rounds."""

import gc
import math
import statistics
import time
import warnings
from dataclasses import dataclass, field

import numpy as np
from scipy import sparse

from . import Skip, ours
from .datasets import DataSet
from .fits import timed
from .objective import objective
from .peers import PEERS

OURS = "infimum"
TARGETS = (1e-3, 1e-6, 1e-9)
REFERENCE_GAP = 1e-10
LOOSE = 5e-10  # a proven bound with a gap above this cannot tell who reached 1e-9
FINEST = 12  # tolerances go down to 1e-12
ROUNDING = 1e-13  # relative; an objective this far below a proven bound is a contradiction


@dataclass
class Settings:
    """Options of the command line."""

    repeats: int
    threads: int
    limit: float  # seconds for one fit
    budget: float  # seconds for the search of one peer's tolerances
    halvings: int  # of a decade of tolerance, around the one that first reaches a target
    peers: str  # only peers whose name contains this


@dataclass
class Comparison:
    """What was measured on one problem. `times[contender][target]` has one entry a round, infinite for a failure."""

    problem: str
    shape: str
    reference: float = -math.inf
    reference_note: str = ""
    times: dict = field(default_factory=dict)
    tolerances: dict = field(default_factory=dict)
    fits: list = field(default_factory=list)
    runs: list = field(default_factory=list)
    notes: list = field(default_factory=list)
    alarms: list = field(default_factory=list)

    def median(self, contender, target):
        """Median seconds over the rounds; None where the target is not reached."""
        times = self.times.get(contender, {}).get(target)
        median = statistics.median(times) if times else math.inf
        return median if math.isfinite(median) else None

    def best_peer(self, target):
        """The fastest peer that reaches the target, or None."""
        reaching = [name for name in self.tolerances if self.median(name, target) is not None]
        return min(reaching, key=lambda name: self.median(name, target), default=None)

    def ratio(self, contender, target):
        """Peer's time over ours; None where either is missing."""
        theirs, mine = self.median(contender, target), self.median(OURS, target)
        return theirs / mine if theirs is not None and mine else None


class Bench:
    """One problem, its data in memory, and the peers that can solve it."""

    def __init__(self, specification, data, binary, settings, say):
        self.data, self.binary, self.settings, self.say = data, binary, settings, say
        self.problem = specification.bind(data)
        self.result = Comparison(specification.name, data.shape)
        self.proven = 0.0  # no loss is negative
        self.peers = {}
        small = sample(data)
        for peer in PEERS:
            if settings.peers not in peer.name:
                continue
            try:
                warm_up(peer.ready(specification.bind(small), small))
                self.peers[peer.name] = peer.ready(self.problem, data)
            except Skip as reason:
                if str(reason) != "another loss":
                    self.result.notes.append(f"{peer.name} is left out: {reason}")
        gc.collect()
        gc.freeze()  # so that the children's collector does not touch, and so copy, the parent's pages

    def compare(self):
        """Measures everything and returns the `Comparison`."""
        self.find_reference()
        for name in self.peers:
            self.result.tolerances[name] = self.search(name)
        for number in range(self.settings.repeats):
            self.round(number + 1)
        return self.result

    def find_reference(self):
        """The lower bound that every gap refers to: that of infimum's certificate at a gap of 1e-10.

        Where there is none (no infimum, or it did not get close enough) the lowest objective that anyone found stands
        in for it, each peer at its finest tolerance. That is an estimate, and is called one.
        """
        found, why = [], "infimum was not run"
        if self.binary is not None:
            run = self.run(REFERENCE_GAP, "reference")
            why = run.failure
            if run.weights is not None:
                found.append(self.check_model(run))
            if run.certified:
                self.proven = run.lower
                if run.gap <= LOOSE:
                    self.result.reference = run.lower
                    self.result.reference_note = f"proven by infimum, gap {run.gap:.1e}"
                    return
        found += [self.fit(name, 10.0**-FINEST, "reference")["objective"] for name in self.peers]
        self.result.reference = min(found, default=-math.inf)
        self.result.reference_note = f"estimated by the lowest objective found ({why})"

    def check_model(self, run):
        """Our model's objective, computed here from the arrays of the peers, which must lie within its certificate."""
        value = objective(self.problem, self.data, run.weights, run.intercepts)
        if run.certified and not run.lower * (1 - ROUNDING) <= value <= run.upper * (1 + ROUNDING):
            self.alarm(f"infimum's model has objective {value!r} here, outside of its certificate's "
                       f"[{run.lower!r}, {run.upper!r}]: the problems differ")
        return value

    def alarm(self, text):
        """Keeps a contradiction, once."""
        if text not in self.result.alarms:
            self.result.alarms.append(text)

    def run(self, target, stage):
        """One run of infimum to the gap `target`, recorded."""
        settings = self.settings
        run = ours.fit(self.binary, self.problem, self.data, target, settings.threads, settings.limit)
        kept = {key: value for key, value in vars(run).items() if key not in ("weights", "intercepts")}
        self.result.runs.append({"stage": stage, "target": target} | kept)
        return run

    def fit(self, name, tolerance, stage):
        """One timed fit of a peer, recorded."""
        outcome = timed(self.peers[name], tolerance, self.settings.limit)
        value = math.inf
        if not outcome.failure:
            value = objective(self.problem, self.data, outcome.weights, outcome.intercepts)
        gap = (value - self.result.reference) / abs(value) if math.isfinite(value) else math.inf
        if value < self.proven * (1 - ROUNDING):
            self.alarm(f"{name} found {value!r}, below the proven bound {self.proven!r}")
        measured = {"peer": name, "stage": stage, "tolerance": tolerance, "seconds": outcome.seconds,
                    "cpu_seconds": outcome.cpu_seconds, "objective": value, "gap": gap, "failure": outcome.failure}
        self.result.fits.append(measured)
        return measured

    def search(self, name):
        """For every target the tolerance with which the peer reaches it fastest.

        Goes down by decades until the finest target, the limit of one fit or the budget of the search is reached;
        then halves the decade above the loosest tolerance that reaches a target.
        """
        started = time.monotonic()
        tried = {}

        def attempt(exponent):
            if exponent not in tried and time.monotonic() - started < self.settings.budget:
                tried[exponent] = self.fit(name, 10.0**-exponent, "search")
            return tried.get(exponent, {"gap": math.inf, "failure": "the search's budget is spent"})

        for exponent in range(FINEST + 1):
            measured = attempt(float(exponent))
            if measured["failure"] or measured["gap"] <= TARGETS[-1]:
                break
        if measured["failure"]:
            self.result.notes.append(f"{name} was not tried beyond tolerance 1e-{exponent}: {measured['failure']}")
        chosen = {}
        for target in TARGETS:
            reaching = [exponent for exponent, fit in tried.items() if fit["gap"] <= target]
            if not reaching:
                continue
            loosest, step = min(reaching), 1.0
            for _ in range(self.settings.halvings if loosest > 0 else 0):
                step /= 2
                if attempt(loosest - step)["gap"] <= target:
                    loosest -= step
            reaching = [exponent for exponent, fit in tried.items() if fit["gap"] <= target]
            fastest = min((tried[exponent] for exponent in reaching), key=lambda fit: fit["seconds"])
            chosen[target] = fastest["tolerance"]
        said = ", ".join(f"{target:.0e} at {tolerance:.1e}" for target, tolerance in chosen.items())
        self.say(f"  {name}: {said or 'no target reached'}")
        return chosen

    def round(self, number):
        """Every contender once for every target, in turn; the order is reversed in every second round."""
        done = {}
        for target in TARGETS:
            names = [OURS] * (self.binary is not None) + [n for n in self.peers if target in self.result.tolerances[n]]
            for name in names if number % 2 else reversed(names):
                if name == OURS:
                    run = self.run(target, f"round {number}")
                    seconds = math.inf if run.failure else run.seconds
                else:
                    tolerance = self.result.tolerances[name][target]
                    if (name, tolerance) not in done:
                        done[name, tolerance] = self.fit(name, tolerance, f"round {number}")
                    fit = done[name, tolerance]
                    seconds = fit["seconds"] if fit["gap"] <= target else math.inf
                self.result.times.setdefault(name, {}).setdefault(target, []).append(seconds)


def warm_up(fit):
    """One call that makes the peer compile and import what it does only once."""
    try:
        with warnings.catch_warnings(action="ignore"):
            fit(1e-2)
    except Exception as error:  # whatever a peer raises, the others go on
        raise Skip(f"it fails on a sample: {error}") from error


def sample(data, rows=300):
    """Few rows of the same kind, every class among them, columns scaled to at most 1 so that any solver is quick."""
    spread = np.linspace(0, len(data.target) - 1, min(rows, len(data.target))).astype(int)
    classes = np.unique(data.target, return_index=True)[1][:rows]
    chosen = np.union1d(spread, classes)
    matrix = data.matrix[chosen]
    largest = abs(matrix).max(axis=0)
    largest = np.maximum(largest.toarray() if data.is_sparse else largest, 1e-300).ravel()
    scaled = matrix @ sparse.diags(1 / largest) if data.is_sparse else np.ascontiguousarray(matrix / largest)
    return DataSet(data.name, scaled, data.target[chosen], data.source)
