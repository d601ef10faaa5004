from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from schemas.errors import InvalidInputError
from schemas.features import FEATURES
from schemas.geometry import Geometry
from schemas.profiles import PET_FBN_64, PET_FBS_025, FeatureProfile
from schemas.volume import ImageVolume
from tasks.features.extract import Extraction, extract
from tasks.features.families import FAMILIES, FamilyRegistry
from tasks.features.roi import RoiImage
from tasks.features.uptake import Uptake

GRID = Geometry((12, 13, 14), np.diag([4.0, 4.0, 4.0, 1.0]))


def image(unit: str = "SUVbw", scale: float = 1.0) -> ImageVolume:
    values = np.random.default_rng(11).gamma(3.0, 1.5, GRID.shape) * scale
    return ImageVolume(values.astype(np.float32), GRID, unit)


def cube(n: int = 5) -> NDArray[np.bool_]:
    mask = np.zeros(GRID.shape, dtype=np.bool_)
    mask[3 : 3 + n, 4 : 4 + n, 5 : 5 + n] = True
    return mask


def rules(extraction: Extraction) -> set[str]:
    return {rule for rule, _, _ in extraction.findings}


def names_of(*families: str) -> set[str]:
    return {n for n, d in FEATURES.items() if d.family in families}


SUV_NAMES = {n for n in names_of("uptake") if n.startswith("suv_")} | {"mtv_ml", "tlg_g"}


def test_uptake_by_hand() -> None:
    values = np.zeros(GRID.shape, dtype=np.float32)
    mask = np.zeros(GRID.shape, dtype=np.bool_)
    mask[6, 6, 6:10] = True
    values[6, 6, 6:10] = [2.0, 4.0, 6.0, 8.0]
    found = extract(ImageVolume(values, GRID, "SUVbw"), mask, PET_FBS_025).values
    assert found["suv_max"] == 8.0
    assert found["suv_mean"] == 5.0
    assert found["suv_median"] == 5.0
    assert found["suv_sd"] == pytest.approx(np.sqrt(5.0))
    assert found["mtv_ml"] == pytest.approx(0.256)
    assert found["tlg_g"] == pytest.approx(1.28)
    assert found["suv_peak_maxvoxel"] == pytest.approx((6 + 8) / 19)
    assert found["suv_peak_global"] == pytest.approx((4 + 6 + 8) / 19)


def test_every_feature_is_registered_and_complete() -> None:
    found = extract(image(), cube(), PET_FBS_025)
    assert set(found.values) == SUV_NAMES | names_of("statistics", "glcm")
    assert np.isfinite(list(found.values.values())).all()
    assert found.findings == ()


@pytest.mark.parametrize(("unit", "prefix"), [("Bq/ml", "activity"), ("CNTS", "counts")])
def test_names_do_not_claim_suv(unit: str, prefix: str) -> None:
    found = extract(image(unit), cube(), PET_FBN_64).values
    assert found[f"{prefix}_max"] == pytest.approx(float(image().values[cube()].max()))
    assert not any(name.startswith(("suv", "tlg")) for name in found)
    assert set(found) <= set(FEATURES)


def test_other_units_have_no_uptake() -> None:
    found = extract(image("HU"), cube(), PET_FBN_64)
    assert set(found.values) == names_of("statistics", "glcm")
    assert rules(found) == {"FEA-UNIT"}


def test_bin_width_for_suv_on_becquerel() -> None:
    found = extract(image("Bq/ml", scale=5000.0), cube(), PET_FBS_025)
    assert rules(found) == {"FEA-BINS"}
    assert np.isnan([found.values[n] for n in names_of("glcm")]).all()
    assert np.isfinite([found.values[n] for n in names_of("statistics")]).all()


def test_empty_region() -> None:
    found = extract(image(), np.zeros(GRID.shape, dtype=np.bool_), PET_FBS_025)
    assert rules(found) == {"ROI-EMPTY"}
    assert found.values["mtv_ml"] == 0.0
    others = [v for name, v in found.values.items() if name != "mtv_ml"]
    assert np.isnan(others).all()


def test_one_voxel() -> None:
    found = extract(image(), cube(1), PET_FBS_025)
    assert rules(found) == {"ROI-FLAT", "ROI-SMALL"}
    assert found.values["suv_max"] == found.values["stat_mean"] == found.values["stat_p10"]
    assert found.values["stat_variance"] == 0.0
    assert np.isnan(found.values["stat_skewness"])
    assert np.isnan([found.values[n] for n in names_of("glcm")]).all()


def test_one_grey_level() -> None:
    flat = ImageVolume(np.full(GRID.shape, 0.1, dtype=np.float32), GRID, "SUVbw")
    found = extract(flat, cube(), PET_FBN_64)
    assert rules(found) == {"ROI-FLAT"}
    assert found.values["stat_variance"] == 0.0
    assert np.isnan(found.values["stat_kurtosis"])
    assert found.values["glcm_joint_maximum"] == 1.0


def test_small_region_is_flagged() -> None:
    assert rules(extract(image(), cube(3), PET_FBS_025)) == {"ROI-SMALL"}


def test_voxels_that_are_not_finite_are_left_out_and_told() -> None:
    volume, mask = image(), cube()
    volume.values[4, 5, 6] = np.nan
    found = extract(volume, mask, PET_FBS_025)
    assert rules(found) == {"ROI-NAN"}
    mask[4, 5, 6] = False
    without = extract(volume, mask, PET_FBS_025).values
    assert {n: v for n, v in found.values.items() if n not in {"mtv_ml", "tlg_g"}} == {
        n: v for n, v in without.items() if n not in {"mtv_ml", "tlg_g"}
    }


def test_nothing_inside_the_resegmentation_range() -> None:
    profile = FeatureProfile("high", "fbs", 0.25, 64, 900.0, None)
    found = extract(image(), cube(), profile)
    assert rules(found) == {"ROI-RANGE"}
    assert np.isnan(found.values["stat_mean"])
    assert np.isfinite(found.values["suv_max"])  # uptake takes the region as drawn


def test_only_the_families_asked_for() -> None:
    profile = FeatureProfile("u", "fbs", 0.25, 64, 0.0, None, families=("uptake",))
    assert set(extract(image(), cube(2), profile).values) == SUV_NAMES
    assert extract(image(), cube(2), profile).findings == ()


def test_unknown_family_is_refused() -> None:
    profile = FeatureProfile("x", "fbs", 0.25, 64, 0.0, None, families=("uptake", "fractal"))
    with pytest.raises(InvalidInputError, match="fractal"):
        extract(image(), cube(), profile)


def test_registry_takes_further_families() -> None:
    class Voxels:
        name = "voxels"
        margin_mm = 0.0

        def compute(self, roi: RoiImage, profile: FeatureProfile) -> dict[str, float]:
            return {"voxels_n": float(roi.mask.sum())}

    profile = FeatureProfile("v", "fbs", 0.25, 64, 0.0, None, families=("voxels",))
    registry = FamilyRegistry((Uptake(), Voxels()))
    assert extract(image(), cube(), profile, registry).values == {"voxels_n": 125.0}
    assert FAMILIES.names == ("uptake", "statistics", "glcm")
    with pytest.raises(ValueError, match="twice"):
        FamilyRegistry((Uptake(), Uptake()))
