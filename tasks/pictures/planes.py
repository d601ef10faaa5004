"""Planes through a volume: where they lie in the patient, and what the volume is there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from schemas.geometry import FloatArray, Geometry
from schemas.volume import ImageVolume, MaskVolume
from tasks.pictures.orientation import patient_axes
from tasks.segment.boxes import Box, box_around

#: Letters of the positive and the negative direction of the axes L, P, H.
_LETTERS: Final = (("L", "R"), ("P", "A"), ("H", "F"))
#: A direction gets the letter of every axis it is within 80 degrees of: sine of 10 degrees.
_SHARE_OF_A_LETTER: Final = 0.1736
#: From this angle between a plane and the nearest patient plane on, it is called oblique: cosine.
_OBLIQUE: Final = float(np.cos(np.deg2rad(10.0)))


@dataclass(frozen=True, eq=False)
class View:
    """A direction of looking.

    Parameters
    ----------
    name : str
        ``axial``, ``coronal`` or ``sagittal``: the nearest of them.
    right, down : ndarray, (3,), float64
        Unit vectors in LPS: where the right and the lower edge of the picture are.
    """

    name: str
    right: FloatArray
    down: FloatArray

    @property
    def normal(self) -> FloatArray:
        """Unit vector (3,) across the picture."""
        across: FloatArray = np.cross(self.right, self.down)
        return np.asarray(across / np.linalg.norm(across))

    @property
    def axis(self) -> int:
        """Patient axis across the picture: 0 L, 1 P, 2 H."""
        return {"sagittal": 0, "coronal": 1, "axial": 2}[self.name]

    @property
    def is_oblique(self) -> bool:
        """True if it leaves the patient's plane by more than 10 degrees."""
        return bool(abs(self.normal[self.axis]) < _OBLIQUE)

    @property
    def letters(self) -> tuple[str, str, str, str]:
        """Directions at the left, right, upper and lower edge of the picture."""
        return (
            direction_letters(-self.right),
            direction_letters(self.right),
            direction_letters(-self.down),
            direction_letters(self.down),
        )


def direction_letters(direction: FloatArray) -> str:
    """Name a direction in the patient: R, L, A, P, H, F, or several where it lies between.

    Parameters
    ----------
    direction : ndarray, (3,), float64
        Unit vector, LPS.

    References
    ----------
    DICOM PS3.3 C.7.6.1.1.1, Patient Orientation: the letter that says most comes first.

    Examples
    --------
    >>> direction_letters(np.array([-1.0, 0.0, 0.0]))
    'R'
    >>> direction_letters(np.array([0.6, 0.0, -0.8]))
    'FL'
    """
    order = np.argsort(-np.abs(direction), kind="stable")
    shares = [(int(axis), float(direction[axis])) for axis in order]
    return "".join(
        _LETTERS[axis][0 if share > 0 else 1]
        for axis, share in shares
        if abs(share) >= _SHARE_OF_A_LETTER
    )


def views_of(geometry: Geometry) -> tuple[View, View, View]:
    """Axial, coronal and sagittal views along the axes of a grid, as radiologists expect them.

    Head up, front up (axial) or on the left (sagittal), the patient's right on the viewer's left.
    A grid that lies obliquely is cut along its own axes; the letters say so.
    """
    head, back, left = (
        _towards(geometry, stored, patient)
        for stored, patient in zip(patient_axes(geometry), (2, 1, 0), strict=True)
    )
    return View("axial", left, back), View("coronal", left, -head), View("sagittal", back, -head)


def _towards(geometry: Geometry, stored_axis: int, patient_axis: int) -> FloatArray:
    """Return the unit vector along a stored axis (0 z, 1 y, 2 x) that points the LPS way."""
    column = geometry.affine[:3, 2 - stored_axis]
    unit: FloatArray = column / np.linalg.norm(column)
    return np.asarray(unit if unit[patient_axis] > 0 else -unit)


