"""Finding the six spheres of a NEMA image quality phantom."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from scipy import ndimage

from schemas.errors import InvalidInputError
from schemas.geometry import FloatArray
from schemas.phantoms import (
    LUNG_INSERT_DIAMETER_MM,
    SPHERE_DIAMETERS_MM,
)
from schemas.volume import ImageVolume
from tasks.phantom.body import depth_mm, find_body, positions_mm
from tasks.phantom.constellation import Constellation, fit_circle, hexagons
from tasks.phantom.labels import name_spheres
from tasks.phantom.model import IqPhantom, Mask

#: How far inside the body a sphere's centre lies at least, mm.
_LEAST_DEPTH_MM: Final = 20.0
_MOST_CANDIDATES: Final = 40
#: Clearance of the background from spheres, insert and walls (NEMA NU 2), mm.
_CLEARANCE_MM: Final = 15.0
#: The background is measured this far from the plane of the spheres at most, mm.
_BACKGROUND_REACH_MM: Final = 30.0
#: Area of the body in the plane of the spheres, cm2: by its drawing 540.
_AREA_CM2: Final = (380.0, 700.0)
#: Largest coefficient of variation of the background once it is smoothed, a fraction.
_MOST_SPREAD: Final = 0.15
#: A centre this far from its place on the circle is not believed, mm.
_MOST_OFF_MM: Final = 5.0


def find_spheres(image: ImageVolume) -> IqPhantom:
    """Find a NEMA image quality phantom and its spheres.

    Bright spots inside the body are searched for six places of a circle of 114.4 mm; which sphere
    is which follows from the activity at each place, so that turned, flipped and shifted phantoms
    are found alike. Up to three of the spheres may be missing or cold.

    Parameters
    ----------
    image : ImageVolume
        In any unit that is proportional to the concentration; the phantom's axis within about 25
        degrees of the first axis of the array.

    Returns
    -------
    IqPhantom

    Raises
    ------
    InvalidInputError
        There is no such phantom in the image; the message says what is missing.

    References
    ----------
    NEMA NU 2-2018, section 7.3.
    """
    values = np.asarray(np.nan_to_num(image.values), dtype=np.float64)
    spacing = image.geometry.spacing
    body, level, search = find_body(values, spacing)
    depth = depth_mm(body, spacing)
    spots = _bright_spots(search - level, depth, spacing)
    if len(spots) < 3:
        raise InvalidInputError(f"expected at least 3 hot spheres in the body, found {len(spots)}")
    circles = hexagons(spots)
    if not circles:
        raise InvalidInputError("no three hot spots lie like the spheres of a NEMA phantom")
    best = max(circles, key=lambda c: _brightness(search - level, c, spacing))
    order, states = name_spheres(values, best.places(), spacing, level)
    expected = best.places()[list(order)]
    hot = [i for i, state in enumerate(states) if state == "hot"]
    if len(hot) < 3:
        raise InvalidInputError(f"expected at least 3 hot spheres, found {len(hot)}")
    centres, circle, deviation = _refined(values, expected, hot, spacing)
    background = _background(body, depth, circle, centres, spacing)
    _refuse_patients(body, search, background, circle, spacing)
    inside = values[background]
    return IqPhantom(
        centres_mm=centres,
        states=states,
        circle_centre_mm=circle.centre,
        normal=circle.normal,
        deviation_mm=deviation,
        background=float(inside.mean()),
        background_sd=float(inside.std(ddof=1)),
        background_mask=background,
        body_mask=body,
        geometry=image.geometry,
    )


def _bright_spots(
    excess: FloatArray, depth: FloatArray, spacing: tuple[float, float, float]
) -> FloatArray:
    """Places of local maxima that stand out of the noise, brightest first; (n, 3), mm."""
    deep = depth >= _LEAST_DEPTH_MM
    if not deep.any():
        raise InvalidInputError("the body in the image is too thin for a NEMA phantom")
    size = [2 * max(1, round(6.0 / s)) + 1 for s in spacing]
    highest = ndimage.maximum_filter(excess, size=size, mode="nearest")
    noise = 1.4826 * float(np.median(np.abs(excess[deep])))
    # the largest maxima may be noise of the last slices: only a multiple of the noise is asked for
    found = np.argwhere((excess == highest) & deep & (excess > 4.0 * noise))
    ranked = found[np.argsort(-excess[tuple(found.T)])][:_MOST_CANDIDATES]
    return np.asarray(ranked * np.asarray(spacing), dtype=np.float64)


def _brightness(
    excess: FloatArray, circle: Constellation, spacing: tuple[float, float, float]
) -> tuple[int, float]:
    """How many places have a spot, then how bright they are together."""
    index = (circle.places() / np.asarray(spacing)).T
    values = ndimage.map_coordinates(excess, index, order=1, mode="constant")
    return circle.n_spots, float(np.sqrt(np.maximum(values, 0.0)).sum())


def _refined(
    values: FloatArray,
    expected: FloatArray,
    hot: list[int],
    spacing: tuple[float, float, float],
) -> tuple[FloatArray, Constellation, float]:
    """Centroids of the hot spheres, and the circle through them; the others by the circle."""
    centres = expected.copy()
    for i in hot:
        moved = _centroid(values, expected[i], SPHERE_DIAMETERS_MM[i] / 2.0, spacing)
        if np.linalg.norm(moved - expected[i]) <= 2.0 * _MOST_OFF_MM:
            centres[i] = moved
    weights = np.array([SPHERE_DIAMETERS_MM[i] if i in hot else 0.0 for i in range(6)])
    circle, placed = fit_circle(centres, weights)
    off = np.linalg.norm(centres - placed, axis=1)
    believed = [i for i in hot if off[i] <= _MOST_OFF_MM]
    for i in range(6):
        if i not in believed:
            centres[i] = placed[i]
    deviation = float(np.sqrt(np.mean(off[believed] ** 2))) if believed else math.nan
    return centres, circle, deviation


def _centroid(
    values: FloatArray, start: FloatArray, radius_mm: float, spacing: tuple[float, float, float]
) -> FloatArray:
    """Centre of what exceeds the surroundings, within a ball that follows it."""
    centre = start
    reach = radius_mm + 6.0
    for _ in range(5):
        window, distance = _ball(values.shape, centre, reach + 6.0, spacing)
        part = values[window]
        shell = part[(distance > reach) & (distance <= reach + 6.0)]
        ball = distance <= reach
        weight = np.where(ball, part - (np.median(shell) if shell.size else 0.0), 0.0)
        total = float(weight.sum())
        if total <= 0.0:
            return centre
        axes = [np.arange(w.start, w.stop) * s for w, s in zip(window, spacing, strict=True)]
        grid = np.meshgrid(*axes, indexing="ij", sparse=True)
        moved = np.array([float((weight * g).sum()) / total for g in grid])
        if np.linalg.norm(moved - centre) < 0.02:
            return moved
        centre = moved
    return centre


def _ball(
    shape: tuple[int, ...],
    centre: FloatArray,
    radius_mm: float,
    spacing: tuple[float, float, float],
) -> tuple[tuple[slice, ...], FloatArray]:
    """Box around a ball, clipped to the image, and the distances of its voxels from the centre."""
    window = tuple(
        slice(max(math.floor((c - radius_mm) / s), 0), min(math.ceil((c + radius_mm) / s) + 1, n))
        for c, s, n in zip(centre, spacing, shape, strict=True)
    )
    axes = [
        (np.arange(w.start, w.stop) * s - c) ** 2
        for w, s, c in zip(window, spacing, centre, strict=True)
    ]
    squared = axes[0][:, None, None] + axes[1][None, :, None] + axes[2][None, None, :]
    return window, np.sqrt(squared)


def _background(
    body: Mask,
    depth: FloatArray,
    circle: Constellation,
    centres: FloatArray,
    spacing: tuple[float, float, float],
) -> Mask:
    """Background near the plane of the spheres, clear of everything."""
    z, y, x = positions_mm(body.shape, spacing)
    dz, dy, dx = (a - c for a, c in zip((z, y, x), circle.centre, strict=True))
    along = dz * circle.normal[0] + dy * circle.normal[1] + dx * circle.normal[2]
    from_axis = np.sqrt(np.maximum(dz**2 + dy**2 + dx**2 - along**2, 0.0))
    clear = body & (depth >= _CLEARANCE_MM) & (np.abs(along) <= _BACKGROUND_REACH_MM)
    clear &= from_axis >= LUNG_INSERT_DIAMETER_MM / 2.0 + _CLEARANCE_MM
    for centre, diameter in zip(centres, SPHERE_DIAMETERS_MM, strict=True):
        window, distance = _ball(body.shape, centre, diameter / 2.0 + _CLEARANCE_MM, spacing)
        clear[window] &= distance > diameter / 2.0 + _CLEARANCE_MM
    if clear.sum() < 100:
        raise InvalidInputError("too little background around the spheres lies in the image")
    return np.asarray(clear)


def _refuse_patients(
    body: Mask,
    search: FloatArray,
    background: Mask,
    circle: Constellation,
    spacing: tuple[float, float, float],
) -> None:
    """Bright spots on a circle occur in patients, too: in brains, for one."""
    middle = min(max(round(float(circle.centre[0]) / spacing[0]), 0), body.shape[0] - 1)
    area = float(body[middle].sum()) * spacing[1] * spacing[2] / 100.0
    if not _AREA_CM2[0] <= area <= _AREA_CM2[1]:
        raise InvalidInputError(
            f"the body around the spots is {area:.0f} cm2 wide, that of the phantom about 540 cm2"
        )
    smooth = search[background]
    spread = float(smooth.std() / smooth.mean())
    if spread > _MOST_SPREAD:
        raise InvalidInputError(
            f"what surrounds the spots is not uniform ({100 * spread:.0f} % when smoothed)"
        )
