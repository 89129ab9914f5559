"""What a problem is made of: networks, rules, initial weights, in the words of a scenario."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Union

import numpy as np
import numpy.typing as npt

from . import _core

Array = npt.NDArray[np.float64]
Feedback = Union[Literal["gaussian", "unit-modulus", "orthonormal"], Sequence[npt.ArrayLike]]


@dataclass(frozen=True)
class FullyConnected:
    """Fully connected linear layers, ``f(x) = W_Lᵀ ⋯ W_1ᵀ x``.

    ``depth`` is the number of layers L; ``hidden`` the widths of layers 1 … L−1, the input dimension unless given.
    """

    depth: int
    hidden: Sequence[int] | None = None

    def _table(self) -> dict[str, Any]:
        table: dict[str, Any] = {"depth": self.depth}
        if self.hidden is not None:
            table["hidden"] = list(self.hidden)
        return {"fully-connected-linear": table}


@dataclass(frozen=True)
class Convolutional:
    """Linear layers of circular convolutions of full width, ``depth`` of them, the last one a full filter."""

    depth: int

    def _table(self) -> dict[str, Any]:
        return {"convolutional-linear": {"depth": self.depth}}


@dataclass(frozen=True)
class Diagonal:
    """Linear layers that scale every feature, ``depth`` of them."""

    depth: int

    def _table(self) -> dict[str, Any]:
        return {"diagonal-linear": {"depth": self.depth}}


@dataclass(frozen=True)
class ReLU:
    """Fully connected rectified units without biases; ``hidden`` are the widths of the hidden layers.

    ``smoothing`` is the half width over which kinks are rounded off (0 keeps them exact), ``negative_slope`` that of
    leaky units.
    """

    hidden: Sequence[int]
    smoothing: float = 0.0
    negative_slope: float = 0.0

    def _table(self) -> dict[str, Any]:
        table: dict[str, Any] = {"hidden": list(self.hidden)}
        if self.smoothing:
            table["smoothing"] = float(self.smoothing)
        if self.negative_slope:
            table["negative-slope"] = float(self.negative_slope)
        return {"relu": table}


@dataclass(frozen=True)
class Dense:
    """A layer of ``units`` that see all of the layer below.

    ``activation`` is ``"identity"``, ``"relu"``, ``"quadratic"``, ``("leaky-relu", 0.1)`` or ``("relu-power", 2)``.
    """

    units: int
    activation: str | tuple[str, float] = "identity"
    bias: bool = False

    def _table(self) -> dict[str, Any]:
        return {"dense": self.units, **_unit_keys(self.activation, self.bias)}


@dataclass(frozen=True)
class Convolution:
    """A circular convolution: ``channels`` units at every position, each of which sees ``kernel`` positions.

    Sums are divided by the root of ``kernel``; activations are those of :class:`Dense`.
    """

    kernel: int
    channels: int
    activation: str | tuple[str, float] = "identity"
    bias: bool = False

    def _table(self) -> dict[str, Any]:
        sizes = {"kernel": self.kernel, "channels": self.channels}
        return {"convolution": sizes, **_unit_keys(self.activation, self.bias)}


@dataclass(frozen=True)
class AveragePooling:
    """Averages over ``size`` neighbouring positions."""

    size: int

    def _table(self) -> dict[str, Any]:
        return {"average-pooling": self.size}


def _unit_keys(activation: str | tuple[str, float], bias: bool) -> dict[str, Any]:
    keys: dict[str, Any] = {}
    if activation != "identity":
        keys["activation"] = activation if isinstance(activation, str) else {activation[0]: activation[1]}
    if bias:
        keys["bias"] = True
    return keys


@dataclass(frozen=True)
class Layers:
    """Hidden layers from the input to the output, and a linear output layer to one output, or one per class.

    ``smoothing`` is the half width over which kinks are rounded off, 0.1 unless given (0 keeps them exact).
    """

    layers: Sequence[Dense | Convolution | AveragePooling]
    smoothing: float | None = None

    def _table(self) -> dict[str, Any]:
        table: dict[str, Any] = {"layers": [layer._table() for layer in self.layers]}
        if self.smoothing is not None:
            table["smoothing"] = float(self.smoothing)
        return {"layers": table}


@dataclass(frozen=True)
class BP:
    """Gradient descent: errors go back through the weights."""

    def _table(self, folder: Path) -> Any:
        return "gradient-descent"


@dataclass(frozen=True)
class _WithFeedback:
    seed: int = 1
    scale: float = 1.0
    feedback: Feedback = "gaussian"

    def _feedback(self, folder: Path) -> dict[str, Any]:
        if isinstance(self.feedback, str):
            table: dict[str, Any] = {"seed": self.seed}
            if self.scale != 1.0:
                if self.feedback != "gaussian":
                    raise _core.InputError(f"scale: only gaussian feedback has one, not {self.feedback}")
                table["scale"] = float(self.scale)
            return {"feedback": {self.feedback: table}}
        return {"feedback": {"files": saved(self.feedback, folder, "feedback")}}


@dataclass(frozen=True)
class DFA(_WithFeedback):
    """Direct feedback alignment: the output's error goes to every layer through fixed vectors b_l (matrices with
    several outputs).

    ``feedback`` is ``"gaussian"`` (entries N(0, scale²) drawn by ``seed``), ``"unit-modulus"``, ``"orthonormal"``, or
    the arrays themselves, one per hidden layer: units × outputs.
    """

    def _table(self, folder: Path) -> Any:
        return {"direct-feedback-alignment": self._feedback(folder)}


@dataclass(frozen=True)
class FA(_WithFeedback):
    """Feedback alignment: errors go back layer by layer through fixed matrices F_l, units of layer l × units of layer
    l + 1; arguments as for :class:`DFA`."""

    def _table(self, folder: Path) -> Any:
        return {"feedback-alignment": self._feedback(folder)}


@dataclass(frozen=True)
class KolenPollack(_WithFeedback):
    """Feedback matrices that change as the weights do; arguments, for those at time 0, as for :class:`FA`."""

    def _table(self, folder: Path) -> Any:
        return {"kolen-pollack": self._feedback(folder)}


@dataclass(frozen=True)
class Gaussian:
    """Initial weights N(0, scale²), drawn by ``seed``.

    ``zero_output``: output weights zero. ``level_set``: those of a two-layer ReLU network on the level
    ``b_j w_2j = ½‖w_1j‖²``.
    """

    scale: float
    seed: int = 1
    zero_output: bool = False
    level_set: bool = False

    def _table(self) -> dict[str, Any]:
        table: dict[str, Any] = {"scale": float(self.scale), "seed": self.seed}
        if self.zero_output:
            table["zero-output"] = True
        if self.level_set:
            table["level-set"] = True
        return {"gaussian": table}


Network = Union[FullyConnected, Convolutional, Diagonal, ReLU, Layers]
Rule = Union[BP, DFA, FA, KolenPollack]
Initial = Union[Literal["zero"], Gaussian, Sequence[npt.ArrayLike]]


def numbers(given: npt.ArrayLike, name: str) -> Array:
    """The array as float64 in C order, or an error that says what is wrong with it. Never the caller's own memory."""
    array = np.asarray(given)
    if array.dtype.kind not in "fiub":
        raise _core.InputError(f"{name}: an array of {array.dtype}, expected real numbers")
    found: Array = np.array(array, dtype=np.float64, order="C")
    if not np.isfinite(found).all():
        at = tuple(int(i) for i in np.argwhere(~np.isfinite(found))[0])
        raise _core.InputError(f"{name}: entry {list(at)} (from 0) is {found[at]}; remove such rows, or fill the gaps")
    return found


