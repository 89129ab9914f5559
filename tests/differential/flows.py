"""Twenty random flows integrated by SciPy: the oracle of tests/differential/main.rs.

To regenerate flows.json beside this file, with VENV a folder outside the repository:

    python3 -m venv VENV
    VENV/bin/pip install -r requirements.txt
    OMP_NUM_THREADS=1 VENV/bin/python flows.py

takes about three minutes on two cores. Problems are drawn from SEED; with the versions of requirements.txt the same ones
come out, and the same answers up to the errors kept with them.

Nothing here shares code or shortcuts with the library: N samples go forward through the layers, N error signals come back,
every layer moves by what the rule says (theory.md, sections 1 and 8), convolutions are sums over shifted entries, Jacobians
are complex steps through those same passes.

A flow is integrated twice, by methods that have little in common:

- near horizons, t from 1 to 100: theta' = sum_n alpha_n y_n G_n(theta) as it stands, in the time t, by an explicit
  Runge-Kutta method of order 8 (DOP853); then as below, by Radau.
- far horizons, s = ln(1 + ln(1 + t)) from 10 to 40, where t is no double: theta and the compressed log-multipliers
  v_n = P asinh(p_n / P), p_n = ln(1+t) - m_n, in the clock s (theory.md, section 2), by Radau (implicit Runge-Kutta of
  order 5) and by BDF (multistep formulas of orders 1 to 5).

What the two differ by is kept with every flow as the error of its answer.
"""

import json
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from scipy.integrate import solve_ivp

SEED = 2023
RTOL = {"Radau": 1e-12, "DOP853": 1e-12, "BDF": 1e-13}  # of one step; those of BDF add up to more
COMPRESSION = 100.0

FULLY_CONNECTED, CONVOLUTIONAL = "fully-connected-linear", "convolutional-linear"
DIAGONAL, RELU = "diagonal-linear", "relu"
BP, FA, DFA = "gradient-descent", "feedback-alignment", "direct-feedback-alignment"
EXPONENTIAL, LOGISTIC = "exponential", "logistic"

# What is not drawn: network, depth, rule, loss, horizon, initial weights.
PLAN = [
    (FULLY_CONNECTED, 2, DFA, EXPONENTIAL, "far", "zero"),
    (FULLY_CONNECTED, 3, BP, LOGISTIC, "near", "random"),
    (FULLY_CONNECTED, 3, FA, EXPONENTIAL, "far", "random"),
    (FULLY_CONNECTED, 4, DFA, LOGISTIC, "near", "random"),
    (FULLY_CONNECTED, 2, BP, EXPONENTIAL, "far", "random"),
    (CONVOLUTIONAL, 2, DFA, LOGISTIC, "far", "zero"),
    (CONVOLUTIONAL, 3, FA, EXPONENTIAL, "near", "random"),
    (CONVOLUTIONAL, 2, BP, EXPONENTIAL, "far", "random"),
    (CONVOLUTIONAL, 4, DFA, EXPONENTIAL, "near", "zero"),
    (CONVOLUTIONAL, 3, BP, LOGISTIC, "near", "random"),
    (CONVOLUTIONAL, 3, DFA, EXPONENTIAL, "far", "random"),
    (DIAGONAL, 2, FA, EXPONENTIAL, "far", "zero"),
    (DIAGONAL, 3, DFA, LOGISTIC, "near", "random"),
    (DIAGONAL, 4, BP, EXPONENTIAL, "near", "random"),
    (DIAGONAL, 2, BP, LOGISTIC, "far", "random"),
    (RELU, 2, DFA, EXPONENTIAL, "far", "random"),
    (RELU, 2, BP, LOGISTIC, "near", "random"),
    (RELU, 3, FA, LOGISTIC, "near", "random"),
    (RELU, 3, BP, EXPONENTIAL, "far", "random"),
    (RELU, 3, DFA, EXPONENTIAL, "near", "random"),
]


# Arrays may carry leading axes, so that one call serves the columns of a Jacobian; then come samples, then units.


class Linear:
    """A layer without activation: the signal at its outputs is its error signal."""

    def back(self, w, h, signal):
        """From dL/d(outputs): the error signal, the updates of w (one per sample), dL/dh."""
        return signal, self.update(h, signal), self.through(w, signal)