@dataclass(frozen=True, eq=False)
class Cut:
    """A rectangle of square pixels in the patient.

    Parameters
    ----------
    view : View
        How it lies.
    corner : ndarray, (3,), float64
        LPS mm of its upper left corner (the corner of the pixel, not its centre).
    pixel_mm : float
        Edge of a pixel.
    rows, columns : int
        Size.
    """

    view: View
    corner: FloatArray
    pixel_mm: float
    rows: int
    columns: int

    def points(self) -> FloatArray:
        """LPS mm of the pixel centres, (rows, columns, 3)."""
        across = (np.arange(self.columns) + 0.5) * self.pixel_mm
        along = (np.arange(self.rows) + 0.5) * self.pixel_mm
        points = self.corner + across[None, :, None] * self.view.right
        return np.asarray(points + along[:, None, None] * self.view.down)

    def place(self, point_lps: FloatArray) -> tuple[float, float]:
        """Row and column, in pixel edges, above which a point of the patient lies."""
        offset = np.asarray(point_lps) - self.corner
        frame = np.stack([self.view.right, self.view.down, self.view.normal], axis=1)
        right_mm, down_mm, _ = np.linalg.solve(frame, offset)
        return float(down_mm / self.pixel_mm), float(right_mm / self.pixel_mm)


def cut_through(
    view: View, centre: FloatArray, corners: FloatArray, pixel_mm: float, field_mm: float | None
) -> Cut:
    """Return the rectangle through a point that shows a box, or a square field around the point.

    Parameters
    ----------
    view : View
        How it lies.
    centre : ndarray, (3,), float64
        LPS mm of a point in the plane.
    corners : ndarray, (n, 3), float64
        LPS mm of the corners of what is to be seen.
    pixel_mm : float
        Edge of a pixel.
    field_mm : float or None
        Width and height around `centre`; None shows all of `corners`.
    """
    frame = np.stack([view.right, view.down, view.normal], axis=1)
    seen = np.linalg.solve(frame, (corners - centre).T)[:2]
    low, high = seen.min(axis=1), seen.max(axis=1)
    if field_mm is not None:
        low, high = np.full(2, -field_mm / 2), np.full(2, field_mm / 2)
    columns, rows = (max(round(float(mm) / pixel_mm), 1) for mm in high - low)
    corner = centre + view.right * low[0] + view.down * low[1]
    return Cut(view, corner, pixel_mm, rows, columns)


def needed_box(geometry: Geometry, points: FloatArray) -> Box:
    """Voxels (z, y, x) that `sample` needs at some points; empty where all lie outside.

    Parameters
    ----------
    geometry : Geometry
        Of the whole volume.
    points : ndarray, (..., 3), float64
        LPS mm.
    """
    return box_around(geometry, points.reshape(-1, 3), margin_mm=0.0)


def sample(
    volume: ImageVolume, points: FloatArray, outside: float = np.nan, *, order: Literal[0, 1] = 1
) -> FloatArray:
    """Values of a volume at points, interpolated linearly.

    Parameters
    ----------
    volume : ImageVolume
        Or the part of it that holds the points.
    points : ndarray, (..., 3), float64
        LPS mm.
    outside : float
        Value where no voxel is.
    order : {1, 0}
        0 takes the nearest voxel, as labels need it.

    Returns
    -------
    ndarray, (...), float64
    """
    index = np.moveaxis(volume.geometry.to_index(points)[..., ::-1], -1, 0)
    size = np.reshape(volume.geometry.shape, (3,) + (1,) * (index.ndim - 1))
    inside = ((index >= -0.5) & (index < size - 0.5)).all(axis=0)
    clean = np.nan_to_num(volume.values)
    values: FloatArray = ndimage.map_coordinates(
        clean, index, output=np.dtype(np.float64), order=order, mode="nearest"
    )
    return np.where(inside, values, outside)


def sample_mask(mask: MaskVolume, points: FloatArray) -> NDArray[np.bool_]:
    """Tell which points lie in voxels of a mask, (...) bool: exactly its voxel borders."""
    index = np.rint(mask.geometry.to_index(points)[..., ::-1]).astype(np.int64)
    within = (index >= 0) & (index < np.array(mask.labels.shape))
    inside = np.asarray(within.all(axis=-1))
    z, y, x = np.moveaxis(np.where(np.expand_dims(inside, -1), index, 0), -1, 0)
    return np.asarray((mask.labels[z, y, x] > 0) & inside)
