"""Where the voxels of a volume lie in the patient."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def _steps(n: int) -> FloatArray:
    return np.arange(n, dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Geometry:
    """A regular voxel grid in DICOM patient space (LPS, mm).

    Arrays are indexed ``[z, y, x]`` (slice, row, column) but the affine takes indices in the order
    ``(x, y, z, 1)``, as NIfTI does; it maps to LPS millimetres (to NIfTI's RAS by negating its first
    two rows).

    Parameters
    ----------
    shape : tuple of int
        ``(z, y, x)``.
    affine : ndarray, shape (4, 4), float64
        Index (x, y, z, 1) to LPS mm; centre of the voxel.

    References
    ----------
    DICOM PS3.3 C.7.6.2.1.1, equation C.7.6.2.1-1.
    """

    shape: tuple[int, int, int]
    affine: FloatArray

    def __post_init__(self) -> None:
        affine = np.array(self.affine, dtype=np.float64)
        if (
            affine.shape != (4, 4)
            or not np.isfinite(affine).all()
            or abs(np.linalg.det(affine)) < 1e-9
        ):
            raise ValueError(
                f"affine must be a finite, invertible 4 x 4 matrix, got shape {affine.shape}"
            )
        affine.setflags(write=False)
        object.__setattr__(self, "affine", affine)

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel size ``(z, y, x)`` in mm."""
        x, y, z = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(z), float(y), float(x)

    @property
    def voxel_volume_ml(self) -> float:
        """Volume of one voxel in ml."""
        return abs(float(np.linalg.det(self.affine[:3, :3]))) / 1000.0

    @property
    def is_axial(self) -> bool:
        """True if x, y, z indices run along L, P, S (either sign) within 1e-4."""
        m = self.affine[:3, :3] / np.linalg.norm(self.affine[:3, :3], axis=0)
        return bool(np.allclose(np.abs(m), np.eye(3), atol=1e-4))

    def to_lps(self, index_xyz: FloatArray) -> FloatArray:
        """Map indices ``(..., 3)`` in order x, y, z to LPS mm ``(..., 3)``."""
        mapped: FloatArray = np.asarray(index_xyz) @ self.affine[:3, :3].T + self.affine[:3, 3]
        return mapped

    def to_index(self, points_lps: FloatArray) -> FloatArray:
        """Map LPS mm ``(..., 3)`` to fractional indices ``(..., 3)`` in order x, y, z."""
        inverse = np.linalg.inv(self.affine)
        mapped: FloatArray = np.asarray(points_lps) @ inverse[:3, :3].T + inverse[:3, 3]
        return mapped

    def axis_coordinates(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """1-D coordinates ``(z, y, x)`` in mm.

        Patient LPS coordinates for axial grids, otherwise the distance from the first voxel.
        """
        nz, ny, nx = self.shape
        sz, sy, sx = self.spacing
        if not self.is_axial:
            return _steps(nz) * sz, _steps(ny) * sy, _steps(nx) * sx
        step = np.diag(self.affine[:3, :3])
        origin = self.affine[:3, 3]
        return (
            origin[2] + step[2] * _steps(nz),
            origin[1] + step[1] * _steps(ny),
            origin[0] + step[0] * _steps(nx),
        )

    def digest(self) -> str:
        """Short hexadecimal digest of shape and affine (rounded to 1e-6 mm)."""
        text = repr((tuple(int(n) for n in self.shape), np.round(self.affine, 6).ravel().tolist()))
        return hashlib.sha256(text.encode()).hexdigest()[:16]
