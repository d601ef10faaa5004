"""Three planes through a region, with its outline, on CT where there is one."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray
from scipy import ndimage

from schemas.geometry import FloatArray
from schemas.volume import ImageVolume
from tasks.pictures.canvas import (
    INK,
    OUTLINE_COLOUR,
    OUTLINE_COLOUR_ON_DARK,
    axes_at,
    draw_colour_bar,
    new_figure,
    png_bytes,
)
from tasks.pictures.views import draw_letters, draw_outline, draw_scale_bar, hide_frame
from tasks.pictures.window import upper_limit

_PANEL_PX: Final = 262
_TOP_PX, _BOTTOM_PX, _SIDE_PX, _GAP_PX, _BAR_PX = 34, 12, 8, 6, 84
_STEP_MM: Final = 1.0

#: Soft tissue window, HU.
_CT_WINDOW: Final = (-160.0, 240.0)

#: Columns and rows of each view as LPS axes, with the sign that "up" has.
_VIEWS: Final = {"axial": (0, 1, -1.0), "coronal": (0, 2, 1.0), "sagittal": (1, 2, 1.0)}


def slices_png(
    volume: ImageVolume,
    mask: NDArray[Any] | None = None,
    ct: ImageVolume | None = None,
    *,
    title: str = "",
    vmax: float | None = None,
    field_mm: float = 240.0,
) -> bytes:
    """Draw axial, coronal and sagittal planes through a region, to scale.

    The planes meet in the centroid of the region, or in the highest voxel where no region is
    given. PET alone is shown in inverse grey, on CT in warm colours that fade in with uptake.

    Parameters
    ----------
    volume : ImageVolume
        (z, y, x), in any orientation.
    mask : ndarray, (z, y, x), bool or labels, optional
        Regions, on the grid of the volume.
    ct : ImageVolume, optional
        In HU, on any grid in the same frame of reference.
    title : str
        Without anything that identifies a person.
    vmax : float, optional
        Highest value shown.
    field_mm : float
        Width and height of each plane.

    Returns
    -------
    bytes
        PNG, 898 pixels wide.
    """
    inside = None if mask is None else np.asarray(mask > 0, dtype=np.bool_)
    centre = _centre(volume, inside)
    highest = vmax if vmax is not None else upper_limit(volume.values, volume.value_unit)
    width = 3 * _PANEL_PX + 2 * _SIDE_PX + 2 * _GAP_PX + _BAR_PX
    figure = new_figure(width, _PANEL_PX + _TOP_PX + _BOTTOM_PX)
    left = float(_SIDE_PX)
    for view in _VIEWS:
        axes = axes_at(figure, left, _BOTTOM_PX, _PANEL_PX, _PANEL_PX)
        points = _plane(view, centre, field_mm)
        regions = None if inside is None else _sample_mask(volume, inside, points)
        background = None if ct is None else _sample(ct, points, fill=-1024.0)
        pet = _sample(volume, points, fill=np.nan if ct is None else 0.0)
        _draw_view(axes, view, field_mm, pet=pet, ct=background, regions=regions, highest=highest)
        left += _PANEL_PX + _GAP_PX
    bar = axes_at(figure, left + 4, _BOTTOM_PX + 20, 14, _PANEL_PX - 40)
    draw_colour_bar(bar, "gray_r" if ct is None else "inferno", highest, volume.value_unit)
    figure.text(0.5, 0.975, title, ha="center", va="top", fontsize=12, color=INK)
    return png_bytes(figure)


def _centre(volume: ImageVolume, mask: NDArray[np.bool_] | None) -> FloatArray:
    """LPS mm of the centroid of the region, or of the highest voxel."""
    if mask is not None and mask.any():
        zyx = np.argwhere(mask).mean(axis=0)
    else:
        finite = np.where(np.isfinite(volume.values), volume.values, -np.inf)
        zyx = np.array(np.unravel_index(int(np.argmax(finite)), finite.shape), dtype=np.float64)
    return volume.geometry.to_lps(zyx[::-1])


def _plane(view: str, centre: FloatArray, field_mm: float) -> FloatArray:
    """LPS mm of the pixels of a plane, (rows, columns, 3); row 0 is the top of the picture."""
    column_axis, row_axis, up = _VIEWS[view]
    n = max(round(field_mm / _STEP_MM), 2)
    offsets = (np.arange(n) + 0.5) / n * field_mm - field_mm / 2
    points = np.tile(centre, (n, n, 1))
    points[..., column_axis] += offsets[None, :]
    points[..., row_axis] -= up * offsets[:, None]
    return points


def _sample(volume: ImageVolume, points: FloatArray, fill: float) -> FloatArray:
    index = volume.geometry.to_index(points)[..., ::-1]
    values: FloatArray = ndimage.map_coordinates(
        np.nan_to_num(volume.values).astype(np.float64), np.moveaxis(index, -1, 0),
        order=1, mode="constant", cval=fill,
    )  # fmt: skip
    return values


def _sample_mask(
    volume: ImageVolume, mask: NDArray[np.bool_], points: FloatArray
) -> NDArray[np.bool_]:
    index = np.rint(volume.geometry.to_index(points)[..., ::-1]).astype(np.int64)
    inside = ((index >= 0) & (index < np.array(mask.shape))).all(axis=-1)
    z, y, x = np.moveaxis(np.where(np.expand_dims(inside, -1), index, 0), -1, 0)
    return np.asarray(mask[z, y, x] & inside)


def _draw_view(
    axes: Axes,
    view: str,
    field_mm: float,
    *,
    pet: FloatArray,
    ct: FloatArray | None,
    regions: NDArray[np.bool_] | None,
    highest: float,
) -> None:
    extent = (0.0, field_mm, 0.0, field_mm)
    ink, outline = (INK, OUTLINE_COLOUR) if ct is None else ("white", OUTLINE_COLOUR_ON_DARK)
    if ct is None:
        axes.imshow(pet, cmap="gray_r", vmin=0.0, vmax=highest, extent=extent)
    else:
        axes.imshow(ct, cmap="gray", vmin=_CT_WINDOW[0], vmax=_CT_WINDOW[1], extent=extent)
        opacity = np.clip(pet / highest, 0.0, 1.0) ** 0.5 * 0.85
        axes.imshow(pet, cmap="inferno", vmin=0.0, vmax=highest, alpha=opacity, extent=extent)
    if regions is not None and regions.any():
        draw_outline(axes, regions, (0.0, field_mm, field_mm, 0.0), outline)
    hide_frame(axes)
    draw_letters(axes, view, ink, halo="white" if ct is None else "black")
    if view == "axial":
        draw_scale_bar(axes, 50.0 if field_mm >= 150 else 10.0, ink)
    axes.set_xlim(0.0, field_mm)
    axes.set_ylim(0.0, field_mm)
