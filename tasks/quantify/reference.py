"""The time that a series with DecayCorrection START was corrected to.

Enhanced PET says it outright; in classic PET no attribute does. There, every candidate that the
header allows is computed; where they agree, the order of IBSI chooses the name, where they do not,
only independent evidence settles it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from schemas.errors import RejectedObjectError
from tasks.quantify.candidates import (
    ACQUISITION,
    AGREEMENT_S,
    BACK_COMPUTED,
    PRIVATE,
    ROUNDING_S,
    SERIES,
    SESSION_S,
    STATED,
    Candidate,
    acquisition_starts,
    collect_candidates,
)
from tasks.quantify.decay import remaining_fraction
from tasks.quantify.facts import Facts
from tasks.quantify.times import gap_text, seconds_between
from tasks.quantify.trail import Trail

#: Longest time in half-lives from a stated reference to the scan.
_MAX_HALF_LIVES: Final = 6.0


@dataclass(frozen=True, slots=True)
class Reference:
    """The candidates, and which of them is the decay reference; None if nothing settled it.

    `refusal` is then the reason.
    """

    candidates: list[Candidate]
    chosen: Candidate | None
    refusal: RejectedObjectError | None = None


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

    Returns
    -------
    Reference
        With all candidates, also where it is refused.

    Raises
    ------
    RejectedObjectError
        `suv_decay_reference_missing`, `suv_frame_duration_missing`: there are no candidates.

    References
    ----------
    IBSI SUV manual (oncoray/suv_computation), Decay correction = START; QIBA vendor-neutral SUV
    pseudo-code, 2018; DICOM PS3.3 C.8.22.4.
    """
    if facts.is_enhanced:
        return _stated(facts, half_life_s, trail)
    computed = collect_candidates(facts, half_life_s, trail)
    candidates = {c.name: c for c in computed if c.remark is None}
    if set(candidates) == {ACQUISITION}:
        trail.find("SUV-REFERENCE", "warn", "only the first acquisition is left as decay reference")
    try:
        _require_confirmed(candidates, facts)
        chosen = _chosen(candidates, facts, half_life_s, trail, vendor_ratio_error)
    except RejectedObjectError as refusal:
        return Reference(computed, None, refusal)
    return Reference(computed, chosen)


def _require_confirmed(candidates: dict[str, Candidate], facts: Facts) -> None:
    """Refuse a series time that stands alone and is not that of the first acquisition."""
    if candidates.keys() & {PRIVATE, BACK_COMPUTED} or SERIES not in candidates:
        return
    gap = seconds_between(candidates[SERIES].moment, min(acquisition_starts(facts)))
    if gap > AGREEMENT_S:  # cropped series, or a series time of something else: not known
        raise RejectedObjectError(
            "suv_decay_reference_missing",
            f"series time is {gap:.0f} s before the first acquisition and nothing confirms it",
        )


def _chosen(
    candidates: dict[str, Candidate],
    facts: Facts,
    half_life_s: float,
    trail: Trail,
    vendor_ratio_error: Callable[[datetime], float] | None,
) -> Candidate:
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
    starts = acquisition_starts(facts)
    stated = Candidate(STATED, moment, moment)
    computed = [stated]
    if starts:
        remark = "Enhanced PET states the decay reference"
        computed.append(Candidate(ACQUISITION, min(starts), min(starts), remark))
    longest = max(SESSION_S, _MAX_HALF_LIVES * half_life_s)
    after = seconds_between(moment, max(starts)) if starts else 0.0
    if not -AGREEMENT_S <= after <= longest:
        where = "before" if after > 0 else "after"
        refusal = RejectedObjectError(
            "suv_decay_reference_ambiguous",
            f"Decay Correction DateTime (0018,9701) is {gap_text(after)} {where} the last "
            "acquisition started",
        )
        return Reference(computed, None, refusal)
    return Reference(computed, stated)


def _first_in_order(candidates: dict[str, Candidate], facts: Facts) -> Candidate:
    """IBSI: private; series time if the acquisition starts with it; back-computed; the rest."""
    order = [PRIVATE, BACK_COMPUTED, SERIES, ACQUISITION]
    if SERIES in candidates:
        start = min(acquisition_starts(facts))
        if abs(seconds_between(candidates[SERIES].moment, start)) <= ROUNDING_S:
            order = [PRIVATE, SERIES, BACK_COMPUTED, ACQUISITION]
    name = next(n for n in order if n in candidates)
    return candidates[name]


def _settle(
    candidates: dict[str, Candidate],
    facts: Facts,
    trail: Trail,
    vendor_ratio_error: Callable[[datetime], float] | None,
) -> Candidate:
    consistent = {n: c for n, c in candidates.items() if c.is_consistent}
    if PRIVATE in consistent:
        trail.note("settled by the vendor's private date-time of the decay correction")
        return consistent[PRIVATE]
    if vendor_ratio_error is not None and consistent:
        errors = {n: abs(vendor_ratio_error(c.moment)) for n, c in consistent.items()}
        best = min(errors, key=lambda n: errors[n])
        if errors[best] <= 0.01:
            trail.note(f"settled by the Philips ratio, {100 * errors[best]:.3f} % from {best}")
            return consistent[best]
    starts = acquisition_starts(facts)
    if SERIES in consistent and max(starts) == min(starts):
        distance = abs(seconds_between(consistent[SERIES].moment, starts[0]))
        if distance <= AGREEMENT_S:
            trail.note("settled: Acquisition Time (0008,0032) is the start of the series in all")
            return consistent[SERIES]
    raise RejectedObjectError(
        "suv_decay_reference_ambiguous",
        f"{len(candidates)} candidates of the decay reference differ by "
        f"{trail.spread_percent or 0:.2f} % of SUV and nothing settles it",
    )
