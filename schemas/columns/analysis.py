"""Columns of features, harmonisation and clinical data."""

from __future__ import annotations

from schemas.columns.base import Column as C

FEATURES = (
    C("feature_profile", "string", "Name and version of the extraction profile."),
    C("feature", "string", "Feature name; see the feature list."),
    C("ibsi_code", "string", "Permanent IBSI code of the feature; null where it has none."),
    C("value", "float", "Value as measured."),
    C(
        "value_harmonised",
        "float",
        "Value after harmonisation; null where the feature was excluded.",
    ),
    C("batch", "string", "Batch the row belonged to in the model."),
    C("model_id", "string", "Digest of the harmonisation model."),
    C("harmonisation_method", "string", "Method, such as combat_parametric."),
    C("batch_column", "string", "Column that defined the batches."),
    C("covariates", "list<string>", "Covariates whose effect was preserved."),
    C("reference_batch", "string", "Batch left unchanged, if any."),
    C("n_rows", "int", "Rows the model was fitted on."),
    C("n_features", "int", "Features harmonised."),
    C("n_batches", "int", "Batches."),
    C("estimates_json", "string", "Everything needed to apply the model again."),
    C("fitted_on_snapshot", "int", "Snapshot of the lake the model was fitted on.", volatile=True),
)

CLINICAL = (
    C("item", "string", "Harmonised clinical item, such as glucose or stage."),
    C("value_number", "float", "Value in the item's canonical unit; null for coded items."),
    C("value_text", "string", "Coded value; null for numbers."),
    C("unit", "string", "Canonical unit of the item (UCUM)."),
    C("original_value", "string", "Value as it came (numbers and coded answers only)."),
    C("original_unit", "string", "Unit as it came."),
    C("item_date", "date", "Date of the item, shifted."),
    C("source_system", "string", "redcap, fhir, ..."),
    C("record_key", "string", "Keyed hash of the record in its source."),
    C("birth_year", "int", "Year of birth, shifted; null above 89 years.", unit="a"),
    C("consent_status", "string", "permit, deny or unknown."),
    C("purpose", "string", "Purpose the consent is for."),
    C("valid_from", "date", "First day of validity, shifted."),
    C("valid_until", "date", "Last day of validity, shifted."),
)

COHORT = (
    C("timepoint", "int", "1 for the patient's first study, then counted up."),
    C("study_date", "date", "Day of the study, shifted."),
    C("pet_series_uid", "string", "Series that SUV or activity is measured on."),
    C("ct_series_uid", "string", "CT acquired with it."),
    C("uptake_time_min", "float", "Injection to decay reference.", unit="min"),
    C("n_lesions", "int", "Lesion ROIs of the timepoint."),
    C("suv_max", "float", "Highest SUVmax of the lesions.", unit="g/ml"),
    C("suv_peak", "float", "Highest SUVpeak (global, 1 ml) of the lesions.", unit="g/ml"),
    C("mtv_ml", "float", "Metabolic tumour volume: sum over lesions.", unit="ml"),
    C("tlg_g", "float", "Total lesion glycolysis: sum of SUVmean times volume.", unit="g"),
    C("age_years", "float", "Age at the study, clinical value before DICOM value.", unit="a"),
    C("sex", "string", "M, F or O, clinical value before DICOM value."),
    C("weight_kg", "float", "Weight, DICOM.", unit="kg"),
    C("glucose_mmol_l", "float", "Blood glucose at the study.", unit="mmol/l"),
    C("stage", "string", "UICC stage."),
    C("outcome_event", "string", "Outcome as recorded, such as progression or death."),
    C("outcome_days", "float", "Days from study to outcome or last contact.", unit="d"),
)
