"""From Bq/ml to SUVbw: weight over the activity left at the time the image was corrected to."""

from __future__ import annotations

import math
from datetime import datetime

from schemas.errors import RejectedObjectError
from schemas.records import DecayCandidate
from tasks.quantify.candidates import (
    AGREEMENT_S,
    FRAMES,
    INJECTION,
    VENDOR_RATIO,
    acquisition_starts,
    compared,
    has_shared_start,
)
from tasks.quantify.decay import (
    average_count_time,
    decay_constant,
    frame_decay_factor,
    remaining_fraction,
)
from tasks.quantify.decay_factor import check_decay_factors
from tasks.quantify.dose import injected_activity, weight_kg
from tasks.quantify.facts import Facts, Frame
from tasks.quantify.halflife import nuclide_by_half_life
from tasks.quantify.injection import injection_moment, record_injection
from tasks.quantify.reference import decay_reference
from tasks.quantify.times import gap_text, seconds_between
from tasks.quantify.trail import Trail


def concentration_factors(facts: Facts, trail: Trail) -> tuple[list[float], str]:
    """Factors (g/Bq) that turn Bq/ml into SUVbw, one per slice, and the rule that gave them.

    Raises
    ------
    RejectedObjectError
        With the reason why SUV cannot be had.
    """
    _check_decay_claims(facts, trail)
    branches = {"START": _from_start, "ADMIN": _from_administration, "NONE": _from_frames}
    branch = branches.get(facts.decay_correction)
    if branch is None:
        raise RejectedObjectError(
            "suv_decay_correction_unsupported",
            f"Decay Correction (0054,1102): expected START, ADMIN or NONE, "
            f"got {facts.decay_correction!r}",
        )
    return branch(facts, trail)


def _check_decay_claims(facts: Facts, trail: Trail) -> None:
    """DECY in Corrected Image (0028,0051) must go with Decay Correction (0054,1102)."""
    if not facts.corrected_image:
        trail.find(
            "SUV-CORRECTIONS", "warn", "Corrected Image (0028,0051) is absent: corrections unknown"
        )
        return
    is_claimed, is_corrected = "DECY" in facts.corrected_image, facts.decay_correction != "NONE"
    if facts.decay_correction in {"START", "ADMIN", "NONE"} and is_claimed != is_corrected:
        raise RejectedObjectError(
            "suv_not_decay_corrected",
            f"Decay Correction (0054,1102) is {facts.decay_correction}, but Corrected Image "
            f"(0028,0051) {'has' if is_claimed else 'lacks'} DECY",
        )


def half_life(facts: Facts, trail: Trail) -> float:
    """Half-life in s, checked against the radionuclide."""
    value = facts.half_life_s
    if value is None or value <= 0:
        raise RejectedObjectError(
            "suv_half_life_missing", "Radionuclide Half Life (0018,1075): expected > 0 s"
        )
    trail.half_life_s = value
    if facts.nuclide is not None and not facts.nuclide.fits(value):
        raise RejectedObjectError(
            "suv_half_life_mismatch",
            f"(0018,1075) is {value:g} s, {facts.nuclide.name} has {facts.nuclide.longest_s:g} s",
        )
    nuclide = facts.nuclide or nuclide_by_half_life(value)
    if nuclide is None:
        raise RejectedObjectError(
            "suv_half_life_mismatch", f"(0018,1075) is {value:g} s: of no nuclide known in imaging"
        )
    trail.note(
        f"T1/2 = Radionuclide Half Life (0018,1075) = {value:g} s ({nuclide.name}); "
        f"lambda = ln 2 / T1/2 = {decay_constant(value):.6g} /s"
    )
    return value


def _from_administration(facts: Facts, trail: Trail) -> tuple[list[float], str]:
    weight, activity = weight_kg(facts, trail), injected_activity(facts, trail)
    trail.note("Decay Correction (0054,1102) = ADMIN: the image is corrected to the injection")
    _describe_uptake(facts, trail)
    factor = weight * 1000 / activity
    trail.candidates.append(DecayCandidate(INJECTION, 0.0, 0.0, factor, 0.0, is_chosen=True))
    trail.note(f"factor = W / D0 = {factor:.9g} g/Bq")
    return [factor] * len(facts.frames), "ADMIN"


