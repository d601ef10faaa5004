"""Decay Factors of a dynamic series, held against its one decay reference."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Final

from schemas.errors import RejectedObjectError
from tasks.quantify.decay import average_count_time, decay_constant
from tasks.quantify.facts import Facts, Frame
from tasks.quantify.times import seconds_between
from tasks.quantify.trail import Trail

#: Times that lie closer than makes this much of SUV agree; factors come with few digits.
_AGREEMENT: Final = 0.01


def check_decay_factors(
    facts: Facts, reference: datetime, half_life_s: float, trail: Trail
) -> None:
    """Find dynamic series whose frames were not all corrected to the decay reference.

    A frame's Decay Factor (0054,1321) tells when: ``t_acq + T_ave - ln(factor) / lambda``. Some
    systems correct every frame to its own start and still say START. Factors of 1 in all frames
    mean that nobody filled them in.

    Parameters
    ----------
    facts : Facts
        Of the series; others than dynamic ones are not looked at.
    reference : datetime
        The decay reference that was found.
    half_life_s : float
        Half-life.
    trail : Trail
        Takes the step, or a finding.

    Raises
    ------
    RejectedObjectError
        `suv_decay_reference_ambiguous` if frames were corrected to different times.

    References
    ----------
    DICOM PS3.3 C.8.9.4 (Decay Factor).
    """
    if "DYNAMIC" not in facts.series_type:
        return
    trail.note("Series Type (0054,1000) = DYNAMIC: one t_ref for all frames")
    implied = [_corrected_to(frame, half_life_s) for frame in facts.frames]
    known = [moment for moment in implied if moment is not None]
    if len(known) < len(implied) or all(f.decay_factor == 1 for f in facts.frames):
        return
    tolerance_s = _AGREEMENT / decay_constant(half_life_s)
    spread = seconds_between(min(known), max(known))
    if spread > tolerance_s:
        raise RejectedObjectError(
            "suv_decay_reference_ambiguous",
            "by their Decay Factors (0054,1321) frames were corrected to times up to "
            f"{spread:.0f} s apart",
        )
    off = max((seconds_between(reference, moment) for moment in known), key=abs)
    if abs(off) > tolerance_s:
        text = f"by the Decay Factors (0054,1321) frames were corrected to t_ref {off:+.0f} s"
        trail.find("SUV-REFERENCE", "fail", text)
    else:
        trail.note(f"Decay Factors (0054,1321) agree with t_ref within {abs(off):.1f} s")


def _corrected_to(frame: Frame, half_life_s: float) -> datetime | None:
    if frame.acquisition is None or frame.duration_s is None or frame.decay_factor is None:
        return None
    average = average_count_time(frame.duration_s, half_life_s)
    before = math.log(frame.decay_factor) / decay_constant(half_life_s)
    return frame.acquisition + timedelta(seconds=average - before)
