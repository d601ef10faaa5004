"""Resampling of values and of masks between any two grids in patient space."""

from __future__ import annotations

import itertools
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform, find_objects

from schemas.geometry import FloatArray, Geometry
from tasks.standardise.grid import AxisMap, axis_maps, crop_grid
from tasks.standardise.kernels import FWHM_PER_SIGMA, interpolation_matrix, smoothing_matrix

Values = NDArray[np.float32]
Labels = NDArray[np.unsignedinteger[Any]]

_NO_SMOOTHING: Final = (0.0, 0.0, 0.0)
#: Rows of a matrix applied at a time; each block reads only the columns it has weights for.
_BLOCK: Final = 48
#: Weights below this cannot be seen in float32.
_NEGLIGIBLE: Final = 1e-9


def resample(
    values: Values, from_geometry: Geometry, to_geometry: Geometry, order: int, fill: float
) -> Values:
    """Resample values onto another grid.

    Parameters
    ----------
    values : ndarray, (z, y, x), float32
        On `from_geometry`.
    order : {0, 1, 3}
        Nearest, linear or cubic B-spline. Linear never leaves the range of the values; cubic
        overshoots beside edges, and nothing is clipped.
    fill : float
        Value of voxels whose centre lies outside the voxels of the old grid.

    Returns
    -------
    ndarray, (z, y, x), float32
        On `to_geometry`.
    """
    return resample_smoothed(values, from_geometry, to_geometry, order, fill, _NO_SMOOTHING)


def resample_smoothed(
    values: Values,
    from_geometry: Geometry,
    to_geometry: Geometry,
    order: int,
    fill: float,
    fwhm_mm: tuple[float, float, float],
) -> Values:
    """Smooth with a Gaussian, then resample; in one step where the grids are parallel.

    Parameters
    ----------
    fwhm_mm : tuple of float
        FWHM of the Gaussian along the axes (z, y, x) of the *old* array.
    """
    sigmas = [f / FWHM_PER_SIGMA / s for f, s in zip(fwhm_mm, from_geometry.spacing, strict=True)]
    maps = axis_maps(from_geometry, to_geometry)
    source = np.asarray(values, dtype=np.float32)
    if maps is None:
        return _resample_oblique(source, from_geometry, to_geometry, order, fill, sigmas)
    return _resample_parallel(source, maps, order, fill, sigmas)


def _resample_parallel(
    values: Values, maps: tuple[AxisMap, ...], order: int, fill: float, sigmas: list[float]
) -> Values:
    result = values.transpose([m.source_axis for m in maps])
    sizes = list(result.shape)
    # Shrinking axes first: the later ones then have less to do.
    for axis in sorted(range(3), key=lambda a: len(maps[a].positions) / sizes[a]):
        matrix = interpolation_matrix(maps[axis].positions, sizes[axis], order)
        sigma = sigmas[maps[axis].source_axis]
        if sigma > 0:
            matrix = matrix @ smoothing_matrix(sizes[axis], sigma)
        result = apply_along(matrix, result, axis)
    result = np.array(result, dtype=np.float32, order="C", copy=np.may_share_memory(result, values))
    for axis, axis_map in enumerate(maps):
        p = axis_map.positions
        outside = (p < -0.5 - 1e-6) | (p > sizes[axis] - 0.5 + 1e-6)
        if outside.any():
            result[(slice(None),) * axis + (outside,)] = fill
    return result


def apply_along(matrix: FloatArray, values: Values, axis: int) -> Values:
    """Apply an (n_new, n) matrix along an axis of a 3-D array, reading only what has weight."""
    if matrix.shape[0] == matrix.shape[1] and np.array_equal(matrix, np.eye(len(matrix))):
        return values
    shape = list(values.shape)
    shape[axis] = matrix.shape[0]
    result = np.empty(shape, dtype=np.float32)
    flat = axis == 0 and values.flags.c_contiguous
    for start in range(0, matrix.shape[0], _BLOCK):
        rows = matrix[start : start + _BLOCK]
        used = np.flatnonzero((np.abs(rows) > _NEGLIGIBLE).any(axis=0))
        first, last = int(used[0]), int(used[-1]) + 1
        weights = rows[:, first:last].astype(np.float32)
        place = (slice(None),) * axis + (slice(start, start + len(rows)),)
        part = values[(slice(None),) * axis + (slice(first, last),)]
        if flat:
            result[place] = (weights @ part.reshape(len(part), -1)).reshape(-1, *shape[1:])
        elif axis == 0:
            result[place] = np.tensordot(weights, part, axes=(1, 0))
        elif axis == 1:
            result[place] = np.matmul(weights, part)
        else:
            result[place] = np.matmul(part, weights.T)
    return result


