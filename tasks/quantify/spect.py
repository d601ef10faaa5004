"""SPECT in Bq/ml to SUVbw, by the rules of PET as far as the NM objects say what they need.

NM images have neither Units nor Decay Correction. Values are counts unless a Real World Value
Mapping or a calibration makes them Bq/ml; what projections were decay corrected to is nowhere
stated, so the start of the acquisition is assumed, and said so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from pydicom.dataset import Dataset

from schemas.errors import RejectedObjectError
from schemas.reasons import SUV_REFUSALS
from schemas.records import DecayCandidate, SuvDerivation
from tasks.quantify.candidates import acquisition_starts
from tasks.quantify.concentration import half_life
from tasks.quantify.decay import average_count_time, remaining_fraction
from tasks.quantify.dose import dose_in_bq, require_one_administration, weight_kg
from tasks.quantify.facts import Facts, read_facts
from tasks.quantify.injection import injection_moment, record_injection
from tasks.quantify.normalisations import normalisations, refused_normalisations
from tasks.quantify.trail import Trail

START: Final = "acquisition_start"
MEAN: Final = "acquisition_mean"
#: Dose (0018,1074) of NM objects: MBq below; therapies are given in GBq.
_MBQ_BELOW: Final = 5e4
COUNTS_STEP: Final = (
    "NM Image without a Real World Value Mapping (0040,9096) to Bq/ml: values are counts"
)
MAPPED_STEP: Final = "Real World Value Mapping (0040,9096): U = stored value x slope, in Bq/ml"


def derive_spect(
    headers: Sequence[Dataset], *, is_mapped: bool, duration_s: float | None
) -> SuvDerivation:
    """Derive SUVbw of a reconstructed tomogram, or keep ready what a calibration would need.

    Parameters
    ----------
    headers : sequence of Dataset
        Distinct headers of an NM Image.
    is_mapped : bool
        Its values are Bq/ml, by Real World Value Mapping.
    duration_s : float or None
        Of the acquisition, for comparison with a reference in its mean.

    Returns
    -------
    SuvDerivation
        Of counts: not applicable, with the derivation that holds once they are calibrated as
        `if_calibrated`.

    References
    ----------
    DICOM PS3.3 C.8.4.10 (NM Isotope: activity in MBq).
    """
    derived = _of_concentration(headers, duration_s)
    if is_mapped:
        rule = derived.rule and f"mapping/{derived.rule}"
        return replace(derived, rule=rule, steps=(MAPPED_STEP, *derived.steps))
    return replace(
        derived, status="not_applicable", value_unit="CNTS", factors=(), rule=None,
        steps=(COUNTS_STEP,), reason_code=None, reason_text=None, candidates=(),
        normalisations=(), if_calibrated=derived,
    )  # fmt: skip


def spect_activity_bq(dose: float | None) -> tuple[float, bool]:
    """Injected activity in Bq, and whether it was given in Bq although NM objects give MBq.

    Raises
    ------
    RejectedObjectError
        `suv_dose_missing`, `suv_dose_ambiguous`.

    Examples
    --------
    >>> spect_activity_bq(7400), spect_activity_bq(7.4e9)
    ((7400000000.0, False), (7400000000.0, True))
    """
    activity, was_mbq = dose_in_bq(dose, _MBQ_BELOW, "MBq (< 5e4) or Bq (>= 1e6)")
    return activity, not was_mbq


def at_mean(derived: SuvDerivation, duration_s: float) -> SuvDerivation:
    """Move the decay reference from the start of the acquisition to its mean.

    Parameters
    ----------
    derived : SuvDerivation
        Referred to the start; with `half_life_s`.
    duration_s : float
        Of the acquisition.
    """
    if derived.status != "suv" or derived.half_life_s is None:
        return derived
    after = average_count_time(duration_s, derived.half_life_s)
    ratio = 1 / remaining_fraction(after, derived.half_life_s)
    factors = tuple(f * ratio for f in derived.factors)
    swapped = tuple(
        replace(
            c, is_chosen=not c.is_chosen, is_considered=not c.is_considered, remark=None,
            difference_percent=None if c.factor is None else 100 * (c.factor / factors[0] - 1),
        )
        for c in derived.candidates
    )  # fmt: skip
    step = (
        f"projections are not decay corrected: t_ref = t_acq + T_ave = t_acq + {after:.3f} s; "
        f"factor = {factors[0]:.9g} g/Bq"
    )
    return replace(
        derived, factors=factors, candidates=swapped, steps=(*derived.steps, step), rule=MEAN
    )


def _of_concentration(headers: Sequence[Dataset], duration_s: float | None) -> SuvDerivation:
    """Derive SUVbw of values in Bq/ml at the start of the acquisition."""
    trail = Trail()
    made = SuvDerivation("refused", "Bq/ml")
    try:
        facts = read_facts(headers)
        factor = _factor(facts, trail, duration_s)
        made = replace(
            made, status="suv", factors=(factor,) * len(facts.frames), rule=START,
            normalisations=normalisations(facts.weight, facts.size, facts.sex),
        )  # fmt: skip
    except RejectedObjectError as refusal:
        reason = f"{SUV_REFUSALS[refusal.reason_code]} {refusal.detail}."
        made = replace(
            made, reason_code=refusal.reason_code, reason_text=reason,
            normalisations=refused_normalisations(refusal.reason_code, reason),
        )  # fmt: skip
    return replace(
        made, steps=tuple(trail.steps), findings=tuple(trail.findings),
        candidates=tuple(trail.candidates), half_life_s=trail.half_life_s,
        injected_activity_bq=trail.injected_activity_bq, weight_kg=trail.weight_kg,
        uptake_time_s=trail.uptake_time_s, injection_datetime=trail.injection,
    )  # fmt: skip


def _factor(facts: Facts, trail: Trail, duration_s: float | None) -> float:
    """Return the factor (g/Bq) for Bq/ml at the start of the acquisition."""
    weight, activity = weight_kg(facts, trail), _activity(facts, trail)
    life = half_life(facts, trail)
    starts = acquisition_starts(facts)
    if not starts:
        raise RejectedObjectError(
            "suv_decay_reference_missing", "Acquisition Time (0008,0032) is absent"
        )
    if facts.corrected_image and "ATTN" not in facts.corrected_image:
        raise RejectedObjectError(
            "suv_not_attenuation_corrected", "Corrected Image (0028,0051) lacks ATTN"
        )
    moment, dated = injection_moment(facts, min(starts), life)
    elapsed = record_injection(facts, moment, min(starts), trail, dated=dated)
    left = activity * remaining_fraction(elapsed, life)
    factor = weight * 1000 / left
    trail.note("t_ref = start of the acquisition (assumed: NM objects do not say)")
    trail.note(f"D = D0 exp(-lambda (t_ref - t_adm)) = {left:.9g} Bq")
    trail.note(f"factor = W / D = {factor:.9g} g/Bq")
    trail.candidates += spect_candidates(elapsed, factor, duration_s, life)
    return factor


def spect_candidates(
    elapsed_s: float, factor: float, duration_s: float | None, half_life_s: float
) -> tuple[DecayCandidate, ...]:
    """Start of the acquisition, and, to compare, its mean.

    Parameters
    ----------
    elapsed_s : float
        From the injection to the start.
    factor : float
        SUVbw of 1 Bq/ml at the start.
    duration_s : float or None
        Of the acquisition; None: not known.
    half_life_s : float
        Half-life.
    """
    start = DecayCandidate(START, elapsed_s, elapsed_s, factor, 0.0, is_chosen=True)
    if duration_s is None:
        return (start,)
    after = average_count_time(duration_s, half_life_s)
    ratio = 1 / remaining_fraction(after, half_life_s)
    mean = DecayCandidate(
        MEAN, elapsed_s + after, elapsed_s + after, factor * ratio, 100 * (ratio - 1),
        is_considered=False, remark="if projections were not decay corrected",
    )  # fmt: skip
    return start, mean


def _activity(facts: Facts, trail: Trail) -> float:
    require_one_administration(facts)
    activity, was_bq = spect_activity_bq(facts.dose)
    if was_bq:
        trail.find("SUV-DOSE", "warn", f"(0018,1074) = {facts.dose:g} taken as Bq, not MBq")
    trail.note(f"D0 = Radionuclide Total Dose (0018,1074) = {activity / 1e6:.9g} MBq")
    trail.injected_activity_bq = activity
    return activity
