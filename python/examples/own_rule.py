"""A rule of one's own in JAX: gradient descent on the output layer, fixed random feedback below."""

from typing import Any

import numpy as np

import marginflow as mf

draws = np.random.default_rng(0)
X = draws.standard_normal((10, 4))
y = np.sign(X @ draws.standard_normal(4))
feedback = draws.standard_normal(4)


def network(params: dict[str, Any], x: Any) -> Any:
    """A linear network of two layers."""
    return x @ params["first"] @ params["last"]


def update(params: dict[str, Any], x: Any, delta: Any) -> dict[str, Any]:
    """The velocity, linear in the error signal delta = −∂𝓛/∂f."""
    return {"first": x.T @ (delta[:, None] * feedback), "last": (x @ params["first"]).T @ delta}


start = {"first": np.zeros((4, 4)), "last": np.zeros(4)}
model = mf.from_jax(network, start, X, y, update=update)
run = model.flow(until=40.0)
limit = mf.max_margin(y[:, None] * X)
angle = limit.angle(run.params["first"] @ run.params["last"])
print(run, f"angle to the hard-margin SVM {angle:.2e} rad")
assert angle < 1e-5
