"""Exact evaluation of a network that a peer found."""

from fractions import Fraction
from math import lcm


def right(points, labels, weights, table):
    """Does [w·x + b > 0] for every (w, b) of `weights`, followed by the truth table, get every row right? Weights are
    fractions, scaled to integers here; rows are integers."""
    columns = []
    for *slopes, intercept in weights:
        slopes, intercept = [Fraction(slope) for slope in slopes], Fraction(intercept)
        scale = lcm(intercept.denominator, *(slope.denominator for slope in slopes))
        whole, offset = [int(slope * scale) for slope in slopes], int(intercept * scale)
        columns.append([sum(weight * value for weight, value in zip(whole, point) if value) + offset > 0
                        for point in points])
    return all(table[sum(active << unit for unit, active in enumerate(pattern))] == bool(label)
               for pattern, label in zip(zip(*columns), labels))
