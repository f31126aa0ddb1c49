"""`bench/run parse`: how fast infimum reads text, and how much memory it needs for that.

Three generated files of about 300 MB: numbers as people write them (6 digits), as programs write them (17 digits),
and LIBSVM. Read by `infimum data show`, which reads the whole file; wall seconds of the whole process, so that its
start and its answer are charged too. The peak is the process's largest resident set over the bytes of the matrix and
target that it makes.
"""

import os
import statistics
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import Skip
from .datasets import CACHE, save

MEGABYTES = 300
BLOCK_ROWS = 20_000


@dataclass
class TextFile:
    """A generated file and the bytes of what it becomes in memory."""

    name: str
    path: Path
    matrix_bytes: int


def dense_lines(form, columns=50):
    """Lines of a CSV with a target in the last column, and the bytes one row becomes."""
    generator = np.random.default_rng(1)
    values = generator.standard_normal((BLOCK_ROWS, columns)) * 10.0 ** generator.integers(-2, 4, columns)
    labels = generator.integers(0, 2, BLOCK_ROWS)
    template = ",".join([form] * columns) + ",%d\n"
    return [template % (*row, label) for row, label in zip(values.tolist(), labels)], 8 * columns + 8


def sparse_lines(columns=60_000, entries=100):
    """Lines of a LIBSVM file, and the bytes one row becomes (8 a value, 4 a column, 8 the row, 8 the target)."""
    generator = np.random.default_rng(1)
    lines = []
    for _ in range(BLOCK_ROWS):
        indices = np.unique(generator.integers(1, columns + 1, entries + 1))[:entries]
        pairs = zip(indices.tolist(), generator.random(entries).tolist())
        lines.append(f"{generator.choice(('+1', '-1'))} " + " ".join("%d:%.6g" % pair for pair in pairs) + "\n")
    return lines, 12 * entries + 16


def text_file(name, extension, make):
    """The file, written on first use: one block of lines, repeated."""
    path = CACHE / f"parse-{name}.{extension}"
    lines, row_bytes = make()
    block = "".join(lines).encode()
    copies = max(1, MEGABYTES * 10**6 // len(block))
    if not path.exists():
        save(path, lambda file: [file.write(block) for _ in range(copies)])
    return TextFile(name, path, copies * len(lines) * row_bytes)


def read(binary, path, threads):
    """Wall seconds, CPU seconds and peak bytes of one reading."""
    started = time.perf_counter()
    process = subprocess.Popen([binary, "data", "show", path], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                               env=os.environ | {"RAYON_NUM_THREADS": str(threads)})
    complaint = process.stderr.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise Skip(f"`infimum data show {path}` failed: {complaint.strip()}")
    return time.perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def parse(binary, repeats, say):
    """Measures every file with one thread and with two, interleaved, and returns the rows of the table."""
    rows = []
    files = (text_file("csv-6-digits", "csv", lambda: dense_lines("%.6g")),
             text_file("csv-17-digits", "csv", lambda: dense_lines("%.17g")),
             text_file("libsvm", "svm", sparse_lines))
    for each in files:
        size = each.path.stat().st_size
        read(binary, each.path, 1)  # brings the file into the page cache
        measured = {threads: [] for threads in (1, 2)}
        for _ in range(repeats):
            for threads in measured:
                measured[threads].append(read(binary, each.path, threads))
        for threads, readings in measured.items():
            seconds = statistics.median(reading[0] for reading in readings)
            peak = max(reading[2] for reading in readings) / each.matrix_bytes
            rows.append({"file": each.name, "megabytes": size / 1e6, "threads": threads, "seconds": seconds,
                         "cpu_seconds": statistics.median(reading[1] for reading in readings),
                         "megabytes_per_second": size / 1e6 / seconds, "peak_over_matrix": peak})
            say(table(rows[-1:]))
    return rows


def table(rows):
    """Rows of the Markdown table."""
    lines = []
    for row in rows:
        rate, peak = f"{row['megabytes_per_second']:.0f}", f"{row['peak_over_matrix']:.2f}"
        times = f"{row['seconds']:.2f} | {row['cpu_seconds']:.2f}"
        lines.append(f"| {row['file']} | {row['megabytes']:.0f} | {row['threads']} | {times} | {rate} | {peak} |")
    return "\n".join(lines)


HEADER = "| file | MB | threads | seconds | CPU s | MB/s | peak memory / matrix |\n|---|---:|---:|---:|---:|---:|---:|"
