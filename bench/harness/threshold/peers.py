"""The peers' encodings. Each is built from the rows, then solved within the timed call, then asked for its network.

A peer is a class: `__init__(rows, units)` makes the model, `solve(limit)` returns "sat", "unsat" or "unknown", and
`network()` returns the hidden units' (w, b) in the rows' own units and the output's truth table. `complete` says
whether its "unsat" is meant for all real weights.
"""

from fractions import Fraction

import highspy
import numpy as np
import pyscipopt
import z3
from ortools.sat.python import cp_model

from .skeleton import Skeleton

MARGIN = 1e-4  # of the mixed-integer programs, rows and weights scaled to [-1, 1]
LARGEST = 1000  # absolute value of CP-SAT's weights


class Z3:
    """The skeleton, and linear real arithmetic for each unit: h → w·x + b ≥ 1, ¬h → w·x + b ≤ −1."""

    complete = True
    arithmetic = 6  # Z3's own choice

    def __init__(self, rows, units):
        self.skeleton = Skeleton(rows.labels, units)
        self.solver = z3.SolverFor("QF_LRA")
        self.solver.set("arith.solver", self.arithmetic)
        truth = [None, *z3.Bools(" ".join(f"v{variable}" for variable in range(1, self.skeleton.variables + 1)))]
        self.truth = truth
        columns = len(rows.points[0])
        self.weights = [[z3.Real(f"w{unit}_{column}") for column in range(columns + 1)] for unit in range(units)]
        for clause in self.skeleton.clauses:
            self.solver.add(z3.Or([truth[literal] if literal > 0 else z3.Not(truth[-literal]) for literal in clause]))
        for unit, weights in enumerate(self.weights):
            for row, value in enumerate(outputs(weights, rows.points)):
                active = truth[self.skeleton.hidden[unit][row]]
                self.solver.add(z3.Implies(active, value >= 1), z3.Implies(z3.Not(active), value <= -1))

    def solve(self, limit):
        self.solver.set("timeout", int(1000 * limit))
        return str(self.solver.check())

    def network(self):
        model = self.solver.model()
        chosen = next(table for variable, table in zip(self.skeleton.choice, self.skeleton.functions)
                      if z3.is_true(model.eval(self.truth[variable], model_completion=True)))
        return [[fraction(model, weight) for weight in weights] for weights in self.weights], chosen


class Z3Old(Z3):
    """The same with Z3's older simplex, which is often the faster one here."""

    arithmetic = 2


class Z3Naive:
    """As one would write it down: h = [w·x + b > 0], y = [v·h + c > 0], all weights real, no symmetry breaking."""

    complete = True

    def __init__(self, rows, units):
        self.solver = z3.SolverFor("QF_LRA")
        self.units = units
        columns = len(rows.points[0])
        self.weights = [[z3.Real(f"w{unit}_{column}") for column in range(columns + 1)] for unit in range(units)]
        self.head = [z3.Real(f"v{unit}") for unit in range(units + 1)]
        values = [outputs(weights, rows.points) for weights in self.weights]
        for row, label in enumerate(rows.labels):
            active = [z3.If(values[unit][row] > 0, self.head[unit], 0) for unit in range(units)]
            output = z3.Sum([*active, self.head[units]])
            self.solver.add(output > 0 if label else output <= 0)

    def solve(self, limit):
        self.solver.set("timeout", int(1000 * limit))
        return str(self.solver.check())

    def network(self):
        model = self.solver.model()
        head = [fraction(model, weight) for weight in self.head]
        table = [sum(head[unit] for unit in range(self.units) if subset >> unit & 1) + head[-1] > 0
                 for subset in range(1 << self.units)]
        return [[fraction(model, weight) for weight in weights] for weights in self.weights], table


def outputs(weights, points):
    """w·x + b for every row, as Z3 terms."""
    return [z3.Sum([weight if value == 1 else value * weight for weight, value in zip(weights, point) if value]
                   + [weights[-1]]) for point in points]


def fraction(model, variable):
    value = model.eval(variable, model_completion=True)
    return Fraction(value.numerator_as_long(), value.denominator_as_long())


class MixedInteger:
    """The skeleton as 0/1 rows, and each unit by big M: w·x + b ≥ margin − M(1 − h), w·x + b ≤ −margin + M h.

    Columns are scaled to a largest absolute value of 1, weights to [-1, 1] (separation is homogeneous), so |w·x| ≤ d
    and an intercept within d + 1 suffices. Dichotomies with a smaller margin than MARGIN are missed: "unsat" proves
    nothing.
    """

    complete = False

    def __init__(self, rows, units):
        self.skeleton = Skeleton(rows.labels, units)
        points = np.array(rows.points, dtype=float)
        self.scale = np.maximum(np.abs(points).max(axis=0), 1)
        points /= self.scale
        columns = points.shape[1]
        self.stride = columns + 1
        reach = np.abs(points).sum(axis=1) + columns + 1 + MARGIN
        lower, upper = [0.0] * self.skeleton.variables, [1.0] * self.skeleton.variables
        for _ in range(units):
            lower += [-1.0] * columns + [-(columns + 1.0)]
            upper += [1.0] * columns + [columns + 1.0]
        constraints = []  # (indices, coefficients, least, largest)
        for clause in self.skeleton.clauses:
            negative = sum(literal < 0 for literal in clause)
            signs = [1.0 if literal > 0 else -1.0 for literal in clause]
            constraints.append(([abs(literal) - 1 for literal in clause], signs, 1.0 - negative, np.inf))
        for unit in range(units):
            first = self.skeleton.variables + unit * self.stride
            for row, point in enumerate(points):
                filled = np.flatnonzero(point)
                indices = [*(first + filled), first + columns, self.skeleton.hidden[unit][row] - 1]
                slopes = [*point[filled], 1.0]
                constraints.append((indices, [*slopes, -reach[row]], MARGIN - reach[row], np.inf))
                constraints.append((indices, [*slopes, -reach[row]], -np.inf, -MARGIN))
        self.make(lower, upper, constraints)

    def network(self):
        values = self.values()
        chosen = next(table for variable, table in zip(self.skeleton.choice, self.skeleton.functions)
                      if values[variable - 1] > 0.5)
        weights = []
        for unit in range(self.skeleton.units):
            first = self.skeleton.variables + unit * self.stride
            found = values[first : first + self.stride]
            weights.append([Fraction(float(weight)) / int(scale) for weight, scale in zip(found[:-1], self.scale)]
                           + [Fraction(float(found[-1]))])
        return weights, chosen


