"""Planes of a volume side by side, to one scale: plain, or an emission image fused with a CT."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from schemas.geometry import FloatArray
from tasks.pictures.canvas import (
    FAINT,
    INK,
    OUTLINE_COLOUR,
    OUTLINE_COLOUR_ON_DARK,
    axes_at,
    draw_colour_bar,
    new_figure,
    png_bytes,
)
from tasks.pictures.planes import Cut
from tasks.pictures.views import draw_letters, draw_outline, draw_scale_bar, hide_frame

_TOP_PX, _LINE_PX, _BOTTOM_PX, _SIDE_PX, _GAP_PX, _BAR_PX = 32, 18, 26, 8, 6, 88
_LEAST_PANEL_PX: Final = 120
#: Length of the marks that show where the other planes lie.
_MARK_PX: Final = 11


@dataclass(frozen=True, eq=False)
class Panel:
    """One plane, in its colours.

    Parameters
    ----------
    cut : Cut
        Where it lies.
    pixels : ndarray, (rows, columns, 3), uint8
        Colours.
    outlined : tuple of ndarray, (rows, columns), bool
        Regions that are cut.
    caption : str
        Written below it.
    """

    cut: Cut
    pixels: NDArray[np.uint8]
    outlined: tuple[NDArray[np.bool_], ...] = ()
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Legend:
    """What the colours mean.

    Parameters
    ----------
    palette, value_unit : str
        Of the colour bar.
    window : tuple of float
        Lowest and highest value shown.
    is_dark : bool
        Whether the background of the planes is black.
    """

    palette: str
    window: tuple[float, float]
    value_unit: str
    is_dark: bool


def pixel_mm_for(
    sizes_mm: Sequence[tuple[float, float]], width_px: int, most_height_px: int
) -> float:
    """Edge of a pixel at which planes of these sizes (width, height) fill a picture side by side.

    Examples
    --------
    >>> pixel_mm_for([(500.0, 500.0), (500.0, 1000.0)], 1110, 2000)
    1.0
    """
    room = width_px - 2 * _SIDE_PX - _GAP_PX * (len(sizes_mm) - 1) - _BAR_PX
    across = sum(width for width, _ in sizes_mm) / room
    return max(across, max(height for _, height in sizes_mm) / most_height_px)


def triptych_png(
    panels: Sequence[Panel],
    legend: Legend,
    centre: FloatArray,
    *,
    title: str = "",
    subtitle: str = "",
) -> bytes:
    """Draw planes side by side; one pixel of a plane is one pixel of the picture.

    With the letters of the patient's directions, marks where the other planes lie, a scale bar,
    the outlines of regions and a colour bar.

    Parameters
    ----------
    panels : sequence of Panel
        With pixels of one size.
    legend : Legend
        Of the colour bar.
    centre : ndarray, (3,), float64
        LPS mm of the point in which the planes meet.
    title, subtitle : str
        Without anything that identifies a person.

    Returns
    -------
    bytes
        PNG.
    """
    inner = max(_LEAST_PANEL_PX, *(panel.cut.rows for panel in panels))
    width = sum(p.cut.columns + _GAP_PX for p in panels) - _GAP_PX + 2 * _SIDE_PX + _BAR_PX
    top = _TOP_PX + (_LINE_PX if subtitle else 0)
    height = inner + top + _BOTTOM_PX
    figure = new_figure(width, height)
    left = _SIDE_PX
    for panel in panels:
        bottom = _BOTTOM_PX + (inner - panel.cut.rows) // 2
        axes = axes_at(figure, left, bottom, panel.cut.columns, panel.cut.rows)
        _draw_panel(axes, panel, legend, centre, with_scale=panel is panels[0])
        figure.text((left + panel.cut.columns / 2) / width, (bottom - 5) / height, panel.caption,
                    ha="center", va="top", fontsize=9, color=FAINT)  # fmt: skip
        left += panel.cut.columns + _GAP_PX
    bar_height = min(inner - 16, 320)
    bar = axes_at(figure, left + 6, _BOTTOM_PX + (inner - bar_height) / 2, 14, bar_height)
    draw_colour_bar(bar, legend.palette, legend.window, legend.value_unit)
    figure.text(0.5, 1 - 8 / height, title, ha="center", va="top", fontsize=12, color=INK)
    figure.text(0.5, 1 - 28 / height, subtitle, ha="center", va="top", fontsize=9, color=FAINT)
    return png_bytes(figure)


def _draw_panel(
    axes: Axes, panel: Panel, legend: Legend, centre: FloatArray, *, with_scale: bool
) -> None:
    cut = panel.cut
    width_mm, height_mm = cut.columns * cut.pixel_mm, cut.rows * cut.pixel_mm
    ink, halo = ("white", "black") if legend.is_dark else (INK, "white")
    axes.imshow(panel.pixels, extent=(0.0, width_mm, 0.0, height_mm), aspect="auto",
                interpolation="nearest")  # fmt: skip
    for region in panel.outlined:
        colour = OUTLINE_COLOUR_ON_DARK if legend.is_dark else OUTLINE_COLOUR
        draw_outline(axes, region, (0.0, width_mm, height_mm, 0.0), colour)
    hide_frame(axes)
    axes.set_xlim(0.0, width_mm)
    axes.set_ylim(0.0, height_mm)
    _mark_planes(axes, cut, centre, ink, halo)
    inset = (_MARK_PX + 3) / cut.columns, (_MARK_PX + 3) / cut.rows
    draw_letters(axes, cut.view.letters, ink, halo, inset=inset)
    if with_scale:
        draw_scale_bar(axes, _scale_mm(width_mm), ink, halo)


def _scale_mm(width_mm: float) -> float:
    """Length of the scale bar: about a fifth of the picture."""
    return next((mm for mm in (100.0, 50.0, 20.0, 10.0, 5.0, 2.0) if mm <= width_mm / 4), 1.0)


def _mark_planes(axes: Axes, cut: Cut, centre: FloatArray, ink: str, halo: str) -> None:
    """Short lines at the edges where the other two planes cross this one."""
    row, column = cut.place(centre)
    x, y = column / cut.columns, 1.0 - row / cut.rows
    wide, high = _MARK_PX / cut.columns, _MARK_PX / cut.rows
    marks = (
        ((x, x), (0.0, high)), ((x, x), (1.0 - high, 1.0)),
        ((0.0, wide), (y, y)), ((1.0 - wide, 1.0), (y, y)),
    )  # fmt: skip
    for across, along in marks:
        axes.plot(across, along, transform=axes.transAxes, color=ink, linewidth=0.9,
                  path_effects=[withStroke(linewidth=2.2, foreground=halo)])  # fmt: skip
