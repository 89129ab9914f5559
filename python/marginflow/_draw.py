"""Figures with matplotlib, from the numbers that a report holds: the same curves, colours and scales as the program's
own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _core

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Okabe and Ito's colours, distinguishable with any colour vision.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
GREY = "#999999"
GUIDE = "#333333"


def draw(figure: Mapping[str, Any], arrays: Mapping[str, Any], ax: Axes | None, panel: int | None) -> Any:
    """A figure on axes of its own, or one of its panels on ``ax``."""
    panels = figure["panels"]
    if ax is not None or panel is not None:
        index = panel or 0
        if not 0 <= index < len(panels):
            raise _core.InputError(f"panel {index} of {figure['id']}: it has panels 0 … {len(panels) - 1}")
        panels = panels[index : index + 1]
    if ax is not None:
        draw_panel(panels[0], arrays, ax)
        return ax
    import matplotlib.pyplot as plt

    columns = len(panels) if len(panels) < 3 else 2
    rows = -(-len(panels) // columns)
    size = (6.4 * columns, 4.4 * rows)
    drawn, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    for place, one in zip(axes.flat, panels):
        draw_panel(one, arrays, place)
    for place in axes.flat[len(panels) :]:
        place.remove()
    drawn.suptitle(f"{figure['title']}\n{figure['subtitle']}", fontsize="medium")
    return axes.flat[0] if len(panels) == 1 else axes


def draw_panel(panel: Mapping[str, Any], arrays: Mapping[str, Any], ax: Axes) -> None:
    """One coordinate system."""
    scales = (panel["x"]["scale"], panel["y"]["scale"])
    for name, scale in zip("xy", scales):
        ax.set(**{f"{name}label": panel[name]["label"]})
        if scale == "log10":
            ax.set(**{f"{name}scale": "log"})
    curves = list(enumerate(panel["series"]))
    guides = [(place, series) for place, series in curves if series["style"] == "reference"]
    drawn = [(place, series) for place, series in curves if series["style"] != "reference"]
    for place, series in drawn:
        draw_series(series, arrays, ax, scales).set_gid(f"{place:03}")
    # guides take no part in the range of an axis
    limits = (ax.get_xlim(), ax.get_ylim()) if drawn else None
    for place, series in guides:
        draw_series(series, arrays, ax, scales).set_gid(f"{place:03}")
    if limits is not None:
        ax.set(xlim=limits[0], ylim=limits[1])
    for name in "xy":
        if panel[name]["range"] is not None:
            ax.set(**{f"{name}lim": panel[name]["range"]})
        mark(getattr(ax, f"{name}axis"), panel[name]["scale"], panel[name].get("ticks"))
    window = panel["window"]
    if window is not None:
        ax.axvspan(*window["range"], color=PALETTE[0], alpha=0.08, label=window["label"])
    if panel["equal_units"]:
        ax.set_aspect("equal", adjustable="datalim")
    if panel["title"]:
        ax.set_title(panel["title"], fontsize="medium")
    ax.grid(True, color="#DDDDDD", linewidth=0.8)
    ax.set_axisbelow(True)
    if any(series["label"] for series in panel["series"]):
        ax.legend(fontsize="small", framealpha=0.85)


def mark(axis: Any, scale: str, ticks: Any) -> None:
    """Ticks where the program has them."""
    from matplotlib.ticker import MaxNLocator

    if scale == "whole":
        axis.set_major_locator(MaxNLocator(integer=True))
    if ticks == "degrees":
        axis.set_major_locator(MaxNLocator(nbins=8, steps=[1, 1.5, 3, 4.5, 9, 10]))
    elif isinstance(ticks, list):
        axis.set_ticks(ticks, [f"{value:g}" for value in ticks])
    elif isinstance(ticks, dict):
        # zero has no place on a logarithmic axis: it is drawn there
        zero = ticks["zero"]
        axis.set_ticks([zero, *(t for t in axis.get_majorticklocs() if t > 3 * zero)])
        usual = axis.get_major_formatter()
        axis.set_major_formatter(lambda x, at: "0" if x == zero else usual(x, at))


def draw_series(series: Mapping[str, Any], arrays: Mapping[str, Any], ax: Axes, scales: tuple[str, str]) -> Any:
    """One curve, as what matplotlib made of it; numbers that a logarithmic axis cannot show break it."""
    x = np.array(arrays[series["x"]] if isinstance(series["x"], str) else series["x"], dtype=float)
    y = np.array(series["y"], dtype=float)
    with np.errstate(invalid="ignore"):
        if scales[0] == "log10":
            x = np.where(x > 0.0, x, np.nan)
        if scales[1] == "log10":
            y = np.where(y > 0.0, y, np.nan)
    colour = GREY if series["colour"] is None else PALETTE[series["colour"] % len(PALETTE)]
    style = series["style"]
    look: dict[str, Any] = {"label": series["label"], "alpha": series["opacity"]}
    if style in ("band", "cell"):
        shown = np.isfinite(x) & np.isfinite(y)
        return ax.fill(x[shown], y[shown], color=colour, linewidth=0, **look)[0]
    if style == "points":
        return ax.plot(x, y, "o", color=colour, fillstyle="none", markersize=5, **look)[0]
    if style == "reference":
        return ax.plot(x, y, "--", color=GUIDE, linewidth=1.0, zorder=3, **look)[0]
    return ax.plot(x, y, "--" if style == "dashed" else "-", color=colour, linewidth=1.6, **look)[0]
