"""Audits against dense non-negative least squares."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import marginflow as mf

jax = pytest.importorskip("jax")
optimize = pytest.importorskip("scipy.optimize")
import jax.numpy as jnp  # noqa: E402


def network(p: Any, x: Any) -> Any:
    return jax.nn.relu(x @ p["w"]) @ p["v"]


def trained(seed: int) -> tuple[Any, Any, Any]:
    draws = np.random.default_rng(seed)
    X = draws.standard_normal((12, 4))
    y = np.where(draws.standard_normal(12) > 0, 1, -1)
    params = {"v": 0.3 * draws.standard_normal(30), "w": 0.3 * draws.standard_normal((4, 30))}
    step = jax.jit(jax.grad(lambda p: jnp.log(jnp.exp(-network(p, X) * y).sum())))
    for _ in range(400):
        params = jax.tree.map(lambda a, g: a - 0.01 * g, params, step(params))
    return params, X, y


def dense(params: Any, X: Any, y: Any) -> tuple[float, float, float]:
    """(residual, ε, δ), from the whole Jacobian."""
    with jax.enable_x64(True):
        theta, unravel = jax.flatten_util.ravel_pytree(jax.tree.map(lambda a: jnp.asarray(a, jnp.float64), params))
        margins = lambda t: network(unravel(t), jnp.asarray(X, jnp.float64)) * y  # noqa: E731
        m, J, theta = (np.asarray(a) for a in (margins(theta), jax.jacobian(margins)(theta), theta))
    scale = m.min() ** -0.5
    theta, J, excess = theta * scale, J * scale, m / m.min() - 1.0
    near = excess <= 0.01
    _, distance = optimize.nnls(J[near].T, theta)
    chosen = excess <= 1.0
    matrix = np.vstack([J[chosen].T, excess[chosen]])
    weights, _ = optimize.nnls(matrix, np.append(theta, 0.0))
    epsilon = np.linalg.norm(theta - J[chosen].T @ weights)
    return distance / np.linalg.norm(theta), epsilon, (weights * excess[chosen]).max()


@pytest.mark.parametrize("seed", [0, 1, 3, 4])
def test_audits_are_those_of_the_dense_problem(seed: int) -> None:
    params, X, y = trained(seed)
    found = mf.audit(network, params, X, y)
    residual, epsilon, delta = dense(params, X, y)
    assert found.degree == 2 and found.margin > 0.0
    assert found.residual == pytest.approx(residual, rel=1e-10, abs=1e-10)
    assert found.epsilon == pytest.approx(epsilon, rel=1e-10)
    assert found.delta == pytest.approx(delta, rel=1e-6, abs=1e-10)
    assert found.multipliers is not None and (found.multipliers >= 0.0).all()
    assert "active" in repr(found)


def test_a_network_that_misclassifies_has_no_residual() -> None:
    params, X, y = trained(0)
    found = mf.audit(network, params, X, np.append(-y[:1], y[1:]))
    assert found.margin < 0.0 and found.residual is None and "not all samples" in repr(found)


def test_biases_are_not_homogeneous() -> None:
    params, X, y = trained(1)
    biased = lambda p, x: network(p, x) + p["b"]  # noqa: E731
    found = mf.audit(biased, params | {"b": np.array(0.01)}, X, y)
    assert found.degree is None and found.normalised_margin is None
    assert found.residual is not None and 0.0 <= found.residual <= 1.0


def test_a_limit_of_the_flow_is_a_kkt_point() -> None:
    draws = np.random.default_rng(0)
    X = draws.standard_normal((6, 4))
    y = np.where(X[:, 0] > 0, 1, -1)
    params = [0.3 * draws.standard_normal((4, 4)), 0.3 * draws.standard_normal((4, 1))]
    f = lambda p, x: x @ p[0] @ p[1]  # noqa: E731
    run = mf.from_jax(f, params, X, y).flow(until=30.0)
    found = mf.audit(f, run.params, X, y)
    # what the tolerance of the flow, 1e-6, leaves
    assert found.residual is not None and found.residual < 1e-6
    start = mf.audit(f, [10.0 * p for p in params], X, y)
    assert start.residual is None or start.residual > 1e-2


def test_classes() -> None:
    draws = np.random.default_rng(0)
    X, y = draws.standard_normal((6, 4)), np.array([0, 1, 2, 0, 1, 2])
    W = np.linalg.lstsq(X, 3.0 * np.eye(3)[y], rcond=None)[0]
    found = mf.audit(lambda w, x: x @ w, W, X, y)
    assert found.margins.shape == (12,) and found.degree == 1
    own = (X @ W)[np.arange(6), y]
    others = np.array([[k for k in range(3) if k != c] for c in y])
    assert np.allclose(found.margins, (own[:, None] - np.take_along_axis(X @ W, others, 1)).ravel(), rtol=1e-12)