def _resample_oblique(
    values: Values,
    from_geometry: Geometry,
    to_geometry: Geometry,
    order: int,
    fill: float,
    sigmas: list[float],
) -> Values:
    for axis, sigma in enumerate(sigmas):
        if sigma > 0:
            values = apply_along(smoothing_matrix(values.shape[axis], sigma), values, axis)
    relation = np.linalg.inv(from_geometry.affine) @ to_geometry.affine
    linear, offset = relation[:3, :3][::-1, ::-1], relation[:3, 3][::-1]
    result: Values = np.empty(to_geometry.shape, dtype=np.float32)
    affine_transform(values, linear, offset, output=result, order=order, mode="nearest")  # type: ignore[call-overload]  # stubs know literal orders only
    _fill_outside(result, linear, offset, values.shape, fill)
    return result


def _fill_outside(
    result: Values, linear: FloatArray, offset: FloatArray, shape: tuple[int, ...], fill: float
) -> None:
    """Set voxels whose centre is outside the old voxels; slice by slice to stay small."""
    _, ny, nx = result.shape
    y, x = np.arange(ny)[:, None], np.arange(nx)[None, :]
    for z, plane in enumerate(result):
        outside = np.zeros(plane.shape, dtype=bool)
        for old in range(3):
            p = linear[old, 0] * z + linear[old, 1] * y + linear[old, 2] * x + offset[old]
            outside |= (p < -0.5 - 1e-6) | (p > shape[old] - 0.5 + 1e-6)
        plane[outside] = fill


def resample_mask(labels: Labels, from_geometry: Geometry, to_geometry: Geometry) -> Labels:
    """Resample a mask or label map; a voxel gets the label that fills at least half of it.

    Linear interpolation of each label, then 0.5 as limit, as in the IBSI manual; where two labels
    reach it, the one with more wins, then the smaller number.

    Parameters
    ----------
    labels : ndarray, (z, y, x), uint8 or uint16
        0 is background.

    Returns
    -------
    ndarray, (z, y, x), dtype of `labels`
        On `to_geometry`.

    References
    ----------
    IBSI reference manual, section 2.4 (interpolation of ROI masks).
    """
    result = np.zeros(to_geometry.shape, dtype=labels.dtype)
    best = np.zeros(to_geometry.shape, dtype=np.float32)
    boxes: list[tuple[slice, ...] | None] = [*find_objects(labels.astype(np.int32))]
    for number, box in enumerate(boxes, start=1):
        if box is None:
            continue
        source = _grown(box, labels.shape)
        target = _image_of(crop_grid(from_geometry, source), to_geometry)
        if target is None:
            continue
        share = resample(
            (labels[source] == number).astype(np.float32),
            crop_grid(from_geometry, source),
            crop_grid(to_geometry, target),
            order=1,
            fill=0.0,
        )
        wins = (share >= 0.5 - 1e-5) & (share > best[target])
        result[target][wins] = number
        best[target][wins] = share[wins]
    return result


def _grown(box: tuple[slice, ...], shape: tuple[int, ...]) -> tuple[slice, slice, slice]:
    z, y, x = (
        slice(max(s.start - 1, 0), min(s.stop + 1, n)) for s, n in zip(box, shape, strict=True)
    )
    return z, y, x


def _image_of(part: Geometry, to_geometry: Geometry) -> tuple[slice, slice, slice] | None:
    """Box of the new grid that holds `part` of the old one; None if they do not meet."""
    ends = [(-0.5, n - 0.5) for n in part.shape[::-1]]
    corners = to_geometry.to_index(part.to_lps(np.array(list(itertools.product(*ends)))))
    low = np.floor(corners.min(axis=0)).astype(int)
    high = np.ceil(corners.max(axis=0)).astype(int) + 1
    low, high = np.maximum(low, 0), np.minimum(high, to_geometry.shape[::-1])
    if (high <= low).any():
        return None
    x, y, z = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    return z, y, x
