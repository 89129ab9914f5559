"""How near parameters are to a KKT point of the margin problem min ½‖θ‖² s.t. m_n ≥ 1.

With J the gradients of the R margins (R × P), everything follows from their inner products K = JJᵀ and Jθ: the best
multipliers λ ≥ 0 solve a problem of R dimensions, and the residual is that of the λ found, ‖θ − Jᵀλ‖, computed in
full. Nothing of size R × P is written down.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from . import _core
from ._settings import Array

#: Samples with margins up to 1 + this, relative to the smallest, count as active; as in reports of runs.
ACTIVE = 0.01

#: Margins above 1 + this get no multiplier in the (ε, δ) problem.
LARGEST_EXCESS = 1.0

#: Largest relative deviation of Euler's identity of a homogeneous model.
EULER = 1e-6


class Tangents(Protocol):
    """What an audit asks of a model: margins, their derivatives forward and backward, inner products of gradients."""

    def margins(self, theta: Array) -> Array: ...
    def rates(self, theta: Array, v: Array) -> Array: ...
    def pull(self, theta: Array, multipliers: Array) -> Array: ...


@dataclass(frozen=True)
class Audit:
    """A KKT audit of parameters θ.

    A model whose margins are homogeneous of degree L is taken at ``θ̃ = θ/γ^(1/L)``, where the smallest margin is one
    (Lyu and Li 2020, definition C.6); any other at θ, with margins m/γ.
    """

    #: m_n, length R.
    margins: Array
    #: γ = min m_n.
    margin: float
    #: L, or None where margins are not homogeneous.
    degree: int | None
    #: γ/‖θ‖^L; None where margins are not homogeneous.
    normalised_margin: float | None
    #: min over λ ≥ 0 of active samples of ‖θ − Σ λ_n ∇m_n‖/‖θ‖, in [0, 1]; None while γ ≤ 0.
    residual: float | None
    #: ‖θ̃ − Σ λ_n ∇m_n(θ̃)‖, None while γ ≤ 0.
    epsilon: float | None
    #: max λ_n (m_n(θ̃) − 1), None while γ ≤ 0.
    delta: float | None
    #: λ of (ε, δ), length R: the ones with the least ε² + (Σ λ_n (m_n − 1))².
    multipliers: Array | None
    #: Samples with margins up to 1 + active times the smallest.
    active: tuple[int, ...]

    def __repr__(self) -> str:
        if self.residual is None:
            return f"<Audit: margin {self.margin:.4g}, not all samples are on their side>"
        return (
            f"<Audit: margin {self.margin:.4g}, degree {self.degree}, residual {self.residual:.3e}, "
            f"epsilon {self.epsilon:.3e}, delta {self.delta:.3e}, {len(self.active)} active>"
        )


def audit_model(model: Any, theta: Array, degree: int | None = None, active: float = ACTIVE) -> Audit:
    """The audit of a model at θ; ``degree`` is found out where it is not given."""
    theta = np.asarray(theta, dtype=np.float64).ravel()
    margins = model.margins(theta)
    margin = float(margins.min())
    along = model.rates(theta, theta)
    if degree is None:
        degree = degree_of(margins, along)
    size = float(np.linalg.norm(theta))
    normalised = None if degree is None or size == 0.0 else margin / size**degree
    if not margin > 0.0:
        return Audit(margins, margin, degree, normalised, None, None, None, None, ())
    # θ̃ = a θ, gradients there b ∇m
    a, b = (1.0, 1.0 / margin) if degree is None else (margin ** (-1.0 / degree), margin ** (1.0 / degree - 1.0))
    excess = margins / margin - 1.0
    rows = np.flatnonzero(excess <= max(LARGEST_EXCESS, active))
    products = gram(model, theta, rows) * b**2
    along = along[rows] * (a * b)
    excess = excess[rows]

    def nearest(chosen: npt.NDArray[np.intp], beside: Array) -> tuple[Array, float]:
        matrix = products[np.ix_(chosen, chosen)] + np.outer(beside, beside)
        weights = _core.nearest_by_products(np.ascontiguousarray(matrix), np.ascontiguousarray(along[chosen]))
        multipliers = np.zeros(len(margins))
        multipliers[rows[chosen]] = weights
        left = a * theta - b * model.pull(theta, multipliers)
        return multipliers, float(np.linalg.norm(left))

    everything = np.arange(len(rows))
    multipliers, epsilon = nearest(everything, excess)
    near = np.flatnonzero(excess <= active)
    _, distance = nearest(near, np.zeros(len(near)))
    return Audit(
        margins=margins,
        margin=margin,
        degree=degree,
        normalised_margin=normalised,
        residual=distance / (a * size),
        epsilon=epsilon,
        delta=float((multipliers[rows] * excess).max(initial=0.0)),
        multipliers=multipliers,
        active=tuple(int(n) for n in rows[near]),
    )


def gram(model: Any, theta: Array, rows: npt.NDArray[np.intp]) -> Array:
    """Inner products of the gradients of some margins."""
    if getattr(model, "gradient", True):
        return np.asarray(model.tangent_kernel(theta, [int(n) for n in rows])[rows])
    columns = np.empty((len(rows), len(rows)))
    total = len(model.margins(theta))
    for j, n in enumerate(rows):
        unit = np.zeros(total)
        unit[n] = 1.0
        columns[:, j] = model.rates(theta, model.pull(theta, unit))[rows]
    return columns


def degree_of(margins: Array, along: Array) -> int | None:
    """L with ∇m_n·θ = L m_n for all n, if there is one (Euler's identity)."""
    total = float(np.abs(margins).sum())
    if not np.isfinite(along).all() or total == 0.0:
        return None
    degree = round(float((along * np.sign(margins)).sum()) / total)
    off = float(np.abs(along - degree * margins).max())
    return degree if degree >= 1 and off <= EULER * float(np.abs(margins).max()) else None
