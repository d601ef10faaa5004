"""Small grey pictures of a volume of which only projections or planes are in memory."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from schemas.geometry import FloatArray, Geometry
from tasks.pictures.orientation import patient_axes, seen_columns, to_patient
from tasks.pictures.projections import Flat
from tasks.pictures.window import CT_WINDOW, upper_limit

_HEIGHT_PX: Final = 200
_WIDTH_PX: Final = 320
_GAP_PX: Final = 6
_AIR: Final = 0.05
_AIR_MARGIN_MM: Final = 20.0


def emission_thumbnail(flat: Flat, geometry: Geometry, value_unit: str) -> bytes:
    """Coronal and sagittal projections of a PET or SPECT in inverse grey, head up.

    Parameters
    ----------
    flat : tuple of ndarray
        From `projections`.
    geometry : Geometry
        Of the whole volume.
    value_unit : str
        SUV is shown from 0 to 7, all else up to a high percentile.

    Returns
    -------
    bytes
        PNG, 8 bit grey.
    """
    views = _views(flat, geometry)
    highest = upper_limit(views["coronal"].values, value_unit)
    shown = [_without_air(views[v], _AIR * highest) for v in ("coronal", "sagittal")]
    return _montage(shown, low=highest, high=0.0)


def planes_thumbnail(flat: Flat, geometry: Geometry, value_unit: str) -> bytes:
    """Axial, coronal and sagittal planes of a CT or MR; air is black, head up.

    Parameters
    ----------
    flat : tuple of ndarray
        The planes, each with an axis of length 1.
    geometry : Geometry
        Of the whole volume.
    value_unit : str
        HU are shown in a soft tissue window, all else between low and high percentiles.

    Returns
    -------
    bytes
        PNG, 8 bit grey.
    """
    low, high = CT_WINDOW if value_unit == "HU" else _percentiles(flat)
    views = _views(flat, geometry)
    return _montage([views[v] for v in ("axial", "coronal", "sagittal")], low=low, high=high)


def planar_thumbnail(frames: NDArray[Any], pixel_mm: tuple[float, float], value_unit: str) -> bytes:
    """Projections of a gamma camera side by side, in inverse grey, as they are stored.

    Parameters
    ----------
    frames : ndarray, (n, y, x)
        One picture each, such as from the front and from the back.
    pixel_mm : tuple of float
        Distance between rows, between columns.
    value_unit : str
        Shown up to a high percentile of all frames.

    Returns
    -------
    bytes
        PNG, 8 bit grey.
    """
    clean = np.nan_to_num(np.asarray(frames, dtype=np.float64), posinf=0.0, neginf=0.0)
    shown = [_View(frame, *pixel_mm) for frame in clean]
    return _montage(shown, low=upper_limit(clean, value_unit), high=0.0)


@dataclass(frozen=True, eq=False)
class _View:
    """A picture: row 0 on top, mm per pixel."""

    values: FloatArray
    row_mm: float
    column_mm: float

    @property
    def size_mm(self) -> tuple[float, float]:
        """Height and width."""
        return self.values.shape[0] * self.row_mm, self.values.shape[1] * self.column_mm


def _views(flat: Flat, geometry: Geometry) -> dict[str, _View]:
    found = {}
    order = patient_axes(geometry)
    for stored_axis, array in enumerate(flat):
        turned = to_patient(np.nan_to_num(array), geometry)
        axis = order.index(stored_axis)
        rows, columns = (i for i in range(3) if i != axis)
        picture = np.asarray(turned.values.squeeze(axis), dtype=np.float64)
        if rows == 0:  # rows run from the feet to the head
            picture = picture[::-1]
        name = ("axial", "coronal", "sagittal")[axis]
        found[name] = _View(picture, turned.spacing_mm[rows], turned.spacing_mm[columns])
    return found


def _percentiles(flat: Flat) -> tuple[float, float]:
    values = np.concatenate([np.nan_to_num(array).ravel() for array in flat])
    low, high = (float(p) for p in np.percentile(values, (1.0, 99.0)))
    return (low, high) if high > low else (low, low + 1.0)


def _without_air(view: _View, limit: float) -> _View:
    keep = seen_columns(view.values > limit, round(_AIR_MARGIN_MM / view.column_mm))
    return _View(view.values[:, keep], view.row_mm, view.column_mm)


def _montage(views: Sequence[_View], *, low: float, high: float) -> bytes:
    """Put views side by side, to scale; `low` is black and `high` white."""
    height_mm = max(view.size_mm[0] for view in views)
    width_mm = sum(view.size_mm[1] for view in views)
    room = _WIDTH_PX - _GAP_PX * (len(views) - 1)
    scale = min(_HEIGHT_PX / height_mm, room / width_mm)
    drawn = [_grey(view, scale, low, high) for view in views]
    height = max(picture.shape[0] for picture in drawn)
    columns: list[NDArray[np.uint8]] = []
    for picture in drawn:
        above = (height - picture.shape[0]) // 2
        padding = ((above, height - picture.shape[0] - above), (0, 0))
        columns += [np.pad(picture, padding, constant_values=255), _white(height)]
    return _png(np.concatenate(columns[:-1], axis=1))


def _white(height: int) -> NDArray[np.uint8]:
    return np.full((height, _GAP_PX), 255, dtype=np.uint8)


def _grey(view: _View, scale: float, low: float, high: float) -> NDArray[np.uint8]:
    rows, columns = (max(int(mm * scale), 1) for mm in view.size_mm)
    n_rows, n_columns = view.values.shape
    row = (np.arange(rows) + 0.5) * n_rows / rows - 0.5
    column = (np.arange(columns) + 0.5) * n_columns / columns - 0.5
    points = np.meshgrid(row, column, indexing="ij")
    values = ndimage.map_coordinates(view.values, points, order=1, mode="nearest")
    return np.asarray(np.clip((values - low) / (high - low), 0.0, 1.0) * 255.0, dtype=np.uint8)


def _png(pixels: NDArray[np.uint8]) -> bytes:
    """8 bit grey PNG, each row as the difference to the one above (RFC 2083, filter 2)."""
    height, width = pixels.shape
    above = np.vstack([np.zeros((1, width), dtype=np.uint8), pixels[:-1]])
    rows = np.column_stack([np.full(height, 2, dtype=np.uint8), pixels - above])
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    check = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)
