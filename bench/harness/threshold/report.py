"""Tables of the loading benchmark, and threshold.json."""

import json
import math
import statistics
from dataclasses import dataclass, field

from .. import BENCH
from ..words import ratio as times
from ..words import replace, seconds
from .peers import PEERS
from .runs import OURS

RESULTS = BENCH / "threshold.json"
TABLE = BENCH / "threshold.md"
SHORTEST = 1e-3  # shorter runs of ours measure call overheads; the second mean leaves them out


@dataclass
class Row:
    """All runs on one instance."""

    instance: object
    shape: str
    limit: float
    clock: str
    expected: tuple = None
    runs: dict = field(default_factory=dict)  # contender → list of Run
    alarms: list = field(default_factory=list)
    notes: list = field(default_factory=list)

    def answer(self, name):
        """The most frequent answer; on a tie "unknown", if that is one of them."""
        answers = [run.answer for run in self.runs.get(name, [])]
        return statistics.mode(sorted(answers)) if answers else "not run"

    def median(self, name, clock=None):
        return statistics.median(run.seconds(clock or self.clock) for run in self.runs[name])

    def peers(self):
        return [name for name in self.runs if name != OURS]

    def best_peer(self):
        """The fastest peer with an answer that is worth something: incomplete encodings' "unsat" is not."""
        useful = [name for name in self.peers() if self.counts(name)]
        return min(useful, key=self.median, default=None)

    def counts(self, name):
        answer = self.answer(name)
        if answer == "sat":
            return all(run.proven for run in self.runs[name])
        return answer == "unsat" and PEERS[name].complete

    def ratio(self):
        """The best peer's time over ours, an unanswered question counting as the limit; None where nobody answered."""
        if not self.peers() or OURS not in self.runs:
            return None
        best = self.best_peer()
        if best is None and self.answer(OURS) == "unknown":
            return None
        return (self.median(best) if best else self.limit) / self.median(OURS)

    def lenient_ratio(self):
        """As `ratio`, but believing the "unsat" of incomplete encodings."""
        answered = [self.median(name) for name in self.peers() if self.answer(name) in ("sat", "unsat")]
        if not self.peers() or OURS not in self.runs or not answered and self.answer(OURS) == "unknown":
            return None
        return min(answered, default=self.limit) / self.median(OURS)

    def judge(self):
        """Contradictions and refused certificates. An incomplete encoding's "unsat" contradicts nobody: it is noted."""
        sure = {}
        if self.expected:
            sure.setdefault(self.expected[0], []).append(f"the recorded answer ({self.expected[1]})")
        for name, runs in self.runs.items():
            for run in runs:
                if run.refused:
                    self.alarms = [run.failure]
                elif run.failure:
                    self.note(f"{name}: {run.failure}")
                if run.answer == "sat" and not run.proven:
                    self.note(f"{name}: its network is wrong on a row when evaluated exactly")
                elif run.answer == "unsat" and name != OURS and not PEERS[name].complete:
                    continue
                elif run.answer != "unknown":
                    sure.setdefault(run.answer, []).append(name)
        if len(sure) == 2:
            self.alarms.append("; ".join(f"{answer}: {', '.join(dict.fromkeys(who))}" for answer, who in sure.items()))
        elif "sat" in sure:
            wrong = [name for name in self.peers() if self.answer(name) == "unsat"]
            self.notes += [f"{name}: unsat within its margins or bounds, though weights exist" for name in wrong]

    def note(self, text):
        if text not in self.notes:
            self.notes.append(text)


def cell(row, name):
    answer = row.answer(name)
    if answer == "not run":
        return "-"
    if answer == "unknown":
        return f">{row.limit:g}"
    doubt = "" if name == OURS or row.counts(name) else "?"
    return f"{answer}{doubt} {seconds(row.median(name))}"


def versus(row):
    found = row.ratio()
    if found is None:
        return "neither" if row.peers() else ""
    return f"{'' if row.best_peer() else '>'}{times(found)}"


def besides(row):
    """The check, the whole process by result.json, and our CPU seconds by the process's share."""
    runs = [run for run in row.runs.get(OURS, []) if "check" in run.phases]
    if not runs:
        return "", "", ""
    return tuple(seconds(statistics.median(values)) for values in zip(
        *((run.phases["check"], run.phases["total"], run.cpu) for run in runs)))


