"""One timed fit of a peer, in a child process forked from the one that holds the data.

The child inherits the arrays, the imported libraries and whatever was compiled by the warm-up, so that only the call
is timed; it starts from the same state every time (also of the C library's random numbers, which LIBLINEAR uses);
and it can be ended when it takes too long, whatever code it is in.
"""

import os
import pickle
import select
import signal
import sys
import time
import traceback
from dataclasses import dataclass

import numpy as np

from .peers import quiet


@dataclass
class Fit:
    """Wall and CPU seconds of one call, and its coefficients; or the reason why there are none."""

    seconds: float = float("inf")
    cpu_seconds: float = float("inf")
    weights: object = None
    intercepts: object = None
    failure: str = ""


def timed(fit, tolerance, limit):
    """Runs `fit(tolerance)` in a child process for at most `limit` seconds."""
    sys.stdout.flush()
    sys.stderr.flush()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        with os.fdopen(writer, "wb") as pipe:
            pickle.dump(measure(fit, tolerance), pipe)
        os._exit(0)
    os.close(writer)
    answer = receive(reader, child, limit)
    os.waitpid(child, 0)
    return answer


def measure(fit, tolerance):
    quiet()
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 1)
    os.dup2(devnull, 2)
    try:
        wall, cpu = time.perf_counter(), time.process_time()
        weights, intercepts = fit(tolerance)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    except Exception:
        return Fit(failure=traceback.format_exc(limit=1).strip().splitlines()[-1])
    if not (np.isfinite(weights).all() and np.isfinite(intercepts).all()):
        return Fit(wall, cpu, failure="coefficients are not finite")
    return Fit(wall, cpu, weights, intercepts)


def receive(reader, child, limit):
    deadline = time.monotonic() + limit
    received = bytearray()
    with os.fdopen(reader, "rb", buffering=0) as pipe:
        while True:
            remaining = deadline - time.monotonic()
            ready, _, _ = select.select([pipe], [], [], max(0.0, remaining))
            if not ready:
                os.kill(child, signal.SIGKILL)
                return Fit(failure=f"over the limit of {limit:g} s")
            piece = pipe.read(1 << 20)
            if not piece:
                break
            received += piece
    if not received:
        return Fit(failure="the process died")
    return pickle.loads(bytes(received))
