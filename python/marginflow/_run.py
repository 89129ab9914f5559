"""Finished runs: numbers along the way, verdicts, limit, figures."""

from __future__ import annotations

import html
import io
import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from . import _core, _draw
from ._settings import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Limit:
    """A direction that theory predicts.

    ``beta`` has margin one (D numbers, D × C with C outputs; of the output weights for ReLU networks), ``multipliers``
    one entry per row; ``gap`` is the duality gap they certify.
    """

    kind: str
    beta: Array | None
    multipliers: Array | None
    gap: float | None
    support: tuple[int, ...]
    exponent: float | None = None
    unique: bool | None = None

    @classmethod
    def _of(cls, found: Mapping[str, Any]) -> Limit:
        def array(key: str) -> Array | None:
            return None if found.get(key) is None else np.asarray(found[key], dtype=np.float64)

        return cls(
            kind=found["kind"],
            beta=array("beta"),
            multipliers=array("multipliers"),
            gap=found.get("duality_gap"),
            support=tuple(found.get("support") or ()),
            exponent=found.get("exponent"),
            unique=found.get("unique"),
        )

    def angle(self, beta: npt.ArrayLike) -> float:
        """The angle between a direction and the limit, radians."""
        if self.beta is None:
            raise _core.InputError("there is no limit to compare with")
        return angle(np.asarray(beta, dtype=np.float64), self.beta)


def angle(x: Array, y: Array) -> float:
    """Between two arrays of one size, radians; accurate where it is tiny; π/2 where one of them is zero."""
    a, b = x.ravel(), y.ravel()
    scales = np.abs(a).max(initial=0.0), np.abs(b).max(initial=0.0)
    if 0.0 in scales:
        return math.pi / 2
    a, b = a / scales[0], b / scales[1]
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    return 2.0 * math.atan2(float(np.linalg.norm(a - b)), float(np.linalg.norm(a + b)))


@dataclass(frozen=True)
class Claim:
    """What a run says about a theorem: ``holds``, ``violated``, ``inconclusive`` or ``not-applicable``, and why."""

    id: str
    verdict: str
    residual: float | None
    tolerance: float | None
    evidence: str
    proved: str | None


def of_report(claim: Mapping[str, Any]) -> Claim:
    """A claim as reports have it."""
    keys = ("id", "verdict", "residual", "tolerance", "evidence", "proved")
    values: list[Any] = [claim.get(key) for key in keys]
    return Claim(*values)


class Claims(Mapping[str, Claim]):
    """Verdicts by the names of claims; those that apply come first."""

    def __init__(self, found: list[dict[str, Any]]) -> None:
        claims = [of_report(claim) for claim in found]
        claims.sort(key=lambda claim: claim.verdict == "not-applicable")
        self._claims = {claim.id: claim for claim in claims}

    def __getitem__(self, id: str) -> Claim:
        return self._claims[id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._claims)

    def __len__(self) -> int:
        return len(self._claims)

    def _applicable(self) -> list[Claim]:
        return [claim for claim in self._claims.values() if claim.verdict != "not-applicable"]

    def __repr__(self) -> str:
        return "\n".join(f"{claim.id:24} {claim.verdict:14} {claim.evidence}" for claim in self._applicable())

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{html.escape(c.id)}</td><td>{html.escape(c.verdict)}</td>"
            f"<td style='text-align:left'>{html.escape(c.evidence)}</td></tr>"
            for c in self._applicable()
        )
        return f"<table><tr><th>claim</th><th>verdict</th><th>evidence</th></tr>{rows}</table>"


@dataclass(frozen=True)
class Rate:
    """The slope of ln(angle) against s, fitted in ``window``, and what theory predicts."""

    observed: float
    predicted: float | None
    window: tuple[float, float]
    halves: tuple[float, float]


