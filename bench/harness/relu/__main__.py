"""`bench/relu`: the command line."""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from .. import BENCH, Skip, environment
from ..ours import build
from .instances import SETS
from .peers import PEERS, WIDTH, objective

PACKAGES = ("numpy", "scipy", "torch", "pyscnn")
RESULTS = BENCH / "relu.json"


def options():
    parser = argparse.ArgumentParser(prog="bench/relu", description="Two-layer ReLU networks: infimum beside its peers.")
    parser.add_argument("--set", default="quick,reference", metavar="SETS", help=f"of {', '.join(SETS)} (default: quick,reference)")
    parser.add_argument("--only", default="", metavar="WORDS", help="only instances whose name contains every word")
    parser.add_argument("--peers", default="lbfgs", metavar="NAMES", help=f"of {', '.join(PEERS)}, or none (default: lbfgs)")
    parser.add_argument("--restarts", type=int, default=10, help="restarts of lbfgs and adam; the best is shown (default 10)")
    parser.add_argument("--repeats", type=int, default=3, help="runs of ours; medians are shown (default 3)")
    parser.add_argument("--threads", type=int, default=1, help="threads of ours (default 1)")
    parser.add_argument("--limit", type=float, default=600, metavar="S", help="seconds for one run of a peer that can be stopped (default 600)")
    parser.add_argument("--binary", type=Path, metavar="FILE", help="an infimum already built, instead of building")
    arguments = parser.parse_args()
    arguments.peers = [] if arguments.peers == "none" else arguments.peers.split(",")
    arguments.set = arguments.set.split(",")
    unknown = [name for name in arguments.peers if name not in PEERS] + [name for name in arguments.set if name not in SETS]
    if unknown or arguments.repeats < 1 or arguments.restarts < 1:
        parser.error(f"unknown: {', '.join(unknown)}" if unknown else "--repeats and --restarts must be at least 1")
    return arguments


def ours(binary, instance, threads):
    """One `infimum fit`; seconds of solving and of writing and checking, wall clock, and CPU seconds of the whole process."""
    rows = sum(1 for _ in open(instance.file)) - 1
    task = "regression" if instance.loss == "squared" else "classification"
    with tempfile.TemporaryDirectory(prefix="infimum-bench-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as folder:
        command = [str(binary), "fit", str(instance.file), "--target", "y", "--task", task, "--loss", instance.loss,
                   "--hidden", str(4 * WIDTH), "--hidden-bias", "none", "--output-bias", "none",
                   "--l2", repr(float(instance.beta / rows)), "--gap", repr(instance.gap), "--threads", str(threads),
                   "--json", "--quiet", "--out", str(Path(folder, "run"))]
        if instance.limit:
            command += ["--time-limit", f"{instance.limit}s"]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(command, capture_output=True, text=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if not done.stdout:
        raise Skip(f"exit {done.returncode}: {done.stderr.strip()[-300:]}")
    result = json.loads(done.stdout)
    total = result["objective"]["total_weight"]
    return {
        "solve": result["seconds"]["solve"], "check": result["seconds"]["check"],
        "cpu": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "upper": result["upper"] * total, "lower": result["lower"] * total, "gap": result["gap"],
        "ending": result["ending"], "certified": result["certified"], "width": result["network"]["width"],
        "bound": result["network"]["bound"],
    }


def main():
    arguments = options()
    binary = arguments.binary or build()
    machine = environment.describe(binary, PACKAGES)
    print("\n".join(f"{key}: {value}" for key, value in machine.items()), file=sys.stderr, flush=True)
    chosen = [instance for name in arguments.set for instance in SETS[name]()
              if all(word in instance.name for word in arguments.only.split())]
    print(f"{'set':10} {'instance':16} {'upper':>14} {'above known':>11} {'gap':>8} {'LB/known':>8} {'solve s':>8} {'check s':>7} "
          f"{'cpu s':>7} {'width':>5} bound    ending")
    rows, alarms = [], 0
    for instance in chosen:
        runs = [ours(binary, instance, arguments.threads) for _ in range(arguments.repeats)]
        middle = {key: statistics.median(run[key] for run in runs) for key in ("solve", "check", "cpu", "upper", "lower", "gap")}
        last = runs[-1]
        wrong = not all(run["certified"] for run in runs) or middle["lower"] > instance.known * (1 + 1e-9)
        alarms += wrong
        known = min(instance.known, middle["upper"])
        row = {"instance": instance.name, "set": instance.set, "beta": instance.beta, "ours": runs, "peers": {}}
        print(f"{instance.set:10} {instance.name:16} {middle['upper']:14.8g} {middle['upper'] / known - 1:11.1e} {middle['gap']:8.1e} "
              f"{middle['lower'] / known:8.4f} {middle['solve']:8.3f} {middle['check']:7.3f} {middle['cpu']:7.2f} {last['width']:5} "
              f"{last['bound']:8} {last['ending']}{'  ALARM' if wrong else ''}", flush=True)
        x, y = instance.rows()
        for name in arguments.peers:
            found = []
            for seed in range(1 if name == "scnn" else arguments.restarts):
                answer = PEERS[name](x, y, instance.loss, instance.beta, seed, arguments.limit)
                if answer is None:
                    break
                hidden, output, seconds = answer
                found.append((objective(x, y, instance.loss, instance.beta, hidden, output), seconds))
            if not found:
                continue
            row["peers"][name] = found
            best, seconds = min(found)[0], statistics.median(second for _, second in found)
            print(f"{'':10} {name:16} {best:14.8g} {best / known - 1:11.1e} {'':8} {'':8} {seconds:8.3f} a run, {len(found)} runs; ours is "
                  f"{seconds / middle['solve']:.1f} times as fast as one", flush=True)
        rows.append(row)
    RESULTS.write_text(json.dumps({"machine": machine, "rows": rows}, indent=1))
    print(f"{len(rows)} instances, {alarms} alarms; {RESULTS.name} written", file=sys.stderr)
    return 1 if alarms else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Skip as reason:
        sys.exit(f"bench/relu: {reason}")
    except KeyboardInterrupt:
        sys.exit(130)
