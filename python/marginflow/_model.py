"""Models of one's own: any field linear in the multipliers, from functions on flat arrays."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _core
from ._audit import Audit, audit_model
from ._progress import Progress
from ._run import angle
from ._settings import Array, numbers

#: θ ↦ numbers.
Of = Callable[[Array], npt.ArrayLike]

#: (θ, α) or (θ, v) ↦ numbers.
Of2 = Callable[[Array, Array], npt.ArrayLike]


class Model:
    """A vector field on flat parameters θ (length P) that is linear in the multipliers α of its R margins.

    Parameters
    ----------
    margins
        ``margins(θ)``: m, length R.
    velocity
        ``velocity(θ, α)``: θ' = Σ_n α_n 𝒢_n(θ), length P.
    rates
        ``rates(θ, v)``: ∂m/∂θ · v, length R.
    start
        θ(0), where :meth:`flow` is not given another.
    loss
        ``"exponential"``, ``"logistic"`` or ``"cross-entropy"``: α = −∂𝓛/∂m.
    gradient
        Whether the velocity is Σ_n α_n ∇m_n, as under gradient descent.
    degree
        L, where margins are homogeneous of that degree, m(σθ) = σ^L m(θ).
    per_sample
        Margins per sample (C − 1 with C classes), one sample after the other, which the loss may couple.
    layers
        Sizes of the consecutive parts of θ whose entries grow together; all of θ is one part unless given.
    tangent
        ``tangent(θ, α, dθ, dα)``: derivatives of (velocity, margins, rates of the velocity). By central differences
        unless given: they only steer the Newton iteration, and do not limit the accuracy of a run.
    tangent_kernel
        ``tangent_kernel(θ, active)``: ∂m/∂θ · 𝒢_n, R × len(active). By one velocity per active margin unless given.
    pull
        ``pull(θ, λ)``: Σ_n λ_n ∇m_n, where the velocity is another; without it there is no :meth:`Run.audit`.
    features
        ``(φ, w)``: functions of θ that give the signed features y_n φ_n (R × d) of a last linear layer, and its
        weights (d): compared with the hard-margin machine of the features.
    conserved
        Name = function of θ that the flow should conserve: a number or an array, or a pair of it and the scale its
        drift is relative to (the largest value along the run unless given).

    A function that raises ends the run with its exception.
    """

    def __init__(
        self,
        margins: Of,
        velocity: Of2,
        rates: Of2,
        *,
        start: npt.ArrayLike | None = None,
        loss: str = "exponential",
        gradient: bool = False,
        degree: int | None = None,
        per_sample: int = 1,
        layers: Sequence[int] | None = None,
        tangent: Callable[..., Any] | None = None,
        tangent_kernel: Callable[..., npt.ArrayLike] | None = None,
        pull: Of2 | None = None,
        features: tuple[Of, Of] | None = None,
        conserved: Mapping[str, Callable[[Array], Any]] | None = None,
        params: Callable[[Array], Any] | None = None,
    ) -> None:
        self._margins, self._velocity, self._rates = margins, velocity, rates
        self.start = None if start is None else numbers(start, "start").ravel()
        self.loss, self.gradient, self.degree = loss, gradient, degree
        self.per_sample, self._layers = per_sample, layers
        self._tangent, self._tangent_kernel = tangent, tangent_kernel
        self._pull = pull if pull is not None else (velocity if gradient else None)
        self.features, self.conserved = features, dict(conserved or {})
        self._params = params

    # --- the field, as arrays of float64

    def margins(self, theta: Array) -> Array:
        """m(θ), length R."""
        return flat(self._margins(theta))

    def rates(self, theta: Array, v: Array) -> Array:
        """∂m/∂θ · v, length R."""
        return flat(self._rates(theta, v))

    def pull(self, theta: Array, multipliers: Array) -> Array:
        """Σ_n λ_n ∇m_n, length P."""
        if self._pull is None:
            raise _core.InputError("this needs the gradients of margins: give Model(pull=…), or gradient=True")
        return flat(self._pull(theta, multipliers))

    def velocity(self, theta: Array, alpha: Array) -> tuple[Array, Array]:
        """θ' and the rates of the margins it causes."""
        v = flat(self._velocity(theta, alpha))
        return v, self.rates(theta, v)

    def tangent(self, theta: Array, alpha: Array, dtheta: Array, dalpha: Array) -> tuple[Array, Array, Array]:
        """Derivatives of velocity, margins and rates along (dθ, dα)."""
        if self._tangent is not None:
            v, m, r = self._tangent(theta, alpha, dtheta, dalpha)
            return flat(v), flat(m), flat(r)
        dv, dr = self.velocity(theta, dalpha)
        size = float(np.linalg.norm(dtheta))
        if size > 0.0:
            h = np.cbrt(np.finfo(float).eps) * max(float(np.linalg.norm(theta)), 1e-3) / size
            above, below = (self.velocity(theta + sign * h * dtheta, alpha) for sign in (1.0, -1.0))
            dv = dv + (above[0] - below[0]) / (2.0 * h)
            dr = dr + (above[1] - below[1]) / (2.0 * h)
        return dv, self.rates(theta, dtheta), dr

    def tangent_kernel(self, theta: Array, active: Sequence[int]) -> Array:
        """∂m/∂θ · 𝒢_n for the margins n in ``active``, R × len(active)."""
        if self._tangent_kernel is not None:
            return np.ascontiguousarray(self._tangent_kernel(theta, active), dtype=np.float64)
        rows = len(self.margins(theta))
        columns = np.zeros((rows, len(active)))
        for j, n in enumerate(active):
            alpha = np.zeros(rows)
            alpha[n] = 1.0
            columns[:, j] = self.velocity(theta, alpha)[1]
        return columns

    # --- runs

    def flow(
        self,
        until: float | None = None,
        *,
        log_time: float | None = None,
        time: float | None = None,
        start: npt.ArrayLike | None = None,
        rtol: float = 1e-6,
        atol: float = 1e-8,
        saves: int | Sequence[float] | None = None,
        max_steps: int = 1_000_000,
        max_wall_seconds: float = 3600.0,
        progress: bool | None = None,
    ) -> ModelRun:
        """The flow from time 0 to s = ``until`` (or ln(1 + t) = ``log_time``, or t = ``time``).

        ``saves``: how many states are kept, equally spaced in s, or their s.
        """
        end = until_of(until, log_time, time)
        theta = self.start if start is None else numbers(start, "start").ravel()
        if theta is None:
            raise _core.InputError("start: give the parameters at time 0")
        if not theta.any():
            velocity = self.velocity(theta, np.ones(len(self.margins(theta))))[0]
            if not velocity.any():
                raise _core.InputError("start: nothing moves from zero parameters; start elsewhere")
        rows = len(self.margins(theta))
        layers = list(self._layers) if self._layers is not None else [len(theta)]
        if sum(layers) != len(theta):
            raise _core.InputError(f"layers: {sum(layers)} parameters in all, the model has {len(theta)}")
        shape = {
            "rows": rows,
            "per_sample": self.per_sample,
            "degree": self.degree if self.gradient else None,
            "layers": layers,
        }
        with Progress(progress, end) as shown:
            options = {
                "until": end,
                "rtol": rtol,
                "atol": atol,
                "saves": saves_of(saves, end),
                "max_steps": max_steps,
                "max_wall_seconds": max_wall_seconds,
                "progress": shown.callback,
            }
            found = _core.integrate(self, shape, self.loss, theta, options)
        return ModelRun(self, found)