class Scip(MixedInteger):
    def make(self, lower, upper, constraints):
        self.model = pyscipopt.Model()
        self.model.hideOutput()
        binary = self.skeleton.variables
        self.columns = [self.model.addVar(vtype="B" if index < binary else "C", lb=least, ub=largest)
                        for index, (least, largest) in enumerate(zip(lower, upper))]
        for indices, coefficients, least, largest in constraints:
            total = pyscipopt.quicksum(float(coefficient) * self.columns[index]
                                       for index, coefficient in zip(indices, coefficients))
            self.model.addCons(total >= float(least) if np.isfinite(least) else total <= float(largest))

    def solve(self, limit):
        self.model.setParam("limits/time", limit)
        self.model.optimize()
        return {"optimal": "sat", "infeasible": "unsat"}.get(self.model.getStatus(), "unknown")

    def values(self):
        return [self.model.getVal(column) for column in self.columns]


class Highs(MixedInteger):
    def make(self, lower, upper, constraints):
        self.solver = highspy.Highs()
        self.solver.silent()
        for option, value in (("threads", 1), ("parallel", "off")):
            self.solver.setOptionValue(option, value)
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = len(lower), len(constraints)
        lp.col_cost_ = np.zeros(len(lower))
        lp.col_lower_, lp.col_upper_ = np.array(lower), np.array(upper)
        lp.row_lower_ = np.array([least for _, _, least, _ in constraints])
        lp.row_upper_ = np.array([largest for _, _, _, largest in constraints])
        lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        lp.a_matrix_.start_ = np.cumsum([0] + [len(indices) for indices, _, _, _ in constraints]).astype(np.int32)
        lp.a_matrix_.index_ = np.array([index for indices, _, _, _ in constraints for index in indices], dtype=np.int32)
        lp.a_matrix_.value_ = np.array([value for _, values, _, _ in constraints for value in values], dtype=float)
        binary = self.skeleton.variables
        lp.integrality_ = [highspy.HighsVarType.kInteger if index < binary else highspy.HighsVarType.kContinuous
                           for index in range(len(lower))]
        self.solver.passModel(lp)

    def solve(self, limit):
        self.solver.setOptionValue("time_limit", float(limit))
        self.solver.run()
        meanings = {highspy.HighsModelStatus.kOptimal: "sat", highspy.HighsModelStatus.kInfeasible: "unsat"}
        return meanings.get(self.solver.getModelStatus(), "unknown")

    def values(self):
        return list(self.solver.getSolution().col_value)


class CpSat:
    """The skeleton, and integer weights with |w| ≤ LARGEST: h → w·x + b ≥ 1, ¬h → w·x + b ≤ −1. Networks that need
    larger weights are missed: "unsat" proves nothing for real weights."""

    complete = False

    def __init__(self, rows, units):
        self.skeleton = Skeleton(rows.labels, units)
        self.model, self.solver = cp_model.CpModel(), cp_model.CpSolver()
        self.truth = [None, *(self.model.new_bool_var("") for _ in range(self.skeleton.variables))]
        for clause in self.skeleton.clauses:
            self.model.add_bool_or([self.truth[literal] if literal > 0 else ~self.truth[-literal]
                                    for literal in clause])
        reach = LARGEST * max(sum(abs(value) for value in point) for point in rows.points) + 1
        self.weights = [[*(self.model.new_int_var(-LARGEST, LARGEST, "") for _ in rows.points[0]),
                         self.model.new_int_var(-reach, reach, "")] for _ in range(units)]
        for unit, weights in enumerate(self.weights):
            for row, point in enumerate(rows.points):
                value = cp_model.LinearExpr.weighted_sum(weights, [*point, 1])
                active = self.truth[self.skeleton.hidden[unit][row]]
                self.model.add(value >= 1).only_enforce_if(active)
                self.model.add(value <= -1).only_enforce_if(~active)

    def solve(self, limit):
        self.solver.parameters.num_workers = 1
        self.solver.parameters.max_time_in_seconds = limit
        status = self.solver.solve(self.model)
        return {cp_model.OPTIMAL: "sat", cp_model.FEASIBLE: "sat", cp_model.INFEASIBLE: "unsat"}.get(status, "unknown")

    def network(self):
        chosen = next(table for variable, table in zip(self.skeleton.choice, self.skeleton.functions)
                      if self.solver.boolean_value(self.truth[variable]))
        return [[self.solver.value(weight) for weight in weights] for weights in self.weights], chosen


PEERS = {"z3": Z3, "z3-old": Z3Old, "z3-naive": Z3Naive, "scip": Scip, "highs": Highs, "cp-sat": CpSat}
