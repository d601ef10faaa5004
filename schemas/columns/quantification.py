"""Columns of SUV by other body measures, of decay references, and of SPECT calibration."""

from __future__ import annotations

from schemas.columns.base import Column as C

NORMALISATIONS = (
    C(
        "normalisation",
        "string",
        "Kind of SUV: suv_bw, suv_lbm_morgan, suv_lbm_james, suv_lbm_janma, suv_bsa or suv_ibw; "
        "also the quantity to read a volume in.",
    ),
    C("normalisation_status", "string", "suv: it can be had; refused: see the reason."),
    C(
        "per_suvbw",
        "float",
        "Multiplies SUVbw, and any feature in SUVbw, to this kind; null if refused.",
    ),
    C(
        "normalised_factor",
        "float",
        "Multiplies the series' rescaled values to this kind; null if per slice or refused.",
    ),
    C("normalised_by", "float", "Body measure that this kind is normalised by."),
    C("normalised_by_unit", "string", "Unit of normalised_by: kg or cm2."),
    C("suv_unit", "string", "Unit of this kind of SUV: g/ml or cm2/ml."),
    C("normalisation_reason_code", "string", "Why this kind was refused."),
    C("normalisation_reason_text", "string", "Why this kind was refused, as a sentence."),
    C("normalisation_warning", "string", "Why this kind should not be relied on."),
    C("normalisation_step", "string", "The arithmetic of per_suvbw."),
)

DECAY_REFERENCES = (
    C(
        "candidate_rule",
        "string",
        "Where a possible decay reference comes from: private_time, series_time, "
        "frame_reference_time, acquisition_time, decay_correction_datetime, injection, own_frame, "
        "philips_ratio.",
    ),
    C(
        "reference_first_s",
        "float",
        "From the injection to this time; null if unknown, or days away (a scrubbed date).",
        unit="s",
    ),
    C("reference_last_s", "float", "The same, of the slice that gives the latest.", unit="s"),
    C(
        "candidate_factor",
        "float",
        "Multiplies the rescaled values to SUVbw if this is the decay reference.",
        unit="g/Bq",
    ),
    C("difference_percent", "float", "Of candidate_factor from the factor used.", unit="%"),
    C("is_considered", "bool", "False if computed for comparison only; see the remark."),
    C("is_chosen", "bool", "True for the time that the factor of the series is by."),
    C("candidate_remark", "string", "Why the time was not considered."),
)
