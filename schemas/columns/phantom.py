"""Columns of phantom quality control."""

from __future__ import annotations

from schemas.columns.base import Column as C

PHANTOMS = (
    C("phantom_scan_id", "string", "Key of a phantom scan, from its series."),
    C("phantom_kind", "string", "iq (NEMA image quality phantom) or cylinder (uniform)."),
    C(
        "measured_on",
        "date",
        "Real day of the scan, not shifted: a phantom is no patient; null where neither the key nor the user says it.",
        source="StudyDate (0008,0020) shifted back, or as given",
    ),
    C(
        "valid_until_day",
        "date",
        "Last real day on which the result counts: three months after a cylinder, a year after an image quality phantom.",
        source="CAL-2 (EARL)",
    ),
    C("is_superseded", "bool", "True if the same scanner and reconstruction has a later scan of this kind."),
    C("phantom_verdict", "string", "pass, fail, or no_limit where nothing could be held against a limit."),
    C("declared_standard", "string", "Standard that the user declared for this reconstruction; null if none."),
    C("standards_met", "list<string>", "Standards in whose bands all recovery coefficients lie."),
    C("truth_source", "string", "Where the true concentrations come from."),
    C("fill_json", "string", "What the user said of the filling; used again until something else is said."),
    C("true_ratio", "float", "Filled concentration of spheres over background."),
    C("calibration_factor", "float", "Measured over true concentration of cylinder or background."),
    C("background_value", "float", "Mean of cylinder or background, in value_unit."),
    C("background_cov_percent", "float", "Coefficient of variation of its voxels.", unit="%"),
    C("axial_deviation_percent", "float", "Largest deviation of a slice of the cylinder from the mean.", unit="%"),
    C("radial_deviation_percent", "float", "Largest deviation of a ring of the cylinder from the mean.", unit="%"),
    C("lung_residual_percent", "float", "NEMA lung residual: insert over background.", unit="%"),
    C("n_hot_spheres", "int", "Spheres that stand out of the background."),
    C("psf_fwhm_z_mm", "float", "Width of the point spread function across slices.", unit="mm", source="fit of blurred spheres"),
    C("psf_fwhm_y_mm", "float", "The same across rows.", unit="mm", source="fit of blurred spheres"),
    C("psf_fwhm_x_mm", "float", "The same across columns.", unit="mm", source="fit of blurred spheres"),
    C("psf_error_z_mm", "float", "Standard error of psf_fwhm_z_mm.", unit="mm"),
    C("psf_error_y_mm", "float", "Standard error of psf_fwhm_y_mm.", unit="mm"),
    C("psf_error_x_mm", "float", "Standard error of psf_fwhm_x_mm.", unit="mm"),
    C("psf_contrast", "float", "Concentration of spheres over background, as fitted with the widths."),
    C("sphere_mm", "float", "Inner diameter of the sphere.", unit="mm"),
    C("recovery_metric", "string", "SUVmean_A50, SUVmax, SUVpeak_1ml_maxvoxel, SUVpeak_1ml_maxloc; NEMA_contrast and NEMA_background_variability (percent)."),
    C("recovery_standard", "string", "Standard of the limits; none for metrics without any."),
    C("limit_min", "float", "Lower end of the band; null where it is not known."),
    C("limit_max", "float", "Upper end of the band; null where it is not known."),
    C("limit_status", "string", "verified (read in its source), recalled (from memory: check before use), missing, none; or the least certain of those used."),
    C("recovery_verdict", "string", "pass, fail, no_limit or not_measured."),
)  # fmt: skip
