"""`bench/device`: training on a card, checked and timed, beside the processor and PyTorch on the same card."""

import argparse
import dataclasses
import json
import os
import subprocess
import sys
import time

from . import BENCH, REPOSITORY, Skip, environment
from .deep import problems, runs
from .deep.runs import Contender

RESULTS = BENCH / "device.json"
OURS = ["--optimizer", "adamw", "--schedule", "constant", "--learning-rate", "1e-3"]
PEER = {"rate": 1e-3, "schedule": "constant"}


def options():
    parser = argparse.ArgumentParser(prog="bench/device", description="Training on a card: build, tests, times.")
    parser.add_argument("--device", choices=("cuda", "wgpu"), default="cuda", help="what to build for and to run on (default cuda)")
    parser.add_argument("--epochs", type=float, default=3, help="passes over Fashion-MNIST of each training (default 3; below 1 without PyTorch)")
    parser.add_argument("--seconds", type=float, default=10, help="of each network's steps (default 10)")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of the processor's side (default: all)")
    parser.add_argument("--limit", type=float, default=1800, metavar="S", help="seconds for one process (default 1800)")
    parser.add_argument("--only", default="mlp,cnn", metavar="NAMES", help="trainings: mlp, cnn or none (default both)")
    parser.add_argument("--peer", choices=("torch", "none"), default="torch", help="none: PyTorch is neither installed nor run")
    parser.add_argument("--skip-tests", action="store_true", help="the times alone")
    return parser.parse_args()


def cargo(*words, needs_card=False):
    """Runs cargo in the repository; seconds that it took."""
    print(f"bench/device: cargo {' '.join(words)}", file=sys.stderr, flush=True)
    start, surroundings = time.perf_counter(), os.environ | ({"INFIMUM_NEEDS_CARD": "1"} if needs_card else {})
    if subprocess.run(["cargo", *words], cwd=REPOSITORY, env=surroundings).returncode != 0:
        raise Skip(f"cargo {' '.join(words)} failed")
    return time.perf_counter() - start


def binary_folder():
    metadata = subprocess.run(["cargo", "metadata", "--format-version", "1", "--no-deps"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return json.loads(metadata.stdout)["target_directory"]


def steps(folder, device, precision, arguments):
    """Lines of the example `step`, or why there are none."""
    command = [f"{folder}/release/examples/step", device, precision, str(arguments.seconds)]
    surroundings = os.environ | {"RAYON_NUM_THREADS": str(arguments.threads)}
    done = subprocess.run(command, capture_output=True, text=True, env=surroundings)
    if done.returncode != 0:
        return [{"device": device, "precision": precision, "failure": done.stderr.strip()[-300:]}]
    return [json.loads(line) | {"precision": precision} for line in done.stdout.splitlines()]


def torch_device(arguments):
    """PyTorch's name of the card, if it sees one."""
    if arguments.peer == "none" or arguments.device != "cuda":
        return None
    asked = subprocess.run([sys.executable, "-c", "import torch; print(torch.cuda.is_available())"], capture_output=True, text=True)
    return "cuda" if asked.stdout.strip() == "True" else None


def trainings(binary, arguments):
    rows, card = [], torch_device(arguments)
    if card is None:
        print("PyTorch on the card: not run", flush=True)
    chosen = [] if arguments.only == "none" else arguments.only.split(",")
    for problem in (problem for name in chosen for problem in problems.GROUPS[name]()):
        problem.measure, problem.target = "accuracy", None
        contenders = [Contender("processor", OURS, ours=True)]
        contenders += [Contender(f"{arguments.device} {how}", [*OURS, "--device", arguments.device, "--precision", how], ours=True) for how in ("single", "mixed")]
        contenders += [Contender("PyTorch on the card", PEER | {"device": card})] if card and arguments.epochs >= 1 else []
        for contender in contenders:
            if contender.ours:
                run = runs.ours(binary, contender, problem, arguments.epochs, 0, arguments.threads, arguments.limit)
            else:
                run = runs.search_peer(contender, problem, [int(arguments.epochs)], 0, arguments.threads, arguments.limit)[-1]
            said = run.failure or f"{run.wall:9.2f} s of training, {run.steps} steps, {run.value:.4f} of the test images"
            print(f"{problem.name:14} {contender.name:22} {said}", flush=True)
            rows.append({"problem": problem.name, "contender": contender.name, **dataclasses.asdict(run)})
    return rows


def main():
    arguments = options()
    feature = arguments.device
    seconds = {"build": cargo("build", "--release", "-p", "infimum-check", "-p", "infimum-cli", "--features", f"infimum-cli/{feature}")}
    cargo("build", "--release", "-p", "infimum-device", "--features", feature, "--example", "step")
    folder = binary_folder()
    if not arguments.skip_tests:
        os.environ.setdefault("INFIMUM_CHECK", f"{folder}/release/infimum-check")
        seconds["tests of the crate"] = cargo("test", "--release", "-p", "infimum-device", "--features", feature, needs_card=True)
        seconds["tests of the program"] = cargo("test", "--release", "-p", "infimum-cli", "--features", feature, "cards::", needs_card=True)
    machine = environment.describe(f"{folder}/release/infimum", ("numpy", "torch"))
    card = environment.output("nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader") if feature == "cuda" else ""
    machine["card"] = card or "see `device` of the steps"
    print("\n".join(f"{key}: {value}" for key, value in (machine | seconds).items()), file=sys.stderr, flush=True)
    timed = [line for device, how in (("cpu", "single"), (feature, "single"), (feature, "mixed")) for line in steps(folder, device, how, arguments)]
    for line in timed:
        print(line["failure"] if "failure" in line else f"{line['network']:4} {line['mean_ms']:9.3f} ms a step, least {line['least_ms']:.3f}, on {line['device']}", flush=True)
    result = {"machine": machine, "seconds": seconds, "steps": timed, "trainings": trainings(f"{folder}/release/infimum", arguments)}
    RESULTS.write_text(json.dumps(result, indent=1))
    print(f"{RESULTS.name} written", file=sys.stderr)


if __name__ == "__main__":
    try:
        main()
    except Skip as reason:
        sys.exit(f"bench/device: {reason}")
    except KeyboardInterrupt:
        sys.exit(130)
