"""Maximum intensity projections."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from schemas.volume import ImageVolume
from tasks.pictures.canvas import (
    INK,
    OUTLINE_COLOUR,
    axes_at,
    draw_colour_bar,
    new_figure,
    png_bytes,
)
from tasks.pictures.orientation import PatientArray, seen_columns, to_patient
from tasks.pictures.views import draw_letters, draw_outline, draw_scale_bar, hide_frame
from tasks.pictures.window import upper_limit

_WIDTH_PX: Final = 760
_MOST_HEIGHT_PX: Final = 900
_LEAST_PANEL_PX: Final = 160
_TOP_PX, _BOTTOM_PX, _SIDE_PX, _GAP_PX, _BAR_PX = 34, 12, 14, 16, 92

#: Air around the patient is cut away where nothing reaches this fraction of the window.
_AIR: Final = 0.05
_AIR_MARGIN_MM: Final = 30.0


@dataclass(frozen=True, eq=False)
class _Panel:
    """One projection: rows to the head, columns to the right of the picture, mm per pixel."""

    view: str
    values: NDArray[np.float64]
    mask: NDArray[np.bool_] | None
    row_mm: float
    column_mm: float

    @property
    def size_mm(self) -> tuple[float, float]:
        """Width and height."""
        return self.values.shape[1] * self.column_mm, self.values.shape[0] * self.row_mm


def mip_png(
    volume: ImageVolume,
    mask: NDArray[Any] | None = None,
    *,
    title: str = "",
    vmax: float | None = None,
) -> bytes:
    """Draw coronal and sagittal maximum intensity projections, side by side and to scale.

    Head up; the patient's right is on the viewer's left, the front on the left of the sagittal
    view. Inverse grey from 0 to `vmax`, with a colour bar in the unit of the volume, a scale bar
    and the outline of the projected regions.

    Parameters
    ----------
    volume : ImageVolume
        (z, y, x), in any orientation.
    mask : ndarray, (z, y, x), bool or labels, optional
        Regions, on the grid of the volume; all that is not 0 is outlined.
    title : str
        Without anything that identifies a person.
    vmax : float, optional
        Darkest value; 7 for SUV, otherwise a high percentile of the projection.

    Returns
    -------
    bytes
        PNG, 760 pixels wide.
    """
    turned = to_patient(volume.values, volume.geometry)
    regions = None if mask is None else to_patient(mask > 0, volume.geometry)
    coronal = _panel("coronal", turned, regions, projected=1)
    sagittal = _panel("sagittal", turned, regions, projected=2)
    highest = vmax if vmax is not None else upper_limit(coronal.values, volume.value_unit)
    panels = [_without_air(p, _AIR * highest) for p in (coronal, sagittal)]
    return _draw(panels, highest, volume.value_unit, title)


def _panel(view: str, turned: PatientArray, regions: PatientArray | None, projected: int) -> _Panel:
    finite = np.where(np.isfinite(turned.values), turned.values, -np.inf).max(axis=projected)
    mask = None if regions is None else np.asarray(regions.values.any(axis=projected))
    column_mm = turned.spacing_mm[3 - projected]
    values = np.where(np.isfinite(finite), finite, 0.0).astype(np.float64)
    return _Panel(view, values, mask, turned.spacing_mm[0], column_mm)


def _without_air(panel: _Panel, limit: float) -> _Panel:
    """Cut off columns at both sides where nothing is seen."""
    seen = panel.values > limit
    if panel.mask is not None:
        seen |= panel.mask
    keep = seen_columns(seen, round(_AIR_MARGIN_MM / panel.column_mm))
    mask = None if panel.mask is None else panel.mask[:, keep]
    return _Panel(panel.view, panel.values[:, keep], mask, panel.row_mm, panel.column_mm)


def _draw(panels: list[_Panel], highest: float, value_unit: str, title: str) -> bytes:
    width_mm = sum(p.size_mm[0] for p in panels)
    height_mm = max(p.size_mm[1] for p in panels)
    room = _WIDTH_PX - 2 * _SIDE_PX - _GAP_PX - _BAR_PX
    scale = min(room / width_mm, (_MOST_HEIGHT_PX - _TOP_PX - _BOTTOM_PX) / height_mm)
    panel_height = max(scale * height_mm, _LEAST_PANEL_PX)
    figure = new_figure(_WIDTH_PX, panel_height + _TOP_PX + _BOTTOM_PX)
    left = _SIDE_PX + (room - scale * width_mm) / 2
    for panel in panels:
        width, height = (scale * mm for mm in panel.size_mm)
        bottom = _BOTTOM_PX + (panel_height - height) / 2
        _draw_panel(axes_at(figure, left, bottom, width, height), panel, highest)
        left += width + _GAP_PX
    bar_height = min(panel_height * 0.8, 320.0)
    bar_bottom = _BOTTOM_PX + (panel_height - bar_height) / 2
    bar = axes_at(figure, left + 4, bar_bottom, 14, bar_height)
    draw_colour_bar(bar, "gray_r", highest, value_unit)
    figure.text(0.5, 1 - 8 / (panel_height + _TOP_PX + _BOTTOM_PX), title,
                ha="center", va="top", fontsize=12, color=INK)  # fmt: skip
    return png_bytes(figure)


def _draw_panel(axes: Axes, panel: _Panel, highest: float) -> None:
    width, height = panel.size_mm
    extent = (0.0, width, 0.0, height)
    axes.imshow(
        panel.values, cmap="gray_r", vmin=0.0, vmax=highest, origin="lower", extent=extent,
        aspect="equal", interpolation="bilinear",
    )  # fmt: skip
    if panel.mask is not None and panel.mask.any():
        draw_outline(axes, panel.mask, extent, OUTLINE_COLOUR)
    hide_frame(axes)
    draw_letters(axes, panel.view)
    if panel.view == "coronal":
        draw_scale_bar(axes, 100.0 if width > 250 else 20.0)
    axes.set_xlim(0.0, width)
    axes.set_ylim(0.0, height)
