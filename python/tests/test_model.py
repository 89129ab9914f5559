"""Models of one's own, against closed forms and the program's own networks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import marginflow as mf

jax = pytest.importorskip("jax")
import jax.numpy as jnp  # noqa: E402

G = np.array([[1.0, 0.2], [0.3, 1.0]])


def squares(**more: Any) -> mf.Model:
    """f(x) = x·(w ⊙ w), by hand."""
    return mf.Model(
        margins=lambda w: G @ (w * w),
        velocity=lambda w, alpha: 2.0 * w * (G.T @ alpha),
        rates=lambda w, v: G @ (2.0 * w * v),
        start=[0.1, 0.3],
        gradient=True,
        degree=2,
        **more,
    )


def test_a_model_of_functions_reaches_its_limit() -> None:
    run = squares(conserved={"ratio of logarithms": lambda w: 0.0}).flow(until=30.0)
    assert run.status == "completed" and run.s[-1] == 30.0
    # gradient flow on w ⊙ w: min ‖β‖₁ s.t. Gβ ≥ 1, β ≥ 0; here both constraints are active
    beta = np.linalg.solve(G, np.ones(2))
    assert run.angle(beta, of=lambda w: w * w)[-1] < 1e-10
    assert run.audit().residual == pytest.approx(0.0, abs=1e-8)
    assert run.normalised_margin[-1] == pytest.approx(1.0 / beta.sum(), rel=1e-9)
    # the smoothed margin never falls (Lyu and Li 2020); here the loss is below one from some save on
    log_loss = np.logaddexp.reduce(-run.margins, axis=1)
    smoothed = (-log_loss / np.linalg.norm(run.theta, axis=1) ** 2)[log_loss < 0.0]
    assert len(smoothed) > len(run.s) / 2 and (np.diff(smoothed) > -1e-9).all()
    drift = np.abs(run.log_multipliers - (run.log_time[:, None] - run.margins)) / (1.0 + run.log_time[:, None])
    assert drift.max() < 1e-7


def test_saves_and_horizons() -> None:
    assert squares().flow(until=3.0, saves=4).s.tolist() == [0.0, 1.0, 2.0, 3.0]
    assert squares().flow(until=3.0, saves=[0.5, 2.5]).s.tolist() == [0.0, 0.5, 2.5]
    assert squares().flow(time=10.0, saves=2).log_time[-1] == pytest.approx(np.log1p(10.0), rel=1e-14)
    for wrong, words in [({}, "one of them"), ({"until": -1.0}, "between 0 and 700"), ({"until": 1, "time": 1}, "one")]:
        with pytest.raises(mf.InputError, match=words):
            squares().flow(**wrong)
    with pytest.raises(mf.InputError, match="nothing moves from zero"):
        squares().flow(until=1.0, start=[0.0, 0.0])


def test_what_a_function_raises_ends_the_run() -> None:
    def margins(w: Any) -> Any:
        if abs(w).max() > 1.0:
            raise ZeroDivisionError("mine")
        return G @ (w * w)

    model = squares()
    model._margins = margins
    with pytest.raises(ZeroDivisionError, match="mine"):
        model.flow(until=20.0)
    model._margins = lambda w: np.ones(3)
    with pytest.raises((mf.InputError, ValueError)):
        model.flow(until=2.0)


def depth_three(X: Any, y: Any) -> tuple[mf.Problem, mf.Model]:
    draws = np.random.default_rng(5)
    weights = [0.3 * draws.standard_normal(shape) for shape in [(5, 5), (5, 5), (5, 1)]]
    problem = mf.Problem(X, y, network=mf.FullyConnected(depth=3), rule=mf.BP(), initial=weights, until=40.0)
    model = mf.from_jax(lambda p, x: (x @ p[0] @ p[1] @ p[2])[:, 0], weights, X, y, rule="bp")
    return problem, model


def test_gradient_flow_by_automatic_differentiation_is_the_programs(data: Any) -> None:
    problem, model = depth_three(*data)
    assert model.degree == 3
    theirs, ours = problem.flow(certify=False, rtol=1e-8), model.flow(until=40.0, rtol=1e-8)
    limit = problem.limit()
    beta = np.linalg.multi_dot([np.asarray(w) for w in ours.params]).ravel()
    assert theirs.angle is not None
    assert limit.angle(beta) == pytest.approx(theirs.angle[-1], rel=1e-6)
    assert [p.shape for p in ours.params] == [(5, 5), (5, 5), (5, 1)]


def test_a_rule_of_ones_own_is_the_programs_feedback_alignment(data: Any) -> None:
    X, y = data
    problem = mf.Problem(X, y, network=mf.FullyConnected(depth=2), rule=mf.DFA(seed=4), until=20.0)
    (b,) = problem.feedback

    def update(p: Any, x: Any, delta: Any) -> Any:
        return {"w": x.T @ (delta[:, None] * b), "v": (x @ p["w"]).T @ delta}

    zero = {"w": np.zeros((5, 5)), "v": np.zeros(5)}
    model = mf.from_jax(lambda p, x: x @ p["w"] @ p["v"], zero, X, y, update=update)
    run = model.flow(until=20.0)
    w, v = np.asarray(run.params["w"]), np.asarray(run.params["v"])
    theirs = problem.flow()
    assert problem.limit().angle(w @ v) == pytest.approx(theirs.angle[-1], rel=1e-5)  # type: ignore[index]
    with pytest.raises(mf.InputError, match="expected \"bp\""):
        mf.from_jax(lambda p, x: x @ p, np.ones(5), X, y, rule="dfa")


def test_a_budget_that_runs_out_is_a_result(data: Any) -> None:
    run = depth_three(*data)[1].flow(until=40.0, max_steps=20)
    assert run.status == "budget-steps" and run.s[-1] < 40.0
    assert run.message is not None and "raise max_steps" in run.message


def test_classes(data: Any) -> None:
    X, _ = data
    y = np.array([0, 1, 2, 0, 1, 2, 1, 0])
    draws = np.random.default_rng(1)
    weights = [0.3 * draws.standard_normal(shape) for shape in [(5, 5), (5, 3)]]
    more = {"loss": "cross-entropy"}
    problem = mf.Problem(X, y, network=mf.FullyConnected(depth=2), rule=mf.BP(), initial=weights, until=6.0, **more)
    theirs = problem.flow(allow_nonseparable=True, rtol=1e-9, certify=False)
    ours = mf.from_jax(lambda p, x: x @ p[0] @ p[1], weights, X, y, **more).flow(until=6.0, rtol=1e-9)
    assert ours.margins.shape[1] == 16
    assert np.allclose(ours.margins[-1], theirs.margins[-1], rtol=1e-6, atol=1e-6)


def test_the_last_layer_is_compared_with_the_machine_of_its_features(data: Any) -> None:
    X, y = data
    draws = np.random.default_rng(2)
    params = {"w": 0.5 * draws.standard_normal((5, 7)), "v": 0.5 * draws.standard_normal(7)}

    def features(p: Any, x: Any) -> Any:
        return (x @ p["w"]) ** 2

    model = mf.from_jax(
        lambda p, x: features(p, x) @ p["v"], params, X, y, features=(features, lambda p: p["v"])
    )
    run = model.flow(until=30.0)
    angles = run.feature_angle
    assert run.status == "completed" and angles[-1] < 1e-3 < angles[len(angles) // 5]


def test_conserved_quantities_are_measured(data: Any) -> None:
    X, y = data
    _, model = depth_three(X, y)
    weights = [np.asarray(w) for w in model._params(model.start)]  # type: ignore[misc]
    balanced = mf.from_jax(
        lambda p, x: (x @ p[0] @ p[1] @ p[2])[:, 0],
        weights,
        X,
        y,
        conserved={
            "balance": lambda p: (p[0].T @ p[0] - p[1] @ p[1].T, jnp.sum(p[0] ** 2)),
            "not conserved": lambda p: p[2],
        },
    )
    drifts = balanced.flow(until=10.0).invariants
    assert drifts["balance"] < 1e-6 < 1e-2 < drifts["not conserved"]


def test_bad_arrays(data: Any) -> None:
    X, y = data
    f = lambda p, x: x @ p  # noqa: E731
    spoiled = X.copy()
    spoiled[1, 1] = np.nan
    with pytest.raises(mf.InputError, match="X: some entries are not finite"):
        mf.from_jax(f, np.ones(5), spoiled, y)
    with pytest.raises(mf.InputError, match="labels 0 and 1"):
        mf.from_jax(f, np.ones(5), X, (y + 1) // 2)
    with pytest.raises(mf.InputError, match=r"shape \(8, 2\), expected \(8,\)"):
        mf.from_jax(f, np.ones((5, 2)), X, y)
    with pytest.raises(mf.InputError, match="params: entry"):
        mf.from_jax(f, np.full(5, np.inf), X, y)