def _describe_uptake(facts: Facts, trail: Trail) -> None:
    """Uptake time for the record; its absence does not stop a factor that does not need it."""
    starts = [f.acquisition for f in facts.frames if f.acquisition is not None]
    try:
        value = half_life(facts, trail)
        if starts:
            moment, dated = injection_moment(facts, min(starts), value)
            record_injection(facts, moment, min(starts), trail, dated=dated)
    except RejectedObjectError as error:
        rule = "SUV-HALF-LIFE" if error.reason_code == "suv_half_life_mismatch" else "SUV-TIME"
        trail.find(rule, "fail" if rule == "SUV-HALF-LIFE" else "info", error.detail)


def _from_start(facts: Facts, trail: Trail) -> tuple[list[float], str]:
    weight, activity = weight_kg(facts, trail), injected_activity(facts, trail)
    life = half_life(facts, trail)
    trail.note("Decay Correction (0054,1102) = START: the image is corrected to t_ref")

    def elapsed_to(reference: datetime) -> float:
        return seconds_between(injection_moment(facts, reference, life)[0], reference)

    def factor_after(elapsed: float) -> float:
        return weight * 1000 / (activity * remaining_fraction(elapsed, life))

    def ratio_error(reference: datetime) -> float:
        return factor_after(elapsed_to(reference)) / (vendor or 1.0) - 1

    vendor = _vendor_ratio(facts)
    reference = decay_reference(facts, life, trail, None if vendor is None else ratio_error)
    anchor = min(acquisition_starts(facts), default=reference.candidates[0].first)
    trail.candidates += compared(
        reference.candidates, reference.chosen, elapsed_to, factor_after, anchor
    )
    if vendor is not None:
        trail.candidates.append(_ratio_candidate(vendor, weight, activity, life, trail.candidates))
    if reference.chosen is None:
        raise reference.refusal or RejectedObjectError("suv_decay_reference_missing", "none")
    chosen = reference.chosen
    check_decay_factors(facts, chosen.moment, life, trail)
    moment, dated = injection_moment(facts, chosen.moment, life)
    elapsed = record_injection(facts, moment, chosen.moment, trail, dated=dated)
    left = activity * remaining_fraction(elapsed, life)
    factor = factor_after(elapsed)
    trail.note(f"t_ref by {chosen.name}")
    trail.note(f"D = D0 exp(-lambda (t_ref - t_adm)) = {left:.9g} Bq")
    trail.note(f"factor = W / D = {factor:.9g} g/Bq")
    if vendor is not None and abs(ratio_error(chosen.moment)) > 0.01:
        off = 100 * ratio_error(chosen.moment)
        trail.find("SUV-PHILIPS", "warn", f"factor {off:+.2f} % from the Philips ratio")
    return [factor] * len(facts.frames), f"START/{chosen.name}"


def _vendor_ratio(facts: Facts) -> float | None:
    """W/D at the decay reference, by the two Philips factors."""
    if facts.philips_suv is None or facts.philips_activity is None:
        return None
    return facts.philips_suv / facts.philips_activity


def _ratio_candidate(
    ratio: float, weight: float, activity: float, life: float, others: list[DecayCandidate]
) -> DecayCandidate:
    """Time after the injection at which W/D is what the vendor says, for comparison."""
    elapsed = life * math.log2(ratio * activity / (weight * 1000))
    chosen = next((c.factor for c in others if c.is_chosen), None)
    return DecayCandidate(
        VENDOR_RATIO, elapsed, elapsed, ratio,
        None if chosen is None else 100 * (ratio / chosen - 1),
        is_considered=False, remark="evidence: W/D by (7053,xx00) / (7053,xx09)",
    )  # fmt: skip


