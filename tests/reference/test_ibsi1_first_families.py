"""IBSI 1 consensus values: digital phantom, and the chest CT in configurations C and D."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from schemas.features import FEATURES
from schemas.geometry import Geometry
from schemas.profiles import FeatureProfile
from schemas.volume import ImageVolume, MaskVolume
from tasks.features.extract import Extraction, extract
from tasks.features.peaks import SPHERE_RADIUS_MM, local_peaks
from tasks.features.roi import roi_image
from tasks.segment.masks import mask_to_grid

pytestmark = pytest.mark.reference

STATISTICS = {
    "mean": "mean", "var": "variance", "skew": "skewness", "kurt": "kurtosis", "median": "median",
    "min": "minimum", "p10": "p10", "p90": "p90", "max": "maximum", "iqr": "interquartile_range",
    "range": "range", "mad": "mean_absolute_deviation", "rmad": "robust_mean_absolute_deviation",
    "medad": "median_absolute_deviation", "cov": "coefficient_of_variation",
    "qcod": "quartile_coefficient_of_dispersion", "energy": "energy", "rms": "root_mean_square",
}  # fmt: skip
GLCM = {
    "joint_max": "joint_maximum", "joint_avg": "joint_average", "joint_var": "joint_variance",
    "joint_entr": "joint_entropy", "diff_avg": "difference_average",
    "diff_var": "difference_variance", "diff_entr": "difference_entropy",
    "sum_avg": "sum_average", "sum_var": "sum_variance", "sum_entr": "sum_entropy",
    "energy": "angular_second_moment", "contrast": "contrast", "dissimilarity": "dissimilarity",
    "inv_diff": "inverse_difference", "inv_diff_norm": "normalised_inverse_difference",
    "inv_diff_mom": "inverse_difference_moment",
    "inv_diff_mom_norm": "normalised_inverse_difference_moment", "inv_var": "inverse_variance",
    "corr": "correlation", "auto_corr": "autocorrelation", "clust_tend": "cluster_tendency",
    "clust_shade": "cluster_shade", "clust_prom": "cluster_prominence",
    "info_corr1": "information_correlation_1", "info_corr2": "information_correlation_2",
}  # fmt: skip
FEATURE_OF_TAG = {
    **{f"stat_{tag}": f"stat_{name}" for tag, name in STATISTICS.items()},
    **{f"cm_{tag}_3D_comb": f"glcm_{name}" for tag, name in GLCM.items()},
    "loc_peak_loc": "suv_peak_maxvoxel",
    "loc_peak_glob": "suv_peak_global",
}

ReferenceData = Callable[[str], Path]


def reference_values(path: Path) -> dict[str, tuple[float, float]]:
    """Value and allowed deviation by tag: the tolerance plus half of the last digit given."""
    rows = {}
    with path.open(newline="") as file:
        for row in csv.DictReader(file, delimiter=";"):
            text = row["reference value"]
            if text:
                last_digit = 10.0 ** -len(text.partition(".")[2]) if "." in text else 1.0
                digits = len(text.strip("-").replace(".", "").lstrip("0"))
                if "." not in text and digits > 3:  # given with three significant digits
                    last_digit = 10.0 ** (digits - 3)
                rows[row["tag"]] = (float(text), float(row["tolerance"]) + 0.5 * last_digit + 1e-9)
    return rows


def nifti(path: Path) -> tuple[NDArray[np.float64], Geometry]:
    """Array (z, y, x) and grid in LPS."""
    image = nib.load(path)
    values = np.asarray(image.dataobj, dtype=np.float64).transpose(2, 1, 0)
    nz, ny, nx = values.shape
    return values, Geometry((nz, ny, nx), np.diag([-1.0, -1.0, 1.0, 1.0]) @ image.affine)


@pytest.fixture(scope="module")
def digital_phantom(reference_data: ReferenceData) -> Extraction:
    folder = reference_data("ibsi1-digital-phantom")
    values, geometry = nifti(folder / "image_phantom.nii.gz")
    mask, _ = nifti(folder / "mask_mask.nii.gz")
    # the levels are given: bins of width 1 from 1 leave them as they are
    profile = FeatureProfile("digital-phantom", "fbs", 1.0, 64, 1.0, None)
    volume = ImageVolume(values.astype(np.float32), geometry, "SUVbw")
    return extract(volume, mask > 0, profile)


@pytest.mark.parametrize("tag", FEATURE_OF_TAG)
def test_digital_phantom(
    tag: str, digital_phantom: Extraction, reference_data: ReferenceData
) -> None:
    table = reference_values(reference_data("ibsi1-reference-values") / "ibsi_1_dig_phantom.csv")
    expected, tolerance = table[tag]
    assert digital_phantom.values[FEATURE_OF_TAG[tag]] == pytest.approx(expected, abs=tolerance)


def test_all_features_of_the_first_families_are_held_against_ibsi() -> None:
    covered = set(FEATURE_OF_TAG.values())
    families = {"statistics", "glcm"}
    assert {n for n, d in FEATURES.items() if d.family in families} <= covered
    assert len(covered) == 18 + 25 + 2


def _on_2_mm(folder: Path) -> tuple[ImageVolume, NDArray[np.bool_]]:
    """Chest CT and its mask on IBSI's 2 mm grid (centres aligned), linear, rounded to whole HU."""
    values, source = nifti(folder / "nifti" / "image" / "phantom.nii.gz")
    labels, _ = nifti(folder / "nifti" / "mask" / "mask.nii.gz")
    old, n_old = np.array(source.spacing[::-1]), np.array(source.shape[::-1])
    n_new = np.ceil(n_old * old / 2.0 - 1e-6).astype(int)
    scale = np.diag(2.0 / old)
    step = np.eye(4)
    step[:3, :3] = scale
    step[:3, 3] = (n_old - 1) / 2.0 - scale @ ((n_new - 1) / 2.0)
    nx, ny, nz = (int(n) for n in n_new)
    grid = Geometry((nz, ny, nx), source.affine @ step)
    resampled = ndimage.affine_transform(
        values, np.diag(scale)[::-1], step[:3, 3][::-1], grid.shape, order=1, mode="nearest"
    )
    volume = ImageVolume(np.rint(resampled).astype(np.float32), grid, "HU")
    mask = mask_to_grid(MaskVolume(labels.astype(np.uint8), source), 1, grid)
    return volume, mask


