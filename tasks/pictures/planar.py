"""Planar images of a gamma camera, side by side as they are stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tasks.pictures.canvas import (
    FAINT,
    INK,
    axes_at,
    draw_colour_bar,
    new_figure,
    png_bytes,
)
from tasks.pictures.palettes import coloured
from tasks.pictures.views import draw_scale_bar, hide_frame

_WIDTH_PX: Final = 900
_MOST_HEIGHT_PX: Final = 700
_TOP_PX, _BOTTOM_PX, _SIDE_PX, _GAP_PX, _BAR_PX = 52, 28, 10, 8, 92
_LEAST_PX: Final = 140


def planar_png(
    frames: NDArray[Any],
    captions: Sequence[str],
    pixel_mm: tuple[float, float] | None,
    window: tuple[float, float],
    value_unit: str,
    *,
    title: str = "",
    subtitle: str = "",
) -> bytes:
    """Draw frames in inverse grey; nothing is said of left and right, as nothing is known of it.

    Parameters
    ----------
    frames : ndarray, (n, y, x)
        One picture each, such as from the front and from the back.
    captions : sequence of str
        One a frame.
    pixel_mm : tuple of float or None
        Distance between rows, between columns; None if it is not known: no scale bar.
    window : tuple of float
        Lowest and highest value shown.
    value_unit : str
        Of the values.
    title, subtitle : str
        Without anything that identifies a person.

    Returns
    -------
    bytes
        PNG, 900 pixels wide.
    """
    n, rows, columns = frames.shape
    row_mm, column_mm = pixel_mm or (1.0, 1.0)
    room = _WIDTH_PX - 2 * _SIDE_PX - _BAR_PX - (n - 1) * _GAP_PX
    scale = min(room / (n * columns * column_mm), _MOST_HEIGHT_PX / (rows * row_mm))
    width, height = scale * columns * column_mm, scale * rows * row_mm
    inner = max(height, _LEAST_PX)
    total = inner + _TOP_PX + _BOTTOM_PX
    figure = new_figure(_WIDTH_PX, total)
    left = _SIDE_PX + (room - n * width) / 2
    extent = (0.0, columns * column_mm, 0.0, rows * row_mm)
    for frame, caption in zip(frames, captions, strict=True):
        bottom = _BOTTOM_PX + (inner - height) / 2
        axes = axes_at(figure, left, bottom, width, height)
        axes.imshow(coloured(np.asarray(frame, dtype=np.float64), *window, "inverse_grey"),
                    extent=extent, aspect="auto", interpolation="nearest")  # fmt: skip
        hide_frame(axes)
        if pixel_mm is not None:
            draw_scale_bar(axes, 100.0 if extent[1] > 250 else 20.0)
        axes.set_xlim(*extent[:2])
        axes.set_ylim(*extent[2:])
        figure.text((left + width / 2) / _WIDTH_PX, (bottom - 5) / total, caption,
                    ha="center", va="top", fontsize=9, color=FAINT)  # fmt: skip
        left += width + _GAP_PX
    bar_height = min(inner - 16, 320)
    bar_bottom = _BOTTOM_PX + (inner - bar_height) / 2
    bar = axes_at(figure, _WIDTH_PX - _BAR_PX + 8, bar_bottom, 14, bar_height)
    draw_colour_bar(bar, "inverse_grey", window, value_unit)
    figure.text(0.5, 1 - 8 / total, title, ha="center", va="top", fontsize=12, color=INK)
    figure.text(0.5, 1 - 30 / total, subtitle, ha="center", va="top", fontsize=9, color=FAINT)
    return png_bytes(figure)
