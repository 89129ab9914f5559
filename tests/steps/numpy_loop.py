"""Finite steps in a plain NumPy loop, in the original space: the oracle of tests/steps/main.rs.

Usage: python numpy_loop.py. Rewrites instances/*.toml (needs NumPy only).

Nothing here knows of transforms, of z or of step kernels: N samples go forward through the layers, N error signals come
back, and every layer adds what theory says, theta <- theta + eta_k sum_n alpha_n y_n h_{l-1}(x_n) delta_l(x_n)^T.

A file holds the data, the rule, the layers at the start and, for each of eight runs (step size, factor on the layers at
the start), the predictor after all steps. Numbers are written so that they read back to the same bits.
"""

from pathlib import Path

import numpy as np

STEPS = 5000
RUNS = 8


class FullyConnected:
    """h = w^T h', w of shape inputs x units."""

    def forward(self, w, h):
        return h @ w

    def backward(self, w, delta):
        return delta @ w.T

    def update(self, h, delta, weights):
        return np.einsum("n,ni,nj->ij", weights, h, delta)


class Convolutional:
    """h(j) = D^{-1/2} sum_k w(k) h'(j + k mod D)."""

    def __init__(self, dimension):
        j = np.arange(dimension)
        self.ahead = (j[:, None] + j[None, :]) % dimension
        self.behind = (j[:, None] - j[None, :]) % dimension
        self.scale = 1.0 / np.sqrt(dimension)

    def forward(self, w, h):
        return self.scale * h[:, self.ahead] @ w

    def backward(self, w, delta):
        return self.scale * delta[:, self.behind] @ w

    def update(self, h, delta, weights):
        return self.scale * np.einsum("n,nj,njk->k", weights, delta, h[:, self.ahead])


class Diagonal:
    """h = w * h'."""

    def forward(self, w, h):
        return w * h

    def backward(self, w, delta):
        return w * delta

    def update(self, h, delta, weights):
        return np.einsum("n,ni,ni->i", weights, h, delta)


def layer_of(network, dimension):
    if network == "fully-connected-linear":
        return FullyConnected()
    return Convolutional(dimension) if network == "convolutional-linear" else Diagonal()


def features(layer, w, x):
    h = [x]
    for w_l in w[:-1]:
        h.append(layer.forward(w_l, h[-1]))
    return h


def run(case, size, w):
    """The predictor after STEPS steps from the layers w."""
    layer = layer_of(case["network"], case["samples"].shape[1])
    x, y, feedback = case["samples"], case["labels"], case["feedback"]
    w = [w_l.copy() for w_l in w]
    for _ in range(STEPS):
        h = features(layer, w, x)
        m = y * (h[-1] @ w[-1])
        if case["loss"] == "exponential":
            alpha, loss = np.exp(-m), np.sum(np.exp(-m))
        else:
            alpha, loss = 1.0 / (1.0 + np.exp(m)), np.sum(np.log1p(np.exp(-m)))
        weights = (size / loss if case["schedule"] == "loss-normalised" else size) * alpha * y

        delta = [None] * (len(w) - 1)
        for l in reversed(range(len(w) - 1)):
            if case["rule"] == "direct-feedback-alignment":
                delta[l] = np.tile(feedback[l], (len(y), 1))
                continue
            back = w[l + 1] if case["rule"] == "gradient-descent" else feedback[l]
            if l + 2 == len(w):  # the output layer is fully connected in every network
                delta[l] = np.tile(back.ravel(), (len(y), 1))
            else:
                delta[l] = layer.backward(back, delta[l + 1])
        step = [layer.update(h[l], delta[l], weights) for l in range(len(w) - 1)]
        step.append(weights @ h[-1])
        w = [w_l + step_l for w_l, step_l in zip(w, step)]
    return features(layer, w, np.eye(x.shape[1]))[-1] @ w[-1]


def instance(seed, network, rule, widths, samples, size, loss="exponential", schedule="constant", scale=0.3):
    """Gaussian samples labelled by a hyperplane. `widths` are those of h_0 ... h_{L-1}."""
    rng = np.random.default_rng(seed)
    dimension = widths[0]
    x = rng.standard_normal((samples, dimension))
    y = np.where(x @ rng.standard_normal(dimension) > 0, 1.0, -1.0)
    dense = network == "fully-connected-linear"
    shapes = [(a, b) if dense else (a,) for a, b in zip(widths, widths[1:])] + [(widths[-1],)]
    w = [scale * rng.standard_normal(s) for s in shapes]
    if rule == "direct-feedback-alignment":
        feedback = [rng.standard_normal(width) for width in widths[1:]]
    else:
        feedback = [rng.standard_normal(s) for s in shapes[1:]]
        if dense:  # of order one as a map
            feedback[:-1] = [f / np.sqrt(f.shape[0]) for f in feedback[:-1]]
    return dict(network=network, rule=rule, loss=loss, schedule=schedule, samples=x, labels=y, size=size,
                widths=widths, weights=w, feedback=[] if rule == "gradient-descent" else feedback)  # fmt: skip