class Run(Mapping[str, Any]):
    """A finished run; also a mapping of every array of ``trajectory.npz`` by its name (docs/files.md lists them).

    Rows of arrays are saves.
    """

    def __init__(self, report: str, archive: bytes, certificate: str | None, core: _core.Run | None = None) -> None:
        #: ``report.json``.
        self.report: dict[str, Any] = json.loads(report)
        self._stored = (report, archive, certificate)
        self._archive = np.load(io.BytesIO(archive))
        self._core = core
        self._read: dict[str, Any] = {}

    @classmethod
    def _finished(cls, core: _core.Run) -> Run:
        return cls(core.report(), core.archive(), core.certificate(), core)

    def __reduce__(self) -> Any:
        # to other processes: everything but what only the program draws and writes
        return (Run, self._stored)

    # --- arrays

    def __getitem__(self, key: str) -> Any:
        if key not in self._read:
            if key not in self._archive.files:
                raise KeyError(f"{key}: this run has none; it has {', '.join(self)}")
            array = self._archive[key]
            if array.ndim:
                array.flags.writeable = False
            self._read[key] = array
        return self._read[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._archive.files)

    def __len__(self) -> int:
        return len(self._archive.files)

    @property
    def units(self) -> dict[str, str]:
        """Of every array."""
        return {key: unit for key, _, unit in (str(line).partition(": ") for line in self["units"])}

    @property
    def s(self) -> Array:
        """s = ln(1 + ln(1 + t)) of every save."""
        return self["log_log_time"]  # type: ignore[no-any-return]

    @property
    def log_time(self) -> Array:
        """ln(1 + t) of every save."""
        return self["log_time"]  # type: ignore[no-any-return]

    @property
    def weights(self) -> list[Array]:
        """``weights[l]``: layer l + 1 at every save, saves × inputs × units."""
        found: list[Array] = []
        while f"w_{len(found) + 1}" in self._archive.files:
            found.append(self[f"w_{len(found) + 1}"])
        return found

    @property
    def beta(self) -> Array:
        """The predictor of a linear network, saves × D (saves × D × C with C outputs)."""
        return self["beta"]  # type: ignore[no-any-return]

    @property
    def margins(self) -> Array:
        """Saves × rows."""
        return self["margins"]  # type: ignore[no-any-return]

    @property
    def angle(self) -> Array | None:
        """To the limit, radians, at every save; None without a limit."""
        return self.get("angle_to_limit")

    # --- numbers and verdicts

    @property
    def status(self) -> str:
        """``completed``, or what ended the run early: ``budget-steps``, ``budget-wall``, ``step-too-small``, …"""
        return str(self.report["status"])

    @property
    def message(self) -> str | None:
        """One sentence on how it ended."""
        return self.report["message"]  # type: ignore[no-any-return]

    @property
    def limit(self) -> Limit | None:
        """What the run was measured against."""
        found = dict(self.report["limit"])
        if found["kind"] == "none":
            return None
        return Limit._of(found | {"multipliers": self.get("limit_multipliers")})

    @property
    def claims(self) -> Claims:
        """Verdicts on every claim."""
        return Claims(self.report["claims"])

    @property
    def rate(self) -> Rate | None:
        """Of directional convergence."""
        found = self.report["rate"]
        if found is None:
            return None
        return Rate(found["observed"], found["predicted"], tuple(found["window"]), tuple(found["halves"]))

    @property
    def invariants(self) -> dict[str, float]:
        """The largest relative drift of every conserved quantity."""
        return dict(self.report["invariants"])

    @property
    def certificate(self) -> dict[str, Any] | None:
        """What is proved in exact arithmetic, as ``certificate.json`` has it."""
        certificate = self._stored[2]
        return None if certificate is None else dict(json.loads(certificate))

    @property
    def certified(self) -> dict[str, Any]:
        """The bounds that it proves."""
        return dict(self.report["certified"])

    @property
    def steps(self) -> list[dict[str, Any]]:
        """Of every run of finite steps, what came of it."""
        return list(self.report["steps"])

    @property
    def stats(self) -> dict[str, Any]:
        """The integrator's work."""
        return dict(self.report["solver"])

    # --- figures and files

    @property
    def figures(self) -> list[str]:
        """The names of the figures of this run."""
        return [figure["id"] for figure in self.report["figures"]]

    def plot(self, figure: str, ax: Axes | None = None, panel: int | None = None) -> Any:
        """Draws a figure with matplotlib. ``ax`` takes one panel: the first, or ``panel``. Returns the axes."""
        found = [drawn for drawn in self.report["figures"] if drawn["id"] == figure]
        if not found:
            raise _core.InputError(f"{figure!r} is no figure of this run; it has {', '.join(self.figures)}")
        return _draw.draw(found[0], self, ax, panel)

    def svg(self, figure: str) -> str:
        """A figure as the program draws it."""
        if self._core is None:
            raise _core.InputError("this run was not made here: plot() draws its figures, svg() does not")
        found = self._core.svg(figure)
        if found is None:
            raise _core.InputError(f"{figure!r} is no figure of this run; it has {', '.join(self.figures)}")
        return found

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Writes everything the command line leaves: report, arrays, figures, page, scenario, certificate."""
        if self._core is None:
            raise _core.InputError("this run was read from a folder, or came from another process, which can save it")
        self._core.save(Path(folder))

    def to_xarray(self) -> Any:
        """An ``xarray.Dataset`` of the numbers at every save, over s, with units."""
        import xarray

        saves, units = len(self.s), self.units
        variables = {}
        for key in self:
            array = self[key]
            if key == "log_log_time" or array.ndim == 0 or array.dtype.kind not in "fic" or len(array) != saves:
                continue
            if key in ("X", "y") or key.startswith(("steps_", "limit_", "candidate_beta", "flow_beside", "feedback_")):
                continue
            names = ["s", *(f"{key}_{axis}" for axis in range(1, array.ndim))]
            variables[key] = (names, array, {"units": units.get(key, "")})
        return xarray.Dataset(
            variables,
            coords={"s": ("s", self.s, {"units": "ln(1+ln(1+t))"})},
            attrs={"title": self.report["title"], "status": self.status, "version": self.report["version"]},
        )

    def __repr__(self) -> str:
        last = self.report["final"]
        angle = last["angle_to_limit"]
        reached = f"s = {last['log_log_time']:.6g}, smallest margin {last['min_margin']:.4g}"
        beside = "" if angle is None else f", angle to the limit {angle:.3e}"
        return f"<Run {self.report['scenario']}: {self.status}, {reached}{beside}>"

    def __str__(self) -> str:
        return self._core.text() if self._core else repr(self)

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(repr(self))}</p>{self.claims._repr_html_()}"

    # two runs are equal if they are one
    __eq__ = object.__eq__
    __hash__ = object.__hash__


def open_run(folder: str | os.PathLike[str]) -> Run:
    """A run that the command line, or :meth:`Run.save`, left in a folder."""
    folder = Path(folder)
    try:
        report = (folder / "report.json").read_text(encoding="utf-8")
        archive = (folder / "trajectory.npz").read_bytes()
    except FileNotFoundError as missing:
        raise _core.InputError(f"{folder} holds no finished run: {missing.filename} is missing") from None
    proved = folder / "certificate.json"
    return Run(report, archive, proved.read_text(encoding="utf-8") if proved.exists() else None)