@pytest.fixture(scope="module")
def chest_ct(reference_data: ReferenceData) -> tuple[ImageVolume, NDArray[np.bool_]]:
    return _on_2_mm(reference_data("ibsi1-ct-phantom"))


@pytest.mark.parametrize("configuration", ["c", "d"])
def test_chest_ct(
    configuration: str,
    chest_ct: tuple[ImageVolume, NDArray[np.bool_]],
    reference_data: ReferenceData,
) -> None:
    volume, mask = chest_ct
    families = ("statistics", "glcm")
    if configuration == "c":  # fixed bins of 25 HU, lung and soft tissue only
        profile = FeatureProfile("c", "fbs", 25.0, 64, -1000.0, 400.0, families=families)
    else:  # 32 bins, without outliers beyond three standard deviations
        inside = volume.values[mask].astype(np.float64)
        low, high = (float(inside.mean() + k * inside.std()) for k in (-3.0, 3.0))
        profile = FeatureProfile("d", "fbn", 25.0, 32, low, high, families=families)
    measured = extract(volume, mask, profile).values
    table = reference_values(
        reference_data("ibsi1-reference-values") / f"ibsi_1_chest_config_{configuration}.csv"
    )
    tags = [tag for tag in FEATURE_OF_TAG if tag in table and not tag.startswith("loc")]
    assert len(tags) == 18 + 25
    wrong = {
        tag: (measured[FEATURE_OF_TAG[tag]], *table[tag])
        for tag in tags
        if not abs(measured[FEATURE_OF_TAG[tag]] - table[tag][0]) <= table[tag][1]
    }
    assert wrong == {}


@pytest.mark.parametrize("configuration", ["c", "d"])
def test_local_peaks_of_chest_ct(
    configuration: str,
    chest_ct: tuple[ImageVolume, NDArray[np.bool_]],
    reference_data: ReferenceData,
) -> None:
    volume, mask = chest_ct
    roi = roi_image(volume, mask, SPHERE_RADIUS_MM)
    if configuration == "c":
        roi = roi.resegmented(-1000.0, 400.0)
    else:
        spread = 3.0 * roi.intensities.std()
        roi = roi.resegmented(roi.intensities.mean() - spread, roi.intensities.mean() + spread)
    table = reference_values(
        reference_data("ibsi1-reference-values") / f"ibsi_1_chest_config_{configuration}.csv"
    )
    for tag, value in zip(
        ("loc_peak_loc", "loc_peak_glob"), local_peaks(roi, roi.intensity_mask), strict=True
    ):
        expected, tolerance = table[tag]
        assert value == pytest.approx(expected, abs=tolerance), tag
