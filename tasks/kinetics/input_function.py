"""The tracer in plasma over time: from an ROI in the blood pool, or from blood samples."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.errors import InvalidInputError, KineticsRefusedError
from schemas.geometry import FloatArray
from tasks.kinetics.frames import FrameTimes
from tasks.kinetics.integrals import integral_operator

#: The peak of a bolus lies early in the scan; an input whose peak is in this last part is none.
_LATE_PART: Final = 0.5
#: Share of the peak from which on the tracer has arrived.
_ARRIVED: Final = 0.1
#: Columns of a file of blood samples; one of the two activities is needed.
_SAMPLE_COLUMNS: Final = ("time_s", "plasma_bq_per_ml", "whole_blood_bq_per_ml", "parent_fraction")


@dataclass(frozen=True, eq=False)
class InputFunction:
    """Unchanged tracer in arterial plasma, as the means over frames that models are fitted with.

    Parameters
    ----------
    mean : ndarray, (t,), float64
        Mean over each frame, in the unit of the images.
    integral : ndarray, (t,), float64
        Mean over each frame of the integral since the injection, unit of the images times s.
    """

    mean: FloatArray
    integral: FloatArray


def input_of_curve(
    times: FrameTimes, blood: FloatArray, plasma_over_blood: float = 1.0
) -> InputFunction:
    """Input function of the curve of a blood pool.

    Parameters
    ----------
    times : FrameTimes
        Frames.
    blood : ndarray, (t,), float64
        Means over frames of whole blood.
    plasma_over_blood : float
        Activity in plasma over that in whole blood, at all times.

    Raises
    ------
    KineticsRefusedError
        ``kinetics.not_finite``, ``kinetics.implausible_input``.
    """
    plasma = np.asarray(blood, dtype=np.float64) * plasma_over_blood
    return _checked(InputFunction(plasma, integral_operator(times) @ plasma))


@dataclass(frozen=True, eq=False)
class BloodSamples:
    """Activity of unchanged tracer in arterial plasma, measured in samples.

    Parameters
    ----------
    time_s : ndarray, (n,), float64
        After the injection, ascending.
    plasma : ndarray, (n,), float64
        Decay corrected to the injection.
    """

    time_s: FloatArray
    plasma: FloatArray

    def scaled(self, factor: float) -> BloodSamples:
        """Return the samples in another unit."""
        return replace(self, plasma=self.plasma * factor)


def input_of_samples(times: FrameTimes, samples: BloodSamples) -> InputFunction:
    """Input function of blood samples joined by straight lines, exactly averaged over frames.

    From 0 at the injection to the first sample it is a straight line, too. After the last sample it
    stays as it is, for at most half of the last frame.

    Raises
    ------
    KineticsRefusedError
        ``kinetics.input_too_short``, ``kinetics.implausible_input``.

    Examples
    --------
    >>> times = FrameTimes(np.array([0.0, 10.0]), np.array([10.0, 10.0]))
    >>> samples = BloodSamples(np.array([10.0, 20.0]), np.array([10.0, 10.0]))
    >>> found = input_of_samples(times, samples)
    >>> found.mean.tolist(), found.integral.round(6).tolist()
    ([5.0, 10.0], [16.666667, 100.0])
    """
    last = float(samples.time_s[-1])
    if last < times.mid_s[-1]:
        raise KineticsRefusedError(
            "kinetics.input_too_short",
            f"the last sample is of {last:g} s, the last frame's middle at {times.mid_s[-1]:g} s",
        )
    knots, values = samples.time_s, samples.plasma
    if knots[0] > 0:
        knots, values = np.append(0.0, knots), np.append(0.0, values)
    beyond = max(last, float(times.end_s[-1])) + 1.0
    line = _Line(np.append(knots, beyond), np.append(values, values[-1]))
    ends, starts = line.integrals(times.end_s), line.integrals(times.start_s)
    mean, integral = ((e - s) / times.duration_s for e, s in zip(ends, starts, strict=True))
    return _checked(InputFunction(mean, integral))


class _Line:
    """A piecewise linear curve, 0 before its first knot, with its first and second integral."""

    def __init__(self, knots: FloatArray, values: FloatArray) -> None:
        self._knots, self._values = knots, values
        step = np.diff(knots)
        self._slope = np.diff(values) / step
        area = (values[:-1] + values[1:]) / 2.0 * step
        self._once = np.append(0.0, np.cumsum(area))
        below = values[:-1] * step**2 / 2.0 + self._slope * step**3 / 6.0
        self._twice = np.append(0.0, np.cumsum(self._once[:-1] * step + below))

    def integrals(self, t: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Integral and integral of the integral from the first knot to `t`."""
        at = np.maximum(t, self._knots[0])
        i = np.clip(np.searchsorted(self._knots, at, side="right") - 1, 0, len(self._slope) - 1)
        u, first = at - self._knots[i], self._values[i]
        once = self._once[i] + first * u + self._slope[i] * u**2 / 2.0
        twice = self._twice[i] + self._once[i] * u + first * u**2 / 2.0
        twice += self._slope[i] * u**3 / 6.0
        return once, twice


def _checked(found: InputFunction) -> InputFunction:
    if not np.isfinite(found.mean).all():
        raise KineticsRefusedError("kinetics.not_finite", "the input function is not finite")
    peak = int(np.argmax(found.mean))
    if found.mean[peak] <= 0 or found.integral[-1] <= 0:
        raise KineticsRefusedError("kinetics.implausible_input", "the input is not positive")
    n = len(found.mean)
    if n > 2 and peak >= n * _LATE_PART:
        raise KineticsRefusedError(
            "kinetics.implausible_input",
            f"the input has its peak in frame {peak + 1} of {n}: not the blood after a bolus",
        )
    return found


