"""Clock of a simulated scan: injection, bed positions, decay."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from schemas.geometry import FloatArray
from tasks.simulate.scanner import CentreProfile


def decay_constant(half_life_s: float) -> float:
    """Lambda in 1/s."""
    return math.log(2.0) / half_life_s


def average_activity_time_s(duration_s: float, half_life_s: float) -> float:
    """Time after the start of a frame at which the activity equals its mean over the frame.

    References
    ----------
    DICOM PS3.3 C.8.9.4.1.5 (Frame Reference Time): ``(1/l) ln(l T / (1 - exp(-l T)))``.

    Examples
    --------
    >>> round(average_activity_time_s(120.0, 6586.2), 3)
    59.937
    """
    lt = decay_constant(half_life_s) * duration_s
    return math.log(lt / -math.expm1(-lt)) / decay_constant(half_life_s)


@dataclass(frozen=True, slots=True)
class Schedule:
    """When everything happened in one PET scan.

    Parameters
    ----------
    injection, scan_start : datetime
        Administration, and start of the first bed position, which is the decay reference.
    bed_start : tuple of datetime
        Start of the bed position of each slice, in ascending z.
    bed_duration_s, half_life_s : float
        As in the profile.
    """

    injection: datetime
    scan_start: datetime
    bed_start: tuple[datetime, ...]
    bed_duration_s: float
    half_life_s: float

    @property
    def remaining(self) -> float:
        """Fraction of the injected activity left at the decay reference."""
        wait = (self.scan_start - self.injection).total_seconds()
        return math.exp(-decay_constant(self.half_life_s) * wait)

    def frame_mean(self) -> FloatArray:
        """Mean activity during the frame of each slice over that at injection; (z,)."""
        rate = decay_constant(self.half_life_s)
        wait = np.array([(t - self.injection).total_seconds() for t in self.bed_start])
        lt = rate * self.bed_duration_s
        return np.asarray(np.exp(-rate * wait) * (-math.expm1(-lt) / lt))


def schedule(profile: CentreProfile, injection: datetime, z_mm: FloatArray) -> Schedule:
    """Scan from the thighs upwards, bed after bed, after the centre's uptake time."""
    start = injection + timedelta(minutes=profile.uptake_min)
    per_bed = timedelta(seconds=profile.bed_duration_s + profile.bed_gap_s)
    beds = ((z_mm - z_mm[0]) // profile.bed_length_mm).astype(int)
    return Schedule(
        injection,
        start,
        tuple(start + int(bed) * per_bed for bed in beds),
        profile.bed_duration_s,
        profile.half_life_s,
    )


def dicom_date(moment: datetime) -> str:
    """DA."""
    return moment.strftime("%Y%m%d")


def dicom_time(moment: datetime, digits: int = 6) -> str:
    """TM with `digits` of the second's fraction (0: none)."""
    text = moment.strftime("%H%M%S.%f")
    return text[: 7 + digits] if digits else text[:6]


def dicom_datetime(moment: datetime, digits: int = 6) -> str:
    """DT with `digits` of the second's fraction (0: none)."""
    return dicom_date(moment) + dicom_time(moment, digits)
