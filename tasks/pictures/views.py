"""The marks on a picture of a patient."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from tasks.pictures.canvas import INK


def draw_outline(
    axes: Axes, mask: NDArray[np.bool_], extent: tuple[float, float, float, float], colour: str
) -> None:
    """Draw the border of a 2-D mask along its pixel edges.

    Parameters
    ----------
    axes : Axes
        Where to draw.
    mask : ndarray, (rows, columns), bool
        Row 0 lies at ``extent[2]``, column 0 at ``extent[0]``.
    extent : tuple of float
        Left, right, first row edge, last row edge, in data units.
    colour : str
        Of the line.
    """
    padded = np.pad(mask, 1)
    row, column = np.nonzero(padded[1:, :] != padded[:-1, :])
    across = np.stack([column - 1.0, row, column, row], axis=1)
    row, column = np.nonzero(padded[:, 1:] != padded[:, :-1])
    down = np.stack([column, row - 1.0, column, row], axis=1)
    edges = np.concatenate([across, down]).astype(np.float64).reshape(-1, 2, 2)
    left, right, first, last = extent
    edges[..., 0] = left + edges[..., 0] * (right - left) / mask.shape[1]
    edges[..., 1] = first + edges[..., 1] * (last - first) / mask.shape[0]
    axes.add_collection(LineCollection(list(edges), colors=colour, linewidths=1.4))


def draw_letters(
    axes: Axes,
    letters: tuple[str, str, str, str],
    colour: str = INK,
    halo: str = "white",
    *,
    inset: tuple[float, float] = (0.015, 0.015),
) -> None:
    """Write directions at the left, right, upper and lower edge, legible on any background.

    `inset` is their distance from the edges across and along, in fractions of the picture.
    """
    across, along = inset
    stroke = [withStroke(linewidth=2.5, foreground=halo)]
    left, right, upper, lower = letters
    places = (
        (across, 0.5, left, "left", "center"),
        (1.0 - across, 0.5, right, "right", "center"),
        (0.5, 1.0 - along, upper, "center", "top"),
        (0.5, along, lower, "center", "bottom"),
    )
    for x, y, letter, horizontal, vertical in places:
        axes.text(
            x, y, letter, transform=axes.transAxes, ha=horizontal, va=vertical,
            color=colour, fontsize=10, fontweight="bold", path_effects=stroke,
        )  # fmt: skip


def draw_scale_bar(axes: Axes, length_mm: float, colour: str = INK, halo: str = "white") -> None:
    """Draw a bar of a known length in the lower left corner; axes must be in mm."""
    stroke = [withStroke(linewidth=2.5, foreground=halo)]
    (x0, x1), (y0, y1) = axes.get_xlim(), axes.get_ylim()
    x, y = x0 + 0.05 * (x1 - x0), y0 + 0.05 * (y1 - y0)
    axes.plot([x, x + length_mm], [y, y], color=colour, linewidth=3, solid_capstyle="butt")
    label = f"{length_mm / 10:g} cm"
    axes.annotate(
        label, (x + length_mm / 2, y), xytext=(0, 4), textcoords="offset points",
        ha="center", va="bottom", color=colour, fontsize=9, path_effects=stroke,
    )  # fmt: skip


def hide_frame(axes: Axes) -> None:
    """Remove ticks and frame of a picture."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