class FullyConnected(Linear):
    """w^T h, w of shape inputs x units."""

    def forward(self, w, h):
        return h @ w

    def through(self, w, delta):
        return delta @ np.swapaxes(w, -1, -2)

    def update(self, h, delta):
        return h[..., :, None] * delta[..., None, :]


class Convolutional(Linear):
    """(d) -> D^{-1/2} sum_k w(k) h(d + k mod D), w of shape D x 1."""

    def __init__(self, dimension):
        d = np.arange(dimension)
        self.ahead = (d[:, None] + d[None, :]) % dimension
        self.behind = (d[:, None] - d[None, :]) % dimension
        self.scale = 1.0 / np.sqrt(dimension)

    def forward(self, w, h):
        return self.scale * np.sum(w[..., None, None, :, 0] * h[..., self.ahead], axis=-1)

    def through(self, w, delta):
        return self.scale * np.sum(w[..., None, None, :, 0] * delta[..., self.behind], axis=-1)

    def update(self, h, delta):
        return self.scale * np.sum(delta[..., :, None] * h[..., self.ahead], axis=-2)[..., None]


class Diagonal(Linear):
    """w * h, w of shape D x 1."""

    def forward(self, w, h):
        return w[..., None, :, 0] * h

    def through(self, w, delta):
        return w[..., None, :, 0] * delta

    def update(self, h, delta):
        return (h * delta)[..., None]


class SmoothedRelu(FullyConnected):
    """g = (a + q) / 2, q = sqrt(a^2 + eps^2 |w|^2 |h|^2), a = w . h, for every unit (column w) and sample (row h)."""

    def __init__(self, smoothing):
        self.smoothing = smoothing

    def parts(self, w, h):
        a = h @ w
        widths = np.sum(w * w, axis=-2)[..., None, :]
        sizes = np.sum(h * h, axis=-1)[..., :, None]
        return a, np.sqrt(a * a + self.smoothing**2 * widths * sizes), widths, sizes

    def forward(self, w, h):
        a, q, _, _ = self.parts(w, h)
        return 0.5 * (a + q)

    def back(self, w, h, signal):
        """dg/dw = gate h + (eps^2 |h|^2 / 2q) w and the same with w and h exchanged; rules that replace what comes down
        take the error signal gate * signal."""
        a, q, widths, sizes = self.parts(w, h)
        delta = 0.5 * (1.0 + a / q) * signal
        on_w = 0.5 * self.smoothing**2 * sizes / q * signal
        on_h = 0.5 * self.smoothing**2 * widths / q * signal
        update = self.update(h, delta) + on_w[..., None, :] * w[..., None, :, :]
        return delta, update, self.through(w, delta) + np.sum(on_h, axis=-1, keepdims=True) * h


