"""Pictures of phantom quality control: spheres found, recovery curve in its band, uniformity."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Circle, Ellipse
from scipy import ndimage

from schemas.geometry import FloatArray
from schemas.phantoms import SUV_MAX, SUV_MEAN_A50, SUV_PEAK_AT_MAX, SUV_PEAK_HIGHEST
from schemas.volume import ImageVolume
from tasks.phantom.limits import Limit, Verdict
from tasks.phantom.model import Cylinder, IqPhantom
from tasks.pictures.canvas import (
    FAINT,
    INK,
    OUTLINE_COLOUR,
    PALETTE,
    axes_at,
    draw_colour_bar,
    new_figure,
    png_bytes,
    quiet_axes,
)
from tasks.pictures.palettes import colour_map

_STATE_COLOURS: Final = {"hot": OUTLINE_COLOUR, "missing": "#0072B2", "cold": "#0072B2"}
_STANDARD_COLOURS: Final = (PALETTE[2], PALETTE[4], PALETTE[3])
_TITLES: Final = {
    SUV_MEAN_A50: "SUVmean (A50)",
    SUV_MAX: "SUVmax",
    SUV_PEAK_HIGHEST: "SUVpeak, 1 ml (limits not known)",
}
_LABELS: Final = {
    SUV_PEAK_HIGHEST: "highest in the sphere",
    SUV_PEAK_AT_MAX: "around the maximum",
}
_FIELD_MM: Final = 300.0
_DEPTH_MM: Final = 170.0
_STEP_MM: Final = 1.0


def spheres_png(image: ImageVolume, phantom: IqPhantom, *, title: str = "") -> bytes:
    """Draw the spheres where they were found, in three planes through the largest one.

    Parameters
    ----------
    image, phantom
        As found; see `tasks.phantom.find_spheres`.

    Returns
    -------
    bytes
        PNG, 1030 pixels wide.
    """
    highest = float(np.nanpercentile(image.values[_box(image, phantom)], 99.8))
    figure = new_figure(1030, 385)
    tall = 300.0 * _DEPTH_MM / _FIELD_MM
    views = ((0, 8.0, 300.0), (1, 316.0, tall), (2, 624.0, tall))
    for axis, left, height in views:
        axes = axes_at(figure, left, 330.0 - height, 300.0, height)
        _draw_plane(axes, image, phantom, axis, highest)
    figure.text(0.31, 0.35, _legend(phantom), fontsize=10, color=INK, va="top", linespacing=1.5)
    bar = axes_at(figure, 944.0, 60.0, 14.0, 250.0)
    draw_colour_bar(bar, "inverse_grey", (0.0, highest), image.value_unit)
    figure.text(0.01, 0.975, title, ha="left", va="top", fontsize=12, color=INK)
    return png_bytes(figure)


def _box(image: ImageVolume, phantom: IqPhantom) -> tuple[slice, ...]:
    spacing = np.asarray(image.geometry.spacing)
    low = np.maximum(np.floor((phantom.centres_mm.min(axis=0) - 20.0) / spacing), 0).astype(int)
    high = np.ceil((phantom.centres_mm.max(axis=0) + 20.0) / spacing).astype(int)
    return tuple(slice(int(a), int(b) + 1) for a, b in zip(low, high, strict=True))


def _legend(phantom: IqPhantom) -> str:
    off = f"centres within {phantom.deviation_mm:.1f} mm (rms) of a circle of 114.4 mm"
    states = ", ".join(
        f"{d:g} mm {s}" for d, s in zip(phantom.diameters_mm, phantom.states, strict=True)
        if s != "hot"
    )  # fmt: skip
    what = f"not hot (dashed): {states}" if states else "all six spheres are hot"
    return f"{off}\n{what}\nbackground COV {100 * phantom.background_cov:.1f} %"


def _draw_plane(
    axes: Axes, image: ImageVolume, phantom: IqPhantom, across: int, highest: float
) -> None:
    """Draw the plane across an array axis, through the largest sphere (0: the circle's centre)."""
    rows, columns = [(1, 2), (0, 2), (0, 1)][across]
    middle = phantom.circle_centre_mm
    through = middle if across == 0 else phantom.centres_mm[0]
    height = _FIELD_MM if across == 0 else _DEPTH_MM
    r = np.arange(-height / 2, height / 2, _STEP_MM)
    c = np.arange(-_FIELD_MM / 2, _FIELD_MM / 2, _STEP_MM)
    points = np.empty((3, r.size, c.size))
    points[across] = through[across]
    points[rows] = (middle[rows] + r)[:, None]
    points[columns] = (middle[columns] + c)[None, :]
    index = points / np.asarray(image.geometry.spacing)[:, None, None]
    values = ndimage.map_coordinates(np.nan_to_num(image.values), index, order=1, mode="constant")
    half = (_FIELD_MM / 2, height / 2)
    axes.imshow(
        values,
        cmap=colour_map("inverse_grey"),
        vmin=0.0,
        vmax=highest,
        extent=(-half[0], half[0], half[1], -half[1]),
    )
    for number, (centre, diameter) in enumerate(
        zip(phantom.centres_mm, phantom.diameters_mm, strict=True)
    ):
        off = abs(float(centre[across] - through[across]))
        if off >= diameter / 2.0:
            continue
        at = (float(centre[columns] - middle[columns]), float(centre[rows] - middle[rows]))
        _draw_circle(axes, at, math.sqrt(diameter**2 / 4.0 - off**2), phantom.states[number])
        if across == 0:
            out = 1.0 + (diameter / 2.0 + 10.0) / math.hypot(*at)
            axes.text(
                at[0] * out,
                at[1] * out,
                f"{diameter:g}",
                ha="center",
                va="center",
                fontsize=9,
                color=INK,
            )
    axes.set_xlim(-half[0], half[0])
    # across: rows downwards, as stored; along: the last slice on top, usually the head
    axes.set_ylim(*((half[1], -half[1]) if across == 0 else (-half[1], half[1])))
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color("#CCCCCC")
    name = ("slice", "rows of slices, through 37 mm", "columns of slices, through 37 mm")[across]
    axes.set_xlabel(name, fontsize=9, color=FAINT)


def _draw_circle(axes: Axes, at: tuple[float, float], radius: float, state: str) -> None:
    style = "-" if state == "hot" else "--"
    axes.add_patch(
        Circle(at, radius, fill=False, linewidth=1.3, color=_STATE_COLOURS[state], linestyle=style)
    )


def recovery_png(
    verdicts: Mapping[str, Sequence[Verdict]],
    limits: Sequence[Limit],
    *,
    title: str = "",
    basis: str = "",
) -> bytes:
    """Draw recovery coefficients by sphere in the bands of the standards.

    Bands whose limits were not read in their source are hatched and labelled as unverified.

    Parameters
    ----------
    verdicts : mapping of str to sequence of Verdict
        By standard; see `tasks.phantom.judge`.
    limits : sequence of Limit
        Where the bands come from.
    basis : str
        What the coefficients are relative to, for the axis.

    Returns
    -------
    bytes
        PNG, 1100 pixels wide.
    """
    figure = new_figure(1100, 420)
    measured = _by_metric(verdicts)
    for column, metrics in enumerate(
        ((SUV_MEAN_A50,), (SUV_MAX,), (SUV_PEAK_HIGHEST, SUV_PEAK_AT_MAX))
    ):
        axes = axes_at(figure, 62.0 + 350.0 * column, 78.0, 300.0, 285.0)
        for number, standard in enumerate(verdicts):
            _draw_band(axes, limits, standard, metrics[0], _STANDARD_COLOURS[number % 3])
        for number, metric in enumerate(metrics):
            _draw_values(
                axes, measured.get(metric, {}), _LABELS.get(metric, "measured"), faint=number > 0
            )
        _label_recovery(axes, metrics[0], first=column == 0)
    figure.text(0.01, 0.985, title, ha="left", va="top", fontsize=12, color=INK)
    figure.text(0.01, 0.02, basis, ha="left", va="bottom", fontsize=9, color=FAINT)
    return png_bytes(figure)


def _by_metric(verdicts: Mapping[str, Sequence[Verdict]]) -> dict[str, dict[float, float]]:
    """Value of each sphere by metric; it is the same for every standard."""
    found: dict[str, dict[float, float]] = {}
    for v in (v for held in verdicts.values() for v in held):
        if v.value is not None:
            found.setdefault(v.metric, {})[v.sphere_mm] = v.value
    return found


def _draw_band(
    axes: Axes, limits: Sequence[Limit], standard: str, metric: str, colour: str
) -> None:
    band = sorted(
        (limit.sphere_mm, limit.low, limit.high, limit.is_verified)
        for limit in limits
        if limit.standard == standard and limit.metric == metric
        and limit.sphere_mm is not None and limit.low is not None and limit.high is not None
    )  # fmt: skip
    if not band:
        return
    x, low, high = ([row[i] for row in band] for i in range(3))
    is_verified = all(row[3] for row in band)
    axes.fill_between(
        x, low, high, label=standard if is_verified else f"{standard} (unverified)",
        facecolor=(colour, 0.28 if is_verified else 0.06), edgecolor=(colour, 0.75),
        hatch=None if is_verified else "////", linewidth=0.8,
    )  # fmt: skip


def _draw_values(axes: Axes, values: Mapping[float, float], label: str, *, faint: bool) -> None:
    if not values:
        return
    spheres = sorted(values)
    y = [values[d] for d in spheres]
    axes.plot(
        spheres, y, "o--" if faint else "o-", color=FAINT if faint else INK, markersize=5,
        linewidth=1.2, label=label, markerfacecolor="white" if faint else INK, zorder=3,
    )  # fmt: skip


def _label_recovery(axes: Axes, metric: str, *, first: bool) -> None:
    axes.axhline(1.0, color=FAINT, linewidth=0.7, linestyle=":")
    axes.set_xticks([10, 13, 17, 22, 28, 37])
    axes.set_xlim(8.5, 38.5)
    axes.set_ylim(0.0, max(1.45, axes.get_ylim()[1]))
    axes.set_xlabel("inner diameter (mm)", fontsize=10, color=INK)
    if first:
        axes.set_ylabel("recovery coefficient", fontsize=10, color=INK)
    axes.set_title(_TITLES[metric], fontsize=11, loc="left")
    handles, _ = axes.get_legend_handles_labels()
    if handles:
        axes.legend(fontsize=8, loc="lower right", frameon=False)
    axes.grid(axis="y", color="#E5E5E5", linewidth=0.7)
    axes.set_axisbelow(True)
    quiet_axes(axes)


def uniformity_png(image: ImageVolume, cylinder: Cylinder, *, title: str = "") -> bytes:
    """Draw the middle slice of a cylinder and its profiles along and away from the axis.

    Returns
    -------
    bytes
        PNG, 1100 pixels wide.
    """
    figure = new_figure(1100, 340)
    _draw_cylinder(axes_at(figure, 10.0, 30.0, 260.0, 260.0), image, cylinder)
    along = axes_at(figure, 350.0, 60.0, 330.0, 225.0)
    centre = float(cylinder.centre_mm[0])
    _draw_profile(along, cylinder.slice_positions_mm - centre, cylinder.slice_means, cylinder.mean)
    along.set_xlabel("along the axis (mm)", fontsize=10, color=INK)
    along.set_ylabel("mean over mean of all (%)", fontsize=10, color=INK)
    along.set_title(
        f"slices: within {100 * cylinder.axial_deviation:.1f} %", fontsize=11, loc="left"
    )
    across = axes_at(figure, 750.0, 60.0, 330.0, 225.0)
    _draw_profile(across, cylinder.ring_radii_mm, cylinder.ring_means, cylinder.mean)
    across.set_xlabel("from the axis (mm)", fontsize=10, color=INK)
    across.set_title(
        f"rings: within {100 * cylinder.radial_deviation:.1f} %", fontsize=11, loc="left"
    )
    figure.text(0.01, 0.98, title, ha="left", va="top", fontsize=12, color=INK)
    return png_bytes(figure)


def _draw_cylinder(axes: Axes, image: ImageVolume, cylinder: Cylinder) -> None:
    sz, sy, sx = image.geometry.spacing
    k = min(max(round(float(cylinder.centre_mm[0]) / sz), 0), image.values.shape[0] - 1)
    plane = np.nan_to_num(image.values[k])
    ny, nx = plane.shape
    extent = (-sx / 2, (nx - 0.5) * sx, (ny - 0.5) * sy, -sy / 2)
    axes.imshow(
        plane, cmap=colour_map("inverse_grey"), vmin=0.0, vmax=1.4 * cylinder.mean, extent=extent
    )
    y, x = float(cylinder.centre_mm[1]), float(cylinder.centre_mm[2])
    inner = cylinder.diameter_mm - 30.0
    axes.add_patch(Ellipse((x, y), inner, inner, fill=False, color=OUTLINE_COLOUR, linewidth=1.3))
    reach = 0.62 * cylinder.diameter_mm
    axes.set_xlim(x - reach, x + reach)
    axes.set_ylim(y + reach, y - reach)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_xlabel(
        f"middle slice; COV {100 * cylinder.cov:.1f} % inside the line", fontsize=9, color=FAINT
    )


def _draw_profile(axes: Axes, at: FloatArray, means: FloatArray, mean: float) -> None:
    percent = 100.0 * means / mean
    axes.axhline(100.0, color=FAINT, linewidth=0.7, linestyle=":")
    axes.plot(at, percent, "o-", color=INK, markersize=3.5, linewidth=1.1)
    reach = max(5.0, 1.3 * float(np.abs(percent - 100.0).max()))
    axes.set_ylim(100.0 - reach, 100.0 + reach)
    axes.grid(axis="y", color="#E5E5E5", linewidth=0.7)
    axes.set_axisbelow(True)
    quiet_axes(axes)
