"""PyTorch, as a process of its own: reads a job (JSON) from its argument, trains with each budget of epochs until one reaches the target, prints
what came of them as JSON.

Training is the plain loop of a careful user: rows in memory, fused AdamW without decay, batches by `index_select`. Its clocks run from the first
step to the last; reading, building and evaluating are not in them.
"""

import json
import math
import sys
import time
import tomllib

import numpy as np
import torch
from torch import nn

from . import tables

WARM_UP, RISE, FIRST = 0.02, 0.3, 0.04  # shares of the budget, and the first rate of one-cycle: as in infimum


class Flatten(nn.Module):
    """Channels last, as infimum does it: only the order of the numbers differs from nn.Flatten."""

    def forward(self, x):
        return x.permute(0, 2, 3, 1).flatten(1)


def network(net, columns, outputs):
    """The layers of a list of hidden widths, or of a NET.toml with the kinds used here; the second result says whether it reads images."""
    if isinstance(net, list):
        widths, layers = [columns, *net, outputs], []
        for before, after in zip(widths, widths[1:]):
            layers += [nn.Linear(before, after), nn.ReLU()]
        return nn.Sequential(*layers[:-1]), None
    with open(net, "rb") as file:
        content = tomllib.load(file)
    height, width, channels = content["input"]
    layers, flat = [], None
    for layer in content["layer"]:
        match layer:
            case {"kind": "convolution", "channels": count, "kernel": [3, 3], **rest} if not rest:
                layers.append(nn.Conv2d(channels, count, 3, padding=1))
                channels = count
            case {"kind": "activation", "function": "relu"}:
                layers.append(nn.ReLU())
            case {"kind": "max-pooling", "size": size, **rest} if not rest:
                layers.append(nn.MaxPool2d(size))
                height, width = height // size, width // size
            case {"kind": "flatten"}:
                layers.append(Flatten())
                flat = height * width * channels
            case {"kind": "dropout", "rate": rate}:
                layers.append(nn.Dropout(rate))
            case {"kind": "dense", "units": units, **rest} if not rest:
                layers.append(nn.Linear(flat, units))
                flat = units
            case _:
                raise ValueError(f"{net}: a layer that the peer does not know: {layer}")
    return nn.Sequential(*layers), content["input"]


def factor(schedule, progress):
    """Share of the rate, the same formulas as infimum's."""
    fall = lambda start: 0.5 * (1 + math.cos(math.pi * (progress - start) / (1 - start)))
    if schedule == "one-cycle":
        return FIRST + (1 - FIRST) * 0.5 * (1 - math.cos(math.pi * progress / RISE)) if progress < RISE else fall(RISE)
    if schedule == "cosine":
        return max(progress / WARM_UP, 0.01) if progress < WARM_UP else fall(WARM_UP)
    return 1.0


LOSSES = {
    "softmax": lambda z, y: nn.functional.cross_entropy(z, y),
    "logistic": lambda z, y: nn.functional.binary_cross_entropy_with_logits(z[:, 0], y.float()),
    "squared": lambda z, y: 0.5 * nn.functional.mse_loss(z[:, 0], y),
}


def measure(net, rows, targets, job):
    """Mean loss over the rows, outputs in singles and sums in doubles, or the share of rows that are right."""
    net.eval()
    total = 0.0
    with torch.no_grad():
        for first in range(0, len(rows), 1000):
            outputs, wanted = net(rows[first : first + 1000]).double(), targets[first : first + 1000]
            if job["measure"] == "accuracy":
                total += (outputs.argmax(1) == wanted).sum().item()
            else:
                total += LOSSES[job["loss"]](outputs, wanted.double() if wanted.is_floating_point() else wanted).item() * len(wanted)
    net.train()
    return total / len(rows)


class Descent:
    """A network in training, and its clocks. A run with a constant rate goes on from budget to budget; with a schedule each is a run of its own."""

    def __init__(self, net, job):
        self.net, self.job, self.taken, self.epochs, self.wall, self.cpu = net, job, 0, 0, 0.0, 0.0
        self.optimizer = torch.optim.AdamW(net.parameters(), lr=job["rate"], weight_decay=0.0, fused=True)

    def until(self, rows, targets, epochs):
        wall, cpu = time.perf_counter(), time.process_time()
        budget = epochs * math.ceil(len(rows) / self.job["batch"])
        while self.epochs < epochs:
            self.steps(rows, targets, budget, budget)
            self.epochs += 1
        if rows.is_cuda:
            torch.cuda.synchronize()
        self.wall += time.perf_counter() - wall
        self.cpu += time.process_time() - cpu

    def steps(self, rows, targets, most, budget):
        """One pass over the rows, or `most` steps."""
        loss, job = LOSSES[self.job["loss"]], self.job
        for batch in torch.randperm(len(rows), device=rows.device).split(job["batch"])[:most]:
            if job["schedule"] != "constant":
                self.optimizer.param_groups[0]["lr"] = job["rate"] * factor(job["schedule"], self.taken / budget)
            self.optimizer.zero_grad()
            loss(self.net(rows.index_select(0, batch)), targets.index_select(0, batch)).backward()
            self.optimizer.step()
            self.taken += 1


def train(job):
    torch.set_num_threads(job["threads"])
    torch.manual_seed(job["seed"])
    if job["images"]:
        (x, y), (x_test, y_test) = tables.images(job["source"])
    else:
        (x, y), (x_test, y_test) = tables.table(job["source"], job["loss"]), (None, None)
    outputs = 10 if job["images"] else int(y.max()) + 1 if job["loss"] == "softmax" else 1
    _, shape = network(job["net"], x.shape[1], outputs)
    x, x_test = tables.standardised(x, x_test, together=shape is not None)

    device = job.get("device", "cpu")

    def tensor(rows):
        rows = torch.from_numpy(np.ascontiguousarray(rows)).to(device)
        return rows if shape is None else rows.reshape(-1, *shape).permute(0, 3, 1, 2)

    rows, targets = tensor(x), torch.from_numpy(y).to(device)
    judged = (tensor(x_test), torch.from_numpy(y_test).to(device)) if job["measure"] == "accuracy" else (rows, targets)
    make = lambda: network(job["net"], x.shape[1], outputs)[0].to(device, memory_format=torch.channels_last if shape else torch.preserve_format)
    one = Descent(make(), job)
    one.steps(rows, targets, 1, math.inf)  # what is set up once per process
    found = []
    for epochs in job["budgets"]:
        if not found or job["schedule"] != "constant":
            torch.manual_seed(job["seed"])
            one = Descent(make(), job)
        one.until(rows, targets, epochs)
        value = measure(one.net, *judged, job)
        found.append({"epochs": epochs, "value": value, "wall": one.wall, "cpu": one.cpu, "steps": one.taken})
        if job["target"] is not None and (value >= job["target"] if job["measure"] == "accuracy" else value <= job["target"]):
            break
    return found


if __name__ == "__main__":
    print(json.dumps(train(json.loads(sys.argv[1]))))
