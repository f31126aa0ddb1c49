"""Ours with several threads beside ours with one: who of both is faster, by how long one takes."""

import statistics

from .. import Skip
from . import runs
from .instances import path, read

CLASSES = ((0.1, "one thread 0.1 s or more"), (0.03, "0.03 to 0.1 s"), (0.01, "0.01 to 0.03 s"), (0.0, "less than 0.01 s"))


def times(binary, instance, arguments, threads, needed):
    """Seconds for each seed, a time-out counting as the limit, and what the checker refused; no seconds if an answer is `needed` for every seed and missing."""
    file = path(instance, binary)
    header, seconds = read(file).header, []
    for seed in range(arguments.seeds):
        run = runs.ours(binary, file, header, instance.hidden, arguments.limit, "wall", 0.0, threads, seed)
        if run.refused:
            return [], run.failure
        if run.answer == "unknown" and needed:
            return [], None
        seconds.append(run.wall)
    return seconds, None


def compare(instances, binary, arguments):
    """A line for each instance that one thread answers with every seed, then geometric means; the exit code is 1 if a certificate was refused."""
    ratios, alarms = {}, 0
    for instance in instances:
        try:
            alone, refused = times(binary, instance, arguments, 1, True)
            together, refused_too = times(binary, instance, arguments, arguments.threads, False) if alone else ([], None)
        except Skip as reason:
            print(f"{instance.title}: skipped: {reason}", flush=True)
            continue
        if failure := refused or refused_too:
            alarms += 1
            print(f"ALARM {instance.title}: {failure}", flush=True)
            continue
        if not alone:
            print(f"{instance.title:28} one thread does not answer with every seed", flush=True)
            continue
        alone, together = statistics.geometric_mean(alone), statistics.geometric_mean(together)
        name = next(name for least, name in CLASSES if alone >= least)
        ratios.setdefault(name, []).append(alone / together)
        print(f"{instance.title:28} one {alone:.4f}  {arguments.threads} threads {together:.4f}  {alone / together:.2f}x", flush=True)
    for _, name in CLASSES:
        if found := ratios.get(name):
            print(f"{name}: {statistics.geometric_mean(found):.2f}x ({min(found):.2f} to {max(found):.2f}), {len(found)} instances")
    return 1 if alarms else 0