class ModelRun:
    """A finished run of a model; rows of arrays are saves."""

    def __init__(self, model: Model, found: dict[str, Any]) -> None:
        self.model = model
        self.s: Array = found["s"]
        #: Parameters, saves × P.
        self.theta: Array = found["theta"]
        #: p_n = ln(1 + t) − m_n as integrated, saves × R.
        self.log_multipliers: Array = found["log_multipliers"]
        #: ∫α_n dt, saves × R, or None.
        self.accumulated: Array | None = found["accumulated"]
        self.status: str = found["status"]
        self.message: str | None = in_python(found["message"])
        self.stats: dict[str, Any] = json.loads(found["solver"])
        #: The largest climb of ln 𝓛, nats.
        self.loss_rise: float | None = found["loss_rise"]

    @property
    def log_time(self) -> Array:
        """ln(1 + t) of every save."""
        return np.expm1(self.s)

    @property
    def params(self) -> Any:
        """The parameters at the end, in the form the model was given them."""
        return self.params_at(-1)

    def params_at(self, save: int) -> Any:
        """The same at any save."""
        theta = self.theta[save]
        return theta.copy() if self.model._params is None else self.model._params(theta)

    @property
    def margins(self) -> Array:
        """Saves × R."""
        return np.array([self.model.margins(theta) for theta in self.theta])

    @property
    def normalised_margin(self) -> Array:
        """min_n m_n/‖θ‖^L at every save; NaN at θ = 0."""
        degree = self.model.degree
        if degree is None:
            raise _core.InputError("normalised margins need the degree of the model: Model(degree=L)")
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(self.margins.min(axis=1) / np.linalg.norm(self.theta, axis=1) ** degree)

    def angle(self, direction: npt.ArrayLike, of: Callable[[Array], npt.ArrayLike] | None = None) -> Array:
        """The angle, radians, between a direction and θ (or ``of(θ)``) at every save."""
        wanted = numbers(direction, "direction").ravel()
        shown = self.theta if of is None else np.array([flat(of(theta)) for theta in self.theta])
        return np.array([angle(x, wanted) for x in shown])

    def audit(self, save: int = -1) -> Audit:
        """How near the parameters of a save are to a KKT point of min ½‖θ‖² s.t. m_n ≥ 1."""
        return audit_model(self.model, self.theta[save], degree=self.model.degree)

    @property
    def feature_angle(self) -> Array:
        """The angle, radians, between the last layer and the hard-margin machine of the features of the same save; NaN
        where they are not separable."""
        if self.model.features is None:
            raise _core.InputError("the last layer is not named: give Model(features=(φ, w))")
        phi, last = self.model.features
        found = []
        for theta in self.theta:
            signed = np.ascontiguousarray(phi(theta), dtype=np.float64)
            try:
                machine = _core.max_margin(signed)[0]
            except _core.NotSeparableError:
                found.append(math.nan)
                continue
            found.append(angle(flat(last(theta)), machine))
        return np.array(found)

    @property
    def invariants(self) -> dict[str, float]:
        """The largest relative drift of every quantity that the model names."""
        return {name: drift([of(theta) for theta in self.theta]) for name, of in self.model.conserved.items()}

    def __repr__(self) -> str:
        rows, parameters = self.log_multipliers.shape[1], self.theta.shape[1]
        return f"<ModelRun: {self.status}, s = {self.s[-1]:.6g}, {parameters} parameters, {rows} margins>"