class Flow:
    """The vector field of one problem."""

    def __init__(self, problem):
        self.x = np.array(problem["samples"])
        self.y = np.array(problem["labels"])
        self.rule, self.loss = problem["rule"], problem["loss"]
        self.feedback = [np.array(f) for f in problem["feedback"]]
        start = [np.array(w) for w in problem["weights"]]
        self.shapes = [w.shape for w in start]
        self.theta0 = self.flat(start)
        dimension = self.x.shape[1]
        hidden = {
            FULLY_CONNECTED: FullyConnected(),
            CONVOLUTIONAL: Convolutional(dimension),
            DIAGONAL: Diagonal(),
            RELU: SmoothedRelu(problem["smoothing"]),
        }[problem["network"]]
        self.layers = [hidden] * (len(start) - 1) + [FullyConnected()]

    def flat(self, layers):
        leading = layers[0].shape[:-2]
        return np.concatenate([w.reshape(leading + (-1,)) for w in layers], axis=-1)

    def weights(self, theta):
        ends = np.cumsum([rows * columns for rows, columns in self.shapes])
        parts = np.split(theta, ends[:-1], axis=-1)
        return [part.reshape(theta.shape[:-1] + shape) for part, shape in zip(parts, self.shapes)]

    def inputs(self, w, x):
        """h_0 ... h_{L-1} and the output."""
        h = [np.broadcast_to(x, w[0].shape[:-2] + x.shape)]
        for layer, w_l in zip(self.layers, w):
            h.append(layer.forward(w_l, h[-1]))
        return h

    def margins(self, theta):
        return self.y * self.inputs(self.weights(theta), self.x)[-1][..., 0]

    def predictor(self, theta):
        return self.inputs(self.weights(theta), np.eye(self.x.shape[1]))[-1][..., 0]

    def directions(self, w, h, rule):
        """The update of theta that each sample asks for, G_n; the gradient of f(x_n) if the rule is BP."""
        updates = [None] * len(w)
        signal = np.ones_like(h[-1])
        for l in reversed(range(len(w))):
            delta, update, down = self.layers[l].back(w[l], h[l], signal)
            updates[l] = update
            if l == 0:
                break
            if rule == BP:
                signal = down
            elif rule == FA:
                signal = self.layers[l].through(self.feedback[l - 1], delta)
            else:
                signal = np.broadcast_to(self.feedback[l - 1][:, 0], h[l].shape)
        return self.flat(updates)

    def velocity(self, _, theta):
        """d theta / dt"""
        w = self.weights(theta)
        h = self.inputs(w, self.x)
        m = self.y * h[-1][:, 0]
        alpha = np.exp(-m) if self.loss == EXPONENTIAL else 1.0 / (1.0 + np.exp(m))
        return (alpha * self.y) @ self.directions(w, h, self.rule)

    def field(self, s, state):
        """d(theta, v) / ds"""
        theta, v = state[..., : len(self.theta0)], state[..., len(self.theta0) :]
        w = self.weights(theta)
        h = self.inputs(w, self.x)
        m = self.y * h[-1][..., 0]
        scaled = np.exp(COMPRESSION * np.sinh(v / COMPRESSION))  # alpha (1 + t)
        if self.loss == LOGISTIC:
            scaled = scaled / (1.0 + np.exp(-m))
        velocity = np.sum((scaled * self.y)[..., None] * self.directions(w, h, self.rule), axis=-2)
        rates = self.y * np.sum(self.directions(w, h, BP) * velocity[..., None, :], axis=-1)
        rate_of_v = (1.0 - rates) / np.cosh(v / COMPRESSION)
        return np.exp(s) * np.concatenate([velocity, rate_of_v], axis=-1)

    def jacobian(self, s, state):
        step = 1e-40
        return self.field(s, state + 1j * step * np.eye(len(state))).imag.T / step


def until(solution):
    assert solution.success, solution.message
    return solution.y[:, -1]


def in_log_log_time(flow, s, method, rtol=None):
    """theta and p at s."""
    v = COMPRESSION * np.arcsinh(-flow.margins(flow.theta0) / COMPRESSION)
    start = np.concatenate([flow.theta0, v])
    rtol = rtol or RTOL[method]
    options = dict(method=method, jac=flow.jacobian, rtol=rtol, atol=0.1 * rtol, first_step=1e-6)
    end = until(solve_ivp(flow.field, (0.0, s), start, **options))
    theta, v = end[: len(flow.theta0)], end[len(flow.theta0) :]
    return theta, COMPRESSION * np.sinh(v / COMPRESSION)


def in_time(flow, s):
    tau = np.expm1(s)
    options = dict(method="DOP853", rtol=RTOL["DOP853"], atol=0.1 * RTOL["DOP853"])
    theta = until(solve_ivp(flow.velocity, (0.0, np.expm1(tau)), flow.theta0, **options))
    return theta, tau - flow.margins(theta)


def answers(flow, solution):
    theta, p = solution
    found = {"weights": flow.weights(theta), "margins": flow.margins(theta), "log_multipliers": p}
    if not isinstance(flow.layers[0], SmoothedRelu):
        found["beta"] = flow.predictor(theta)
    return found


def errors(a, b):
    """Distances of the answer a from b, as tests/differential/main.rs measures them.

    Layers and predictors: relative, in the Euclidean norm, the largest. Margins and log-multipliers: per 1 + |value|, the
    largest (log-multipliers are logarithms already, and margins pass through zero).
    """

    def of_vectors(a, b):
        return float(np.linalg.norm(a - b) / np.linalg.norm(b))

    def of_entries(a, b):
        return float(np.max(np.abs(a - b) / (1.0 + np.abs(b))))

    found = {"weights": max(of_vectors(*pair) for pair in zip(a["weights"], b["weights"]))}
    if "beta" in b:
        found["beta"] = of_vectors(a["beta"], b["beta"])
    return found | {key: of_entries(a[key], b[key]) for key in ("margins", "log_multipliers")}


