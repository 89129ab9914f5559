"""Models in PyTorch, as :mod:`._jax` has them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _core
from ._jax import BATCH_NUMBERS, OfTangents, check_outputs, check_rule
from ._settings import Array, labels, numbers


class TorchTangents:
    """Margins of ``f(params, X)``, ``params`` a dictionary of tensors, and their derivatives; see
    :class:`~._jax.JaxTangents`."""

    def __init__(self, f: Any, params: Any, X: Any, y: npt.ArrayLike, classes: int | None, update: Any) -> None:
        import torch
        from torch import func

        self._torch, self._func, self._update = torch, func, update
        if isinstance(f, torch.nn.Module):
            module = f.double()
            params = dict(module.named_parameters()) if params is None else params
            fixed = dict(module.named_buffers())
            f = lambda p, x: func.functional_call(module, {**p, **fixed}, (x,))  # noqa: E731
        if not isinstance(params, dict) or not params:
            raise _core.InputError("params: a dictionary of tensors, or None for those of a module")
        leaves = {name: torch.as_tensor(leaf).detach().double() for name, leaf in params.items()}
        self.device = next(iter(leaves.values())).device
        self.shapes = {name: leaf.shape for name, leaf in leaves.items()}
        self.f = f
        flat = torch.cat([leaf.reshape(-1) for leaf in leaves.values()])
        self.start = numbers(flat.cpu().numpy(), "params")
        X = torch.as_tensor(X, device=self.device)
        self.X = X.double() if X.is_floating_point() else X
        if self.X.is_floating_point() and not bool(torch.isfinite(self.X).all()):
            raise _core.InputError("X: some entries are not finite")
        given = y.detach().cpu().numpy() if isinstance(y, torch.Tensor) else y
        whole, found = labels(given, len(self.X), classes)
        with torch.no_grad():
            out = f(self.unravel(flat), self.X)
        self.classes = check_outputs(tuple(out.shape), len(self.X), found)
        self.y = torch.as_tensor(whole, device=self.device)
        self.per_sample = 1 if self.classes is None else self.classes - 1
        self.rows = len(self.X) * self.per_sample
        with torch.no_grad():
            alone, among = f(self.unravel(flat), self.X[:1]), out[:1]
        self.by_rows = alone.shape == among.shape and bool(torch.allclose(alone, among, rtol=1e-9, atol=1e-12))

    def unravel(self, theta: Any) -> dict[str, Any]:
        """θ as the dictionary."""
        sizes = [shape.numel() for shape in self.shapes.values()]
        pieces = theta.split(sizes)
        return {name: piece.reshape(shape) for (name, shape), piece in zip(self.shapes.items(), pieces)}

    def _others(self, y: Any) -> Any:
        others = self._torch.arange(self.per_sample, device=self.device)[None, :]
        return others + (others >= y[:, None])

    def _margins(self, theta: Any, X: Any, y: Any) -> Any:
        out = self.f(self.unravel(theta), X)
        if self.classes is None:
            return out.reshape(-1) * y
        own = out.gather(1, y[:, None])
        return (own - out.gather(1, self._others(y))).reshape(-1)

    def _errors(self, alpha: Any, y: Any) -> Any:
        if self.classes is None:
            return alpha * y
        table = alpha.reshape(-1, self.per_sample)
        delta = self._torch.zeros((len(y), self.classes), dtype=table.dtype, device=self.device)
        delta = delta.scatter_add(1, self._others(y), -table)
        return delta.scatter_add(1, y[:, None], table.sum(dim=1, keepdim=True))

    def _pulled(self, theta: Any, weights: Any, X: Any, y: Any) -> Any:
        return self._func.vjp(lambda t: self._margins(t, X, y), theta)[1](weights)[0]

    def _direction(self, theta: Any, alpha: Any, X: Any, y: Any) -> Any:
        if self._update is None:
            return self._pulled(theta, alpha, X, y)
        velocity = self._update(self.unravel(theta), X, self._errors(alpha, y))
        return self._torch.cat([velocity[name].reshape(-1) for name in self.shapes])

    def _pushed(self, theta: Any, v: Any) -> Any:
        return self._func.jvp(lambda t: self._margins(t, self.X, self.y), (theta,), (v,))[1]

    def _tensor(self, array: Array) -> Any:
        return self._torch.as_tensor(np.array(array, dtype=np.float64), device=self.device)

    def margins(self, theta: Array) -> Array:
        with self._torch.no_grad():
            return np.asarray(self._margins(self._tensor(theta), self.X, self.y).cpu())

    def velocity(self, theta: Array, alpha: Array) -> tuple[Array, Array]:
        at = self._tensor(theta)
        v = self._direction(at, self._tensor(alpha), self.X, self.y)
        return np.asarray(v.detach().cpu()), np.asarray(self._pushed(at, v.detach()).detach().cpu())

    def rates(self, theta: Array, v: Array) -> Array:
        return np.asarray(self._pushed(self._tensor(theta), self._tensor(v)).detach().cpu())

    def pull(self, theta: Array, multipliers: Array) -> Array:
        pulled = self._pulled(self._tensor(theta), self._tensor(multipliers), self.X, self.y)
        return np.asarray(pulled.detach().cpu())

    def tangent(self, theta: Array, alpha: Array, dtheta: Array, dalpha: Array) -> tuple[Array, Array, Array]:
        def all_of(t: Any, a: Any) -> Any:
            v = self._direction(t, a, self.X, self.y)
            m, r = self._func.jvp(lambda u: self._margins(u, self.X, self.y), (t,), (v,))
            return v, m, r

        at = (self._tensor(theta), self._tensor(alpha))
        along = (self._tensor(dtheta), self._tensor(dalpha))
        v, m, r = self._func.jvp(all_of, at, along)[1]
        return tuple(np.asarray(x.detach().cpu()) for x in (v, m, r))  # type: ignore[return-value]

    def tangent_kernel(self, theta: Array, active: Sequence[int]) -> Array:
        torch, at = self._torch, self._tensor(theta)

        def column(x: Any, label: Any, unit: Any) -> Any:
            return self._pushed(at, self._direction(at, unit, x, label))

        columns = np.zeros((self.rows, len(active)))
        batch = max(1, min(32, BATCH_NUMBERS // max(1, len(self.start))))
        for first in range(0, len(active), batch):
            here = torch.as_tensor(list(active[first : first + batch]), device=self.device)
            if self.by_rows:
                samples = here // self.per_sample
                units = torch.nn.functional.one_hot(here % self.per_sample, self.per_sample).double()
                x, label = self.X[samples].unsqueeze(1), self.y[samples].unsqueeze(1)
                found = self._func.vmap(column)(x, label, units)
            else:
                units = torch.nn.functional.one_hot(here, self.rows).double()
                found = torch.stack([column(self.X, self.y, unit) for unit in units])
            columns[:, first : first + batch] = found.detach().cpu().numpy().T
        return columns

    def params(self, theta: Array) -> dict[str, Any]:
        """θ as the dictionary."""
        return {name: leaf.clone() for name, leaf in self.unravel(self._tensor(theta)).items()}

    def function(self, of: Callable[..., Any], *rest: Any) -> Callable[[Array], Any]:
        """A function of the dictionary as one of θ."""

        def on_theta(theta: Array) -> Any:
            found = of(self.params(theta), *rest)
            listed = found if isinstance(found, tuple) else (found,)
            arrays = tuple(np.asarray(self._torch.as_tensor(x).detach().cpu()) for x in listed)
            return arrays if isinstance(found, tuple) else arrays[0]

        return on_theta


def from_torch(
    f: Any,
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
    """A model from PyTorch: ``f(params, X)`` with ``params`` a dictionary of tensors, or a module with ``params=None``
    (which is taken to double precision). The other arguments are those of :func:`from_jax`."""
    check_rule(rule)
    tangents = TorchTangents(f, params, X, y, classes, update)
    return OfTangents(tangents, features, conserved, update is None, loss, degree)
