"""The Boolean part of the question, the same for every peer that can take it: clauses over numbered variables.

One hidden layer, one free output unit, no skip connection. There, without loss of generality (docs/certificates.md):
output weights are positive (complement a hidden unit otherwise), the output depends on every unit (make the others
constant), and units that the output function treats alike may be sorted by their columns of h. So the variables are

    h[u][i]   unit u is active on row i
    table[b]  the output on the set b of active units: a monotone truth table
    choice[f] the output is the function f of `positive_functions`, one of 2, 5, 17 for k = 2, 3, 4

and what remains for a theory is that every h[u] is a linear dichotomy of the rows.
"""

from functools import cache
from itertools import combinations_with_replacement

SORTED_ROWS = 50  # a longer chain costs more than it saves
COUNTS = {1: 1, 2: 2, 3: 5, 4: 17, 5: 92}


@cache
def positive_functions(units):
    """Truth tables (bit b: the value on the set b) of all threshold functions with positive weights in `units` inputs
    that depend on each, up to permutation: weights sorted from large to small make each class appear once."""
    full = 1 << units
    found = set()
    for weights in combinations_with_replacement(range(units + 1, 0, -1), units):
        sums = [sum(weight for unit, weight in enumerate(weights) if subset >> unit & 1) for subset in range(full)]
        for threshold in set(sums) - {0}:
            table = tuple(total >= threshold for total in sums)
            if all(depends(table, unit) for unit in range(units)):
                found.add(table)
    if len(found) != COUNTS[units]:
        raise AssertionError(f"{len(found)} positive threshold functions of {units} units, expected {COUNTS[units]}")
    return sorted(found)


def depends(table, unit):
    return any(table[subset] != table[subset | 1 << unit] for subset in range(len(table)))


def alike(table, unit):
    """Are `unit` and `unit + 1` interchangeable?"""
    first, second = 1 << unit, 2 << unit
    return all(table[subset | first] == table[subset | second]
               for subset in range(len(table)) if not subset & (first | second))


class Skeleton:
    """`clauses` over variables 1 … `variables`, a negative number being the complement."""

    def __init__(self, labels, units):
        self.variables, self.clauses = 0, []
        self.units, self.labels = units, labels
        self.hidden = [self.fresh(len(labels)) for _ in range(units)]
        self.table = self.fresh(1 << units)
        self.functions = positive_functions(units)
        self.choice = self.fresh(len(self.functions))
        self.say_function()
        self.say_rows()
        self.say_order()

    def fresh(self, count):
        self.variables += count
        return list(range(self.variables - count + 1, self.variables + 1))

    def say_function(self):
        self.clauses.append(list(self.choice))
        for chosen, table in zip(self.choice, self.functions):
            self.clauses += [[-chosen, entry if value else -entry] for entry, value in zip(self.table, table)]

    def say_rows(self):
        """For a monotone table: a row of class 1 whose active units all lie in b makes table[b] true, and a row of
        class 0 that has all units of b active makes it false."""
        for row, label in enumerate(self.labels):
            for subset, entry in enumerate(self.table):
                if label:
                    others = [self.hidden[unit][row] for unit in range(self.units) if not subset >> unit & 1]
                else:
                    others = [-self.hidden[unit][row] for unit in range(self.units) if subset >> unit & 1]
                self.clauses.append([*others, entry if label else -entry])

    def say_order(self):
        """h[u] ≥ h[u + 1] lexicographically over the first rows, where the output treats the two alike."""
        for unit in range(self.units - 1):
            sort = self.fresh(1)[0]
            self.clauses += [[-chosen, sort] for chosen, table in zip(self.choice, self.functions)
                             if alike(table, unit)]
            equal = []  # literals that say: not equal on the rows before
            for first, second in list(zip(self.hidden[unit], self.hidden[unit + 1]))[:SORTED_ROWS]:
                self.clauses.append([-sort, *equal, first, -second])
                still = self.fresh(1)[0]
                self.clauses += [[*equal, first, second, still], [*equal, -first, -second, still]]
                equal = [-still]