def _from_frames(facts: Facts, trail: Trail) -> tuple[list[float], str]:
    if facts.is_enhanced and all(f.reference is not None for f in facts.frames):
        return _from_frame_references(facts, trail)
    weight, activity = weight_kg(facts, trail), injected_activity(facts, trail)
    life = half_life(facts, trail)
    trail.note("Decay Correction (0054,1102) = NONE: every slice is corrected from its own frame")
    if has_shared_start(facts):
        raise RejectedObjectError(
            "suv_decay_reference_ambiguous",
            "Acquisition Time (0008,0032) is that of the whole scan in all beds: "
            f"frames over {AGREEMENT_S:g} s apart cannot be corrected",
        )
    if "GATED" in facts.series_type:
        trail.find(
            "SUV-REFERENCE", "warn",
            "gated and not decay corrected: decay is taken over the duration that one gate states, "
            "its data come from the whole scan",
        )  # fmt: skip
    timings = [_frame_timing(frame) for frame in facts.frames]
    first = min(start for start, _ in timings)
    moment, dated = injection_moment(facts, first, life)
    record_injection(facts, moment, first, trail, dated=dated)
    factors = []
    for start, duration in timings:
        elapsed = seconds_between(moment, start)
        during = frame_decay_factor(duration, life)
        factors.append(weight * 1000 / activity * during / remaining_fraction(elapsed, life))
    _own_frames(trail, moment, [start for start, _ in timings])
    trail.note(
        "factor per slice = W / D0 * x / (1 - exp(-x)) * exp(lambda (t_acq - t_adm)), "
        f"x = lambda T: {min(factors):.9g} to {max(factors):.9g} g/Bq"
    )
    return factors, "NONE/per_slice"


def _from_frame_references(facts: Facts, trail: Trail) -> tuple[list[float], str]:
    """Enhanced PET says of each frame which moment its values stand for."""
    weight, activity = weight_kg(facts, trail), injected_activity(facts, trail)
    life = half_life(facts, trail)
    trail.note("Decay Corrected (0018,9758) = NO: every frame is corrected from its own moment")
    _check_frame_references(facts, life)
    moments = [f.reference for f in facts.frames if f.reference is not None]
    moment, dated = injection_moment(facts, min(moments), life)
    record_injection(facts, moment, min(moments), trail, dated=dated)
    factors = [
        weight * 1000 / (activity * remaining_fraction(seconds_between(moment, t), life))
        for t in moments
    ]
    _own_frames(trail, moment, moments)
    trail.note(
        "factor per frame = W / D0 * exp(lambda (t_frame - t_adm)), t_frame = Frame Reference "
        f"DateTime (0018,9151): {min(factors):.9g} to {max(factors):.9g} g/Bq"
    )
    return factors, "NONE/frame_reference_datetime"


def _own_frames(trail: Trail, injection: datetime, moments: list[datetime]) -> None:
    """Each frame has its own time, and its own factor."""
    first, last = (seconds_between(injection, t) for t in (min(moments), max(moments)))
    trail.candidates.append(DecayCandidate(FRAMES, first, last, is_chosen=True))


def _check_frame_references(facts: Facts, life: float) -> None:
    """Refuse a moment that lies outside its own frame, where frames have starts of their own."""
    timed = [
        (f.acquisition, f.reference, f.duration_s)
        for f in facts.frames
        if f.acquisition is not None and f.reference is not None and f.duration_s is not None
    ]
    starts, moments = {start for start, _, _ in timed}, {moment for _, moment, _ in timed}
    if len(starts) == 1 and len(moments) > 1:
        return  # the start of the whole scan, in all frames
    for start, moment, duration in timed:
        off = seconds_between(start, moment) - average_count_time(duration, life)
        if abs(off) > AGREEMENT_S + duration / 2:
            raise RejectedObjectError(
                "suv_decay_reference_ambiguous",
                f"Frame Reference DateTime (0018,9151) is {gap_text(off)} off the middle of its "
                "frame",
            )


def _frame_timing(frame: Frame) -> tuple[datetime, float]:
    if frame.acquisition is None:
        raise RejectedObjectError(
            "suv_decay_reference_missing", "Acquisition Time (0008,0032) is absent in some slices"
        )
    if frame.duration_s is None:
        raise RejectedObjectError(
            "suv_frame_duration_missing", "Actual Frame Duration (0018,1242): expected > 0 ms"
        )
    return frame.acquisition, frame.duration_s