def means(rows):
    """Lines of geometric means for one set."""
    lines = []
    for words, chosen, rate in (
            ("all", rows, Row.ratio),
            (f"ours ≥ {SHORTEST * 1e3:g} ms", [row for row in rows if row.median(OURS) >= SHORTEST], Row.ratio),
            ("all, believing incomplete encodings", rows, Row.lenient_ratio)):
        found = [value for value in map(rate, chosen) if value]
        if found:
            mean = math.exp(statistics.fmean(map(math.log, found)))
            lines.append(f"best peer / ours, {words}: geometric mean {times(mean)}, least {times(min(found))}, most "
                         f"{times(max(found))}, {len(found)} instances")
    for name in PEERS:
        found = [row.median(name) / row.median(OURS) for row in rows
                 if name in row.runs and {row.answer(name), row.answer(OURS)} != {"unknown"}]
        if found:
            mean = math.exp(statistics.fmean(map(math.log, found)))
            lines.append(f"{name} / ours: geometric mean {times(mean)}, least {times(min(found))}, most "
                         f"{times(max(found))}, {len(found)} instances")
    return lines


HEADINGS = ("instance", "rows x columns")


def table(rows, names):
    """Cells of one set, heading first."""
    lines = [(*HEADINGS, *names, "best peer / ours", "check", "whole run", "our CPU")]
    for row in rows:
        lines.append((row.instance.title, row.shape, *(cell(row, name) for name in names), versus(row), *besides(row)))
    return lines


def remarks(rows):
    return ([f"ALARM: {row.instance.title}: {alarm}" for row in rows for alarm in row.alarms]
            + [f"{row.instance.title}: {note}" for row in rows for note in row.notes])


def line(row, names):
    """One instance for the terminal."""
    cells = "  ".join(f"{name} {cell(row, name)}" for name in names)
    check, total, cpu = besides(row)
    return (f"{row.instance.title:24} {row.shape:12} {cells}  {versus(row)}"
            + (f"  (check {check}, whole {total}, CPU {cpu})" if total else "")
            + "".join(f"\n  ALARM: {alarm}" for alarm in row.alarms)
            + "".join(f"\n  note: {note}" for note in row.notes))


def markdown(environment, rows, names):
    """Every set's table and means."""
    lines = [f"Measured {environment['date']} on {environment['processor']}, commit {environment['commit']}, "
             + ", ".join(f"{package} {environment[package]}" for package in environment["packages"])
             + f"; one thread each, limit {environment['limit']:g} s, median of {environment['repeats']} rounds, "
             + f"{environment['clock']} seconds"
             + f"; load average {environment['load_average_at_start'][0]} at the start."]
    for kind in dict.fromkeys(row.instance.set for row in rows):
        chosen = [row for row in rows if row.instance.set == kind]
        lines += ["", f"**{kind}**", ""]
        for index, cells in enumerate(table(chosen, names)):
            lines.append("| " + " | ".join(cells) + " |")
            if index == 0:
                lines.append("|---|---|" + "---:|" * (len(cells) - 2))
        lines += [""] + [f"- {text}" for text in means(chosen) + remarks(chosen)]
    return "\n".join(lines) + "\n"


def write(environment, rows, names):
    """threshold.json and threshold.md, after every instance, so that an interrupted run keeps what it measured."""
    found = [{"set": row.instance.set, "instance": row.instance.name, "hidden": row.instance.hidden, "shape": row.shape,
              "expected": row.expected, "ratio": row.ratio(), "best_peer": row.best_peer(),
              "medians": {name: {clock: row.median(name, clock) for clock in ("wall", "cpu")} for name in row.runs},
              "answers": {name: row.answer(name) for name in row.runs},
              "runs": [vars(run) for runs in row.runs.values() for run in runs],
              "alarms": row.alarms, "notes": row.notes} for row in rows]
    replace(RESULTS, json.dumps({"environment": environment, "instances": found}, indent=1, allow_nan=False) + "\n")
    replace(TABLE, markdown(environment, rows, names))
