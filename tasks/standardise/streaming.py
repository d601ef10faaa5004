"""Smoothing and resampling block by block: memory for a few slices, whatever the volume's size.

The result is made in blocks of a fixed number of rows along its z axis, each from the part of the
old volume that it needs. How the old volume is cut for reading changes no bit of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform

from schemas.geometry import FloatArray, Geometry
from tasks.standardise.grid import AxisMap, axis_maps, crop_grid, image_of
from tasks.standardise.kernels import FWHM_PER_SIGMA, interpolation_matrix, smoothing_matrix
from tasks.standardise.source import Box, Values, VoxelSource

#: Rows of a matrix applied at a time; each block reads only the columns it has weights for.
BLOCK: Final = 48
#: Weights below this cannot be seen in float32.
_NEGLIGIBLE: Final = 1e-9
#: Voxels after which a B-spline of degree 5 has forgotten a value, to the precision of float32.
_SPLINE_REACH: Final = 24
#: Rows at a time where the grids are not parallel; more rows see more of the old volume.
_OBLIQUE_BLOCK: Final = 16
#: A centre this far outside the old voxels, in voxels, is outside.
_ROUNDING: Final = 1e-6


def resampled_blocks(
    source: VoxelSource,
    to_geometry: Geometry,
    order: int,
    fill: float,
    fwhm_mm: tuple[float, float, float],
) -> Iterator[Values]:
    """Smooth with a Gaussian and resample; in one step where the grids are parallel.

    Parameters
    ----------
    source : VoxelSource
        What to resample.
    to_geometry : Geometry
        Grid of the result.
    order : {0, 1, 2, 3, 4, 5}
        As `tasks.standardise.resample`.
    fill : float
        Value of voxels whose centre lies outside the voxels of the old grid.
    fwhm_mm : tuple of float
        FWHM of the Gaussian along the axes (z, y, x) of the *old* array.

    Yields
    ------
    ndarray, (rows, y, x), float32
        Rows of the result one after the other, in order; each block is the caller's own.
    """
    old = source.geometry
    sigmas = [f / FWHM_PER_SIGMA / s for f, s in zip(fwhm_mm, old.spacing, strict=True)]
    maps = axis_maps(old, to_geometry)
    if maps is None:
        yield from _oblique_blocks(source, to_geometry, order, fill, sigmas)
    else:
        yield from _parallel_blocks(source, maps, order, fill, sigmas)


def _parallel_blocks(
    source: VoxelSource, maps: tuple[AxisMap, ...], order: int, fill: float, sigmas: list[float]
) -> Iterator[Values]:
    sizes = [source.geometry.shape[m.source_axis] for m in maps]
    matrices = [
        _axis_matrix(m.positions, n, order, sigmas[m.source_axis])
        for m, n in zip(maps, sizes, strict=True)
    ]
    outside = [_outside(m.positions, n) for m, n in zip(maps, sizes, strict=True)]
    window = _Window(source, maps, matrices)
    for start in range(0, len(matrices[0]), BLOCK):
        first, weights = _used(matrices[0][start : start + BLOCK])
        planes = window.planes(first, first + weights.shape[1])
        block: Values = (weights @ planes.reshape(len(planes), -1)).reshape(
            len(weights), *planes.shape[1:]
        )
        for axis, beyond in enumerate(outside):
            here = beyond[start : start + BLOCK] if axis == 0 else beyond
            if here.any():
                block[(slice(None),) * axis + (here,)] = fill
        yield block


class _Window:
    """Planes of the old volume, in-plane as in the new one, while they are needed."""

    def __init__(
        self, source: VoxelSource, maps: tuple[AxisMap, ...], matrices: list[FloatArray]
    ) -> None:
        self._source, self._maps, self._matrices = source, maps, matrices
        self._along = maps[0].source_axis
        self._size = source.geometry.shape[self._along]
        self._step = source.piece[self._along]
        self._pieces: dict[int, Values] = {}
        # the axis that shrinks first: the other one then has less to do
        self._axes = sorted((1, 2), key=lambda a: matrices[a].shape[0] / matrices[a].shape[1])

    def planes(self, first: int, last: int) -> Values:
        """Planes first to last - 1 along the axis of blocks, contiguous."""
        numbers = range(first // self._step, (last - 1) // self._step + 1)
        self._pieces = {n: p for n, p in self._pieces.items() if n in numbers}
        for number in numbers:
            if number not in self._pieces:
                self._pieces[number] = self._piece(number)
        parts = [
            self._pieces[n][max(first - n * self._step, 0) : last - n * self._step] for n in numbers
        ]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _piece(self, number: int) -> Values:
        box: list[slice] = [slice(0, n) for n in self._source.geometry.shape]
        start = number * self._step
        box[self._along] = slice(start, min(start + self._step, self._size))
        z, y, x = box
        values = self._source.read((z, y, x)).transpose([m.source_axis for m in self._maps])
        values = np.ascontiguousarray(values)
        for axis in self._axes:
            values = apply_along(self._matrices[axis], values, axis)
        return values


def _axis_matrix(positions: FloatArray, n: int, order: int, sigma: float) -> FloatArray:
    matrix = interpolation_matrix(positions, n, order)
    return matrix @ smoothing_matrix(n, sigma) if sigma > 0 else matrix


def _outside(positions: FloatArray, n: int) -> NDArray[np.bool_]:
    return np.asarray((positions < -0.5 - _ROUNDING) | (positions > n - 0.5 + _ROUNDING))


def _used(rows: FloatArray) -> tuple[int, Values]:
    """First column with weight, and the weights of all columns from there to the last."""
    used = np.flatnonzero((np.abs(rows) > _NEGLIGIBLE).any(axis=0))
    first = int(used[0])
    return first, rows[:, first : int(used[-1]) + 1].astype(np.float32)


def apply_along(matrix: FloatArray, values: Values, axis: int) -> Values:
    """Apply an (n_new, n) matrix along an axis of a 3-D array, reading only what has weight.

    Planes along the first axis do not see each other unless it is the axis asked for.
    """
    n_new, n = matrix.shape
    if n_new == n and np.abs(matrix - np.eye(n)).max() < 1e-12:
        return values
    shape = list(values.shape)
    shape[axis] = n_new
    result = np.empty(shape, dtype=np.float32)
    for start in range(0, n_new, BLOCK):
        first, weights = _used(matrix[start : start + BLOCK])
        place = (slice(None),) * axis + (slice(start, start + len(weights)),)
        part = values[(slice(None),) * axis + (slice(first, first + weights.shape[1]),)]
        if axis == 0:
            result[place] = np.tensordot(weights, part, axes=(1, 0))
        elif axis == 1:
            result[place] = np.matmul(weights, part)
        else:
            result[place] = np.matmul(part, weights.T)
    return result


def _oblique_blocks(
    source: VoxelSource, to_geometry: Geometry, order: int, fill: float, sigmas: list[float]
) -> Iterator[Values]:
    _, ny, nx = to_geometry.shape
    for start in range(0, to_geometry.shape[0], _OBLIQUE_BLOCK):
        stop = min(start + _OBLIQUE_BLOCK, to_geometry.shape[0])
        target = crop_grid(to_geometry, (slice(start, stop), slice(0, ny), slice(0, nx)))
        yield _oblique_block(source, target, order, fill, sigmas)


def _oblique_block(
    source: VoxelSource, target: Geometry, order: int, fill: float, sigmas: list[float]
) -> Values:
    result: Values = np.full(target.shape, fill, dtype=np.float32)
    box = image_of(target, source.geometry)
    if box is None:
        return result
    reach = [_reach(order, sigma) for sigma in sigmas]
    part = _Part.around(box, reach, source)
    values = part.values
    for axis, sigma in enumerate(sigmas):
        if sigma > 0:
            values = apply_along(smoothing_matrix(values.shape[axis], sigma), values, axis)
    relation = np.linalg.inv(part.geometry.affine) @ target.affine
    linear, offset = relation[:3, :3][::-1, ::-1], relation[:3, 3][::-1]
    affine_transform(values, linear, offset, output=result, order=order, mode="nearest")  # type: ignore[call-overload]  # stubs know literal orders only
    _fill_outside(result, linear, offset + part.start, source.geometry.shape, fill)
    return result


def _reach(order: int, sigma: float) -> int:
    return int(np.ceil(6.0 * sigma)) + 3 + (_SPLINE_REACH if order > 1 else 0)


@dataclass(frozen=True, eq=False)
class _Part:
    """A box of the old volume with its grid and the index of its first voxel."""

    values: Values
    geometry: Geometry
    start: FloatArray

    @classmethod
    def around(cls, box: Box, reach: list[int], source: VoxelSource) -> _Part:
        z, y, x = (
            slice(max(s.start - r, 0), min(s.stop + r, n))
            for s, r, n in zip(box, reach, source.geometry.shape, strict=True)
        )
        start = np.array([z.start, y.start, x.start], dtype=np.float64)
        return cls(source.read((z, y, x)), crop_grid(source.geometry, (z, y, x)), start)


def _fill_outside(
    result: Values, linear: FloatArray, offset: FloatArray, shape: tuple[int, ...], fill: float
) -> None:
    """Set voxels whose centre is outside the old voxels; slice by slice to stay small.

    `linear` and `offset` map indices of the result to those of the old volume, whose shape it is.
    """
    _, ny, nx = result.shape
    y, x = np.arange(ny)[:, None], np.arange(nx)[None, :]
    for z, plane in enumerate(result):
        outside = np.zeros(plane.shape, dtype=bool)
        for old in range(3):
            p = linear[old, 0] * z + linear[old, 1] * y + linear[old, 2] * x + offset[old]
            outside |= (p < -0.5 - _ROUNDING) | (p > shape[old] - 0.5 + _ROUNDING)
        plane[outside] = fill
