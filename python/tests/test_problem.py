"""Problems of arrays: what may be given, and what is refused, in words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import marginflow as mf

FC = mf.FullyConnected(depth=2)


def beta(X: Any, y: Any, **more: Any) -> Any:
    return mf.Problem(X, y, network=FC, rule=mf.DFA(seed=1), until=4.0, **more).flow().beta


def test_arrays_of_every_make_give_one_answer(data: Any) -> None:
    X, y = data
    X = X.astype(np.float32).astype(np.float64)
    expected = beta(X, y).tobytes()
    wide = np.zeros((16, 10))
    wide[::2, ::2] = X
    fixed = X.copy()
    fixed.flags.writeable = False
    for same in (X.astype(np.float32), np.asfortranarray(X), wide[::2, ::2], fixed, X.tolist()):
        assert beta(same, y).tobytes() == expected
    for labels in (y.astype(float), y.astype(np.int8), y.tolist(), y[:, None], y.astype(np.float32)):
        assert beta(X, labels).tobytes() == expected


def test_the_callers_arrays_stay_as_they_are(data: Any) -> None:
    X, y = data
    problem = mf.Problem(X, y, network=FC, rule=mf.DFA(seed=1), until=2.0)
    before = problem.X.copy()
    X[:] = 0.0
    assert (problem.X == before).all()
    with pytest.raises(ValueError, match="read-only"):
        problem.X[0, 0] = 1.0


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda X, y: (np.where(np.arange(5) == 2, np.nan, X), y), r"X: entry \[0, 2\] \(from 0\) is nan"),
        (lambda X, y: (X[0], y), r"X: 1 dimensions, expected 2, one sample per row"),
        (lambda X, y: (X[None], y), "X: 3 dimensions"),
        (lambda X, y: (X[:0], y[:0]), "X: no numbers"),
        (lambda X, y: (X.astype(complex), y), "X: an array of complex128"),
        (lambda X, y: (X.astype(str), y), "expected real numbers"),
        (lambda X, y: (X.astype(object), y), "X: an array of object"),
        (lambda X, y: (X, y[:-1]), r"y: shape \(7,\), expected \(8,\)"),
        (lambda X, y: (X, (y + 1) // 2), r"y: labels 0 and 1; write 2\*y - 1"),
        (lambda X, y: (X, y > 0), r"y: labels 0 and 1"),
        (lambda X, y: (X, 0.5 * y), r"y: -0.5 is no label"),
        (lambda X, y: (X, 3 * y), r"y: labels \[-3.0, 3.0\]"),
        (lambda X, y: (X, np.where(y > 0, np.inf, y)), "y: entry"),
    ],
)
def test_bad_arrays_are_refused(data: Any, spoil: Any, words: str) -> None:
    with pytest.raises(mf.InputError, match=words):
        beta(*spoil(*data))


def test_labels_that_are_classes(data: Any) -> None:
    X, _ = data
    y = np.arange(8) % 3
    problem = mf.Problem(X, y, network=FC, rule=mf.DFA(seed=1, feedback="orthonormal"), until=3.0)
    run = problem.flow(allow_nonseparable=True)
    assert run.beta.shape[1:] == (5, 3) and run.margins.shape[1:] == (16,)
    with pytest.raises(mf.InputError, match="y: labels from 0 to 2, expected 0 … 1"):
        mf.Problem(X, y, network=FC, rule=mf.DFA(seed=1), classes=2)


def test_weights_and_feedback_as_arrays(data: Any) -> None:
    X, y = data
    drawn = mf.Problem(X, y, network=FC, rule=mf.DFA(seed=4), initial=mf.Gaussian(0.1, seed=2), until=3.0)
    given = mf.Problem(X, y, network=FC, rule=mf.DFA(feedback=drawn.feedback), initial=drawn.initial, until=3.0)
    assert [w.shape for w in drawn.initial] == [(5, 5), (5, 1)] and drawn.feedback[0].shape == (5,)
    assert given.flow().beta.tobytes() == drawn.flow().beta.tobytes()
    with pytest.raises(mf.InputError, match="w_1 is 5 x 4, expected 5 x 5"):
        mf.Problem(X, y, network=FC, rule=mf.DFA(seed=1), initial=[np.ones((5, 4)), np.ones(5)]).flow()


def test_data_that_no_hyperplane_separates(data: Any) -> None:
    X, y = data
    problem = mf.Problem(np.vstack([X, X[:1]]), np.append(y, -y[0]), network=FC, rule=mf.DFA(seed=1), until=3.0)
    with pytest.raises(mf.NotSeparableError):
        problem.flow()
    assert problem.flow(allow_nonseparable=True).limit is None


def test_horizons_and_budgets(data: Any) -> None:
    X, y = data
    problem = mf.Problem(X, y, network=FC, rule=mf.DFA(seed=1))
    assert problem.flow(until=2.0).s[-1] == 2.0
    assert problem.flow(time=100.0).log_time[-1] == pytest.approx(np.log1p(100.0), rel=1e-14)
    with pytest.raises(mf.InputError, match="give one of them"):
        problem.flow(until=2.0, time=1.0)
    short = problem.flow(until=20.0, **{"flow.max-steps": 10})
    assert short.status == "budget-steps" and short.message and short.s[-1] < 20.0


def test_the_version_is_the_programs(data: Any) -> None:
    X, y = data
    run = mf.Problem(X, y, network=FC, rule=mf.DFA(seed=1)).flow(until=1.0)
    assert mf.__version__ == run.report["version"]


def test_repr(data: Any) -> None:
    X, y = data
    problem = mf.Problem(X, y, network=FC, rule=mf.DFA(seed=1), title="a <title>")
    assert repr(problem) == (
        "<Problem problem: fully-connected-linear, direct-feedback-alignment, exponential, 8 samples of 5 features>"
    )
    assert "a &lt;title&gt;" in problem._repr_html_()
