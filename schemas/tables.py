"""The tables and views of a lake: which columns, which key, what they hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from schemas.columns import COLUMNS, Column

#: Format of the lake (tables, volumes, settings); raised with every change that needs a migration.
LAKE_FORMAT: Final = 2


@dataclass(frozen=True, slots=True)
class Table:
    """A stored table or a view.

    Parameters
    ----------
    name, description : str
        As users read them.
    columns : tuple of str
        Names in `schemas.columns.COLUMNS`.
    key : tuple of str
        Columns that are never null and, together, unique.
    is_view : bool
        True if derived by SQL from other tables.
    """

    name: str
    description: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    is_view: bool = False

    def __post_init__(self) -> None:
        unknown = [c for c in (*self.columns, *self.key) if c not in COLUMNS]
        if unknown or not set(self.key) <= set(self.columns):
            raise ValueError(
                f"table {self.name!r}: unknown columns {unknown} or key outside columns"
            )

    @property
    def fields(self) -> tuple[Column, ...]:
        """The columns in order."""
        return tuple(COLUMNS[name] for name in self.columns)

    @property
    def arrow_schema(self) -> pa.Schema:
        """Arrow schema; key columns are not nullable."""
        return pa.schema(
            [pa.field(c.name, c.arrow_type, nullable=c.name not in self.key) for c in self.fields]
        )


_SERIES_COLUMNS = (
    "series_instance_uid", "study_instance_uid", "patient_key", "centre", "modality", "series_kind",
    "is_spect", "sop_class_uid", "frame_of_reference_uid", "referenced_series_uid", "study_datetime",
    "series_datetime", "acquisition_datetime", "manufacturer", "manufacturer_model_name",
    "software_versions", "scanner_key", "reconstruction_key", "reconstruction_method", "convolution_kernel", "attenuation_corrected",
    "attenuation_correction_source", "reconstruction_algorithm", "is_time_of_flight",
    "is_psf_modelled", "n_iterations", "n_subsets", "penalty_beta", "post_filter",
    "post_filter_fwhm_mm", "ct_kernel", "reconstruction_sources", "corrected_image", "series_description_words", "n_instances", "units", "decay_correction",
    "radiopharmaceutical", "radionuclide", "half_life_s", "injected_activity_bq",
    "injection_datetime", "uptake_time_s", "frame_duration_s", "patient_weight_kg",
    "patient_size_m", "patient_sex", "patient_age_years", "suv_status", "suv_factor",
    "suv_per_stored_min", "suv_per_stored_max", "suv_rule", "suv_reason_code", "suv_reason_text",
    "suv_derivation", "decay_reference_spread_percent", "body_suv_mean",
    "activity_in_view_percent", "deidentification",
    "deidentification_version", "input_digest", "run_id",
)  # fmt: skip

_FILES_COLUMNS = (
    "file_key", "source_name", "uri", "size_bytes", "modified_ns", "content_blake3",
    "sop_class_uid", "sop_instance_uid", "series_instance_uid", "outcome", "reason_code",
    "reason_text", "reason_tags", "selection_digest", "first_run_id", "run_id",
)  # fmt: skip

STORED: Final[tuple[Table, ...]] = (
    Table(
        "runs", "One row per run of a flow.",
        ("run_id", "flow_name", "run_state", "started_at", "finished_at", "run_author",
         "code_version", "parameters_json", "prefect_flow_run_id", "n_files", "n_unchanged",
         "n_ingested", "n_duplicate", "n_quarantined", "n_ignored", "n_written", "n_series",
         "input_bytes", "elapsed_s", "discover_s", "retrieve_s", "scan_s", "convert_s", "commit_s",
         "objects_per_s", "series_per_s", "megabytes_per_s"),
        ("run_id",),
    ),
    Table(
        "run_sources", "One row per source that an ingestion run looked at.",
        ("run_id", "source_number", "source_name", "n_files", "n_changed", "n_unchanged",
         "source_error"),
        ("run_id", "source_number"),
    ),
    Table(
        "run_outcomes",
        "How many new and changed input objects of an ingestion run ended in which way; together with "
        "the unchanged ones they add up to n_files of the run.",
        ("run_id", "outcome", "reason_code", "n_objects"),
        ("run_id", "outcome", "reason_code"),
    ),
    Table("files", "Every input object ever looked at, with where it ended.", _FILES_COLUMNS, ("file_key",)),
    Table("series", "One row per DICOM series in the lake.", _SERIES_COLUMNS, ("series_instance_uid",)),
    Table(
        "volumes", "One row per stored volume: raw, standard, parametric or mask.",
        ("volume_id", "series_instance_uid", "zone", "volume_path", "profile_id", "profile_digest",
         "parameter_name", "part_index", "part_label", "value_unit", "dtype", "shape_t", "frame_kind",
         "frame_starts_s", "frame_durations_s", "frame_labels", "shape_z", "shape_y", "shape_x",
         "spacing_z_mm", "spacing_y_mm", "spacing_x_mm", "affine_lps", "value_min", "value_max", "stored_bytes", "content_blake3",
         "parent_volume_id", "input_digest", "run_id"),
        ("volume_id",),
    ),
    Table(
        "resolution", "What is known of the resolution of each scanner and reconstruction.",
        ("resolution_id", "scanner_key", "reconstruction_key", "resolution_source",
         "fwhm_z_mm", "fwhm_y_mm", "fwhm_x_mm", "fwhm_error_mm", "n_images", "phantom_series_uid",
         "run_id"),
        ("resolution_id",),
    ),
    Table(
        "resolution_bands",
        "Gaussians that bring the recovery of a scanner and reconstruction into the band of a standard.",
        ("resolution_id", "match_target", "filter_low_mm", "filter_best_mm", "filter_high_mm",
         "phantom_spacing_z_mm", "phantom_spacing_y_mm", "phantom_spacing_x_mm", "limit_status",
         "match_detail", "run_id"),
        ("resolution_id", "match_target"),
    ),
    Table(
        "resolution_matches",
        "How each image was brought to the target resolution of a standard profile, or why it was not.",
        ("series_instance_uid", "part_index", "profile_id", "scanner_key", "reconstruction_key",
         "match_status", "match_target", "match_detail", "resolution_source", "own_fwhm_z_mm",
         "own_fwhm_y_mm", "own_fwhm_x_mm", "target_fwhm_z_mm", "target_fwhm_y_mm",
         "target_fwhm_x_mm", "filter_fwhm_z_mm", "filter_fwhm_y_mm", "filter_fwhm_x_mm",
         "filter_low_mm", "filter_high_mm", "limit_status", "phantom_series_uid", "run_id"),
        ("series_instance_uid", "part_index", "profile_id"),
    ),
    Table(
        "segments", "One row per ROI or segment that came as RTSTRUCT or SEG.",
        ("segmentation_series_uid", "segment_number", "segment_label", "segment_kind",
         "property_code", "n_contours", "referenced_series_uid", "frame_of_reference_uid",
         "volume_id", "run_id"),
        ("segmentation_series_uid", "segment_number"),
    ),
    Table(
        "contours", "Contours of RTSTRUCT ROIs in patient space.",
        ("segmentation_series_uid", "segment_number", "contour_index", "geometric_type",
         "points_lps_mm"),
        ("segmentation_series_uid", "segment_number", "contour_index"),
    ),
    Table(
        "measurements", "One row per value measured in a report (DICOM SR) that came with the images.",
        ("report_series_uid", "measurement_index", "group_index", "patient_key", "tracking_label",
         "tracking_uid", "time_point", "time_point_order", "reading_session",
         "finding_category_code", "finding_code", "finding_site_code", "laterality_code",
         "topographical_modifier_code", "quantity_code",
         "quantity_name", "derivation_code", "derivation_name", "measurement_method_codes",
         "measurement_modifiers", "value", "unit_code", "value_qualifier_code",
         "measured_series_uid", "region_kind", "segmentation_series_uid", "segment_number",
         "mapping_series_uid", "sop_instance_uid", "run_id"),
        ("report_series_uid", "measurement_index"),
    ),
    Table(
        "evaluations", "One row per coded answer of a reader in a report (DICOM SR).",
        ("report_series_uid", "evaluation_index", "group_index", "patient_key", "tracking_label",
         "tracking_uid", "time_point", "time_point_order", "reading_session",
         "finding_category_code", "finding_code", "finding_site_code", "laterality_code",
         "topographical_modifier_code", "question_code",
         "question_name", "answer_code", "answer_name", "sop_instance_uid", "run_id"),
        ("report_series_uid", "evaluation_index"),
    ),
    Table(
        "real_world_values", "One row per mapping of stored to real world values and image series.",
        ("mapping_series_uid", "mapping_index", "patient_key", "mapped_series_uid",
         "n_mapped_instances", "n_mapped_frames", "real_world_slope", "real_world_intercept",
         "first_value_mapped", "last_value_mapped", "is_lookup_table", "unit_code", "lut_label",
         "quantity_code", "measurement_method_codes", "sop_instance_uid", "run_id"),
        ("mapping_series_uid", "mapping_index"),
    ),
    Table(
        "suv_factors",
        "One row per PET or SPECT series and kind of SUV: its factor, or why it cannot be had.",
        ("series_instance_uid", "normalisation", "patient_key", "normalisation_status", "per_suvbw",
         "normalised_factor", "normalised_by", "normalised_by_unit", "suv_unit",
         "normalisation_reason_code", "normalisation_reason_text", "normalisation_warning",
         "normalisation_step", "run_id"),
        ("series_instance_uid", "normalisation"),
    ),
    Table(
        "decay_references",
        "One row per series and time that its image may have been decay corrected to.",
        ("series_instance_uid", "candidate_rule", "patient_key", "reference_first_s",
         "reference_last_s", "candidate_factor", "difference_percent", "is_considered", "is_chosen",
         "candidate_remark", "run_id"),
        ("series_instance_uid", "candidate_rule"),
    ),
    Table(
        "spect_acquisitions",
        "One row per reconstructed NM tomogram: how it was acquired, and what makes its counts Bq/ml.",
        ("series_instance_uid", "part_index", "patient_key", "collimator",
         "energy_window_lower_kev", "energy_window_upper_kev", "view_duration_s", "n_views",
         "voxel_volume_ml", "states_decay_correction", "counts_slope", "counts_intercept",
         "mapped_bqml_per_count", "becquerel_suv_factor", "becquerel_suv_reason_code",
         "becquerel_suv_reason_text", "becquerel_suv_derivation", "calibration_id",
         "calibration_digest", "calibrated_bqml_per_count", "run_id"),
        ("series_instance_uid", "part_index"),
    ),
    Table(
        "rois", "One row per ROI on a standard volume; its mask is a volume of the mask zone.",
        ("roi_id", "roi_label", "roi_method", "patient_key", "centre", "series_instance_uid",
         "segmentation_series_uid", "segment_number", "volume_id", "parent_volume_id", "n_voxels",
         "roi_volume_ml", "centroid_x_mm", "centroid_y_mm", "centroid_z_mm", "feature_profile",
         "standard_profile",
         "input_digest", "run_id"),
        ("roi_id",),
    ),
    Table(
        "features", "One row per ROI and feature, as measured.",
        ("roi_id", "feature", "ibsi_code", "value", "unit", "feature_profile", "standard_profile", "roi_label",
         "roi_method", "patient_key", "centre", "study_instance_uid", "series_instance_uid",
         "modality", "input_digest", "run_id"),
        ("roi_id", "feature"),
    ),
    Table(
        "features_harmonised", "One row per ROI, feature and harmonisation model: before and after.",
        ("model_id", "roi_id", "feature", "batch", "value", "value_harmonised", "feature_profile", "standard_profile",
         "patient_key", "centre", "series_instance_uid", "run_id"),
        ("model_id", "roi_id", "feature"),
    ),
    Table(
        "harmonisation_models", "One row per fitted harmonisation model.",
        ("model_id", "harmonisation_method", "batch_column", "covariates", "reference_batch",
         "feature_profile", "standard_profile", "n_rows", "n_features", "n_batches", "estimates_json",
         "fitted_on_snapshot", "input_digest", "run_id"),
        ("model_id",),
    ),
    Table(
        "kinetic_analyses",
        "One row per dynamic series and kinetic profile: what was done with which input, or why not.",
        ("analysis_id", "series_instance_uid", "patient_key", "centre", "parent_volume_id",
         "profile_id", "profile_digest", "profile_json", "kinetic_model", "analysis_status", "reason_code",
         "reason_text", "input_source", "input_roi_label", "value_unit", "n_frames",
         "injection_offset_s", "t_star_min", "input_digest", "run_id"),
        ("analysis_id",),
    ),
    Table(
        "time_activity_curves", "One row per ROI on a dynamic series and frame.",
        ("parent_volume_id", "segmentation_series_uid", "segment_number", "frame_number",
         "series_instance_uid", "patient_key", "centre", "roi_label", "frame_start_s",
         "frame_duration_s", "activity_mean", "activity_sd", "value_unit", "n_voxels",
         "roi_volume_ml", "run_id"),
        ("parent_volume_id", "segmentation_series_uid", "segment_number", "frame_number"),
    ),
    Table(
        "input_functions", "One row per analysis and frame: the input that its model was given.",
        ("analysis_id", "frame_number", "series_instance_uid", "frame_start_s", "frame_duration_s",
         "input_mean", "input_integral", "value_unit", "run_id"),
        ("analysis_id", "frame_number"),
    ),
    Table(
        "kinetic_parameters", "One row per ROI, analysis and parameter of its model.",
        ("analysis_id", "segmentation_series_uid", "segment_number", "parameter_name",
         "series_instance_uid", "patient_key", "centre", "profile_id", "kinetic_model", "roi_label",
         "value", "unit", "standard_error", "r_squared", "largest_deviation", "t_star_min",
         "first_frame", "last_frame", "run_id"),
        ("analysis_id", "segmentation_series_uid", "segment_number", "parameter_name"),
    ),
    Table(
        "findings", "Protocol, data and method findings, each with its limit and source.",
        ("finding_id", "rule_id", "severity", "subject_kind", "subject_id", "patient_key", "centre",
         "message", "observed_value", "limit_text", "finding_source", "protocol_id",
         "protocol_digest", "first_run_id", "run_id"),
        ("finding_id",),
    ),
    Table(
        "protocols", "Every protocol that series were ever held against, with its content.",
        ("protocol_digest", "protocol_id", "protocol_title", "n_rules", "rules_off",
         "protocol_json", "checked_digest", "run_id"),
        ("protocol_digest",),
    ),
    Table(
        "protocol_checks",
        "One row per series and protocol rule that is about it: kept, broken, or not checkable.",
        ("rule_id", "series_instance_uid", "study_instance_uid", "patient_key", "centre",
         "check_outcome", "observed_value", "not_checkable_reason", "protocol_id",
         "protocol_digest", "run_id"),
        ("series_instance_uid", "rule_id"),
    ),
    Table(
        "patients", "One row per patient known from clinical data.",
        ("patient_key", "centre", "sex", "birth_year", "source_system", "record_key", "run_id"),
        ("patient_key",),
    ),
    Table(
        "clinical_items", "Clinical values, long form, in canonical units.",
        ("record_key", "patient_key", "item", "value_number", "value_text", "unit",
         "original_value", "original_unit", "item_date", "source_system", "run_id"),
        ("record_key", "item"),
    ),
    Table(
        "consents", "Consent per patient and purpose.",
        ("record_key", "patient_key", "purpose", "consent_status", "valid_from", "valid_until",
         "source_system", "run_id"),
        ("record_key",),
    ),
    Table(
        "phantom_scans",
        "One row per phantom scan: calibration, uniformity, noise, resolution and verdict; earlier "
        "scans of a scanner and reconstruction stay.",
        ("phantom_scan_id", "series_instance_uid", "centre", "scanner_key", "reconstruction_key",
         "phantom_kind", "measured_on", "valid_until_day", "is_superseded", "phantom_verdict",
         "declared_standard", "standards_met", "limit_status", "truth_source", "fill_json", "true_ratio",
         "calibration_factor", "background_value", "value_unit", "background_cov_percent",
         "axial_deviation_percent", "radial_deviation_percent", "lung_residual_percent",
         "n_hot_spheres", "psf_fwhm_z_mm", "psf_fwhm_y_mm", "psf_fwhm_x_mm", "psf_error_z_mm",
         "psf_error_y_mm", "psf_error_x_mm", "psf_contrast", "input_digest", "run_id"),
        ("phantom_scan_id",),
    ),
    Table(
        "phantom_recovery",
        "One row per sphere of a phantom scan, metric and standard: value, band and verdict.",
        ("phantom_scan_id", "sphere_mm", "recovery_metric", "recovery_standard", "value",
         "limit_min", "limit_max", "limit_status", "recovery_verdict", "run_id"),
        ("phantom_scan_id", "sphere_mm", "recovery_metric", "recovery_standard"),
    ),
)  # fmt: skip

VIEWS: Final[tuple[Table, ...]] = (
    Table(
        "quarantine", "Input objects that could not be used, and why.",
        _FILES_COLUMNS, ("file_key",), is_view=True,
    ),
    Table(
        "cohort", "One row per patient and timepoint: images, lesions and clinical items.",
        ("patient_key", "timepoint", "centre", "study_instance_uid", "study_date", "pet_series_uid",
         "ct_series_uid", "modality", "is_spect", "n_frames", "radiopharmaceutical", "radionuclide",
         "injected_activity_bq", "uptake_time_min", "suv_status", "suv_reason_code", "standard_profile", "n_lesions",
         "suv_max", "suv_peak", "mtv_ml", "tlg_g", "age_years", "sex", "weight_kg",
         "glucose_mmol_l", "stage", "outcome_event", "outcome_days", "consent_status"),
        ("patient_key", "study_instance_uid"), is_view=True,
    ),
    Table(
        "protocol_coverage",
        "One row per centre and protocol rule: in how many studies it was kept, broken, or could not "
        "be checked, and why not.",
        ("centre", "rule_id", "n_studies", "n_passed", "n_info", "n_warn", "n_fail",
         "n_not_checkable", "not_checkable_because"),
        ("centre", "rule_id"), is_view=True,
    ),
)  # fmt: skip

#: Every table and view by name.
TABLES: Final[dict[str, Table]] = {t.name: t for t in (*STORED, *VIEWS)}
