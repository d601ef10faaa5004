"""Counts as bars."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tasks.pictures.canvas import INK, PALETTE, axes_at, new_figure, png_bytes, quiet_axes

_WIDTH_PX: Final = 640
_ROW_PX: Final = 34
_LEFT_PX, _RIGHT_PX, _TOP_PX, _BOTTOM_PX = 150, 70, 40, 14

#: Outcomes keep their colour wherever they are shown.
_COLOURS: Final = {
    "ingested": PALETTE[0],
    "duplicate": PALETTE[4],
    "quarantined": PALETTE[5],
    "ignored": "#999999",
}


def bar_png(counts: Mapping[str, int], *, title: str) -> bytes:
    """Draw one horizontal bar per name with its number, in the order given.

    Parameters
    ----------
    counts : mapping of str to int
        Zero is shown as a number without a bar.
    title : str
        What is counted.

    Returns
    -------
    bytes
        PNG, 640 pixels wide.
    """
    n = max(len(counts), 1)
    figure = new_figure(_WIDTH_PX, n * _ROW_PX + _TOP_PX + _BOTTOM_PX)
    axes = axes_at(figure, _LEFT_PX, _BOTTOM_PX, _WIDTH_PX - _LEFT_PX - _RIGHT_PX, n * _ROW_PX)
    names, values = list(counts), list(counts.values())
    colours = [_COLOURS.get(name, PALETTE[0]) for name in names]
    axes.barh(range(len(names)), values, color=colours, height=0.62)
    for row, value in enumerate(values):
        axes.annotate(f"{value:,}", (value, row), xytext=(6, 0), textcoords="offset points",
                      va="center", fontsize=11, color=INK)  # fmt: skip
    axes.set_yticks(range(len(names)), names, fontsize=11)
    axes.set_ylim(n - 0.5, -0.5)
    axes.set_xlim(0, max([*values, 1]))
    axes.set_xticks([])
    quiet_axes(axes)
    axes.spines["bottom"].set_visible(False)
    axes.tick_params(axis="y", length=0, labelsize=11)
    figure.text(0.02, 1 - 10 / (n * _ROW_PX + _TOP_PX + _BOTTOM_PX), title,
                ha="left", va="top", fontsize=12, color=INK)  # fmt: skip
    return png_bytes(figure)
