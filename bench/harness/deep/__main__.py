"""`bench/deep`: the command line."""

import argparse
import dataclasses
import json
import math
import shlex
import statistics
import sys
from pathlib import Path

from .. import BENCH, Skip, environment
from ..ours import build
from . import bounds, runs
from .problems import GRID, GROUPS, REFERENCE_EPOCHS
from .runs import Contender

PACKAGES = ("numpy", "torch")
RESULTS = BENCH / "deep.json"

# The first is what is written most often, and makes the targets of the small tables; the others give it a better rate and schedule.
PEERS = {"adamw": {"rate": 1e-3, "schedule": "constant"}}
PEERS |= {f"adamw-{schedule}-{rate:g}": {"rate": rate, "schedule": schedule}
          for schedule in ("constant", "cosine", "one-cycle") for rate in (1e-3, 3e-3, 1e-2) if (schedule, rate) != ("constant", 1e-3)}
OURS = {
    "infimum": [],
    "infimum-adamw": ["--optimizer", "adamw", "--schedule", "constant", "--learning-rate", "1e-3"],
    "infimum-one-cycle": ["--optimizer", "adamw", "--schedule", "one-cycle", "--learning-rate", "3e-3"],
    "infimum-muon": ["--optimizer", "muon"],
    "infimum-lbfgs": ["--optimizer", "lbfgs"],
}


def options():
    parser = argparse.ArgumentParser(prog="bench/deep", description="Deep networks: infimum beside PyTorch.")
    parser.add_argument("--group", default="mlp,cnn,small", metavar="NAMES", help=f"of {', '.join(GROUPS)} (default: all)")
    parser.add_argument("--bounds", action="store_true", help="instead: the share of the objective that is proven, on the sets of instances/relu")
    parser.add_argument("--only", default="", metavar="WORDS", help="only problems whose name contains every word")
    parser.add_argument("--ours", default="infimum,infimum-adamw", metavar="NAMES", help=f"of {', '.join(OURS)}, or none (default: infimum,infimum-adamw)")
    parser.add_argument("--peers", default="adamw", metavar="NAMES", help=f"of {', '.join(PEERS)}, or none, or all (default: adamw)")
    parser.add_argument("--try", dest="tried", default="", metavar="OPTIONS", help="one more of ours: options for `infimum fit`, one word for the shell")
    parser.add_argument("--repeats", type=int, default=3, help="rounds; medians are shown (default 3)")
    parser.add_argument("--threads", type=int, default=1, help="threads of both sides (default 1)")
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall", help="cpu: on a busy machine; with one thread alone (default wall)")
    parser.add_argument("--first", type=int, default=1, metavar="N", help="epochs at which the search begins (default 1)")
    parser.add_argument("--limit", type=float, default=900, metavar="S", help="seconds for one process (default 900)")
    parser.add_argument("--binary", type=Path, metavar="FILE", help="an infimum already built, instead of building")
    arguments = parser.parse_args()
    names = {"ours": OURS, "peers": PEERS, "group": GROUPS}
    for name, known in names.items():
        text = getattr(arguments, name)
        chosen = [] if text == "none" else list(known) if text == "all" else text.split(",")
        unknown = [word for word in chosen if word not in known]
        if unknown:
            parser.error(f"--{name}: unknown: {', '.join(unknown)}")
        setattr(arguments, name, chosen)
    if arguments.repeats < 1 or arguments.threads < 1:
        parser.error("--repeats and --threads must be at least 1")
    if arguments.clock == "cpu" and arguments.threads > 1:
        parser.error("--clock cpu counts the work of all threads: it goes with --threads 1")
    return arguments


