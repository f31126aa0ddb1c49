"""What the numbers were measured on."""

import datetime
import importlib.metadata
import os
import platform
import subprocess

from . import REPOSITORY

PACKAGES = ("scikit-learn", "liblinear-official", "skglm", "celer", "numpy", "scipy", "numba")


def output(*command):
    try:
        return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def processor():
    try:
        with open("/proc/cpuinfo") as file:
            return next(line.split(":")[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown"


def version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "missing"


def describe(binary, packages=PACKAGES):
    """Machine, versions and date, as a flat dictionary."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    changed = "" if output("git", "status", "--porcelain", "--untracked-files=no") == "" else " with local changes"
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "processor": f"{processor()}, {os.cpu_count()} logical cores",
        "memory_gib": round(memory, 1),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "commit": output("git", "rev-parse", "--short", "HEAD") + changed,
        "infimum": output(str(binary), "--version") if binary else "not run",
        "rustc": output("rustc", "--version"),
        "python": platform.python_version(),
        **{package: version(package) for package in packages},
        "load_average_at_start": [round(load, 2) for load in os.getloadavg()],
    }
