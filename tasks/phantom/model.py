"""What is known of a phantom once it is found in an image."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from schemas.geometry import FloatArray, Geometry
from schemas.phantoms import SPHERE_DIAMETERS_MM

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class IqPhantom:
    """A NEMA image quality phantom that was found in an image.

    Positions are in millimetres along the axes of the array from the centre of its first voxel
    (index times spacing), z, y, x.

    Parameters
    ----------
    centres_mm : ndarray, (6, 3), float64
        Centres of the spheres, z, y, x, in the order of `diameters_mm`.
    diameters_mm : tuple of float
        Inner diameters, largest first.
    states : tuple of str
        Of each sphere: ``hot``, ``missing`` (nothing stands out of the background) or ``cold``.
    circle_centre_mm, normal : ndarray, (3,), float64
        Centre of the circle of spheres and unit vector along the phantom, z, y, x.
    deviation_mm : float
        Root mean square distance of the measured centres from a perfect circle of spheres.
    background, background_sd : float
        Mean and standard deviation of the voxels of `background_mask`, in the unit of the image.
    background_mask : ndarray, (z, y, x), bool
        Background near the plane of the spheres, 15 mm and more from every edge.
    body_mask : ndarray, (z, y, x), bool
        Inside of the phantom with lung insert and spheres.
    geometry : Geometry
        Grid of the image.
    """

    centres_mm: FloatArray
    states: tuple[str, ...]
    circle_centre_mm: FloatArray
    normal: FloatArray
    deviation_mm: float
    background: float
    background_sd: float
    background_mask: Mask = field(repr=False)
    body_mask: Mask = field(repr=False)
    geometry: Geometry = field(repr=False)
    diameters_mm: tuple[float, ...] = SPHERE_DIAMETERS_MM

    @property
    def background_cov(self) -> float:
        """Coefficient of variation of the background voxels, a fraction."""
        return self.background_sd / self.background

    @property
    def centres_lps_mm(self) -> FloatArray:
        """Centres of the spheres in patient space, (6, 3), x, y, z."""
        index = self.centres_mm / np.asarray(self.geometry.spacing)
        return self.geometry.to_lps(index[:, ::-1])

    @property
    def hot(self) -> tuple[int, ...]:
        """Numbers (from 0) of the spheres that stand out of the background."""
        return tuple(i for i, state in enumerate(self.states) if state == "hot")


@dataclass(frozen=True, eq=False)
class Cylinder:
    """A uniform cylinder that was found in an image.

    Parameters
    ----------
    centre_mm, axis : ndarray, (3,), float64
        Middle of the cylinder (index times spacing) and unit vector along it, z, y, x.
    diameter_mm, length_mm : float
        At half of the activity.
    mean, cov : float
        Mean of the voxels of `inside`, in the unit of the image; coefficient of variation.
    axial_deviation, radial_deviation : float
        Largest deviation from the mean of a slice of `inside`, and of a ring of 10 mm; fractions.
    slice_positions_mm, slice_means : ndarray, (n,), float64
        Profile along the first axis.
    ring_radii_mm, ring_means : ndarray, (m,), float64
        Profile from the axis outwards.
    inside : ndarray, (z, y, x), bool
        Voxels 15 mm and more from the edge and 20 mm from the ends.
    geometry : Geometry
        Grid of the image.
    """

    centre_mm: FloatArray
    axis: FloatArray
    diameter_mm: float
    length_mm: float
    mean: float
    cov: float
    axial_deviation: float
    radial_deviation: float
    slice_positions_mm: FloatArray = field(repr=False)
    slice_means: FloatArray = field(repr=False)
    ring_radii_mm: FloatArray = field(repr=False)
    ring_means: FloatArray = field(repr=False)
    inside: Mask = field(repr=False)
    geometry: Geometry = field(repr=False)

    @property
    def uniformity_deviation(self) -> float:
        """Larger of the axial and the radial deviation, a fraction."""
        return max(self.axial_deviation, self.radial_deviation)