def hottest_share(early_mean: FloatArray, share: float) -> NDArray[np.bool_]:
    """Which voxels of an ROI are the hottest ones, at least one.

    Parameters
    ----------
    early_mean : ndarray, (n,), float64
        Mean of each voxel over the early frames.
    share : float
        Part of the voxels to take, 0 to 1.

    Examples
    --------
    >>> hottest_share(np.array([1.0, 4.0, 2.0, 3.0]), 0.5).tolist()
    [False, True, False, True]
    """
    count = max(1, round(share * early_mean.size))
    chosen = np.zeros(early_mean.size, dtype=np.bool_)
    chosen[np.argsort(-early_mean, kind="stable")[:count]] = True
    return chosen


def early_frames(times: FrameTimes, early_min: float) -> FloatArray:
    """Weights (t,) that average the frames from the injection to `early_min`, at least one."""
    early = (times.mid_s >= 0) & (times.mid_s <= 60.0 * early_min)
    if not early.any():
        early = np.arange(times.n) == int(np.argmax(times.mid_s >= 0))
    weights = np.where(early, times.duration_s, 0.0)
    return np.asarray(weights / weights.sum())


def read_samples(text: str) -> BloodSamples:
    r"""Blood samples of a CSV text.

    Parameters
    ----------
    text : str
        Columns ``time_s`` (after the injection), ``plasma_bq_per_ml`` or ``whole_blood_bq_per_ml``
        (taken for plasma where plasma is empty), both decay corrected to the injection, and perhaps
        ``parent_fraction`` (unchanged share of the activity in plasma, 0 to 1; straight lines
        between the samples that have it, 1 at the injection).

    Raises
    ------
    InvalidInputError
        Naming column and row.

    Examples
    --------
    >>> read_samples("time_s,plasma_bq_per_ml,parent_fraction\n60,100,\n120,80,0.5\n").plasma
    array([75., 40.])
    """
    reader = csv.DictReader(io.StringIO(text))
    names = set(reader.fieldnames or ())
    if "time_s" not in names or not names & {"plasma_bq_per_ml", "whole_blood_bq_per_ml"}:
        raise InvalidInputError(
            "blood samples: expected columns time_s and plasma_bq_per_ml or whole_blood_bq_per_ml, "
            f"got {', '.join(sorted(n for n in names if n)) or 'none'}"
        )
    if unknown := sorted(n for n in names - set(_SAMPLE_COLUMNS) if n):
        raise InvalidInputError(f"blood samples: unknown columns {', '.join(unknown)}")
    return samples_of_rows([_sample(number, row) for number, row in enumerate(reader, start=2)])


def samples_of_rows(rows: Sequence[tuple[float, float, float]]) -> BloodSamples:
    """Blood samples of times (s), activities of plasma and parent fractions (NaN: not measured).

    Raises
    ------
    InvalidInputError
        Fewer than two rows, times that do not ascend from 0 on, negative activities, fractions that
        are not in 0 to 1.
    """
    if len(rows) < 2:
        raise InvalidInputError(f"blood samples: expected two rows at least, got {len(rows)}")
    time, plasma, fraction = (np.array(column) for column in zip(*rows, strict=True))
    if not (np.diff(time) > 0).all() or not time[0] >= 0:
        raise InvalidInputError("blood samples: expected ascending times from 0 s on")
    for name, wrong in (
        ("activity", ~(plasma >= 0) | np.isinf(plasma)),
        ("parent_fraction", (fraction < 0) | (fraction > 1)),
    ):
        if wrong.any():
            row = int(np.argmax(wrong)) + 2
            expected = "in 0 to 1" if name == "parent_fraction" else "given, and not negative"
            raise InvalidInputError(f"blood samples, row {row}: {name} is not {expected}")
    return BloodSamples(time, plasma * _everywhere(time, fraction))


def _everywhere(time_s: FloatArray, fraction: FloatArray) -> FloatArray:
    known = np.isfinite(fraction)
    if not known.any():
        return np.ones_like(time_s)
    at, values = time_s[known], fraction[known]
    if at[0] > 0:
        at, values = np.append(0.0, at), np.append(1.0, values)
    return np.interp(time_s, at, values)


def _sample(number: int, row: dict[str, str | None]) -> tuple[float, float, float]:
    time = _number(number, "time_s", row)
    activity = _number(number, "plasma_bq_per_ml", row)
    if np.isnan(activity):
        activity = _number(number, "whole_blood_bq_per_ml", row)
    return time, activity, _number(number, "parent_fraction", row)


def _number(number: int, name: str, row: dict[str, str | None]) -> float:
    text = (row.get(name) or "").strip()
    if not text:
        return float("nan")
    try:
        return float(text)
    except ValueError:
        raise InvalidInputError(f"blood samples, row {number}: {name} is not a number") from None


def scan_is_late(times: FrameTimes, curve: FloatArray, latest_start_s: float) -> bool:
    """Tell whether the scan missed so much of the input that images cannot give it.

    Injections are often noted to the minute. So a scan that seems late is believed to have begun in
    time if its first frame has less than a tenth of the curve's peak: the tracer came after it.
    """
    return bool(times.start_s[0] > latest_start_s and curve[0] >= _ARRIVED * curve.max())
