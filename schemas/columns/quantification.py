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

SPECT = (
    C(
        "collimator",
        "string",
        "Name of the collimator if it is a usual one, else its type.",
        source="CollimatorGridName (0018,1180), CollimatorType (0018,1181)",
    ),
    C(
        "energy_window_lower_kev",
        "float",
        "Lower limit of the first energy window.",
        unit="keV",
        source="EnergyWindowLowerLimit (0054,0014)",
    ),
    C(
        "energy_window_upper_kev",
        "float",
        "Upper limit of the first energy window.",
        unit="keV",
        source="EnergyWindowUpperLimit (0054,0015)",
    ),
    C(
        "view_duration_s",
        "float",
        "Time of one view of a rotation.",
        unit="s",
        source="ActualFrameDuration (0018,1242) of RotationInformationSequence (0054,0052)",
    ),
    C(
        "n_views",
        "int",
        "Views of a rotation.",
        source="NumberOfFramesInRotation (0054,0053)",
    ),
    C("voxel_volume_ml", "float", "Volume of a voxel.", unit="ml"),
    C(
        "states_decay_correction",
        "bool",
        "True if projections are said to be decay corrected (DECY), without saying to when.",
        source="CorrectedImage (0028,0051)",
    ),
    C("counts_slope", "float", "Counts of one stored unit.", source="RescaleSlope (0028,1053)"),
    C("counts_intercept", "float", "Counts of stored 0.", source="RescaleIntercept (0028,1052)"),
    C(
        "mapped_bqml_per_count",
        "float",
        "Bq/ml per count by the image's own Real World Value Mapping; null without one.",
        unit="Bq/ml",
        source="RealWorldValueSlope (0040,9225)",
    ),
    C(
        "becquerel_suv_factor",
        "float",
        "SUVbw of 1 Bq/ml at the start of the acquisition; used once the values are Bq/ml.",
        unit="g/Bq",
    ),
    C("becquerel_suv_reason_code", "string", "Why there is no such factor."),
    C("becquerel_suv_reason_text", "string", "Why there is no such factor, as a sentence."),
    C("becquerel_suv_derivation", "list<string>", "The derivation of that factor, line by line."),
    C(
        "calibration_id",
        "string",
        "Row of the site's table of calibration factors that was applied; null: none.",
    ),
    C(
        "calibration_digest",
        "string",
        "Keyed digest of that row: changes when anything in it changes.",
    ),
    C(
        "calibrated_bqml_per_count",
        "float",
        "Bq/ml per count by that row: 1 / (T V CF), or as given.",
        unit="Bq/ml",
    ),
)
