"""How far a computation is: one line in a terminal or a notebook."""

from __future__ import annotations

import sys
import time
import warnings
from types import TracebackType
from typing import Callable

#: Seconds before anything is shown.
PATIENCE = 1.0

#: Seconds from one line to the next.
PAUSE = 0.5


class Progress:
    """Shows s, the number of steps and the seconds, after a second; nothing where standard error is no terminal and no
    notebook, unless it is asked for."""

    def __init__(self, wanted: bool | None, until: float | None) -> None:
        self.until = until
        self.began = time.monotonic()
        self.shown: float | None = None
        self.wanted = (sys.stderr.isatty() or in_notebook()) if wanted is None else wanted
        self.callback: Callable[[float, int, list[str]], None] = self.see

    def see(self, s: float, steps: int, notes: list[str]) -> None:
        for note in notes:
            if note.startswith("caution: "):
                warnings.warn(note.removeprefix("caution: "), stacklevel=3)
            elif self.wanted:
                print(note, file=sys.stderr)
        seconds = time.monotonic() - self.began
        if not self.wanted or seconds < PATIENCE or not steps:
            return
        if self.shown is not None and seconds < self.shown + PAUSE and s != self.until:
            return
        share = min(s / self.until, 1.0) if self.until else 0.0
        bar = f"[{'#' * round(24 * share):24}] s = {s:.4g} of {self.until:g}, " if self.until else ""
        print(f"\r{bar}{steps} steps, {seconds:.0f} s", end=" ", file=sys.stderr, flush=True)
        self.shown = seconds

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        if self.shown is not None:
            print("\r" + " " * 79, end="\r", file=sys.stderr, flush=True)


def in_notebook() -> bool:
    """Whether this is an interactive notebook."""
    module = sys.modules.get("IPython")
    shell = module.get_ipython() if module else None
    return type(shell).__name__ == "ZMQInteractiveShell"
