"""When the frames of a dynamic series were measured, counted from the injection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from schemas.errors import KineticsRefusedError
from schemas.geometry import FloatArray

#: Headers give times in whole seconds at worst: an end and the next start that differ by no more
#: are the same moment (and not a gap, nor an overlap) ...
_CLOCK_S: Final = 1.0
#: ... unless that is a large part of the frame.
_CLOCK_SHARE: Final = 0.2


@dataclass(frozen=True, eq=False)
class FrameTimes:
    """Frames of a dynamic series, in order and without overlap.

    Parameters
    ----------
    start_s, duration_s : ndarray, (t,), float64
        Seconds after the injection (negative before it), and length.
    """

    start_s: FloatArray
    duration_s: FloatArray

    @property
    def n(self) -> int:
        """Number of frames."""
        return len(self.start_s)

    @property
    def end_s(self) -> FloatArray:
        """Ends, s after the injection."""
        return self.start_s + self.duration_s

    @property
    def mid_s(self) -> FloatArray:
        """Middles, s after the injection."""
        return self.start_s + self.duration_s / 2.0

    @property
    def gap_s(self) -> FloatArray:
        """Time between the end of each frame and the start of the next one; (t - 1,)."""
        return self.start_s[1:] - self.end_s[:-1]


def frame_times(
    start_s: FloatArray | None, duration_s: FloatArray | None, injection_s: float = 0.0
) -> FrameTimes:
    """Check the frames of a dynamic series and count their times from the injection.

    A frame's end and the next one's start are often rounded to whole seconds. Where they differ by
    no more than a second (and a fifth of the frame), the frame is taken to end at the next start.

    Parameters
    ----------
    start_s, duration_s : ndarray, (t,), float64, or None
        As in `schemas.volume.FrameAxis`: starts after that of the first frame.
    injection_s : float
        Injection, s after the start of the first frame; negative if the scan began later.

    Raises
    ------
    KineticsRefusedError
        ``kinetics.no_frame_times``, ``kinetics.frame_duration``, ``kinetics.frames_overlap``.

    Examples
    --------
    >>> times = frame_times(np.array([0.0, 10.0, 40.0]), np.array([10.0, 29.5, 60.0]), 5.0)
    >>> times.start_s.tolist(), times.duration_s.tolist()
    ([-5.0, 5.0, 35.0], [10.0, 30.0, 60.0])
    """
    if start_s is None or duration_s is None:
        what = "starts" if start_s is None else "durations"
        raise KineticsRefusedError("kinetics.no_frame_times", f"the frames have no {what}")
    start = np.asarray(start_s, dtype=np.float64)
    duration = np.array(duration_s, dtype=np.float64)
    if start.size == 0 or not (np.isfinite(start).all() and np.isfinite(duration).all()):
        raise KineticsRefusedError("kinetics.no_frame_times", "a start or duration is missing")
    if (duration <= 0).any():
        frame = int(np.argmax(duration <= 0)) + 1
        raise KineticsRefusedError(
            "kinetics.frame_duration",
            f"frame {frame}: expected a duration > 0 s, got {duration[frame - 1]:g} s",
        )
    gap = start[1:] - (start[:-1] + duration[:-1])
    clock = np.minimum(_CLOCK_S, _CLOCK_SHARE * duration[:-1]) + 1e-9
    if (gap < -clock).any():
        frame = int(np.argmax(gap < -clock)) + 1
        raise KineticsRefusedError(
            "kinetics.frames_overlap",
            f"frame {frame} ends {-gap[frame - 1]:g} s after the start of frame {frame + 1}",
        )
    duration[:-1] += np.where(np.abs(gap) <= clock, gap, 0.0)
    return FrameTimes(start - injection_s, duration)


def decay_factors(times: FrameTimes, half_life_s: float) -> FloatArray:
    """Factors that correct the mean activity of each frame to the injection; (t,).

    ``exp(l t) l d / (1 - exp(-l d))`` for a frame of length d that starts at t, if the tracer's
    distribution does not change within the frame.

    Parameters
    ----------
    times : FrameTimes
        Frames.
    half_life_s : float
        Of the nuclide.

    References
    ----------
    DICOM PS3.3 C.8.9.4, Decay Factor (0054,1321).

    Examples
    --------
    >>> one = FrameTimes(np.array([6586.2]), np.array([1.0]))
    >>> decay_factors(one, 6586.2).round(3).tolist()
    [2.0]
    """
    rate = np.log(2.0) / half_life_s
    inside = rate * times.duration_s
    factors: FloatArray = np.exp(rate * times.start_s) * inside / -np.expm1(-inside)
    return factors


def frame_weights(times: FrameTimes, weighting: str, half_life_s: float | None) -> FloatArray:
    """Weights of the frames in a fit, their mean 1; (t,).

    Parameters
    ----------
    times : FrameTimes
        Frames.
    weighting : str
        ``uniform``, ``duration``, or ``duration_decay``: duration over the decay factor. The
        variance of a decay corrected mean over a frame is (factor / duration)^2 times the counts,
        and the counts go with duration / factor.
    half_life_s : float or None
        Of the nuclide, for ``duration_decay``.

    Raises
    ------
    ValueError
        For another weighting, or an unknown half-life.

    Examples
    --------
    >>> frame_weights(FrameTimes(np.array([0.0, 10.0]), np.array([10.0, 30.0])), "duration", None)
    array([0.5, 1.5])
    """
    if weighting == "uniform":
        weights = np.ones(times.n)
    elif weighting == "duration":
        weights = times.duration_s.copy()
    elif weighting == "duration_decay" and half_life_s is not None:
        weights = times.duration_s / decay_factors(times, half_life_s)
    else:
        raise ValueError(f"weighting {weighting!r} with half-life {half_life_s}")
    return np.asarray(weights / weights.mean())
