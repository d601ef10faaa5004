"""How the rescaled values of one series become SUVbw, or why they do not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pydicom.dataset import Dataset

from schemas.errors import RejectedObjectError
from schemas.reasons import SUV_REFUSALS
from schemas.records import SuvDerivation, SuvNormalisation
from tasks.quantify.facts import Facts, number, read_facts, text, words
from tasks.quantify.normalisations import (
    LEAN_MASS_WARNING,
    is_lean_mass_unreliable,
    normalisations,
    refused_normalisations,
)
from tasks.quantify.trail import Trail
from tasks.quantify.units import unit_factors, value_unit

_UNIT_BY_MODALITY: Final = {"CT": "HU", "NM": "CNTS", "MR": "1"}


def derive_suv(slices: Sequence[Dataset]) -> SuvDerivation:
    """Derive the factors that turn the rescaled values of a series into SUVbw.

    Parameters
    ----------
    slices : sequence of Dataset
        Headers of one series, in slice order; pixel data are not needed. De-identified headers do
        as well, as long as time intervals survived. Frames of Enhanced PET come with the header
        that `tasks.dicom.classic_header` makes of their functional groups.

    Returns
    -------
    SuvDerivation
        With one factor per slice; or refused, with a reason code; or not applicable.

    References
    ----------
    IBSI SUV manual (oncoray/suv_computation); DICOM PS3.3 C.8.9.1, C.8.9.4 and
    C.8.22.4 (Enhanced PET Corrections).

    Examples
    --------
    >>> ct = Dataset()
    >>> ct.Modality = "CT"
    >>> derive_suv([ct]).value_unit
    'HU'
    """
    if not slices:
        raise ValueError("expected the headers of at least one slice")
    first = slices[0]
    modality = text(first, "Modality")
    if modality != "PT":
        return SuvDerivation("not_applicable", _UNIT_BY_MODALITY.get(modality, "1"))
    unit = value_unit(text(first, "Units"), text(first, "SUVType"))
    trail = Trail()
    try:
        _check_object(slices)
        facts = read_facts(slices)
        _check_attenuation(facts, trail)
        factors, rule = unit_factors(facts, trail)
    except RejectedObjectError as refusal:
        return _result("refused", unit, trail, refusal=refusal)
    if is_lean_mass_unreliable(facts.weight, facts.size):
        trail.find("SUV-LBM", "info", LEAN_MASS_WARNING)
    found = normalisations(facts.weight, facts.size, facts.sex)
    return _result("suv", unit, trail, factors=tuple(factors), rule=rule, relatives=found)


def _result(
    status: str,
    unit: str,
    trail: Trail,
    *,
    factors: tuple[float, ...] = (),
    rule: str | None = None,
    refusal: RejectedObjectError | None = None,
    relatives: tuple[SuvNormalisation, ...] = (),
) -> SuvDerivation:
    if refusal is not None:
        relatives = refused_normalisations(refusal.reason_code, _sentence(refusal))
    return SuvDerivation(
        status=status,
        value_unit=unit,
        factors=factors,
        rule=rule,
        steps=tuple(trail.steps),
        reason_code=None if refusal is None else refusal.reason_code,
        reason_text=None if refusal is None else _sentence(refusal),
        decay_reference_spread_percent=trail.spread_percent,
        half_life_s=trail.half_life_s,
        injected_activity_bq=trail.injected_activity_bq,
        weight_kg=trail.weight_kg,
        uptake_time_s=trail.uptake_time_s,
        injection_datetime=trail.injection,
        findings=tuple(trail.findings),
        candidates=tuple(trail.candidates),
        normalisations=relatives,
    )


def _sentence(refusal: RejectedObjectError) -> str:
    meaning, detail = SUV_REFUSALS[refusal.reason_code], f"{refusal.detail}."
    return meaning if detail == meaning else f"{meaning} {detail}"


def _check_object(slices: Sequence[Dataset]) -> None:
    """Refuse what has no activity concentration whatever its units say."""
    for ds in slices:
        if (number(ds, "RescaleIntercept") or 0.0) != 0.0:
            raise RejectedObjectError(
                "suv_nonzero_intercept", "Rescale Intercept (0028,1052): expected 0"
            )
        kinds = words(ds, "ImageType") | words(ds, "SeriesType")
        if kinds & {"MIP", "REPROJECTION", "PROJECTION IMAGE", "MPR MIP"}:
            raise RejectedObjectError("suv_reprojection", "Image or Series Type names a projection")


def _check_attenuation(facts: Facts, trail: Trail) -> None:
    """Refuse images that say that they are not attenuation corrected."""
    if facts.attenuation_corrected == "NO":
        raise RejectedObjectError(
            "suv_not_attenuation_corrected", "Attenuation Corrected (0018,9759) is NO"
        )
    if not facts.corrected_image:
        if facts.attenuation_method in {"", "NONE"}:
            trail.find("SUV-CORRECTIONS", "warn", "nothing says that attenuation was corrected")
        return
    if "ATTN" not in facts.corrected_image:
        raise RejectedObjectError(
            "suv_not_attenuation_corrected", "Corrected Image (0028,0051) lacks ATTN"
        )
