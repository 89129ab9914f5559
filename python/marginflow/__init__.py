"""marginflow: where training goes.

Which of infinitely many solutions does a learning rule select? Flows of gradient descent and of feedback alignment,
integrated to times like t = exp(10^26), measured against every theorem:

>>> import marginflow as mf
>>> problem = mf.Problem(X, y, network=mf.FullyConnected(depth=3), rule=mf.DFA(seed=7))
>>> run = problem.flow(until=60)
>>> run.status, run.angle[-1], run.claims["thm-1"].verdict

Models of one's own are :class:`Model`, :func:`from_jax` and :func:`from_torch`; :func:`audit` looks at a network that
was trained elsewhere.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from . import _core
from ._audit import ACTIVE, Audit, audit_model
from ._core import FlowError, InputError, NotSeparableError, __version__
from ._jax import JaxTangents, from_jax
from ._model import Model, ModelRun
from ._problem import Problem, load
from ._run import Claim, Claims, Limit, Rate, Run, open_run
from ._settings import (
    BP,
    DFA,
    FA,
    Array,
    AveragePooling,
    Convolution,
    Convolutional,
    Dense,
    Diagonal,
    FullyConnected,
    Gaussian,
    KolenPollack,
    Layers,
    ReLU,
    numbers,
)
from ._torch import TorchTangents, from_torch

_core.program_is(_core.__file__)


def max_margin(G: npt.ArrayLike) -> Limit:
    """The hard-margin machine ``min ½‖β‖² s.t. g_n·β ≥ 1`` of the rows of G (N × D), with its certificate.

    Raises :class:`NotSeparableError` where there is none.
    """
    beta, multipliers, gap, support = _core.max_margin(numbers(G, "G"))
    return Limit("euclidean", beta, multipliers, gap, tuple(support), exponent=2.0, unique=True)


def audit(
    f: Any,
    params: Any,
    X: Any,
    y: npt.ArrayLike,
    *,
    classes: int | None = None,
    degree: int | None = None,
    active: float = ACTIVE,
) -> Audit:
    """How near the parameters of a trained network are to a KKT point of min ½‖θ‖² s.t. m_n ≥ 1.

    ``f(params, X)`` gives the outputs, in JAX or PyTorch (a module with ``params=None``); ``y`` are labels −1 and 1, or
    classes from 0. See :class:`Audit` for what comes back.
    """
    tangents = tangents_of(f, params, X, y, classes)
    return audit_model(tangents, tangents.start, degree=degree, active=active)


def tangents_of(f: Any, params: Any, X: Any, y: npt.ArrayLike, classes: int | None) -> JaxTangents | TorchTangents:
    """Of a network, by the library it is written in."""
    kinds = [type(f), type(X), *map(type, params.values() if isinstance(params, dict) else [])]
    is_torch = any(base.__module__.split(".")[0] == "torch" for kind in kinds for base in kind.__mro__)
    return (TorchTangents if is_torch else JaxTangents)(f, params, X, y, classes, None)


__all__ = [
    "ACTIVE",
    "Array",
    "Audit",
    "AveragePooling",
    "BP",
    "Claim",
    "Claims",
    "Convolution",
    "Convolutional",
    "DFA",
    "Dense",
    "Diagonal",
    "FA",
    "FlowError",
    "FullyConnected",
    "Gaussian",
    "InputError",
    "KolenPollack",
    "Layers",
    "Limit",
    "Model",
    "ModelRun",
    "NotSeparableError",
    "Problem",
    "Rate",
    "ReLU",
    "Run",
    "__version__",
    "audit",
    "from_jax",
    "from_torch",
    "load",
    "max_margin",
    "open_run",
]
