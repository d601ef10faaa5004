"""Lower resolutions of a volume and their OME-Zarr 0.5 description."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from schemas.geometry import Geometry

Float32Array = NDArray[np.float32]


def halve(values: Float32Array) -> Float32Array:
    """Mean over blocks of 2 x 2 x 2; blocks at an odd end take the voxels that there are.

    Parameters
    ----------
    values : ndarray, (z, y, x), float32

    Returns
    -------
    ndarray, (ceil(z / 2), ceil(y / 2), ceil(x / 2)), float32

    Examples
    --------
    >>> halve(np.array([[[1.0, 3.0, 5.0]]], np.float32))
    array([[[2., 5.]]], dtype=float32)
    """
    for axis in range(values.ndim):
        values = _halve_axis(values, axis)
    return values


class Halver:
    """`halve` for rows along z that come one after the other."""

    def __init__(self) -> None:
        self._odd: Float32Array | None = None

    def add(self, rows: Float32Array) -> Float32Array:
        """Halve the next rows (n, y, x); the last one waits for its partner if it has none."""
        if self._odd is not None:
            rows = np.concatenate([self._odd, rows])
        even = len(rows) - len(rows) % 2
        self._odd = rows[even:].copy() if even < len(rows) else None
        return halve(rows[:even])

    def rest(self) -> Float32Array | None:
        """Halve the row that has no partner; None if there is none."""
        return None if self._odd is None else halve(self._odd)


def _halve_axis(values: Float32Array, axis: int) -> Float32Array:
    even = values[(slice(None),) * axis + (slice(0, None, 2),)]
    odd = values[(slice(None),) * axis + (slice(1, None, 2),)]
    halved = even.copy()
    paired = (slice(None),) * axis + (slice(0, odd.shape[axis]),)
    halved[paired] = (even[paired] + odd) * np.float32(0.5)
    return halved


def ome_attributes(geometry: Geometry, levels: int) -> dict[str, object]:
    """``ome`` attribute of the group: axes in mm, scale and translation per level.

    The translation is the centre of the first voxel; that of a halved level lies between the
    first two voxels of the level before.

    References
    ----------
    OME-Zarr 0.5, section 3.4 "multiscales" metadata.
    """
    coordinates = geometry.axis_coordinates()
    starts = [float(c[0]) for c in coordinates]
    steps = [
        float(c[1] - c[0]) if len(c) > 1 else s
        for c, s in zip(coordinates, geometry.spacing, strict=True)
    ]
    datasets = [
        {
            "path": str(level),
            "coordinateTransformations": [
                {"type": "scale", "scale": [s * 2**level for s in steps]},
                {
                    "type": "translation",
                    "translation": [
                        a + s * (2**level - 1) / 2 for a, s in zip(starts, steps, strict=True)
                    ],
                },
            ],
        }
        for level in range(levels)
    ]
    axes = [{"name": n, "type": "space", "unit": "millimeter"} for n in ("z", "y", "x")]
    multiscale = {"name": "volume", "type": "mean", "axes": axes, "datasets": datasets}
    return {"version": "0.5", "multiscales": [multiscale]}