class Bench:
    def __init__(self, arguments, binary):
        self.arguments, self.binary = arguments, binary

    def runs(self, contender, problem, budgets, seed):
        arguments = self.arguments
        if contender.ours:
            return runs.search_ours(self.binary, contender, problem, budgets, seed, arguments.threads, arguments.limit)
        return runs.search_peer(contender, problem, budgets, seed, arguments.threads, arguments.limit)

    def set_target(self, problem):
        """The median loss of AdamW's runs."""
        usual = Contender("adamw", PEERS["adamw"])
        reference = [self.runs(usual, problem, [REFERENCE_EPOCHS], seed)[-1] for seed in range(self.arguments.repeats)]
        failed = next((run.failure for run in reference if run.failure), None)
        if failed:
            raise Skip(f"{problem.name}: PyTorch: {failed}")
        problem.target = statistics.median(run.value for run in reference)

    def search(self, contender, problem):
        """The least number of epochs of the grid with which the run of seed 0 reaches the target, or why there is none."""
        tried = self.runs(contender, problem, [epochs for epochs in GRID if epochs >= self.arguments.first], 0)
        if tried[-1].failure:
            return None, tried[-1].failure
        if problem.reached(tried[-1].value):
            return tried[-1].epochs, ""
        values = [run.value for run in tried]
        return None, f"best {max(values) if problem.measure == 'accuracy' else min(values):.4g}"

    def rounds(self, problem, budgets, contenders):
        """All contenders in turn, the order reversed in every second round; more epochs for those that miss the target in most rounds."""
        found, seeds = {contender.name: [] for contender in contenders}, range(self.arguments.repeats)
        for seed in seeds:
            for contender in contenders[:: 1 if seed % 2 == 0 else -1]:
                found[contender.name] += self.runs(contender, problem, [budgets[contender.name]], seed)
        for contender in contenders:
            while sum(problem.reached(run.value) for run in found[contender.name]) * 2 <= len(seeds):
                later = next((epochs for epochs in GRID if epochs > budgets[contender.name]), None)
                if later is None:
                    break
                budgets[contender.name] = later
                found[contender.name] = [run for seed in seeds for run in self.runs(contender, problem, [later], seed)]
        return found


def line(problem, contender, epochs, found, clock, reference):
    seconds = [run.seconds(clock) for run in found]
    middle = statistics.median(seconds)
    ratio = f"{middle / reference:6.2f}" if reference else " " * 6
    print(f"{problem.name:20} {contender:24} {epochs:6} {statistics.median(run.steps for run in found):8.0f} {middle:9.3f} {min(seconds):9.3f} "
          f"{1e3 * min(run.seconds(clock) / max(run.steps, 1) for run in found):8.2f} {statistics.median(run.value for run in found):9.5f} "
          f"{sum(problem.reached(run.value) for run in found)}/{len(found)} {max(run.megabytes for run in found):8.0f} {ratio}", flush=True)
    return middle


def main():
    arguments = options()
    if arguments.bounds:
        return bounds.table(arguments.binary or build(), arguments.only.split(), min(arguments.limit, 150))
    contenders = [Contender(name, OURS[name], ours=True) for name in arguments.ours]
    contenders += [Contender(arguments.tried, shlex.split(arguments.tried), ours=True)] if arguments.tried else []
    peers = [Contender(name, PEERS[name]) for name in arguments.peers]
    binary = (arguments.binary or build()) if contenders else None
    machine = environment.describe(binary, PACKAGES)
    print("\n".join(f"{key}: {value}" for key, value in machine.items()), file=sys.stderr, flush=True)
    chosen = [problem for group in arguments.group for problem in GROUPS[group]()
              if all(word in problem.name for word in arguments.only.split())]
    bench, rows, ratios = Bench(arguments, binary), [], {}
    print(f"{arguments.threads} thread(s), {arguments.clock} seconds\n{'problem':20} {'contender':24} {'epochs':>6} {'steps':>8} {'median s':>9} {'least s':>9} "
          f"{'ms/step':>8} {'value':>9} ok  {'peak MB':>8} {'/ best peer':>6}", flush=True)
    for problem in chosen:
        if problem.target is None:
            bench.set_target(problem)
        print(f"{problem.name:20} target: {problem.measure} {problem.target:.6g}", flush=True)
        budgets, entered = {}, []
        for contender in [*peers, *contenders]:
            epochs, why = bench.search(contender, problem)
            if epochs is None:
                print(f"{problem.name:20} {contender.name:24} - {why}", flush=True)
                continue
            budgets[contender.name] = epochs
            entered.append(contender)
        found = bench.rounds(problem, budgets, entered)
        best = None
        for contender in entered:
            epochs, reference = budgets[contender.name], best if contender.ours else None
            middle = line(problem, contender.name, epochs, found[contender.name], arguments.clock, reference)
            if not contender.ours:
                best = min(best or math.inf, middle)
            elif best:
                ratios.setdefault(contender.name, []).append(middle / best)
        rows.append({"problem": problem.name, "target": problem.target, "measure": problem.measure, "epochs": budgets,
                     "runs": {name: [dataclasses.asdict(run) for run in several] for name, several in found.items()}})
    for name, several in ratios.items():
        print(f"{name}: {statistics.geometric_mean(several):.2f} times the best peer's time over {len(several)} problems (geometric mean)")
    RESULTS.write_text(json.dumps({"machine": machine, "threads": arguments.threads, "rows": rows}, indent=1))
    print(f"{len(rows)} problems; {RESULTS.name} written", file=sys.stderr)


if __name__ == "__main__":
    try:
        main()
    except Skip as reason:
        sys.exit(f"bench/deep: {reason}")
    except KeyboardInterrupt:
        sys.exit(130)
