"""Runs: what they hold, how they are drawn and kept."""

from __future__ import annotations

import json
import multiprocessing
import pickle
import signal
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT

import marginflow as mf


@pytest.fixture(scope="module")
def run() -> mf.Run:
    return mf.load(ROOT / "scenarios" / "fc-dfa.toml").flow()


def test_what_a_run_holds(run: mf.Run) -> None:
    saves = len(run.s)
    assert run.status == "completed" and run.message is None
    assert np.allclose(np.log1p(run.log_time), run.s, rtol=1e-12)
    assert run.beta.shape == (saves, 8) and run.margins.shape == (saves, 5)
    product = run.weights[0][-1]
    for w in run.weights[1:]:
        product = product @ w[-1]
    assert np.allclose(product.ravel(), run.beta[-1], rtol=1e-9, atol=1e-9 * np.abs(run.beta[-1]).max())
    assert run.angle is not None and run.limit is not None
    assert run.limit.angle(run.beta[-1]) == pytest.approx(run.angle[-1], abs=1e-12)
    assert run.rate is not None and run.rate.observed == pytest.approx(run.rate.predicted, abs=0.02)
    assert run.claims["thm-1"].verdict == "holds" and max(run.invariants.values()) < 1e-6
    assert run.certificate is not None and run.certified["limit_angle"] < 1e-6
    assert run.stats["steps"] > 0 and run.units["angle_to_limit"] == "rad"
    with pytest.raises(ValueError, match="read-only"):
        run.beta[0, 0] = 1.0
    with pytest.raises(KeyError, match="no-such: this run has none"):
        run["no-such"]
    assert "completed" in repr(run) and "thm-1" in run._repr_html_() and "thm-1" in str(run)


def test_a_run_is_kept_and_read_again(run: mf.Run, tmp_path: Path) -> None:
    run.save(tmp_path)
    left = {path.name for path in tmp_path.iterdir()}
    assert {"report.json", "trajectory.npz", "report.html", "scenario.toml", "figures", "certificate.json"} <= left
    again = mf.open_run(tmp_path)
    assert again.report == json.loads(json.dumps(run.report)) and again.certificate == run.certificate
    assert all(again[key].tobytes() == run[key].tobytes() for key in run)
    with pytest.raises(mf.InputError, match="no finished run"):
        mf.open_run(tmp_path / "figures")


def test_runs_and_problems_go_to_other_processes(run: mf.Run) -> None:
    again = pickle.loads(pickle.dumps(run))
    assert again.beta.tobytes() == run.beta.tobytes() and again.claims["thm-1"] == run.claims["thm-1"]
    with pytest.raises(mf.InputError, match="came from another process"):
        again.save("nowhere")
    problem = mf.Problem(np.eye(3), [1, -1, 1], network=mf.FullyConnected(2), rule=mf.DFA(seed=1), until=3.0)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        there = pool.submit(mf.Problem.flow, problem, 2.0).result()
    assert there.beta.tobytes() == problem.flow(2.0).beta.tobytes()


def test_every_figure_is_drawn(run: mf.Run) -> None:
    pytest.importorskip("matplotlib").use("Agg")
    import matplotlib.pyplot as plt

    assert "angle-to-limit" in run.figures
    for figure in run.figures:
        axes = np.atleast_1d(np.asarray(run.plot(figure), dtype=object)).ravel()
        drawn = next(f for f in run.report["figures"] if f["id"] == figure)
        assert len(axes) >= len(drawn["panels"])
        for panel, ax in zip(drawn["panels"], axes):
            lines = [s for s in panel["series"] if s["style"] not in ("band", "cell")]
            assert len(ax.lines) == len(lines) and ax.get_xlabel() == panel["x"]["label"]
            for line, series in zip(sorted(ax.lines, key=lambda l: l.get_gid()), lines):
                shown, given = line.get_ydata(), np.array(series["y"], dtype=float)
                finite = np.isfinite(shown)
                assert np.array_equal(shown[finite], given[finite])
        plt.close("all")
    _, ax = plt.subplots()
    assert run.plot("angle-to-limit", ax=ax) is ax and ax.get_yscale() == "log"
    with pytest.raises(mf.InputError, match="no figure of this run; it has angle-to-limit"):
        run.plot("nothing")
    assert run.svg("angle-to-limit").startswith("<svg")


def test_xarray(run: mf.Run) -> None:
    pytest.importorskip("xarray")
    found = run.to_xarray()
    assert found["angle_to_limit"].attrs["units"] == "rad" and found.sizes["s"] == len(run.s)
    assert found["margins"].sel(s=run.s[-1]).values.tolist() == run.margins[-1].tolist()


LONG = {"dataset.gaussian-teacher.dimension": 60, "dataset.gaussian-teacher.samples": 80, "flow.until.log-log-time": 140}


def test_an_interrupted_run_goes_on_bit_for_bit(tmp_path: Path, monkeypatch: Any) -> None:
    problem = mf.load(ROOT / "scenarios" / "fc-dfa.toml", **LONG)
    whole = problem.flow(certify=False)

    def interrupt(shown: Any, s: float, steps: int, notes: list[str]) -> None:
        # as from the keyboard, once the run has got somewhere
        if steps > 50:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patched:
        patched.setattr("marginflow._progress.Progress.see", interrupt)
        with pytest.raises(KeyboardInterrupt):
            problem.flow(checkpoints=tmp_path, certify=False)
    assert list(tmp_path.glob("*.checkpoint")), "nothing to go on from"
    rest = problem.flow(checkpoints=tmp_path, certify=False)
    assert rest.beta.tobytes() == whole.beta.tobytes() and rest.stats["steps"] == whole.stats["steps"]
    assert not list(tmp_path.glob("*.checkpoint")), "a finished run leaves no checkpoint"


def test_other_threads_run_meanwhile() -> None:
    problem = mf.load(ROOT / "scenarios" / "fc-dfa.toml", **LONG)
    ticks, over = 0, threading.Event()

    def tick() -> None:
        nonlocal ticks
        while not over.is_set():
            ticks += 1
            time.sleep(0.01)

    other = threading.Thread(target=tick)
    other.start()
    time.sleep(0.05)
    before = ticks
    problem.flow(certify=False)
    during = ticks - before
    over.set()
    other.join()
    # a run that held the interpreter's lock would leave time for one
    assert during >= 5, during


def test_progress_is_shown_where_it_is_asked_for(capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("marginflow._progress.PATIENCE", 0.0)
    mf.load(ROOT / "scenarios" / "fc-dfa.toml").flow(progress=True)
    assert "s = 60 of 60" in capsys.readouterr().err
    mf.load(ROOT / "scenarios" / "fc-dfa.toml").flow(progress=False)
    assert capsys.readouterr().err == ""
