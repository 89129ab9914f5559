"""Models in JAX: the field, and everything the flow asks of it, by automatic differentiation."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _core
from ._audit import degree_of
from ._model import Model
from ._settings import Array, labels, numbers

#: Numbers that a batch of directions may take: 256 MiB.
BATCH_NUMBERS = 1 << 25


class JaxTangents:
    """Margins of ``f(params, X)`` and their derivatives, on flat parameters of double precision.

    With one output m_n = y_n f_n; with C of them a row for every sample and every class k but its own,
    f_{y_n} − f_k.
    """

    def __init__(
        self, f: Callable[..., Any], params: Any, X: Any, y: npt.ArrayLike, classes: int | None, update: Any
    ) -> None:
        import jax
        import jax.numpy as jnp
        from jax.flatten_util import ravel_pytree

        self._jax, self._jnp = jax, jnp
        with self.doubles():
            double = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), params)
            start, self.unravel = ravel_pytree(double)
            self.start = numbers(np.asarray(start), "params")
            given = jnp.asarray(X)
            self.X = given.astype(jnp.float64) if jnp.issubdtype(given.dtype, jnp.floating) else given
            if jnp.issubdtype(self.X.dtype, jnp.floating) and not bool(jnp.isfinite(self.X).all()):
                raise _core.InputError("X: some entries are not finite")
            count = self.X.shape[0]
            whole, found = labels(y, count, classes)
            outputs = jax.eval_shape(lambda: f(self.unravel(start), self.X)).shape
            self.classes = check_outputs(outputs, count, found)
            self.y = jnp.asarray(whole)
            self.per_sample = 1 if self.classes is None else self.classes - 1
            self.rows = count * self.per_sample
            self._compile(f, update)
            self.by_rows = self._is_by_rows(f)

    def doubles(self) -> Any:
        """A context in which JAX has double precision."""
        if hasattr(self._jax, "enable_x64"):
            return self._jax.enable_x64(True)
        # as it was called before
        return importlib.import_module("jax.experimental").enable_x64()

    def _margins_of(self, out: Any, y: Any) -> Any:
        """From outputs to margins."""
        jnp = self._jnp
        if self.classes is None:
            return out.reshape(-1) * y
        own = jnp.take_along_axis(out, y[:, None], axis=1)
        # the classes that are not y, in their order
        others = jnp.arange(self.classes - 1)[None, :]
        others = others + (others >= y[:, None])
        return (own - jnp.take_along_axis(out, others, axis=1)).reshape(-1)

    def _errors_of(self, alpha: Any, y: Any) -> Any:
        """δ = −∂𝓛/∂f of every output, from the multipliers of the margins."""
        jnp = self._jnp
        if self.classes is None:
            return alpha * y
        table = alpha.reshape(-1, self.classes - 1)
        others = jnp.arange(self.classes - 1)[None, :]
        others = others + (others >= y[:, None])
        delta = jnp.zeros((len(y), self.classes))
        delta = delta.at[jnp.arange(len(y))[:, None], others].add(-table)
        return delta.at[jnp.arange(len(y)), y].add(table.sum(axis=1))

    def _compile(self, f: Callable[..., Any], update: Any) -> None:
        jax, jnp = self._jax, self._jnp
        from jax.flatten_util import ravel_pytree

        def margins(theta: Any, X: Any, y: Any) -> Any:
            return self._margins_of(f(self.unravel(theta), X), y)

        def pull(theta: Any, weights: Any, X: Any, y: Any) -> Any:
            return jax.vjp(lambda t: margins(t, X, y), theta)[1](weights)[0]

        def direction(theta: Any, alpha: Any, X: Any, y: Any) -> Any:
            if update is None:
                return pull(theta, alpha, X, y)
            return ravel_pytree(update(self.unravel(theta), X, self._errors_of(alpha, y)))[0]

        def push(theta: Any, v: Any, X: Any, y: Any) -> Any:
            return jax.jvp(lambda t: margins(t, X, y), (theta,), (v,))

        def velocity(theta: Any, alpha: Any, X: Any, y: Any) -> Any:
            v = direction(theta, alpha, X, y)
            return v, push(theta, v, X, y)[1]

        def tangent(theta: Any, alpha: Any, dtheta: Any, dalpha: Any, X: Any, y: Any) -> Any:
            def all_of(t: Any, a: Any) -> Any:
                v = direction(t, a, X, y)
                m, r = push(t, v, X, y)
                return v, m, r

            return jax.jvp(all_of, (theta, alpha), (dtheta, dalpha))[1]

        def column(theta: Any, n: Any, X: Any, y: Any, by_rows: bool) -> Any:
            if not by_rows:
                unit = jnp.zeros(self.rows).at[n].set(1.0)
                return push(theta, direction(theta, unit, X, y), X, y)[1]
            sample, row = n // self.per_sample, n % self.per_sample
            x = jax.lax.dynamic_slice_in_dim(X, sample, 1)
            label = jax.lax.dynamic_slice_in_dim(y, sample, 1)
            unit = jnp.zeros(self.per_sample).at[row].set(1.0)
            return push(theta, direction(theta, unit, x, label), X, y)[1]

        def columns(theta: Any, active: Any, X: Any, y: Any, by_rows: bool) -> Any:
            batch = max(1, min(32, BATCH_NUMBERS // max(1, len(self.start))))
            return jax.lax.map(lambda n: column(theta, n, X, y, by_rows), active, batch_size=batch)

        self._m, self._v, self._t = jax.jit(margins), jax.jit(velocity), jax.jit(tangent)
        self._push, self._pull = jax.jit(lambda t, v, X, y: push(t, v, X, y)[1]), jax.jit(pull)
        self._columns = jax.jit(columns, static_argnums=4)

    def _is_by_rows(self, f: Callable[..., Any]) -> bool:
        """Whether the output of a sample does not depend on the others: then its gradient needs only itself."""
        try:
            first = self._jax.eval_shape(lambda: f(self.unravel(self._jnp.asarray(self.start)), self.X[:1])).shape
            if first[0] != 1:
                return False
            theta = self._jnp.asarray(self.start)
            alone = self._m(theta, self.X[:1], self.y[:1])
            among = self._m(theta, self.X, self.y)[: self.per_sample]
        except (TypeError, ValueError, IndexError):
            return False
        return bool(np.allclose(alone, among, rtol=1e-9, atol=1e-9 * float(np.abs(among).max())))

    # --- what a model asks for

    def margins(self, theta: Array) -> Array:
        with self.doubles():
            return np.asarray(self._m(theta, self.X, self.y))

    def velocity(self, theta: Array, alpha: Array) -> tuple[Array, Array]:
        with self.doubles():
            v, r = self._v(theta, alpha, self.X, self.y)
            return np.asarray(v), np.asarray(r)

    def rates(self, theta: Array, v: Array) -> Array:
        with self.doubles():
            return np.asarray(self._push(theta, v, self.X, self.y))

    def pull(self, theta: Array, multipliers: Array) -> Array:
        with self.doubles():
            return np.asarray(self._pull(theta, multipliers, self.X, self.y))

    def tangent(self, theta: Array, alpha: Array, dtheta: Array, dalpha: Array) -> tuple[Array, Array, Array]:
        with self.doubles():
            v, m, r = self._t(theta, alpha, dtheta, dalpha, self.X, self.y)
            return np.asarray(v), np.asarray(m), np.asarray(r)

    def tangent_kernel(self, theta: Array, active: Sequence[int]) -> Array:
        if not active:
            return np.zeros((self.rows, 0))
        # a few lengths only, each of which is compiled once
        length = 1 << (len(active) - 1).bit_length()
        padded = np.resize(np.asarray(active, dtype=np.int64), length)
        with self.doubles():
            columns = self._columns(theta, padded, self.X, self.y, self.by_rows)
            return np.ascontiguousarray(np.asarray(columns)[: len(active)].T)

    def params(self, theta: Array) -> Any:
        """θ as the pytree, its leaves NumPy arrays: JAX alone would take them to single precision."""
        with self.doubles():
            return self._jax.tree.map(np.asarray, self.unravel(self._jnp.asarray(theta)))

    def function(self, of: Callable[..., Any], *rest: Any) -> Callable[[Array], Any]:
        """A function of the pytree as one of θ."""
        jitted = self._jax.jit(lambda theta: of(self.unravel(theta), *rest))

        def on_theta(theta: Array) -> Any:
            with self.doubles():
                found = jitted(self._jnp.asarray(theta))
                return tuple(map(np.asarray, found)) if isinstance(found, tuple) else np.asarray(found)

        return on_theta


def check_outputs(shape: tuple[int, ...], count: int, classes: int | None) -> int | None:
    """The number of classes, if outputs and labels fit together."""
    expected = (count,) if classes is None else (count, classes)
    if tuple(shape) == expected or (classes is None and tuple(shape) == (count, 1)):
        return classes
    if classes is not None and len(shape) == 2 and shape[0] == count and shape[1] > classes:
        return int(shape[1])
    what = "labels ±1" if classes is None else f"{classes} classes"
    raise _core.InputError(f"f(params, X) has shape {tuple(shape)}, expected {expected} for {what}")


class OfTangents(Model):
    """A :class:`Model` made from differentiable outputs."""

    def __init__(
        self, tangents: Any, features: tuple[Any, Any] | None, conserved: Any, gradient: bool, loss: str, degree: int | None
    ) -> None:
        self.tangents = tangents
        named = {name: tangents.function(of) for name, of in dict(conserved or {}).items()}
        super().__init__(
            tangents.margins,
            lambda theta, alpha: tangents.velocity(theta, alpha)[0],
            tangents.rates,
            start=tangents.start,
            loss=loss,
            gradient=gradient,
            degree=degree if degree is not None else degree_at(tangents),
            per_sample=tangents.per_sample,
            tangent=tangents.tangent,
            tangent_kernel=tangents.tangent_kernel,
            pull=tangents.pull,
            conserved=named,
            params=tangents.params,
        )
        if features is not None:
            if tangents.classes is not None:
                raise _core.InputError("features: the machine of the last layer is that of one output")
            phi, last = tangents.function(features[0], tangents.X), tangents.function(features[1])
            signs = np.asarray(tangents.y, dtype=np.float64)[:, None]
            self.features = (lambda theta: signs * np.asarray(phi(theta)).reshape(len(signs), -1), last)

    def velocity(self, theta: Array, alpha: Array) -> tuple[Array, Array]:
        v, r = self.tangents.velocity(theta, alpha)
        return v, r


def degree_at(tangents: Any) -> int | None:
    """The degree of homogeneity, as seen at two points; 1 is none that helps."""
    found = set()
    for theta in (tangents.start, 1.7 * np.cos(np.arange(len(tangents.start), dtype=np.float64))):
        found.add(degree_of(tangents.margins(theta), tangents.rates(theta, theta)))
    degree = found.pop() if len(found) == 1 else None
    return degree if degree is not None and degree >= 2 else None


def check_rule(rule: str) -> None:
    """The one rule that has a name here."""
    if rule != "bp":
        raise _core.InputError(f"rule: {rule!r}, expected \"bp\"; any other rule is given as update=")


def from_jax(
    f: Callable[..., Any],
    params: Any,
    X: Any,
    y: npt.ArrayLike,
    *,
    rule: str = "bp",
    loss: str = "exponential",
    update: Callable[..., Any] | None = None,
    classes: int | None = None,
    degree: int | None = None,
    features: tuple[Any, Any] | None = None,
    conserved: Any = None,
) -> OfTangents:
    """A model from a JAX function, which has to be smooth along the flow.

    Units that rest on a kink are what the integrator does not see in a function it only calls: gradient flow holds
    them there, and steps become too short to get anywhere. Round kinks off, for instance ReLU to
    ``(a + sqrt(a² + ε²))/2``, or use :class:`ReLU` networks, whose kinks are exact.

    Parameters
    ----------
    f
        ``f(params, X)``: outputs, N numbers for labels ±1, N × C for classes.
    params
        A pytree of arrays: the parameters at time 0. They are taken to double precision.
    X, y
        Samples, the first axis running over them; labels −1 and 1, or classes from 0.
    rule
        ``"bp"``: gradient flow, by automatic differentiation.
    update
        Another rule instead: ``update(params, X, delta)`` is the velocity, a pytree like ``params``, linear in
        ``delta = −∂𝓛/∂f`` (of the shape of the outputs).
    features
        ``(φ, w)``, with ``φ(params, X)`` the features (N × d) before a last linear layer and ``w(params)`` its weights.
    conserved
        Name = function of ``params``; see :class:`Model`.
    degree
        As for :class:`Model`; found out unless given.

    >>> model = mf.from_jax(lambda w, X: X @ (w * w), jnp.full(3, 0.1), X, y)
    >>> model.flow(until=20).params
    """
    check_rule(rule)
    tangents = JaxTangents(f, params, X, y, classes, update)
    return OfTangents(tangents, features, conserved, update is None, loss, degree)
