"""Profiles: digests, validation, reading from TOML."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from schemas.errors import InvalidInputError
from schemas.profiles import (
    CT_4MM,
    FEATURE_PROFILES,
    PET_4MM,
    PET_FBS_025,
    STANDARD_PROFILES,
    FeatureProfile,
    StandardProfile,
    load_profile,
    merged,
    profiles_in,
)


def test_every_parameter_is_in_the_digest() -> None:
    digests = {PET_4MM.digest(), CT_4MM.digest()}
    changes: list[dict[str, object]] = [
        {"spacing_mm": (4.0, 4.0, 3.9)}, {"interpolation_order": 3}, {"anti_alias": False},
        {"resolution_fwhm_mm": (5.0, 5.0, 5.0)}, {"fill_value": -1.0}, {"grid": "ct"},
        {"alignment": "corner"}, {"target": "EARL1"}, {"target": 7.0}, {"unmatched": "keep"},
        {"resolution_sources": ("measured",)}, {"mask_order": 0}, {"mask_threshold": 0.4},
        {"normalisation": "ratio", "reference_roi": "liver"}, {"correct_calibration": True},
        {"profile_id": "other/1"},
    ]  # fmt: skip
    digests |= {replace(PET_4MM, **change).digest() for change in changes}  # type: ignore[arg-type]
    assert len(digests) == len(changes) + 2
    assert PET_4MM.digest() == replace(PET_4MM).digest()
    stripes = [load_profile(MR_STRIPE + f'contrast = "{c}"').digest() for c in ("T1", "T2")]
    assert stripes[0] != stripes[1]


def test_digests_stay_when_a_field_is_added() -> None:
    """Else every standard volume of every lake would be made again."""
    assert PET_4MM.digest() == "165f95d272b03980"


def test_defaults_are_named_by_themselves() -> None:
    assert [p.profile_id for p in STANDARD_PROFILES.values()] == list(STANDARD_PROFILES)
    assert [p.profile_id for p in FEATURE_PROFILES.values()] == list(FEATURE_PROFILES)


def test_standard_profile_from_toml() -> None:
    text = """
    kind = "standard"
    profile_id = "earl/2"
    modality = "PT"
    spacing_mm = [3, 4.0, 4.0]
    interpolation_order = 3
    resolution_fwhm_mm = [6.0, 7, 7]
    """
    assert load_profile(text) == StandardProfile(
        "earl/2", "PT", (3.0, 4.0, 4.0), 3, True, (6.0, 7.0, 7.0)
    )


def test_feature_profile_from_toml() -> None:
    text = """
    kind = "feature"
    profile_id = "mine/1"
    discretisation = "fbn"
    bin_width = 0.5
    bin_count = 32
    resegment_min = 0
    families = ["uptake", "glcm"]
    """
    with pytest.raises(InvalidInputError, match="bin_count"):
        load_profile(text.replace("bin_count = 32", ""))
    found = load_profile(text + "resegment_max = 30")
    assert isinstance(found, FeatureProfile)
    assert (found.resegment_max, found.families) == (30.0, ("uptake", "glcm"))


GOOD = 'kind = "standard"\nprofile_id = "a/1"\nmodality = "PT"\nspacing_mm = [4, 4, 4]\n'

MR_STRIPE = GOOD.replace('"PT"', '"MR"') + 'normalisation = "white-stripe"\n'


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("not toml", "not valid TOML"),
        ('profile_id = "a"', "profile kind"),
        ('kind = "other"', "profile kind"),
        (GOOD + "colour = 1", "unknown profile keys \\['colour'\\]"),
        (GOOD + 'anti_alias = "yes"', "anti_alias"),
        (GOOD + "anti_alias = 1", "anti_alias"),
        (GOOD + "interpolation_order = 6", "interpolation order"),
        (GOOD + "fill_value = true", "fill_value"),
        (GOOD + "resolution_fwhm_mm = [-1, 1, 1]", "FWHM"),
        (GOOD.replace("[4, 4, 4]", "[4, 4]"), "spacing_mm"),
        (GOOD.replace("[4, 4, 4]", "[4, 4, 0]"), "spacing"),
        (GOOD.replace("[4, 4, 4]", "4"), "spacing_mm"),
        (GOOD.replace('"PT"', '"US"'), "modality"),
        ('kind = "standard"\nmodality = "PT"', "missing"),
        (GOOD + 'grid = "emission"', "grid ct or own"),
        (GOOD + 'target = "EARL3"', "target"),
        (GOOD + "target = 0", "target FWHM"),
        (GOOD + "target = 6\nresolution_fwhm_mm = [1, 1, 1]", "not both"),
        (GOOD.replace('"PT"', '"CT"') + "target = 6", "PT only"),
        (GOOD + 'resolution_sources = ["guessed"]', "resolution sources"),
        (GOOD + 'unmatched = "perhaps"', "unmatched"),
        (GOOD + "mask_threshold = 0", "mask threshold"),
        (GOOD + 'normalisation = "ratio"', "reference_roi"),
        (GOOD + 'reference_roi = "liver"', "reference_roi"),
        (GOOD + 'normalisation = "white-stripe"\ncontrast = "T1"', "white-stripe for MR only"),
        (MR_STRIPE, "contrast T1, T2 or FLAIR"),
        (MR_STRIPE + 'contrast = "PD"', "contrast"),
        (GOOD + 'contrast = "T1"', "a contrast for white-stripe only"),
    ],
)
def test_mistakes_are_named(text: str, complaint: str) -> None:
    with pytest.raises(InvalidInputError, match=complaint):
        load_profile(text)


def test_target_is_a_name_or_a_width() -> None:
    targets = [load_profile(GOOD + f"target = {t}") for t in ('"EARL2"', "7", "6.5")]
    assert [t.target for t in targets if isinstance(t, StandardProfile)] == ["EARL2", 7.0, 6.5]


def test_profiles_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "b.toml").write_text(GOOD)
    (tmp_path / "notes.txt").write_text("no profile")
    own = profiles_in(tmp_path)
    assert list(own) == ["a/1"]
    assert list(merged(STANDARD_PROFILES, own)) == [*STANDARD_PROFILES, "a/1"]
    (tmp_path / "a.toml").write_text(GOOD + "fill_value = 1")
    with pytest.raises(InvalidInputError, match=r"b\.toml: there are two profiles 'a/1'"):
        profiles_in(tmp_path)
    (tmp_path / "a.toml").write_text(GOOD.replace("a/1", "pet-4mm/1") + "fill_value = 1")
    with pytest.raises(InvalidInputError, match="'pet-4mm/1' comes with tracerlake"):
        merged(STANDARD_PROFILES, profiles_in(tmp_path))
    (tmp_path / "c.toml").write_text("colour = 1")
    with pytest.raises(InvalidInputError, match=r"c\.toml: profile kind"):
        profiles_in(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"bin_width": 0.0}, {"bin_count": 1}, {"resegment_max": -1.0}, {"glcm_distance": 0},
        {"threshold_suv": float("nan")}, {"minimum_volume_ml": -1.0}, {"families": ()},
        {"discretisation": "fbx"}, {"profile_id": ""},
    ],
)  # fmt: skip
def test_impossible_feature_profiles(change: dict[str, object]) -> None:
    with pytest.raises(InvalidInputError):
        replace(PET_FBS_025, **change)  # type: ignore[arg-type]
