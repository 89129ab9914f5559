"""Data and programs that several tests use."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

ROOT = Path(__file__).resolve().parents[2]


def program() -> list[str]:
    """The command line: the program that cargo built, or that of the package."""
    named = os.environ.get("MARGINFLOW")
    built = [ROOT / "target" / profile / "marginflow" for profile in ("release", "debug")]
    for path in [Path(named)] if named else built:
        if path.exists():
            return [str(path)]
    return [sys.executable, "-m", "marginflow"]


@pytest.fixture(scope="session")
def command_line() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the program on arguments."""

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*program(), *map(str, arguments)], capture_output=True, text=True, cwd=ROOT)

    return run


@pytest.fixture
def data() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Eight samples of five features, which a hyperplane separates."""
    draws = np.random.default_rng(3)
    X = draws.standard_normal((8, 5))
    return X, np.where(X @ draws.standard_normal(5) > 0, 1, -1)
