"""How much tissue has which uptake: the histogram of a body, with regions and references in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from schemas.geometry import FloatArray
from tasks.pictures.canvas import (
    FAINT,
    INK,
    PALETTE,
    axes_at,
    new_figure,
    png_bytes,
    quantity_label,
    quiet_axes,
)

_WIDTH_PX, _HEIGHT_PX = 760, 420
_LEFT_PX, _RIGHT_PX, _TOP_PX, _BOTTOM_PX = 84, 18, 58, 58
_BINS: Final = 140
_REFERENCE_COLOURS: Final = (PALETTE[2], PALETTE[3])
_BODY_COLOUR: Final = "#9AA5B5"
_REGION_COLOUR: Final = PALETTE[5]


@dataclass(frozen=True, eq=False)
class Histogram:
    """Volume by value.

    Parameters
    ----------
    edges : ndarray, (n + 1,), float64
        Of the bins, ascending.
    volume_ml : ndarray, (n,), float64
        In each bin ``edges[i] <= v < edges[i + 1]``.
    beyond_ml : float
        At and above the last edge.
    """

    edges: FloatArray
    volume_ml: FloatArray
    beyond_ml: float

    @property
    def total_ml(self) -> float:
        """All that was counted."""
        return float(self.volume_ml.sum()) + self.beyond_ml


@dataclass(frozen=True, eq=False)
class Reference:
    """Uptake of a healthy tissue that readers compare with.

    Parameters
    ----------
    name : str
        ``liver`` or ``blood pool``.
    mean, standard_deviation : float
        Of the voxels of its region, in the unit of the volume.
    volume_ml : float
        Of the region.
    """

    name: str
    mean: float
    standard_deviation: float
    volume_ml: float


def histogram(
    slabs: Iterable[NDArray[Any]], edges: FloatArray, voxel_volume_ml: float, body_from: float
) -> Histogram:
    """Count the volume by value, over everything at and above a limit that separates body from air.

    Parameters
    ----------
    slabs : iterable of ndarray
        The values in pieces.
    edges : ndarray, (n + 1,), float64
        Of the bins, ascending.
    voxel_volume_ml : float
        Volume of a voxel.
    body_from : float
        Lowest value that counts.

    Examples
    --------
    >>> values = np.array([0.01, 0.2, 0.2, 1.5, 9.0])
    >>> found = histogram([values], np.array([0.0, 1.0, 2.0]), 0.5, body_from=0.1)
    >>> found.volume_ml.tolist(), found.beyond_ml, found.total_ml
    ([1.0, 0.5], 0.5, 2.0)
    """
    counts = np.zeros(len(edges) - 1, dtype=np.int64)
    beyond = 0
    for slab in slabs:
        values = np.asarray(slab)
        values = values[np.isfinite(values) & (values >= body_from)]
        beyond += int((values >= edges[-1]).sum())
        counts += np.histogram(values[values < edges[-1]], edges)[0]
    volume_ml = counts.astype(np.float64) * voxel_volume_ml
    return Histogram(edges, volume_ml, beyond * voxel_volume_ml)


def histogram_edges(window: tuple[float, float], highest_of_interest: float) -> FloatArray:
    """Bins from 0 to the end of the window, or further to show the hottest region."""
    return np.linspace(0.0, max(window[1], 1.05 * highest_of_interest), _BINS + 1)


def histogram_png(
    body: Histogram,
    lesions: tuple[str, Histogram] | None,
    references: Sequence[Reference],
    value_unit: str,
    *,
    title: str = "",
    subtitle: str = "",
) -> bytes:
    """Draw a histogram with a logarithmic axis of volume.

    Parameters
    ----------
    body : Histogram
        Of everything; grey.
    lesions : tuple of (str, Histogram), or None
        What they are called, and their voxels in the bins of `body`.
    references : sequence of Reference
        Drawn as lines at their mean in a band of one standard deviation.
    value_unit : str
        Of the values.
    title, subtitle : str
        Without anything that identifies a person.

    Returns
    -------
    bytes
        PNG, 760 x 420 pixels.
    """
    figure = new_figure(_WIDTH_PX, _HEIGHT_PX)
    axes = axes_at(figure, _LEFT_PX, _BOTTOM_PX, _WIDTH_PX - _LEFT_PX - _RIGHT_PX,
                   _HEIGHT_PX - _TOP_PX - _BOTTOM_PX)  # fmt: skip
    _draw_steps(axes, body, _BODY_COLOUR, f"body, {_told_volume(body)}")
    if lesions is not None:
        name, counted = lesions
        _draw_steps(axes, counted, _REGION_COLOUR, f"{name}, {_told_volume(counted)}")
    _draw_references(axes, references)
    _finish(axes, [body] if lesions is None else [body, lesions[1]], value_unit)
    figure.text(0.5, 1 - 8 / _HEIGHT_PX, title, ha="center", va="top", fontsize=12, color=INK)
    figure.text(0.5, 1 - 30 / _HEIGHT_PX, subtitle, ha="center", va="top", fontsize=9, color=FAINT)
    return png_bytes(figure)


def _litres(volume_ml: float) -> str:
    return f"{volume_ml / 1000:.1f} l" if volume_ml >= 1000 else f"{volume_ml:.3g} ml"


def _told_volume(counted: Histogram) -> str:
    if not counted.beyond_ml:
        return _litres(counted.total_ml)
    end = f"{float(f'{counted.edges[-1]:.3g}'):g}"
    return f"{_litres(counted.total_ml)} ({_litres(counted.beyond_ml)} of it above {end})"


def _draw_steps(axes: Axes, counted: Histogram, colour: str, label: str) -> None:
    axes.stairs(counted.volume_ml, counted.edges, fill=True, color=colour, alpha=0.75,
                label=label)  # fmt: skip


def _draw_references(axes: Axes, references: Sequence[Reference]) -> None:
    for reference, colour in zip(references, _REFERENCE_COLOURS, strict=False):
        low = reference.mean - reference.standard_deviation
        high = reference.mean + reference.standard_deviation
        axes.axvspan(low, high, color=colour, alpha=0.22, linewidth=0)
        label = (f"{reference.name} {reference.mean:.2f} ± {reference.standard_deviation:.2f}, "
                 f"{_litres(reference.volume_ml)}")  # fmt: skip
        axes.axvline(reference.mean, color=colour, linewidth=1.8, label=label)


def _finish(axes: Axes, shown: Sequence[Histogram], value_unit: str) -> None:
    counted = np.concatenate([h.volume_ml[h.volume_ml > 0] for h in shown])
    least = float(counted.min()) if counted.size else 1.0
    most = float(counted.max()) if counted.size else 1.0
    axes.set_ylim(least * 0.6, max(most * 3.0, least * 10.0))
    if counted.size:
        axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
    axes.set_xlim(shown[0].edges[0], shown[0].edges[-1])
    axes.set_xlabel(quantity_label(value_unit), fontsize=11, color=INK)
    axes.set_ylabel("volume per bin (ml)", fontsize=11, color=INK)
    quiet_axes(axes)
    axes.legend(loc="upper right", fontsize=9, frameon=False)
