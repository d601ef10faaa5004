"""Figures without pyplot (safe in threads), colours, and PNG bytes that depend on nothing else."""

from __future__ import annotations

import io
from typing import Final

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from tasks.pictures.palettes import colour_map

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

#: How units are written beside a colour bar.
_QUANTITIES: Final = {
    "SUVbw": "SUVbw (g/ml)",
    "Bq/ml": "Activity concentration (Bq/ml)",
    "CNTS": "Counts",
    "HU": "HU",
    "1": "Value",
    "label": "Number of the segment",
}


def quantity_label(value_unit: str) -> str:
    """Return what a volume in `value_unit` shows, with the unit."""
    return _QUANTITIES.get(value_unit, f"Value ({value_unit})")


def draw_colour_bar(axes: Axes, palette: str, window: tuple[float, float], value_unit: str) -> None:
    """Draw a vertical colour bar of a window, in kBq/ml or MBq/ml where shorter."""
    scale, label = 1.0, quantity_label(value_unit)
    low, high = window
    if value_unit == "Bq/ml" and high >= 1e4:
        prefix, scale = ("M", 1e6) if high >= 1e6 else ("k", 1e3)
        label = label.replace("Bq/ml", f"{prefix}Bq/ml")
    mappable = ScalarMappable(Normalize(low / scale, high / scale), colour_map(palette))
    figure = axes.get_figure()
    if figure is None:
        raise ValueError("the axes belong to no figure")
    bar = figure.colorbar(mappable, cax=axes)
    bar.set_label(label, fontsize=10, color=INK)
    if high / scale >= 1e4:
        bar.ax.yaxis.set_major_formatter(EngFormatter(sep=""))
    axes.tick_params(labelsize=9)


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