def samples(X: npt.ArrayLike) -> Array:
    """X, N × D."""
    found = numbers(X, "X")
    if found.ndim != 2:
        advice = "one sample per row" + (": X.reshape(-1, 1) for one feature" if found.ndim == 1 else "")
        raise _core.InputError(f"X: {found.ndim} dimensions, expected 2, {advice}")
    if found.size == 0:
        raise _core.InputError(f"X: no numbers, its shape is {found.shape}")
    return found


def labels(y: npt.ArrayLike, count: int, classes: int | None) -> tuple[npt.NDArray[np.int64], int | None]:
    """y, and the number of classes, or None for labels ±1."""
    found = numbers(y, "y")
    if found.ndim == 2 and 1 in found.shape:
        found = found.ravel()
    if found.shape != (count,):
        raise _core.InputError(f"y: shape {found.shape}, expected ({count},), one label per row of X")
    values = [float(v) for v in np.unique(found)]
    whole = found.astype(np.int64)
    if classes is None and set(values) <= {-1.0, 1.0}:
        return whole, None
    if any(v != int(v) for v in values):
        first = next(v for v in values if v != int(v))
        raise _core.InputError(f"y: {first} is no label, expected -1 and 1, or classes 0 … C-1")
    if classes is None:
        if set(values) <= {0.0, 1.0}:
            raise _core.InputError(
                "y: labels 0 and 1; write 2*y - 1 for a network with one output, or classes=2 for one with two"
            )
        if values != [float(c) for c in range(len(values))]:
            raise _core.InputError(f"y: labels {values[:6]}, expected -1 and 1, or classes 0 … C-1; say classes=C")
        classes = len(values)
    if values[0] < 0 or values[-1] >= classes:
        raise _core.InputError(f"y: labels from {values[0]:g} to {values[-1]:g}, expected 0 … {classes - 1}")
    return whole, classes


def saved(arrays: Sequence[npt.ArrayLike], folder: Path, name: str) -> list[str]:
    """Writes arrays into a folder; their file names."""
    names = []
    for l, array in enumerate(arrays, 1):
        file = f"{name}_{l}.npy"
        np.save(folder / file, numbers(array, f"{name}[{l - 1}]"))
        names.append(file)
    return names


def literal(value: Any) -> str:
    """A value of TOML."""
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    if isinstance(value, (float, np.floating)):
        return repr(float(value))
    if isinstance(value, (str, Path)):
        # TOML knows the escapes of JSON, except for characters beyond the basic plane, which it takes as they are
        return json.dumps(str(value), ensure_ascii=False)
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{literal(k)} = {literal(v)}" for k, v in value.items()) + " }"
    if isinstance(value, (list, tuple, range, np.ndarray)):
        return "[" + ", ".join(literal(v) for v in value) + "]"
    raise _core.InputError(f"{value!r} is no value of a scenario: a number, a text, true or false, a list or a table")


def assignments(overrides: Mapping[str, Any]) -> list[str]:
    """Keys and values as those of ``--set``."""
    return [f"{key}={literal(value)}" for key, value in overrides.items()]