def draw(rng, network, depth, rule, loss, horizon, initial):
    """Gaussian samples; labels by a hyperplane, or random ones for ReLU networks, which need none to fit."""
    dense = network in (FULLY_CONNECTED, RELU)
    dimension = int(rng.integers(2 if dense else 4, 9))
    samples = int(rng.integers(2, 11))
    x = rng.standard_normal((samples, dimension))
    field = x @ rng.standard_normal(dimension) if network != RELU else rng.standard_normal(samples)
    y = np.where(field > 0.0, 1.0, -1.0)
    hidden = [int(rng.integers(3, 8)) for _ in range(depth - 1)] if dense else [dimension] * (depth - 1)
    widths = [dimension] + hidden
    shapes = [(a, b if dense else 1) for a, b in zip(widths, hidden)] + [(widths[-1], 1)]
    scale = 0.0 if initial == "zero" else rng.uniform(0.3, 1.0)
    weights = [scale * rng.standard_normal(shape) / np.sqrt(shape[0] if dense else 1.0) for shape in shapes]
    if rule == DFA:
        feedback = [rng.standard_normal((width, 1)) for width in hidden]
    elif rule == FA:
        feedback = [rng.standard_normal(shape) for shape in shapes[1:]]
    else:
        feedback = []
    s = np.log1p(np.log1p(10.0 ** rng.uniform(0.0, 2.0))) if horizon == "near" else rng.uniform(10.0, 40.0)
    problem = {
        "network": network,
        "smoothing": float(rng.choice([0.1, 0.03])) if network == RELU else 0.0,
        "rule": rule,
        "loss": loss,
        "log_log_time": float(s),
        "samples": x.tolist(),
        "labels": y.tolist(),
        "weights": [w.tolist() for w in weights],
        "feedback": [f.tolist() for f in feedback],
    }
    return problem if smooth(problem) else draw(rng, network, depth, rule, loss, horizon, initial)


def smooth(problem):
    """Whether a short rough run comes to its end and, where a long one is to follow, has learned the samples.

    ReLU networks may not: under feedback alignment a unit can come to zero weights, where even a smoothed kink is one, and
    a network too small for its samples comes to rest.
    """
    flow, s = Flow(problem), problem["log_log_time"]
    try:
        theta, _ = in_log_log_time(flow, min(s, 2.0), "BDF", rtol=1e-6)
    except AssertionError:
        return False
    return s <= 2.0 or np.min(flow.margins(theta)) > 1.0


def solve(problem):
    flow, s = Flow(problem), problem["log_log_time"]
    far = s >= 10.0
    best = answers(flow, in_log_log_time(flow, s, "Radau"))
    other = answers(flow, in_log_log_time(flow, s, "BDF") if far else in_time(flow, s))
    problem["methods"] = ["Radau", "BDF" if far else "DOP853"]
    problem["final"] = {key: [w.tolist() for w in value] if key == "weights" else value.tolist() for key, value in best.items()}
    problem["error"] = errors(other, best)
    return problem


def describe(problem):
    shape = "x".join(str(len(w)) for w in problem["weights"])
    error = problem["error"]
    print(
        f"{problem['network']:23} {shape:10} N = {len(problem['labels']):2} {problem['rule']:26} {problem['loss']:12}"
        f" s = {problem['log_log_time']:6.3f}  smallest margin {min(problem['final']['margins']):10.3e}  "
        + ", ".join(f"{key} {value:.0e}" for key, value in error.items()),
        flush=True,
    )


if __name__ == "__main__":
    rng = np.random.default_rng(SEED)
    with ProcessPoolExecutor() as pool:
        problems = []
        for problem in pool.map(solve, [draw(rng, *what) for what in PLAN]):
            describe(problem)
            problems.append(problem)
    path = Path(__file__).with_name("flows.json")
    path.write_text("[\n" + ",\n".join(json.dumps(problem) for problem in problems) + "\n]\n")
