"""Maximum intensity projections, coronal and sagittal, side by side and to scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from schemas.geometry import FloatArray, Geometry
from schemas.volume import ImageVolume, MaskVolume
from tasks.pictures.canvas import (
    FAINT,
    INK,
    OUTLINE_COLOUR,
    axes_at,
    draw_colour_bar,
    new_figure,
    png_bytes,
)
from tasks.pictures.orientation import PatientArray, patient_axes, seen_columns, to_patient
from tasks.pictures.palettes import colour_map
from tasks.pictures.planes import View, views_of
from tasks.pictures.projections import Flat, projected_masks, projections
from tasks.pictures.views import draw_letters, draw_outline, draw_scale_bar, hide_frame
from tasks.pictures.window import upper_limit

_WIDTH_PX: Final = 760
_MOST_HEIGHT_PX: Final = 900
_LEAST_PANEL_PX: Final = 160
_TOP_PX, _LINE_PX, _BOTTOM_PX, _SIDE_PX, _GAP_PX, _BAR_PX = 34, 18, 12, 14, 16, 92

#: Air around the patient is cut away where nothing reaches this fraction of the window.
_AIR: Final = 0.05
_AIR_MARGIN_MM: Final = 30.0


@dataclass(frozen=True, eq=False)
class _Panel:
    """One projection: rows to the head, columns to the right of the picture, mm per pixel."""

    view: View
    values: FloatArray
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
    """Draw the projections of a volume in memory; see `projections_png`.

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
    flat = projections([volume.values])
    shadows = None
    if mask is not None:
        whole = MaskVolume((mask > 0).astype(np.uint8), volume.geometry)
        shadows = projected_masks([whole], volume.geometry)
    coronal = flat[patient_axes(volume.geometry)[1]]
    highest = vmax if vmax is not None else upper_limit(coronal, volume.value_unit)
    return projections_png(
        flat, volume.geometry, volume.value_unit, (0.0, highest), shadows=shadows, title=title
    )


def projections_png(
    flat: Flat,
    geometry: Geometry,
    value_unit: str,
    window: tuple[float, float],
    *,
    shadows: Flat | None = None,
    palette: str = "inverse_grey",
    title: str = "",
    subtitle: str = "",
) -> bytes:
    """Draw coronal and sagittal maximum intensity projections, side by side and to scale.

    Head up; the patient's right is on the viewer's left, the front on the left of the sagittal
    view. With a colour bar in the unit of the volume, a scale bar and the outline of the projected
    regions.

    Parameters
    ----------
    flat : tuple of ndarray
        From `tasks.pictures.projections.projections`.
    geometry : Geometry
        Of the whole volume.
    value_unit : str
        Of the values.
    window : tuple of float
        Lowest and highest value shown.
    shadows : tuple of ndarray, optional
        From `tasks.pictures.projections.projected_masks`: what is outlined.
    palette : str
        One of `tasks.pictures.palettes.PALETTES`; readers of PET expect inverse grey.
    title, subtitle : str
        Without anything that identifies a person.

    Returns
    -------
    bytes
        PNG, 760 pixels wide.
    """
    limit = window[0] + _AIR * (window[1] - window[0])
    panels = [
        _without_air(_panel(view, flat, shadows, geometry), limit)
        for view in views_of(geometry)
        if view.name != "axial"
    ]
    return _draw(panels, window, palette, value_unit, (title, subtitle))


def _panel(view: View, flat: Flat, shadows: Flat | None, geometry: Geometry) -> _Panel:
    projected = {"coronal": 1, "sagittal": 2}[view.name]
    stored_axis = patient_axes(geometry)[projected]

    def turned(pictures: Flat) -> PatientArray:
        return to_patient(pictures[stored_axis], geometry)

    shown = turned(flat)
    mask = None if shadows is None else turned(shadows).values.squeeze(projected)
    values = np.nan_to_num(shown.values.squeeze(projected)).astype(np.float64)
    return _Panel(view, values, mask, shown.spacing_mm[0], shown.spacing_mm[3 - projected])


def _without_air(panel: _Panel, limit: float) -> _Panel:
    """Cut off columns at both sides where nothing is seen."""
    seen = panel.values > limit
    if panel.mask is not None:
        seen |= panel.mask
    keep = seen_columns(seen, round(_AIR_MARGIN_MM / panel.column_mm))
    mask = None if panel.mask is None else panel.mask[:, keep]
    return _Panel(panel.view, panel.values[:, keep], mask, panel.row_mm, panel.column_mm)


def _draw(
    panels: list[_Panel],
    window: tuple[float, float],
    palette: str,
    value_unit: str,
    texts: tuple[str, str],
) -> bytes:
    width_mm = sum(p.size_mm[0] for p in panels)
    height_mm = max(p.size_mm[1] for p in panels)
    top = _TOP_PX + (_LINE_PX if texts[1] else 0)
    room = _WIDTH_PX - 2 * _SIDE_PX - _GAP_PX - _BAR_PX
    scale = min(room / width_mm, (_MOST_HEIGHT_PX - top - _BOTTOM_PX) / height_mm)
    panel_height = max(scale * height_mm, _LEAST_PANEL_PX)
    figure = new_figure(_WIDTH_PX, panel_height + top + _BOTTOM_PX)
    left = _SIDE_PX + (room - scale * width_mm) / 2
    for panel in panels:
        width, height = (scale * mm for mm in panel.size_mm)
        bottom = _BOTTOM_PX + (panel_height - height) / 2
        _draw_panel(axes_at(figure, left, bottom, width, height), panel, window, palette)
        left += width + _GAP_PX
    bar_height = min(panel_height * 0.8, 320.0)
    bar_bottom = _BOTTOM_PX + (panel_height - bar_height) / 2
    bar = axes_at(figure, left + 4, bar_bottom, 14, bar_height)
    draw_colour_bar(bar, palette, window, value_unit)
    total = panel_height + top + _BOTTOM_PX
    figure.text(0.5, 1 - 8 / total, texts[0], ha="center", va="top", fontsize=12, color=INK)
    figure.text(0.5, 1 - 28 / total, texts[1], ha="center", va="top", fontsize=9, color=FAINT)
    return png_bytes(figure)


def _draw_panel(axes: Axes, panel: _Panel, window: tuple[float, float], palette: str) -> None:
    width, height = panel.size_mm
    extent = (0.0, width, 0.0, height)
    axes.imshow(
        panel.values, cmap=colour_map(palette), vmin=window[0], vmax=window[1], origin="lower",
        extent=extent, aspect="equal", interpolation="bilinear",
    )  # fmt: skip
    if panel.mask is not None and panel.mask.any():
        draw_outline(axes, panel.mask, extent, OUTLINE_COLOUR)
    hide_frame(axes)
    draw_letters(axes, panel.view.letters)
    if panel.view.name == "coronal":
        draw_scale_bar(axes, 100.0 if width > 250 else 20.0)
    axes.set_xlim(0.0, width)
    axes.set_ylim(0.0, height)
