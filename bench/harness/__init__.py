"""Benchmark of infimum against its peers. See bench/README.md for the method."""

from pathlib import Path

BENCH = Path(__file__).resolve().parent.parent
REPOSITORY = BENCH.parent


class Skip(Exception):
    """Something cannot be run here; the message says why and what would make it run."""