def drift(values: list[Any]) -> float:
    """The largest distance from the first value, relative to the scale given with it, or to the largest value."""
    pairs = [value if isinstance(value, tuple) else (value, None) for value in values]
    numbers_ = [flat(value) for value, _ in pairs]
    away = max(float(np.abs(value - numbers_[0]).max(initial=0.0)) for value in numbers_)
    sizes = [float(np.abs(v).max(initial=0.0)) if scale is None else float(scale) for v, (_, scale) in zip(numbers_, pairs)]
    return away / max(sizes) if max(sizes) > 0.0 else away


def in_python(message: str | None) -> str | None:
    """What the program says, with the names that arguments have here."""
    for key in ("max-steps", "max-wall-seconds", "rtol", "atol", "until"):
        message = message and message.replace(f"flow.{key}", key.replace("-", "_"))
    return message


def flat(array: npt.ArrayLike) -> Array:
    """As float64, one index."""
    return np.asarray(array, dtype=np.float64).ravel()


def until_of(until: float | None, log_time: float | None, time: float | None) -> float:
    """The horizon s."""
    given = [until, log_time, time]
    if sum(value is not None for value in given) != 1:
        raise _core.InputError("until, log_time or time: one of them says how far")
    end = until if until is not None else math.log1p(log_time if log_time is not None else math.log1p(time or 0.0))
    if not 0.0 < end < 700.0:
        raise _core.InputError(f"the horizon, s = {end}, must be between 0 and 700")
    return float(end)


def saves_of(saves: int | Sequence[float] | None, end: float) -> list[float] | None:
    """The s of saves after that at 0."""
    if saves is None:
        return None
    if isinstance(saves, (int, np.integer)):
        if saves < 2:
            raise _core.InputError("saves: at least 2, the start and the end")
        return [float(s) for s in np.linspace(0.0, end, int(saves))[1:]]
    times = numbers(saves, "saves").ravel()
    times = times[times > 0.0]
    if len(times) == 0 or (np.diff(times) <= 0.0).any() or times[-1] > end:
        raise _core.InputError("saves: s that increase, the last not beyond the horizon")
    return [float(s) for s in times]
