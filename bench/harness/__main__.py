"""`bench/run`: the command line."""

import argparse
import os
import sys
from pathlib import Path

from . import Skip, environment, ours, parse, report
from .compare import Bench, Settings
from .datasets import load
from .problems import specifications


def options():
    parser = argparse.ArgumentParser(prog="bench/run", description="Compares infimum with its peers, side by side.")
    parser.add_argument("what", nargs="?", choices=("compare", "parse"), default="compare",
                        help="compare trainings (default), or measure the readers")
    parser.add_argument("--only", default="", metavar="WORDS", help="only problems whose name contains every word")
    parser.add_argument("--peers", default="", metavar="TEXT", help="only peers whose name contains this")
    parser.add_argument("--repeats", type=int, default=3, help="timed rounds; medians are shown (default 3)")
    parser.add_argument("--threads", type=int, default=1, help="threads of infimum; every peer has one (default 1)")
    parser.add_argument("--limit", type=float, default=60, metavar="S", help="seconds for one fit (default 60)")
    parser.add_argument("--budget", type=float, default=180, metavar="S",
                        help="seconds for the search of one peer's tolerances (default 180)")
    parser.add_argument("--quick", action="store_true", help="one round, decades of tolerance only, 20 s a fit")
    parser.add_argument("--without-infimum", action="store_true", help="peers alone; their gaps are then estimates")
    parser.add_argument("--binary", type=Path, metavar="FILE", help="an infimum already built, instead of building")
    parser.add_argument("--list", action="store_true", help="print the problems and stop")
    return parser.parse_args()


def say(text):
    print(text, file=sys.stderr, flush=True)


def main():
    arguments = options()
    if arguments.what == "parse":
        return measure_readers(arguments)
    chosen = [each for each in specifications() if all(word in each.name for word in arguments.only.split())]
    if arguments.list:
        print("\n".join(each.name for each in chosen))
        return 0
    return compare(chosen, arguments)


def compare(chosen, arguments):
    """Every chosen problem in turn; what cannot be run is skipped with its reason."""
    settings = Settings(arguments.repeats, arguments.threads, arguments.limit, arguments.budget, 2, arguments.peers)
    if arguments.quick:
        settings.repeats, settings.halvings = 1, 0
        settings.limit, settings.budget = min(20, settings.limit), min(60, settings.budget)
    binary = None if arguments.without_infimum else arguments.binary or ours.build()
    machine = environment.describe(binary) | vars(settings)
    say("\n".join(f"{key}: {value}" for key, value in machine.items()))
    comparisons, skipped, data = [], {}, None
    for specification in chosen:
        say(f"\n{specification.name}")
        try:
            if data is None or data.name != specification.data:
                data = None  # let go of the old one before the new one is read
                data = load(specification.data, binary)
            comparison = Bench(specification, data, binary, settings, say).compare()
        except Skip as reason:
            skipped[specification.name] = str(reason)
            say(f"  skipped: {reason}")
            continue
        comparisons.append(comparison)
        print(report.terminal(comparison), flush=True)
        machine["load_average_at_end"] = [round(load, 2) for load in os.getloadavg()]
        report.write(machine, comparisons, skipped)
    alarms = sum(len(comparison.alarms) for comparison in comparisons)
    written = f"{report.RESULTS.name} and {report.TABLE.name} written" if comparisons else "nothing written"
    say(f"\n{len(comparisons)} compared, {len(skipped)} skipped, {alarms} alarms; {written}")
    return 1 if alarms else 0


def measure_readers(arguments):
    """`bench/run parse`."""
    binary = arguments.binary or ours.build()
    machine = environment.describe(binary)
    say("\n".join(f"{key}: {value}" for key, value in machine.items()))
    rows = parse.parse(binary, 1 if arguments.quick else arguments.repeats, say)
    print(f"{parse.HEADER}\n{parse.table(rows)}")
    report.write_readers(machine, rows)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Skip as reason:
        sys.exit(f"bench/run: {reason}")
    except KeyboardInterrupt:
        sys.exit(130)
