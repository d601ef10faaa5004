"""Rows of `suv_factors` and `decay_references` of a series."""

from __future__ import annotations

from collections.abc import Iterable

from schemas.records import Row, SuvDerivation, SuvNormalisation


def suv_factor_rows(series: Row, suv: SuvDerivation) -> list[Row]:
    """One row per kind of SUV; none where SUV does not apply.

    Parameters
    ----------
    series : dict
        Row of the series, with `suv_factor` (None where it differs between slices).
    suv : SuvDerivation
        Of the series, or of its largest volume.
    """
    return normalisation_rows(series, suv.normalisations)


def normalisation_rows(series: Row, found: Iterable[SuvNormalisation]) -> list[Row]:
    """Rows of normalisations, with the factors that belong to `suv_factor` of the series."""
    return [
        {
            "series_instance_uid": series["series_instance_uid"],
            "patient_key": series["patient_key"],
            "normalisation": n.name,
            "normalisation_status": "suv" if n.reason_code is None else "refused",
            "per_suvbw": n.per_suvbw,
            "normalised_factor": _product(series.get("suv_factor"), n.per_suvbw),
            "normalised_by": n.measure,
            "normalised_by_unit": n.measure_unit,
            "suv_unit": n.unit,
            "normalisation_reason_code": n.reason_code,
            "normalisation_reason_text": n.reason_text,
            "normalisation_warning": n.warning,
            "normalisation_step": n.step or None,
        }
        for n in found
    ]


def decay_reference_rows(series: Row, suv: SuvDerivation) -> list[Row]:
    """One row per time that the image may have been decay corrected to."""
    return [
        {
            "series_instance_uid": series["series_instance_uid"],
            "patient_key": series["patient_key"],
            "candidate_rule": c.rule,
            "reference_first_s": c.first_s,
            "reference_last_s": c.last_s,
            "candidate_factor": c.factor,
            "difference_percent": c.difference_percent,
            "is_considered": c.is_considered,
            "is_chosen": c.is_chosen,
            "candidate_remark": c.remark,
        }
        for c in suv.candidates
    ]


def _product(factor: object, per_suvbw: float | None) -> float | None:
    return factor * per_suvbw if isinstance(factor, float) and per_suvbw is not None else None
