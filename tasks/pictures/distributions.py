"""Values of a feature by centre, before and after harmonisation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from scipy import stats

from schemas.geometry import FloatArray
from tasks.pictures.canvas import FAINT, INK, PALETTE, axes_at, new_figure, png_bytes, quiet_axes

_WIDTH_PX: Final = 820
_HEIGHT_PX: Final = 420
_LEFT_PX, _RIGHT_PX, _TOP_PX, _BOTTOM_PX, _GAP_PX = 78, 14, 62, 78, 22

#: Longer centre names are cut; more letters than fit side by side are turned.
_LONGEST_NAME: Final = 12
_LETTERS_IN_A_ROW: Final = 34

#: Fewer values than this are shown as points only: a density would be an invention.
_FEWEST_FOR_DENSITY: Final = 8
_MOST_POINTS: Final = 300
_GOLDEN: Final = 0.6180339887498949


def distributions_png(
    before: Mapping[str, FloatArray],
    after: Mapping[str, FloatArray],
    feature: str,
    unit: str,
) -> bytes:
    """Draw a feature by centre, before (left) and after (right) harmonisation, on one axis.

    Each centre has its density (from 8 values), its quartiles with median, and its values. The
    dashed line is the median over all centres.

    Parameters
    ----------
    before, after : mapping of str to ndarray (n,)
        Values by centre; not finite ones are left out. The order of `before` is kept.
    feature : str
        Name, as the axis label.
    unit : str
        ``1`` is not shown.

    Returns
    -------
    bytes
        PNG, 820 x 420 pixels.
    """
    centres = list(dict.fromkeys([*before, *after]))
    figure = new_figure(_WIDTH_PX, _HEIGHT_PX)
    width = (_WIDTH_PX - _LEFT_PX - _RIGHT_PX - _GAP_PX) / 2
    height = _HEIGHT_PX - _TOP_PX - _BOTTOM_PX
    limits = _limits([*before.values(), *after.values()])
    for k, (heading, groups) in enumerate((("before", before), ("after", after))):
        axes = axes_at(figure, _LEFT_PX + k * (width + _GAP_PX), _BOTTOM_PX, width, height)
        _draw_groups(axes, [_finite(groups.get(c)) for c in centres])
        _label_groups(axes, centres, heading)
        axes.set_ylim(*limits)
        if k:
            axes.set_yticklabels([])
        else:
            suffix = f" ({unit})" if unit not in {"", "1"} else ""
            axes.set_ylabel(f"{feature}{suffix}", fontsize=11, color=INK)
    figure.text(0.5, 0.975, f"{feature} by centre, before and after harmonisation",
                ha="center", va="top", fontsize=12, color=INK)  # fmt: skip
    return png_bytes(figure)


def _finite(values: FloatArray | None) -> FloatArray:
    array = np.asarray([] if values is None else values, dtype=np.float64).ravel()
    return array[np.isfinite(array)]


def _limits(groups: list[FloatArray]) -> tuple[float, float]:
    values = np.concatenate([np.zeros(0), *(_finite(g) for g in groups)])
    if not values.size:
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    margin = 0.06 * (high - low) or max(abs(high) * 0.1, 0.5)
    return low - margin, high + margin


def _draw_groups(axes: Axes, groups: list[FloatArray]) -> None:
    for position, values in enumerate(groups):
        if values.size:
            _draw_group(axes, position, values, PALETTE[position % len(PALETTE)])
    pooled = np.concatenate([np.zeros(0), *groups])
    if pooled.size:
        axes.axhline(float(np.median(pooled)), color=FAINT, linestyle=(0, (4, 3)), linewidth=1)


def _draw_group(axes: Axes, position: int, values: FloatArray, colour: str) -> None:
    if values.size >= _FEWEST_FOR_DENSITY and np.ptp(values) > 1e-9 * np.abs(values).max():
        grid = np.linspace(values.min(), values.max(), 160)
        density = stats.gaussian_kde(values)(grid)
        half = 0.36 * density / density.max()
        axes.fill_betweenx(grid, position + 0.06, position + 0.06 + half,
                           color=colour, alpha=0.35, linewidth=0)  # fmt: skip
    every = -(-values.size // _MOST_POINTS)
    shown = np.sort(values)[::every]
    spread = np.modf(np.arange(shown.size) * _GOLDEN)[0]  # even, and the same every time
    axes.scatter(
        position - 0.34 + 0.24 * spread, shown, s=13, color=colour, alpha=0.75, linewidth=0
    )
    low, middle, high = np.percentile(values, [25, 50, 75])
    axes.plot([position, position], [low, high], color=INK, linewidth=5, solid_capstyle="butt")
    axes.plot(position, middle, marker="o", markersize=6, color="white", markeredgecolor=INK)
    axes.set_axisbelow(True)


def _label_groups(axes: Axes, centres: list[str], heading: str) -> None:
    axes.set_xlim(-0.6, len(centres) - 0.4)
    axes.set_xticks(range(len(centres)))
    # cut in the middle: names of centres often differ only at one end
    names = [c if len(c) <= _LONGEST_NAME else f"{c[:5]}…{c[6 - _LONGEST_NAME :]}" for c in centres]
    crowded = sum(len(name) for name in names) > _LETTERS_IN_A_ROW
    if crowded:
        axes.set_xticklabels(names, rotation=40, ha="right", rotation_mode="anchor", fontsize=9)
    else:
        axes.set_xticklabels(names, fontsize=10)
    axes.set_title(heading, fontsize=11, color=INK, loc="left")
    axes.grid(axis="y", color="#DDDDDD", linewidth=0.8)
    quiet_axes(axes)
