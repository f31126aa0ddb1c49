"""The tables, and results.json."""

import json
import math
import statistics

from . import BENCH
from .compare import OURS, TARGETS
from .words import ratio, replace, seconds

RESULTS = BENCH / "results.json"
TABLE = BENCH / "results.md"
READERS = BENCH / "readers.json"


def contenders(comparison):
    """infimum first, then every peer that was tried."""
    return [name for name in (OURS, *comparison.tolerances) if name != OURS or OURS in comparison.times]


def cells(comparison, name):
    found = []
    for target in TARGETS:
        found += [seconds(comparison.median(name, target))]
        found += [ratio(comparison.ratio(name, target)) if name != OURS else ""]
    return found


def terminal(comparison):
    """The table of one problem for the terminal."""
    lines = [f"{comparison.problem}  ({comparison.shape}; reference {comparison.reference_note})"]
    lines += [f"  {'seconds to gap (ratio)':26}" + "".join(f"{target:>12.0e}        " for target in TARGETS)]
    for name in contenders(comparison):
        row = cells(comparison, name)
        lines += [f"  {name:26}" + "".join(f"{row[i]:>12} {row[i + 1]:>7}" for i in range(0, len(row), 2))]
    lines += [f"  ours besides: {besides(comparison)}"] if besides(comparison) else []
    lines += [f"  note: {note}" for note in comparison.notes]
    lines += [f"  ALARM: {alarm}" for alarm in comparison.alarms]
    return "\n".join(lines)


def besides(comparison):
    """What our times leave out: median seconds of reading and of the independent check over the timed rounds."""
    rounds = [run["phases"] for run in comparison.runs if run["stage"].startswith("round") and run["phases"]]
    if not rounds:
        return ""
    return ", ".join(f"{phase} {seconds(statistics.median(phases[phase] for phases in rounds))} s"
                     for phase in ("read", "check"))


def markdown(environment, comparisons, skipped):
    """The tables for the documents: the best peer at every target, then every contender."""
    header = " | ".join(f"{target:.0e}" for target in TARGETS)
    rule = "---:|" * len(TARGETS)
    lines = [f"Measured {environment['date']} on {environment['processor']}, commit {environment['commit']}, "
             f"scikit-learn {environment['scikit-learn']}, LIBLINEAR {environment['liblinear-official']}, "
             f"skglm {environment['skglm']}, celer {environment['celer']}; {environment['threads']} thread(s) for "
             f"infimum, one for each peer; median of {environment['repeats']} rounds.", "",
             "Seconds of infimum to a relative gap, and in brackets the fastest peer's time over it (above 1: infimum "
             "is faster).", "", f"| problem | {header} |", f"|---|{rule}"]
    lines += [f"| {comparison.problem} | " + " | ".join(versus(comparison, target) for target in TARGETS) + " |"
              for comparison in comparisons]
    lines += ["", "Every contender:", "", f"| problem | contender | {header} |", f"|---|---|{rule}"]
    for comparison in comparisons:
        for position, name in enumerate(contenders(comparison)):
            row = cells(comparison, name)
            pairs = [f"{row[i]} ({row[i + 1]})" if row[i + 1] else row[i] for i in range(0, len(row), 2)]
            lines.append(f"| {comparison.problem if position == 0 else ''} | {name} | " + " | ".join(pairs) + " |")
    if skipped:
        lines += [""] + [f"Skipped: {name}: {reason}." for name, reason in skipped.items()]
    return "\n".join(lines) + "\n"


def versus(comparison, target):
    """Our time against the fastest peer's."""
    peer = comparison.best_peer(target)
    mine = seconds(comparison.median(OURS, target))
    if peer is None:
        return f"{mine} (no peer)"
    against = ratio(comparison.ratio(peer, target)) or seconds(comparison.median(peer, target))
    return f"{mine} ({against} {peer})"


def finite(value):
    """JSON has no infinities and no numbers as keys: the ones become null, the others (targets) text."""
    if isinstance(value, dict):
        return {f"{key:.0e}" if isinstance(key, float) else key: finite(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write(environment, comparisons, skipped):
    """results.json and results.md, after every problem, so that an interrupted run keeps what it measured."""
    problems = []
    for comparison in comparisons:
        medians = {name: {f"{target:.0e}": comparison.median(name, target) for target in TARGETS}
                   for name in contenders(comparison)}
        problems.append({"medians": medians} | vars(comparison))
    content = {"environment": environment, "problems": problems, "skipped": skipped}
    replace(RESULTS, json.dumps(finite(content), indent=1, allow_nan=False) + "\n")
    replace(TABLE, markdown(environment, comparisons, skipped))


def write_readers(environment, rows):
    """What `bench/run parse` measured."""
    replace(READERS, json.dumps({"environment": environment, "readers": rows}, indent=1) + "\n")
