"""Six places on a circle: guesses from three spots, and the circle that fits measured centres."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from schemas.geometry import FloatArray
from schemas.phantoms import SPHERE_CIRCLE_DIAMETER_MM

RADIUS_MM: Final = SPHERE_CIRCLE_DIAMETER_MM / 2.0
#: How far spots may lie from their places, mm; distances between two of them may be off by more.
_TOLERANCE_MM: Final = 6.0
#: Cosine of the largest angle between the phantom and the first axis of the array.
_LEAST_COSINE: Final = math.cos(math.radians(25.0))


@dataclass(frozen=True, eq=False)
class Constellation:
    """Six places, 60 degrees apart on a circle in space.

    Parameters
    ----------
    centre, normal, first : ndarray, (3,), float64
        Centre of the circle, unit vector along its axis, and unit vector to the first place; mm,
        z, y, x.
    n_spots : int
        How many places have a bright spot.
    """

    centre: FloatArray
    normal: FloatArray
    first: FloatArray
    n_spots: int = 0

    def places(self) -> FloatArray:
        """Return the six places, (6, 3), mm, in turn around the circle."""
        angle = np.arange(6)[:, None] * math.pi / 3.0
        second = np.cross(self.normal, self.first)
        around: FloatArray = np.cos(angle) * self.first + np.sin(angle) * second
        return self.centre + RADIUS_MM * around


def hexagons(spots: FloatArray) -> list[Constellation]:
    """All constellations that three of the spots lie on; (n, 3), mm."""
    between = np.linalg.norm(spots[:, None] - spots[None], axis=-1)
    chords = np.array([1.0, math.sqrt(3.0), 2.0]) * RADIUS_MM
    fits = (np.abs(between[..., None] - chords) <= _TOLERANCE_MM).any(axis=-1)
    found = []
    for i, j, k in itertools.combinations(range(len(spots)), 3):
        if fits[i, j] and fits[j, k] and fits[i, k]:
            circle = _through(spots[[i, j, k]], spots)
            if circle is not None:
                found.append(circle)
    return found


def _through(three: FloatArray, spots: FloatArray) -> Constellation | None:
    circle = _circumcircle(three)
    if circle is None:
        return None
    centre, normal = circle
    fitted = _turned_to(three, centre, normal)
    places = fitted.places()
    nearest = np.linalg.norm(three[:, None] - places[None], axis=-1)
    # three different places, each near its spot
    if len(set(nearest.argmin(axis=1))) < 3 or nearest.min(axis=1).max() > _TOLERANCE_MM:
        return None
    near = np.linalg.norm(places[:, None] - spots[None], axis=-1).min(axis=1)
    n_spots = int((near <= _TOLERANCE_MM).sum())
    return Constellation(fitted.centre, fitted.normal, fitted.first, n_spots)


def _circumcircle(three: FloatArray) -> tuple[FloatArray, FloatArray] | None:
    """Centre and axis of the circle through three points, if it is about the phantom's."""
    a, b = three[1] - three[0], three[2] - three[0]
    across = np.cross(a, b)
    area = float(across @ across)
    if area < 1.0:
        return None
    to_centre = (np.cross(across, a) * (b @ b) + np.cross(b, across) * (a @ a)) / (2.0 * area)
    normal = across / math.sqrt(area)
    if abs(normal[0]) < _LEAST_COSINE:
        return None
    if abs(float(np.linalg.norm(to_centre)) - RADIUS_MM) > _TOLERANCE_MM:
        return None
    return three[0] + to_centre, normal if normal[0] > 0 else -normal


def _turned_to(points: FloatArray, centre: FloatArray, normal: FloatArray) -> Constellation:
    """Turn the places to the points: the mean of their angles modulo 60 degrees."""
    own = points - centre
    own = own - np.outer(own @ normal, normal)
    u = own[0] / np.linalg.norm(own[0])
    v = np.cross(normal, u)
    angle = np.arctan2(own @ v, own @ u)
    mean = float(np.angle(np.exp(6j * angle).sum())) / 6.0
    return Constellation(centre, normal, math.cos(mean) * u + math.sin(mean) * v)


def fit_circle(centres: FloatArray, weights: FloatArray) -> tuple[Constellation, FloatArray]:
    """Rigid fit of the constellation to measured centres in the order of the circle.

    Parameters
    ----------
    centres : ndarray, (6, 3), float64
        Mm.
    weights : ndarray, (6,), float64
        0 for those that are not known; at least three are not.

    Returns
    -------
    circle : Constellation
        With its first place at the first centre.
    placed : ndarray, (6, 3), float64
        Places of the six centres on it.

    References
    ----------
    Kabsch W. Acta Cryst 1976;A32:922.
    """
    angle = np.arange(6)[:, None] * math.pi / 3.0
    model = RADIUS_MM * np.hstack([np.zeros((6, 1)), np.sin(angle), np.cos(angle)])
    w = weights / weights.sum()
    middle, model_middle = w @ centres, w @ model
    u, _, vt = np.linalg.svd(((centres - middle) * w[:, None]).T @ (model - model_middle))
    proper = np.diag([1.0, 1.0, float(np.linalg.det(u @ vt))])
    turn = u @ proper @ vt
    placed = (model - model_middle) @ turn.T + middle
    centre = middle - turn @ model_middle
    normal = turn @ np.array([1.0, 0.0, 0.0])
    first = (placed[0] - centre) / RADIUS_MM
    return Constellation(centre, normal if normal[0] > 0 else -normal, first), placed
