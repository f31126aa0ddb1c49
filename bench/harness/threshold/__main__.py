"""`bench/threshold`: the command line."""

import argparse
import hashlib
import os
import sys
from pathlib import Path

from .. import Skip, environment
from ..ours import build
from . import report, runs, threads
from .instances import SETS, expected, path, read
from .peers import PEERS

PACKAGES = ("z3-solver", "pyscipopt", "highspy", "ortools", "numpy")
USUAL = ("dense", "parity", "blum-rivest", "satlib", "wide")


def options():
    parser = argparse.ArgumentParser(prog="bench/threshold", description="Loading problems: infimum beside its peers.")
    parser.add_argument("--set", default=",".join(USUAL), metavar="SETS",
                        help=f"of {', '.join(SETS)} (default: {','.join(USUAL)})")
    parser.add_argument("--only", default="", metavar="WORDS", help="only instances whose title contains every word")
    parser.add_argument("--peers", default=",".join(PEERS), metavar="NAMES",
                        help=f"of {', '.join(PEERS)}, or none (default: all)")
    parser.add_argument("--repeats", type=int, default=3, help="rounds; medians are shown (default 3)")
    parser.add_argument("--limit", type=float, default=20, metavar="S", help="seconds for one run (default 20)")
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall",
                        help="what times, ratios and limits are made of; cpu on a busy machine (default wall)")
    parser.add_argument("--binary", type=Path, metavar="FILE", help="an infimum already built, instead of building")
    parser.add_argument("--threads", type=int, default=1, metavar="N",
                        help="instead of peers: ours with N threads beside ours with one, wall clock")
    parser.add_argument("--seeds", type=int, default=5, metavar="S",
                        help="with --threads: seeds 0 to S - 1, geometric means are shown (default 5)")
    parser.add_argument("--list", action="store_true", help="print the instances and stop")
    arguments = parser.parse_args()
    arguments.peers = [] if arguments.peers == "none" else names(parser, "peer", arguments.peers, PEERS)
    arguments.set = names(parser, "set", arguments.set, SETS)
    if arguments.repeats < 1 or not arguments.limit > 0:
        parser.error("--repeats must be at least 1 and --limit above 0")
    return arguments


def names(parser, kind, text, allowed):
    found = [name.strip() for name in text.split(",") if name.strip()]
    for name in found:
        if name not in allowed:
            parser.error(f"unknown {kind} '{name}'; known: {', '.join(allowed)}")
    return found


def say(text):
    print(text, file=sys.stderr, flush=True)


def measure(instance, binary, arguments, startup):
    """Every contender once in each round, the order reversed in every second; who found nothing is not run again."""
    file = path(instance, binary)
    rows = read(file)
    shape = f"{len(rows.points)} x {len(rows.points[0])}"
    row = report.Row(instance, shape, arguments.limit, arguments.clock, expected(instance))
    contenders = [runs.OURS, *arguments.peers]
    row.runs = {name: [] for name in contenders}
    for turn in range(arguments.repeats):
        for name in contenders[:: -1 if turn % 2 else 1]:
            if row.runs[name] and row.runs[name][-1].answer == "unknown":
                continue
            if name == runs.OURS:
                run = runs.ours(binary, file, rows.header, instance.hidden, arguments.limit, arguments.clock, startup)
            else:
                run = runs.peer(name, rows, instance.hidden, arguments.limit, arguments.clock)
            row.runs[name].append(run)
    row.judge()
    return row


def main():
    arguments = options()
    chosen = [instance for name in arguments.set for instance in SETS[name]()
              if all(word in instance.title for word in arguments.only.split())]
    if arguments.list:
        print("\n".join(f"{instance.set:12} {instance.title}" for instance in chosen))
        return 0
    binary = arguments.binary or build()
    settings = {"limit": arguments.limit, "repeats": arguments.repeats, "clock": arguments.clock, "packages": PACKAGES,
                "binary_sha256": hashlib.sha256(Path(binary).read_bytes()).hexdigest()}
    machine = environment.describe(binary, PACKAGES) | settings
    say("\n".join(f"{key}: {value}" for key, value in machine.items()))
    if arguments.threads > 1:
        return threads.compare(chosen, binary, arguments)
    contenders = [runs.OURS, *arguments.peers]
    startup, rows, skipped = runs.startup(binary), [], 0
    for instance in chosen:
        try:
            row = measure(instance, binary, arguments, startup)
        except Skip as reason:
            skipped += 1
            say(f"{instance.title}: skipped: {reason}")
            continue
        rows.append(row)
        print(report.line(row, contenders), flush=True)
        machine["load_average_at_end"] = [round(load, 2) for load in os.getloadavg()]
        report.write(machine, rows, contenders)
    for kind in dict.fromkeys(row.instance.set for row in rows):
        lines = report.means([row for row in rows if row.instance.set == kind]) or ["no ratios"]
        print("\n  ".join([f"\n{kind}", *lines]))
    alarms = sum(len(row.alarms) for row in rows)
    written = f"{report.RESULTS.name} and {report.TABLE.name} written" if rows else "nothing written"
    say(f"\n{len(rows)} compared, {skipped} skipped, {alarms} alarms; {written}")
    return 1 if alarms else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Skip as reason:
        sys.exit(f"bench/threshold: {reason}")
    except KeyboardInterrupt:
        sys.exit(130)
