"""A protocol quantity over the studies of each centre, in the order in which they arrived."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from matplotlib.axes import Axes

from schemas.geometry import FloatArray
from tasks.pictures.canvas import FAINT, INK, axes_at, new_figure, png_bytes, quiet_axes

_WIDTH_PX: Final = 860
_PANEL_PX: Final = 150
_LEFT_PX, _RIGHT_PX, _TOP_PX, _BOTTOM_PX, _GAP_PX, _ROW_GAP_PX = 66, 14, 58, 62, 18, 56
#: Panels side by side.
_COLUMNS: Final = 3
_LONGEST_NAME: Final = 22
#: Okabe and Ito's colours by outcome.
_COLOURS: Final = {
    "passed": "#0072B2", "info": "#56B4E9", "warn": "#E69F00", "fail": "#D55E00",
}  # fmt: skip
_ALLOWED: Final = "#E5F2EC"
_DAYS_SHOWN: Final = 3

Bounds = tuple[float | None, float | None]


@dataclass(frozen=True)
class TrendPanel:
    """Studies of one centre.

    Parameters
    ----------
    centre : str
        Its code.
    values : ndarray (n,)
        Oldest arrival first.
    outcomes : sequence of str, n
        ``passed``, ``info``, ``warn`` or ``fail``.
    is_new : sequence of bool, n
        Arrived since the last check.
    nights : sequence of (int, str)
        Position of the first study of a night, and its date.
    warn, fail : (lowest, highest)
        Limits of the centre's protocol; None where there is none.
    """

    centre: str
    values: FloatArray
    outcomes: Sequence[str]
    is_new: Sequence[bool]
    nights: Sequence[tuple[int, str]]
    warn: Bounds = (None, None)
    fail: Bounds = (None, None)


def trend_png(panels: Sequence[TrendPanel], title: str, unit: str) -> bytes:
    """Draw one panel per centre on one vertical axis.

    What the protocol allows is shaded, limits of failure are dashed; new studies have a ring. A
    value far outside all limits is a triangle at the edge.

    Parameters
    ----------
    panels : sequence of TrendPanel
        At least one.
    title, unit : str
        What is shown.

    Returns
    -------
    bytes
        PNG, 860 pixels wide.
    """
    rows = -(-len(panels) // _COLUMNS)
    height = _TOP_PX + rows * _PANEL_PX + (rows - 1) * _ROW_GAP_PX + _BOTTOM_PX
    figure = new_figure(_WIDTH_PX, height)
    columns = min(_COLUMNS, len(panels))
    width = (_WIDTH_PX - _LEFT_PX - _RIGHT_PX - (columns - 1) * _GAP_PX) / columns
    low, high = _range(panels)
    for number, panel in enumerate(panels):
        row, column = divmod(number, _COLUMNS)
        bottom = _BOTTOM_PX + (rows - 1 - row) * (_PANEL_PX + _ROW_GAP_PX)
        left = _LEFT_PX + column * (width + _GAP_PX)
        axes = axes_at(figure, left, bottom, width, _PANEL_PX)
        _draw(axes, panel, low, high)
        if column:
            axes.set_yticklabels([])
        else:
            axes.set_ylabel(unit, fontsize=10, color=INK)
    figure.text(0.5, 1 - 8 / height, title, ha="center", va="top", fontsize=12, color=INK)
    figure.text(
        0.5, 8 / height,
        "studies in the order in which they came into the lake (dates: the night); ring: new",
        ha="center", va="bottom", fontsize=9, color=FAINT,
    )  # fmt: skip
    return png_bytes(figure)


def _range(panels: Sequence[TrendPanel]) -> tuple[float, float]:
    """Vertical range: all limits and values, but not further than the limits are wide."""
    values = np.concatenate([panel.values for panel in panels])
    limits = [v for p in panels for v in (*p.warn, *p.fail) if v is not None]
    low, high = float(values.min()), float(values.max())
    if limits:
        wide = max(limits) - min(limits) or abs(limits[0])
        low = min(*limits, max(low, min(limits) - 0.6 * wide))
        high = max(*limits, min(high, max(limits) + 0.6 * wide))
    margin = 0.08 * (high - low) or max(0.1 * abs(high), 0.5)
    return low - margin, high + margin


def _draw(axes: Axes, panel: TrendPanel, low: float, high: float) -> None:
    _draw_limits(axes, panel, low, high)
    places = np.arange(1, panel.values.size + 1)
    shown = np.clip(panel.values, low, high)
    colours = [_COLOURS.get(outcome, FAINT) for outcome in panel.outcomes]
    for marker, chosen in (
        ("o", (panel.values >= low) & (panel.values <= high)),
        ("^", panel.values > high),
        ("v", panel.values < low),
    ):
        picked = np.flatnonzero(chosen)
        axes.scatter(
            places[picked], shown[picked], marker=marker, s=20 if marker == "o" else 46,
            c=[colours[i] for i in picked], linewidth=0, zorder=3, clip_on=False,
        )  # fmt: skip
        for i in picked if marker != "o" else ():
            axes.annotate(f"{panel.values[i]:.3g}", (places[i], shown[i]), xytext=(-7, 0),
                          textcoords="offset points", ha="right", va="center", fontsize=8,
                          color=INK)  # fmt: skip
    ringed = np.flatnonzero(np.asarray(panel.is_new, dtype=bool))
    axes.scatter(places[ringed], shown[ringed], s=64, facecolors="none", edgecolors=INK,
                 linewidth=1.1, zorder=4, clip_on=False)  # fmt: skip
    _label(axes, panel)
    axes.set_ylim(low, high)


def _draw_limits(axes: Axes, panel: TrendPanel, low: float, high: float) -> None:
    inner = panel.warn if panel.warn != (None, None) else panel.fail
    bottom = low if inner[0] is None else inner[0]
    top = high if inner[1] is None else inner[1]
    if inner != (None, None):
        axes.axhspan(bottom, top, color=_ALLOWED, linewidth=0, zorder=0)
    for limit in panel.fail:
        if limit is not None:
            axes.axhline(limit, color=_COLOURS["fail"], linestyle=(0, (4, 3)), linewidth=1)


def _label(axes: Axes, panel: TrendPanel) -> None:
    n = panel.values.size
    axes.set_xlim(0.2, max(n, 4) + 0.8)
    nights = list(panel.nights)
    if len(nights) > _DAYS_SHOWN:  # the first, the last, and one between
        nights = [nights[0], nights[len(nights) // 2], nights[-1]]
    spaced = [n_ for i, n_ in enumerate(nights) if _has_room(i, nights, max(n, 4))]
    axes.set_xticks([place + 1 for place, _ in spaced], [day for _, day in spaced], fontsize=9)
    for label, (place, _) in zip(axes.get_xticklabels(), spaced, strict=True):
        label.set_horizontalalignment("left" if place < 0.55 * max(n, 4) else "right")
    name = panel.centre
    if len(name) > _LONGEST_NAME:
        name = f"{name[:8]}…{name[9 - _LONGEST_NAME :]}"
    axes.set_title(f"{name} ({n})", fontsize=10, color=INK, loc="left")
    axes.grid(axis="y", color="#DDDDDD", linewidth=0.8)
    axes.set_axisbelow(True)
    quiet_axes(axes)
    axes.tick_params(labelsize=9)


def _has_room(index: int, nights: Sequence[tuple[int, str]], n: int) -> bool:
    """Keep labels half an axis apart; the last night goes before the one in the middle."""
    place = nights[index][0]
    before = [nights[0][0]] if index else []
    after = [nights[-1][0]] if 0 < index < len(nights) - 1 else []
    return all(abs(place - other) >= 0.45 * n for other in (*before, *after))
