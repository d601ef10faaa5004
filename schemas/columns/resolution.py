"""Columns of resolution and of what matches it."""

from __future__ import annotations

from schemas.columns.base import Column as C

RESOLUTION = (
    C(
        "resolution_id",
        "string",
        "Digest of scanner, reconstruction, source and where it came from.",
    ),
    C(
        "resolution_source",
        "string",
        "measured (in a phantom), given (by the site) or estimated (from patient images).",
    ),
    C(
        "fwhm_z_mm",
        "float",
        "FWHM of the Gaussian point spread function along z, without voxel averaging.",
        unit="mm",
    ),
    C(
        "fwhm_y_mm",
        "float",
        "FWHM of the Gaussian point spread function along y, without voxel averaging.",
        unit="mm",
    ),
    C(
        "fwhm_x_mm",
        "float",
        "FWHM of the Gaussian point spread function along x, without voxel averaging.",
        unit="mm",
    ),
    C(
        "fwhm_error_mm",
        "float",
        "Standard error of the FWHM, of the axis with the largest.",
        unit="mm",
    ),
    C("n_images", "int", "Images that the resolution was found from."),
    C("phantom_series_uid", "string", "Phantom series the resolution was measured on."),
)

MATCHES = (
    C("match_status", "string", "matched, too_coarse, outside (of the band) or unknown."),
    C("match_target", "string", "Target resolution: EARL1, EARL2, cohort-worst or a FWHM."),
    C("match_detail", "string", "Why there is no match; null if there is one."),
    C(
        "own_fwhm_z_mm",
        "float",
        "FWHM of the image along z before matching, voxel averaging included.",
        unit="mm",
    ),
    C("own_fwhm_y_mm", "float", "The same along y.", unit="mm"),
    C("own_fwhm_x_mm", "float", "The same along x.", unit="mm"),
    C(
        "target_fwhm_z_mm",
        "float",
        "FWHM wanted along z, voxel averaging included; null for a recovery band.",
        unit="mm",
    ),
    C("target_fwhm_y_mm", "float", "The same along y.", unit="mm"),
    C("target_fwhm_x_mm", "float", "The same along x.", unit="mm"),
    C(
        "filter_fwhm_z_mm",
        "float",
        "FWHM of the Gaussian applied along z of the acquired volume.",
        unit="mm",
    ),
    C("filter_fwhm_y_mm", "float", "The same along y.", unit="mm"),
    C("filter_fwhm_x_mm", "float", "The same along x.", unit="mm"),
    C(
        "filter_low_mm",
        "float",
        "Least FWHM of an isotropic Gaussian with all recoveries in the band.",
        unit="mm",
    ),
    C("filter_high_mm", "float", "Greatest such FWHM.", unit="mm"),
    C(
        "filter_best_mm",
        "float",
        "FWHM of the one whose recoveries lie closest to the middle of their bands.",
        unit="mm",
    ),
    C(
        "phantom_spacing_z_mm",
        "float",
        "Voxel size along z of the image of the phantom.",
        unit="mm",
    ),
    C("phantom_spacing_y_mm", "float", "The same along y.", unit="mm"),
    C("phantom_spacing_x_mm", "float", "The same along x.", unit="mm"),
    C("standard_profile", "string", "Standard profile of the image that was measured."),
)
