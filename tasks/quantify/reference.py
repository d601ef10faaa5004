"""The time that a series with DecayCorrection START was corrected to.

Enhanced PET says it outright; in classic PET no attribute does. There, every candidate that the
header allows is computed; where they agree, the order of IBSI chooses the name, where they do not,
only independent evidence settles it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from schemas.errors import RejectedObjectError
from tasks.quantify.decay import average_count_time, remaining_fraction
from tasks.quantify.facts import Facts, Frame
from tasks.quantify.times import seconds_between
from tasks.quantify.trail import Trail

STATED: Final = "decay_correction_datetime"
PRIVATE: Final = "private_time"
SERIES: Final = "series_time"
BACK_COMPUTED: Final = "frame_reference_time"
ACQUISITION: Final = "acquisition_time"

#: Candidates within this time agree, s (0.6 % of SUV for F-18).
AGREEMENT_S: Final = 60.0
#: Clock rounding between Series Time and Acquisition Time, s.
_ROUNDING_S: Final = 1.0
#: Longest time in half-lives from a stated reference to the scan.
_MAX_HALF_LIVES: Final = 6.0
#: A series time earlier than this before the first acquisition is not of the same session, s.
_SESSION_S: Final = 12 * 3600.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """A possible decay reference; `last` is later than `first` if slices do not agree on it."""

    name: str
    first: datetime
    last: datetime

    @property
    def is_consistent(self) -> bool:
        """True if all slices give the same time within `AGREEMENT_S`."""
        return seconds_between(self.first, self.last) <= AGREEMENT_S

    @property
    def moment(self) -> datetime:
        """Middle of the times that the slices give."""
        return self.first + (self.last - self.first) / 2


@dataclass(frozen=True, slots=True)
class Reference:
    """The decay reference chosen, and the rule that chose it."""

    rule: str
    moment: datetime


def decay_reference(
    facts: Facts,
    half_life_s: float,
    trail: Trail,
    vendor_ratio_error: Callable[[datetime], float] | None,
) -> Reference:
    """Find the decay reference of a series with DecayCorrection START.

    Parameters
    ----------
    vendor_ratio_error : callable or None
        Relative difference between W/D(t) and the Philips ratio (7053,xx00)/(7053,xx09) for a
        time t; None where there is no such ratio.

    Raises
    ------
    RejectedObjectError
        `suv_decay_reference_missing`, `suv_frame_duration_missing`,
        `suv_decay_reference_ambiguous`.

    References
    ----------
    IBSI SUV manual (oncoray/suv_computation), Decay correction = START; QIBA vendor-neutral SUV
    pseudo-code, 2018; DICOM PS3.3 C.8.22.4.
    """
    if facts.is_enhanced:
        return _stated(facts, half_life_s, trail)
    candidates = _candidates(facts, half_life_s, trail)
    earliest = min(c.first for c in candidates.values())
    latest = max(c.last for c in candidates.values())
    gap = seconds_between(earliest, latest)
    trail.spread_percent = 100 * (1 - remaining_fraction(gap, half_life_s))
    for c in candidates.values():
        after = seconds_between(earliest, c.first), seconds_between(earliest, c.last)
        trail.note(f"t_ref candidate {c.name}: +{after[0]:.3f} to +{after[1]:.3f} s")
    if gap <= AGREEMENT_S:
        return _first_in_order(candidates, facts)
    severity = "fail" if trail.spread_percent > 5 else "warn"
    trail.find(
        "SUV-REFERENCE",
        severity,
        f"decay reference candidates {gap:.0f} s apart: {trail.spread_percent:.2f} % of SUV",
    )
    return _settle(candidates, facts, trail, vendor_ratio_error)


def _stated(facts: Facts, half_life_s: float, trail: Trail) -> Reference:
    """Decay Correction DateTime of Enhanced PET, unless it cannot belong to the scan."""
    moment = facts.stated_reference
    if moment is None:
        raise RejectedObjectError(
            "suv_decay_reference_missing",
            "Decay Correction DateTime (0018,9701) is absent or unusable",
        )
    trail.spread_percent = 0.0
    trail.note("t_ref = Decay Correction DateTime (0018,9701)")
    starts = _starts(facts)
    longest = max(_SESSION_S, _MAX_HALF_LIVES * half_life_s)
    if starts and not -AGREEMENT_S <= seconds_between(moment, max(starts)) <= longest:
        raise RejectedObjectError(
            "suv_decay_reference_ambiguous",
            "Decay Correction DateTime (0018,9701) is "
            f"{seconds_between(max(starts), moment):.0f} s after the last acquisition started",
        )
    return Reference(STATED, moment)


def _first_in_order(candidates: dict[str, Candidate], facts: Facts) -> Reference:
    """IBSI: private; series time if the acquisition starts with it; back-computed; the rest."""
    order = [PRIVATE, BACK_COMPUTED, SERIES, ACQUISITION]
    if SERIES in candidates:
        start = min(_starts(facts))
        if abs(seconds_between(candidates[SERIES].moment, start)) <= _ROUNDING_S:
            order = [PRIVATE, SERIES, BACK_COMPUTED, ACQUISITION]
    name = next(n for n in order if n in candidates)
    return Reference(name, candidates[name].moment)


def _settle(
    candidates: dict[str, Candidate],
    facts: Facts,
    trail: Trail,
    vendor_ratio_error: Callable[[datetime], float] | None,
) -> Reference:
    consistent = {n: c for n, c in candidates.items() if c.is_consistent}
    if PRIVATE in consistent:
        trail.note("settled by the vendor's private date-time of the decay correction")
        return Reference(PRIVATE, consistent[PRIVATE].moment)
    if vendor_ratio_error is not None and consistent:
        errors = {n: abs(vendor_ratio_error(c.moment)) for n, c in consistent.items()}
        best = min(errors, key=lambda n: errors[n])
        if errors[best] <= 0.01:
            trail.note(f"settled by the Philips ratio, {100 * errors[best]:.3f} % from {best}")
            return Reference(best, consistent[best].moment)
    starts = _starts(facts)
    if SERIES in consistent and max(starts) == min(starts):
        distance = abs(seconds_between(consistent[SERIES].moment, starts[0]))
        if distance <= AGREEMENT_S:
            trail.note("settled: Acquisition Time (0008,0032) is the start of the series in all")
            return Reference(SERIES, consistent[SERIES].moment)
    raise RejectedObjectError(
        "suv_decay_reference_ambiguous",
        f"{len(candidates)} candidates of the decay reference differ by "
        f"{trail.spread_percent or 0:.2f} % of SUV and nothing settles it",
    )


def _starts(facts: Facts) -> list[datetime]:
    return [f.acquisition for f in facts.frames if f.acquisition is not None]


def has_shared_start(facts: Facts) -> bool:
    """Tell if beds or frames at different times all carry the start of the whole acquisition.

    Then Acquisition Time (0008,0032) is constant while Frame Reference Time (0054,1300) is not,
    and nothing can be computed from the two together.
    """
    starts, offsets = set(_starts(facts)), [f.frame_reference_s or 0.0 for f in facts.frames]
    return len(starts) == 1 and max(offsets) - min(offsets) > AGREEMENT_S


def _candidates(facts: Facts, half_life_s: float, trail: Trail) -> dict[str, Candidate]:
    found: dict[str, Candidate] = {}
    starts = _starts(facts)
    if len(starts) < len(facts.frames):
        raise RejectedObjectError(
            "suv_decay_reference_missing", "Acquisition Time (0008,0032) is absent in some slices"
        )
    start = min(starts)
    _add_private(found, facts, start, trail)
    if PRIVATE not in found and not facts.is_ge and any(f.duration_s is None for f in facts.frames):
        raise RejectedObjectError(
            "suv_frame_duration_missing", "Actual Frame Duration (0018,1242): expected > 0 ms"
        )
    _add_series(found, facts, start, trail)
    _add_back_computed(found, facts, half_life_s, trail)
    if not found.keys() & {PRIVATE, BACK_COMPUTED} and SERIES in found:
        gap = seconds_between(found[SERIES].moment, start)
        if gap > AGREEMENT_S:  # cropped series, or a series time of something else: not known
            raise RejectedObjectError(
                "suv_decay_reference_missing",
                f"series time is {gap:.0f} s before the first acquisition and nothing confirms it",
            )
    if not found:
        found[ACQUISITION] = Candidate(ACQUISITION, start, max(starts))
        trail.find("SUV-REFERENCE", "warn", "only the first acquisition is left as decay reference")
    return found


def _add_private(found: dict[str, Candidate], facts: Facts, start: datetime, trail: Trail) -> None:
    moment = facts.vendor_reference
    if moment is None:
        return
    if -AGREEMENT_S <= seconds_between(moment, start) <= _SESSION_S:
        found[PRIVATE] = Candidate(PRIVATE, moment, moment)
    else:
        trail.note("private decay reference (0009,xx0D) or (0071,xx22) does not fit: not used")


def _add_series(found: dict[str, Candidate], facts: Facts, start: datetime, trail: Trail) -> None:
    if facts.series is None:
        trail.note("Series Time (0008,0031) absent or not the same in all slices: not used")
        return
    before = seconds_between(facts.series, start)
    if -_ROUNDING_S <= before <= _SESSION_S:
        found[SERIES] = Candidate(SERIES, facts.series, facts.series)
    else:
        trail.note(
            f"Series Time (0008,0031) is {-before:.0f} s after the first acquisition: "
            "that of later processing, or of scrubbed dates; not used"
        )


def _add_back_computed(
    found: dict[str, Candidate], facts: Facts, half_life_s: float, trail: Trail
) -> None:
    if has_shared_start(facts):
        trail.note("Acquisition Time is that of the whole scan in all beds: no back-computation")
        return
    moments = [_back_computed(f, half_life_s, is_ge=facts.is_ge) for f in facts.frames]
    known = [m for m in moments if m is not None]
    if "GATED" in facts.series_type and len(known) == len(moments):
        off = seconds_between(min(known), min(_starts(facts)))
        if abs(off) > AGREEMENT_S:
            trail.note(
                "gated: the duration is that of one gate, the Frame Reference Time (0054,1300) "
                "that of the whole scan: no back-computation"
            )
            return
    if len(known) == len(moments):
        found[BACK_COMPUTED] = Candidate(BACK_COMPUTED, min(known), max(known))
    else:
        trail.note("Frame Reference Time (0054,1300) absent or 0: no back-computation")


def _back_computed(frame: Frame, half_life_s: float, *, is_ge: bool) -> datetime | None:
    """``t_acq - FrameReferenceTime + T_ave``; GE gives the start of the frame: without T_ave."""
    if frame.acquisition is None or frame.frame_reference_s is None:
        return None
    average = 0.0
    if not is_ge:
        if frame.duration_s is None:
            return None
        average = average_count_time(frame.duration_s, half_life_s)
        # The mean of a frame cannot come before its own T_ave: 0 means "not filled in" (old CPS).
        if frame.frame_reference_s < 0.9 * average:
            return None
    return frame.acquisition + timedelta(seconds=average - frame.frame_reference_s)
