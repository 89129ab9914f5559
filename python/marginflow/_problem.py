"""Problems: data, network, rule, loss, initial weights; and what can be asked of them."""

from __future__ import annotations

import hashlib
import html
import json
import os
import shutil
import tempfile
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _core
from ._progress import Progress
from ._run import Limit, Run
from ._settings import BP, Array, Initial, Network, Rule, assignments, labels, literal, samples, saved

Horizon = float


def horizon(until: float | None, log_time: float | None, time: float | None) -> dict[str, float]:
    """The one that is given, as a key of a scenario."""
    given = {"log-log-time": until, "log-time": log_time, "time": time}
    found = {f"flow.until.{key}": float(value) for key, value in given.items() if value is not None}
    if len(found) > 1:
        raise _core.InputError("until, log_time and time all say how far: give one of them")
    return found


class Problem:
    """One initial value problem of learning.

    Parameters
    ----------
    X
        Samples, N × D, real numbers.
    y
        Labels: −1 and 1, or classes 0 … C−1 (then the network has C outputs).
    network
        :class:`FullyConnected`, :class:`Convolutional`, :class:`Diagonal`, :class:`ReLU` or :class:`Layers`.
    rule
        :class:`BP`, :class:`DFA`, :class:`FA` or :class:`KolenPollack`.
    loss
        ``"exponential"``, ``"logistic"`` or ``"cross-entropy"``.
    initial
        ``"zero"``, :class:`Gaussian`, or the weights themselves: one array per layer, inputs × units.
    classes
        The number C, where not every class occurs.
    until
        The horizon s = ln(1 + ln(1 + t)) of :meth:`flow` unless it is given one.

    A problem is a scenario, as the command line reads it: :meth:`save` writes it down, with its arrays.
    """

    _kept: object
    _path: Path
    _overrides: tuple[str, ...]
    _scenario: _core.Scenario

    def __init__(
        self,
        X: npt.ArrayLike,
        y: npt.ArrayLike,
        *,
        network: Network,
        rule: Rule = BP(),
        loss: str = "exponential",
        initial: Initial = "zero",
        classes: int | None = None,
        until: float = 40.0,
        title: str | None = None,
        name: str = "problem",
    ) -> None:
        given = samples(X)
        whole, count = labels(y, len(given), classes)
        folder = Path(tempfile.mkdtemp(prefix="marginflow-"))
        self._kept = weakref.finalize(self, shutil.rmtree, folder, True)
        np.save(folder / "X.npy", given)
        np.save(folder / "y.npy", whole)
        files: dict[str, Any] = {"samples": "X.npy", "labels": "y.npy"}
        if count is not None:
            files["classes"] = count
        keys: dict[str, Any] = {} if title is None else {"title": title}
        keys |= {
            "loss": loss,
            "dataset": {"files": files},
            "network": network._table(),
            "rule": rule._table(folder),
            "flow": {"until": {"log-log-time": float(until)}},
        }
        if isinstance(initial, str):
            keys["initial"] = initial
        elif hasattr(initial, "_table"):
            keys["initial"] = initial._table()
        else:
            keys["initial"] = {"files": saved(initial, folder, "w")}
        path = folder / f"{name}.toml"
        path.write_text("".join(f"{key} = {literal(value)}\n" for key, value in keys.items()), encoding="utf-8")
        self._read(path, ())

    def _read(self, path: Path, overrides: tuple[str, ...]) -> None:
        self._path, self._overrides = path, overrides
        self._scenario = _core.load(path, list(overrides))
        self._built: _core.Problem | None = None

    @classmethod
    def _of(cls, path: Path, overrides: tuple[str, ...], keep: object = None) -> Problem:
        problem = cls.__new__(cls)
        problem._kept = keep
        problem._read(path, overrides)
        return problem

    def __reduce__(self) -> Any:
        # for other processes, as long as this one keeps the files of the arrays
        return (Problem._of, (self._path, self._overrides))

    def replace(self, **overrides: Any) -> Problem:
        """The same problem with other values of some keys, ``problem.replace(**{"flow.rtol": 1e-8})``."""
        if not overrides:
            return self
        # the arrays of the first problem live as long as any that reads them
        return self._of(self._path, self._overrides + tuple(assignments(overrides)), keep=self)

    # --- what it is

    @property
    def name(self) -> str:
        """Of the scenario."""
        return self._scenario.name

    @property
    def title(self) -> str:
        """One line on what it is."""
        return self._scenario.title

    @property
    def toml(self) -> str:
        """The scenario."""
        return self._scenario.text

    @property
    def _problem(self) -> _core.Problem:
        if self._built is None:
            self._built = self._scenario.build()
        return self._built

    @property
    def X(self) -> Array:
        """Samples, N × D."""
        return frozen(self._problem.samples)

    @property
    def y(self) -> Array:
        """Labels ±1, or classes from 0, length N."""
        return frozen(self._problem.labels)

    @property
    def initial(self) -> list[Array]:
        """Weights at time 0, one array per layer, inputs × units."""
        return [frozen(w) for w in self._problem.weights]

    @property
    def feedback(self) -> list[Array]:
        """b_l or F_l, one array per hidden layer; empty under gradient descent."""
        return [frozen(np.reshape(entries, axes, order="F")) for axes, entries in self._problem.feedback]

    def __repr__(self) -> str:
        built = self._problem
        n, d = built.samples.shape
        return f"<Problem {self.name}: {built.network}, {built.rule}, {built.loss}, {n} samples of {d} features>"

    def _repr_html_(self) -> str:
        return f"<b>{html.escape(self.title)}</b><pre>{html.escape(self.toml)}</pre>"

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Writes the scenario, and every array it names, into a folder; the scenario's path."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        text = self.toml
        if isinstance(self._kept, (weakref.finalize, Problem)):
            here = str(self._path.parent)
            for file in self._path.parent.glob("*.npy"):
                shutil.copy(file, folder / file.name)
            text = text.replace(here + os.sep, "")
        path = folder / self._path.name
        path.write_text(text, encoding="utf-8")
        return path

    # --- what can be asked of it

    def flow(
        self,
        until: float | None = None,
        *,
        log_time: float | None = None,
        time: float | None = None,
        rtol: float | None = None,
        atol: float | None = None,
        saves: int | None = None,
        verify: bool = False,
        certify: bool | None = None,
        allow_nonseparable: bool = False,
        progress: bool | None = None,
        checkpoints: str | os.PathLike[str] | None = None,
        **overrides: Any,
    ) -> Run:
        """The flow from time 0 to its horizon, measured and judged: what ``marginflow run`` does, bit for bit.

        ``until`` is s = ln(1 + ln(1 + t)), ``log_time`` ln(1 + t), ``time`` t; that of the problem unless given.
        ``verify`` repeats the run at a hundredth of the tolerance. ``certify`` proves what can be proved in exact
        arithmetic (where that takes a second, unless given). An interrupted run leaves a checkpoint in ``checkpoints``
        (a folder for temporary files unless given), from which the same call goes on.

        A budget that ran out, or a claim that does not hold, is a result: see :attr:`Run.status`, :attr:`Run.claims`.
        """
        keys: dict[str, Any] = horizon(until, log_time, time)
        given = {"rtol": rtol, "atol": atol, "saves": saves}
        keys |= {f"flow.{key}": value for key, value in given.items() if value is not None}
        problem = self.replace(**keys, **overrides)
        folder = Path(checkpoints) if checkpoints is not None else problem._checkpoints()
        with Progress(progress, problem._scenario.until) as shown:
            done = problem._scenario.run(
                options(verify, certify, allow_nonseparable, folder, shown.callback),
            )
        return Run._finished(done)

    def steps(
        self,
        sizes: float | Sequence[float],
        count: int,
        *,
        schedule: str = "constant",
        allow_nonseparable: bool = False,
        progress: bool | None = None,
        **overrides: Any,
    ) -> Run:
        """Finite steps of some sizes, ``count`` of each, beside the flow at the times they reach: ``marginflow
        compare``. Results are in :attr:`Run.steps`, their records in arrays ``steps_1_…``."""
        listed = [float(size) for size in np.atleast_1d(np.asarray(sizes, dtype=np.float64))]
        keys = {"steps.sizes": listed, "steps.count": count, "steps.schedule": schedule}
        problem = self.replace(**keys, **overrides)
        with Progress(progress, None) as shown:
            done = problem._scenario.compare(options(False, None, allow_nonseparable, None, shown.callback))
        return Run._finished(done)

    def limit(self, *, allow_nonseparable: bool = False, progress: bool | None = None) -> Limit:
        """The direction that theory predicts, with its certificate."""
        with Progress(progress, None) as shown:
            found = self._scenario.limit(options(False, None, allow_nonseparable, None, shown.callback))
        return Limit._of(json.loads(found))

    def critical_step(self, *, allow_nonseparable: bool = False, progress: bool | None = None) -> dict[str, Any]:
        """The critical step sizes, with the largest good and the smallest bad one: ``marginflow compare --critical``."""
        with Progress(progress, None) as shown:
            found = self._scenario.critical(options(False, None, allow_nonseparable, None, shown.callback))
        return dict(json.loads(found))

    def _checkpoints(self) -> Path:
        """Of this problem: a run of another one does not take them up, whatever the name."""
        key = hashlib.sha256(self._scenario.sha256.encode()).hexdigest()[:16]
        user = getattr(os, "getuid", lambda: "user")()
        return Path(tempfile.gettempdir()) / f"marginflow-checkpoints-{user}" / key


def options(verify: bool, certify: bool | None, allowed: bool, folder: Path | None, progress: Any) -> dict[str, Any]:
    """What the compiled part asks for."""
    return {
        "verify": verify,
        "certify": certify,
        "allow_nonseparable": allowed,
        "checkpoints": folder,
        "progress": progress,
    }


def frozen(array: npt.ArrayLike) -> Array:
    """Not to be written to."""
    found: Array = np.asarray(array, dtype=np.float64)
    found.flags.writeable = False
    return found


def load(path: str | os.PathLike[str], **overrides: Any) -> Problem:
    """The problem of a scenario file, with some keys assigned anew: ``load("fc.toml", **{"flow.rtol": 1e-8})``."""
    return Problem._of(Path(path), tuple(assignments(overrides)))
