"""A problem gives the bits that the command line gives, and its words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT

import marginflow as mf

#: Scenarios of different kinds: network, rule, loss, labels, kinks, finite steps.
SCENARIOS: list[tuple[str, dict[str, Any]]] = [
    ("fc-dfa", {}),
    ("conv-bp-2", {}),
    ("fc-dfa-classes", {}),
    ("relu-dfa", {"flow.until.log-log-time": 6.0}),
    ("fa-conv", {"loss": "logistic"}),
    ("kolen-pollack", {"flow.rtol": 1e-7}),
    ("layers-dfa", {"flow.until.log-log-time": 6.0}),
]


@pytest.mark.parametrize(("name", "overrides"), SCENARIOS)
def test_same_bits(name: str, overrides: dict[str, Any], tmp_path: Path, command_line: Any) -> None:
    scenario = ROOT / "scenarios" / f"{name}.toml"
    sets = [word for key, value in overrides.items() for word in ("--set", f"{key}={json.dumps(value)}")]
    done = command_line("run", scenario, "--quiet", "--no-figures", "--out", tmp_path / "cli", *sets)
    assert done.returncode in (0, 1), done.stderr
    theirs = np.load(tmp_path / "cli" / "trajectory.npz")
    report = json.loads((tmp_path / "cli" / "report.json").read_text())
    run = mf.load(scenario, **overrides).flow()
    assert set(run) == set(theirs.files)
    for key in run:
        if key != "scenario":  # the paths in it are those given
            assert run[key].tobytes() == theirs[key].tobytes(), key
    for field in ("final", "claims", "limit", "invariants", "rate", "status", "certified"):
        assert run.report[field] == report[field], field


def test_finite_steps_have_the_same_bits(tmp_path: Path, command_line: Any) -> None:
    scenario = ROOT / "scenarios" / "fc-dfa-steps.toml"
    count = ("--set", "steps.count=500")
    assert command_line("compare", scenario, "--quiet", "--no-figures", "--out", tmp_path, *count).returncode in (0, 1)
    theirs = np.load(tmp_path / "trajectory.npz")
    sizes = json.loads((tmp_path / "report.json").read_text())["steps"]
    run = mf.load(scenario).steps([step["size"] for step in sizes], 500)
    assert [step["size"] for step in run.steps] == [step["size"] for step in sizes]
    for key in theirs.files:
        if key != "scenario":
            assert run[key].tobytes() == theirs[key].tobytes(), key


def test_a_problem_of_arrays_is_a_scenario(tmp_path: Path, data: Any, command_line: Any) -> None:
    X, y = data
    problem = mf.Problem(X, y, network=mf.Convolutional(depth=2), rule=mf.DFA(seed=3), until=10.0)
    run = problem.flow()
    saved = problem.save(tmp_path / "problem")
    done = command_line("run", saved, "--quiet", "--no-figures", "--out", tmp_path / "cli")
    assert done.returncode in (0, 1), done.stderr
    theirs = np.load(tmp_path / "cli" / "trajectory.npz")
    assert run.margins.tobytes() == theirs["margins"].tobytes()
    assert mf.load(saved).flow().beta.tobytes() == run.beta.tobytes()
    assert str(problem._path.parent) not in saved.read_text()


def test_layers_are_those_of_a_scenario(data: Any) -> None:
    X, y = data
    hidden = [
        mf.Convolution(kernel=2, channels=3, activation="relu"),
        mf.AveragePooling(1),
        mf.Dense(4, activation=("leaky-relu", 0.1), bias=True),
        mf.Dense(3, activation=("relu-power", 2)),
    ]
    initial = mf.Gaussian(scale=0.3, seed=1)
    problem = mf.Problem(X, y, network=mf.Layers(hidden, smoothing=0.2), rule=mf.BP(), initial=initial, until=2.0)
    run = problem.flow()
    assert [w.shape[1:] for w in run.weights] == [(2, 3), (3 * X.shape[1] + 1, 4), (4, 3), (3, 1)]
    assert "ReLU to the power 2" in run.report["network"]["layers"]
    with pytest.raises(mf.InputError, match="kernel of 99"):
        mf.Problem(X, y, network=mf.Layers([mf.Convolution(99, 1)]), rule=mf.BP(), initial=initial).flow()


def test_the_words_are_those_of_the_command_line(tmp_path: Path, command_line: Any) -> None:
    scenario = ROOT / "scenarios" / "fc-dfa.toml"
    done = command_line("run", scenario, "--set", "flow.rtol=2", "--out", tmp_path / "x")
    with pytest.raises(mf.InputError) as refused:
        mf.load(scenario, **{"flow.rtol": 2})
    assert done.returncode == 65
    assert done.stderr.strip() == f"error: {refused.value}".strip()
    with pytest.raises(mf.InputError, match="no-such.toml"):
        mf.load("no-such.toml")


def test_limits_and_critical_steps(command_line: Any) -> None:
    scenario = ROOT / "scenarios" / "fc-dfa.toml"
    theirs = json.loads(command_line("limit", scenario, "--format", "json").stdout)
    limit = mf.load(scenario).limit()
    assert limit.beta is not None and limit.beta.tolist() == theirs["beta"]
    assert limit.kind == theirs["kind"] and list(limit.support) == theirs["support"]
    assert limit.angle(3.0 * limit.beta) < 1e-15
    small = {"dataset.gaussian-teacher.dimension": 3, "dataset.gaussian-teacher.samples": 4}
    critical = mf.load(scenario, **small, **{"network.fully-connected-linear.depth": 2}).critical_step()
    assert critical["thresholds"] or critical["critical"]
