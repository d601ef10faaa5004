"""Integrals of curves that were measured as means over frames.

A curve is taken to be linear within each frame, with the frame's mean exactly and the slope of the
parabola through the means of the neighbouring frames; across a gap between frames it is the
straight line between their middles. So the integral up to every edge of a frame is exact for frames
without gaps, whatever the curve, and everything is exact for a curve that is linear in time.

Before the first frame, a scan that began at the injection or earlier needs no assumption. If it
began later, the curve is a straight line from 0 at the injection to the first frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.geometry import FloatArray
from tasks.kinetics.frames import FrameTimes

#: Shorter leads and gaps are rounding.
_MOMENT_S: Final = 1e-3


@dataclass(frozen=True, eq=False)
class Segments:
    """Pieces of time on each of which a curve is linear; every frame is one of them.

    Parameters
    ----------
    start_s, duration_s : ndarray, (s,), float64
        Pieces in order, without gaps.
    mean, slope : ndarray, (s, t), float64
        Matrices that make the mean of each piece, and its slope in 1/s, of the means of frames.
    frames : ndarray, (t,), int64
        Which piece is which frame.
    """

    start_s: FloatArray
    duration_s: FloatArray
    mean: FloatArray
    slope: FloatArray
    frames: NDArray[np.int64]


def segments(times: FrameTimes) -> Segments:
    """Pieces of time of a dynamic series: lead-in, frames and gaps."""
    n = times.n
    unit, slopes = np.eye(n), _slopes(times)
    pieces: list[tuple[float, float, FloatArray, FloatArray]] = []
    frames = []
    if times.start_s[0] > _MOMENT_S:
        rise = unit[0] / times.mid_s[0]
        pieces.append((0.0, float(times.start_s[0]), rise * times.start_s[0] / 2.0, rise))
    for i in range(n):
        frames.append(len(pieces))
        pieces.append((float(times.start_s[i]), float(times.duration_s[i]), unit[i], slopes[i]))
        if i + 1 < n and times.gap_s[i] > _MOMENT_S:
            pieces.append(_gap(times, unit, i))
    starts, durations, means, rates = zip(*pieces, strict=True)
    return Segments(
        np.array(starts), np.array(durations), np.array(means), np.array(rates), np.array(frames)
    )


def _gap(
    times: FrameTimes, unit: FloatArray, i: int
) -> tuple[float, float, FloatArray, FloatArray]:
    """Straight line between the middles of two frames, over the gap between them."""
    start, length = float(times.end_s[i]), float(times.gap_s[i])
    slope = (unit[i + 1] - unit[i]) / (times.mid_s[i + 1] - times.mid_s[i])
    return start, length, unit[i] + slope * (start + length / 2.0 - times.mid_s[i]), slope


def _slopes(times: FrameTimes) -> FloatArray:
    """Matrix (t, t) that makes the slope in each frame; a parabola through three means."""
    n = times.n
    middle, unit = times.mid_s, np.eye(n)
    if times.start_s[0] > _MOMENT_S:  # the curve is known to begin at 0 with the injection
        middle, unit = np.append(0.0, middle), np.vstack([np.zeros(n), unit])
    if len(middle) == 1:
        return np.zeros((n, n))
    chord = np.diff(unit, axis=0) / np.diff(middle)[:, None]
    slope = np.empty_like(unit)
    slope[0], slope[-1] = chord[0], chord[-1]
    before, after = np.diff(middle)[:-1, None], np.diff(middle)[1:, None]
    slope[1:-1] = (chord[:-1] * after + chord[1:] * before) / (before + after)
    return slope[-n:]


def integral_operator(times: FrameTimes) -> FloatArray:
    """Matrix (t, t): means of frames to means over frames of the integral since the injection.

    Averaged over a frame, an equation between a curve and its integral holds as it does at every
    moment. So models that are linear in both can be fitted to means of frames without any error of
    sampling. The result is in the unit of the curve times s.

    Examples
    --------
    A constant curve of 1 has the integral t, with means in the middle of the frames:

    >>> times = FrameTimes(np.array([0.0, 10.0]), np.array([10.0, 30.0]))
    >>> integral_operator(times) @ [1.0, 1.0]
    array([ 5., 25.])
    """
    cut = segments(times)
    area = cut.duration_s[:, None] * cut.mean
    before = np.cumsum(area, axis=0) - area
    inside = area / 2.0 - cut.slope * cut.duration_s[:, None] ** 2 / 12.0
    found: FloatArray = (before + inside)[cut.frames]
    return found


def convolve_exponential(
    times: FrameTimes, curve: FloatArray, rates_per_s: FloatArray
) -> FloatArray:
    """Means over frames of a curve convolved with ``exp(-k t)``, for several k.

    Parameters
    ----------
    times : FrameTimes
        Frames.
    curve : ndarray, (t,), float64
        Means over frames.
    rates_per_s : ndarray, (n,), float64
        k > 0.

    Returns
    -------
    ndarray, (n, t), float64
        Unit of the curve times s.
    """
    cut = segments(times)
    mean, slope = cut.mean @ curve, cut.slope @ curve
    k = np.asarray(rates_per_s, dtype=np.float64)
    level = np.zeros_like(k)
    averages = np.empty((len(mean), len(k)))
    for i, d in enumerate(cut.duration_s):
        # within a piece the curve is a + s u; the convolution obeys g' = a + s u - k g
        first = mean[i] - slope[i] * d / 2.0
        left = np.exp(-k * d)
        held = -np.expm1(-k * d) / k
        after = level * left + first * held + slope[i] * (d - held) / k
        averages[i] = (mean[i] * d - (after - level)) / (k * d)
        level = after
    return averages[cut.frames].T
