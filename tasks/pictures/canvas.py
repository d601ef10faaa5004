"""Figures without pyplot (safe in threads), colours, and PNG bytes that depend on nothing else."""

from __future__ import annotations

import io
from typing import Final

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

DPI: Final = 100

#: Okabe and Ito's palette, distinguishable with every kind of colour vision.
PALETTE: Final = (
    "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000", "#F0E442",
)  # fmt: skip

#: Outlines of regions: stands out on grey, on inverse grey and on warm colour scales.
OUTLINE_COLOUR: Final = "#D55E00"
OUTLINE_COLOUR_ON_DARK: Final = "#56B4E9"

INK: Final = "#222222"
FAINT: Final = "#777777"

#: How units are written beside a colour bar or an axis.
_QUANTITIES: Final = {
    "SUVbw": "SUVbw (g/ml)",
    "Bq/ml": "Activity concentration (Bq/ml)",
    "CNTS": "Counts",
    "HU": "HU",
}


def quantity_label(value_unit: str) -> str:
    """Return the label of a colour bar for a volume in `value_unit`."""
    return _QUANTITIES.get(value_unit, f"Value ({value_unit})")


def new_figure(width_px: float, height_px: float) -> Figure:
    """Return an empty white figure of the given size."""
    figure = Figure(figsize=(width_px / DPI, height_px / DPI), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def axes_at(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Return axes at a place given in pixels from the lower left corner."""
    w, h = (float(v) * DPI for v in figure.get_size_inches())
    return figure.add_axes((left / w, bottom / h, width / w, height / h))


def png_bytes(figure: Figure) -> bytes:
    """Return the figure as PNG; equal figures give equal bytes (no date, no version in it)."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return buffer.getvalue()


def quiet_axes(axes: Axes) -> None:
    """Remove the upper and right frame line and tone the others down."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(FAINT)
    axes.tick_params(colors=INK, labelsize=10)
