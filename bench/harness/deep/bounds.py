"""Bounds over all widths for networks of three and four layers on the sets of INFIMUM_DATA/instances/relu: what share of the objective is proven."""

import json
import subprocess
import tempfile

from .problems import data

WIDTHS = {3: "30,30", 4: "30,30,30"}
OPTIONS = ["--hidden-bias", "none", "--output-bias", "none", "--scaling", "none", "--optimizer", "lbfgs", "--epochs", "1500", "--restarts", "6",
           "--threads", "1", "--json", "--quiet"]


def table(binary, words, limit):
    """A line for each set whose name contains all words and each depth: objective and bound as sums over the rows. Every bound is checked by `infimum fit` itself."""
    folder = data().parent / "instances" / "relu"
    for entry in json.loads((folder / "high.json").read_text()):
        if not all(word in entry["id"] for word in words):
            continue
        for depth, widths in WIDTHS.items():
            with tempfile.TemporaryDirectory(prefix="infimum-bench-") as out:
                command = [str(binary), "fit", str(folder / entry["file"]), "--target", "y", "--loss", entry["loss"], "--hidden", widths,
                           "--task", "regression" if entry["loss"] == "squared" else "classification", "--C", repr(1 / entry["beta"]),
                           *OPTIONS, "--time-limit", f"{limit:g}s", "--out", f"{out}/run"]
                done = subprocess.run(command, capture_output=True, text=True)
            if not done.stdout:
                print(f"{entry['id']:18} L={depth} {done.stderr.strip()[-200:]}", flush=True)
                continue
            result, rows = json.loads(done.stdout), entry["m"]
            words_of_proof = "certified" if result["certified"] else "NOT CERTIFIED"
            print(f"{entry['id']:18} L={depth} {result['lower'] * rows:9.3f} / {result['upper'] * rows:9.3f} = {result['lower'] / result['upper']:.3f} "
                  f"{words_of_proof} in {result['seconds']['total']:.1f} s", flush=True)
