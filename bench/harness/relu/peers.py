"""Peers: each returns (W, a) of a network without biases and the seconds that it took."""

import time

import numpy as np

WIDTH = 50


def objective(x, y, loss, beta, hidden, output):
    """`Σ loss + (β/2)(‖W‖² + ‖a‖²)` in double precision."""
    z = np.maximum(x @ hidden.T, 0) @ output
    data = 0.5 * np.sum((z - y) ** 2) if loss == "squared" else np.sum(np.logaddexp(0, -y * z))
    return data + 0.5 * beta * (np.sum(hidden**2) + np.sum(output**2))


def lbfgs(x, y, loss, beta, seed, limit):
    """One restart of L-BFGS at width 50 (scipy, with the gradient written out)."""
    from scipy.optimize import minimize

    (n, d), random = x.shape, np.random.default_rng(seed)
    start = np.concatenate([random.normal(size=WIDTH * d) / np.sqrt(d), random.normal(size=WIDTH) / np.sqrt(WIDTH)])

    def value(p):
        hidden, output = p[: WIDTH * d].reshape(WIDTH, d), p[WIDTH * d :]
        t = x @ hidden.T
        active = np.maximum(t, 0)
        z = active @ output
        if loss == "squared":
            data, slope = 0.5 * np.sum((z - y) ** 2), z - y
        else:
            data, slope = np.sum(np.logaddexp(0, -y * z)), -y / (1 + np.exp(np.clip(y * z, -700, 700)))
        inner = np.outer(slope, output) * (t > 0)
        gradient = np.concatenate([(inner.T @ x + beta * hidden).ravel(), active.T @ slope + beta * output])
        return data + 0.5 * beta * (p @ p), gradient

    begin = time.perf_counter()
    found = minimize(value, start, jac=True, method="L-BFGS-B", options={"maxiter": 20_000, "maxfun": 40_000, "ftol": 1e-13, "gtol": 1e-9})
    return found.x[: WIDTH * d].reshape(WIDTH, d), found.x[WIDTH * d :], time.perf_counter() - begin


def adam(x, y, loss, beta, seed, limit):
    """4,000 steps of PyTorch's Adam at width 50, full batch, rate 1e-2 falling to 0."""
    import torch

    torch.manual_seed(seed)
    torch.set_num_threads(1)
    rows, targets = torch.tensor(x), torch.tensor(y)
    hidden = (torch.randn(WIDTH, x.shape[1], dtype=torch.float64) / x.shape[1] ** 0.5).requires_grad_()
    output = (torch.randn(WIDTH, dtype=torch.float64) / WIDTH**0.5).requires_grad_()
    begin = time.perf_counter()
    optimizer = torch.optim.Adam([hidden, output], lr=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 4_000)
    for _ in range(4_000):
        optimizer.zero_grad()
        z = torch.relu(rows @ hidden.T) @ output
        data = 0.5 * ((z - targets) ** 2).sum() if loss == "squared" else torch.nn.functional.softplus(-targets * z).sum()
        (data + 0.5 * beta * ((hidden**2).sum() + (output**2).sum())).backward()
        optimizer.step()
        schedule.step()
        if time.perf_counter() - begin > limit:
            break
    return hidden.detach().numpy(), output.detach().numpy(), time.perf_counter() - begin


def scnn(x, y, loss, beta, seed, limit):
    """scnn's augmented Lagrangian over 200 sampled gates with its default cap on iterations; squared loss alone."""
    if loss != "squared":
        return None
    from scnn.activations import sample_gate_vectors
    from scnn.metrics import Metrics
    from scnn.models import ConvexReLU
    from scnn.optimize import optimize_model
    from scnn.regularizers import NeuronGL1
    from scnn.solvers import AL

    begin = time.perf_counter()
    model = ConvexReLU(sample_gate_vectors(seed, x.shape[1], 200))
    model, _ = optimize_model(model, AL(model), Metrics(), x, y[:, None], regularizer=NeuronGL1(beta / len(y)),
                              return_convex=False, unitize_data=False, dtype="float64", device="cpu", seed=seed)
    seconds = time.perf_counter() - begin
    hidden, output = (np.asarray(part, dtype=float) for part in model.parameters[:2])
    return hidden, output.reshape(-1), seconds


PEERS = {"lbfgs": lbfgs, "adam": adam, "scnn": scnn}