def toml(value):
    if isinstance(value, (list, tuple, np.ndarray)):
        return "[" + ", ".join(toml(v) for v in value) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value) if isinstance(value, int) else repr(float(value))


def write(name, case):
    lines = ["# Written by numpy_loop.py."]
    lines += [f"{key} = {toml(case[key])}" for key in ("network", "rule", "loss", "schedule")]
    lines += [f"steps = {STEPS}", f"widths = {toml(case['widths'])}"]
    for key, rows in (("samples", case["samples"]), ("labels", case["labels"])):
        lines.append(f"{key} = {toml(rows)}")
    for key in ("weights", "feedback"):  # each column by column
        columns = [v.ravel(order="F") for v in case[key]]
        lines.append(f"{key} = {toml(columns)}")
    rng, worst, margins = np.random.default_rng(0), 0.0, []
    for i in range(RUNS):
        size, factor = case["size"] * (1.0 - i / 16.0), 1.0 - 3.0 * i / 32.0
        start = [factor * w_l for w_l in case["weights"]]
        beta = run(case, size, start)
        margins.append(np.min(case["labels"] * (case["samples"] @ beta)))
        if i % 4 == 0:
            nudged = [w_l * (1.0 + 1e-15 * rng.standard_normal(w_l.shape)) for w_l in start]
            worst = max(worst, np.linalg.norm(run(case, size, nudged) - beta) / np.linalg.norm(beta))
        lines += ["", "[[runs]]", f"size = {toml(size)}", f"factor = {toml(factor)}", f"beta = {toml(beta)}"]
    print(f"{name:34} margins from {min(margins):7.3f} to {max(margins):7.3f}, a nudge of 1e-15 becomes {worst:.1e}")
    assert worst < 1e-14, "chaotic: agreement to 1e-12 would mean nothing"
    (Path(__file__).parent / "instances" / f"{name}.toml").write_text("\n".join(lines) + "\n")


FC, CONV, DIAGONAL = "fully-connected-linear", "convolutional-linear", "diagonal-linear"
DFA, FA, BP = "direct-feedback-alignment", "feedback-alignment", "gradient-descent"

CASES = {
    "fully-connected-dfa-2": instance(1, FC, DFA, [8, 8], 5, 0.01),
    "fully-connected-dfa-3": instance(2, FC, DFA, [8, 8, 8], 5, 0.01),
    "fully-connected-bp-2": instance(3, FC, BP, [8, 8], 5, 0.01),
    "fully-connected-bp-3": instance(4, FC, BP, [8, 5, 7], 5, 0.01),
    "fully-connected-fa-3": instance(5, FC, FA, [8, 7, 5], 5, 0.01),
    "fully-connected-dfa-3-normalised": instance(6, FC, DFA, [8, 8, 8], 5, 0.0002, schedule="loss-normalised"),
    "convolutional-dfa-2": instance(7, CONV, DFA, [16, 16], 10, 0.01),
    "convolutional-dfa-3": instance(8, CONV, DFA, [16] * 3, 10, 0.01),
    "convolutional-bp-2": instance(9, CONV, BP, [16, 16], 10, 0.01),
    "convolutional-bp-3": instance(10, CONV, BP, [16] * 3, 10, 0.01),
    "convolutional-fa-3": instance(11, CONV, FA, [15] * 3, 10, 0.01),
    "convolutional-bp-3-logistic": instance(12, CONV, BP, [16] * 3, 10, 0.01, loss="logistic"),
    "convolutional-dfa-2-normalised": instance(13, CONV, DFA, [16] * 2, 10, 0.002, schedule="loss-normalised"),
    "diagonal-dfa-2": instance(14, DIAGONAL, DFA, [12, 12], 7, 0.01),
    "diagonal-dfa-3": instance(15, DIAGONAL, DFA, [12] * 3, 7, 0.01),
    "diagonal-bp-3": instance(16, DIAGONAL, BP, [12] * 3, 7, 0.01),
}

if __name__ == "__main__":
    np.seterr(all="raise")
    for name, case in CASES.items():
        write(name, case)
