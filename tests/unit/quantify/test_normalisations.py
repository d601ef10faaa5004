"""SUV by other body measures: hand-computed, with refusals of their own."""

from __future__ import annotations

import pytest

from schemas.records import SuvNormalisation
from tasks.quantify import derive_suv
from tasks.quantify.normalisations import LEAN_MASS_WARNING, NORMALISATIONS, normalisations
from tests.unit.quantify.test_derive_suv import header


def by_name(found: tuple[SuvNormalisation, ...]) -> dict[str, SuvNormalisation]:
    return {n.name: n for n in found}


@pytest.mark.parametrize(
    ("sex", "expected"),
    [
        # W = 82 kg, H = 170 cm: W/H = 0.482353, squared 0.232664; BMI = 28.3737.
        # Morgan 90.2 - 27.9197; James 90.2 - 29.7810; Janma 760140 / 12808.72; IBW 48 + 19.08.
        ("M", {"suv_lbm_morgan": 62.2803, "suv_lbm_james": 60.4190, "suv_lbm_janma": 59.3455,
               "suv_ibw": 67.08}),
        # Morgan and James are one for women: 87.74 - 34.4343; Janma 760140 / 15703.18; IBW 61.88.
        ("F", {"suv_lbm_morgan": 53.3057, "suv_lbm_james": 53.3057, "suv_lbm_janma": 48.4068,
               "suv_ibw": 61.88}),
        ("O", {"suv_lbm_morgan": 57.7930, "suv_lbm_james": 56.86235, "suv_lbm_janma": 53.87615,
               "suv_ibw": 64.48}),
    ],
)  # fmt: skip
def test_masses_by_hand(sex: str, expected: dict[str, float]) -> None:
    found = by_name(normalisations(82.0, 1.70, sex))
    for name, mass_kg in expected.items():
        assert found[name].measure == pytest.approx(mass_kg, rel=1e-5), name
        assert found[name].per_suvbw == pytest.approx(mass_kg / 82.0, rel=1e-5), name
        assert found[name].unit == "g/ml"
    assert found["suv_bw"].per_suvbw == 1.0


def test_surface_by_hand() -> None:
    """170^0.725 = 41.4072, 82^0.425 = 6.50685: x 0.007184 = 1.935587 m2; 19355.87 / 82000."""
    found = by_name(normalisations(82.0, 1.70, ""))["suv_bsa"]
    assert found.measure == pytest.approx(19355.87, rel=1e-6)
    assert found.per_suvbw == pytest.approx(0.2360472, rel=1e-6)
    assert (found.unit, found.measure_unit) == ("cm2/ml", "cm2")


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({"PatientSex": None}, dict.fromkeys(
            ("suv_lbm_morgan", "suv_lbm_james", "suv_lbm_janma", "suv_ibw"), "suv_sex_missing")),
        ({"PatientSize": None}, dict.fromkeys(NORMALISATIONS[1:], "suv_size_missing")),
        ({"PatientSize": "9"}, dict.fromkeys(NORMALISATIONS[1:], "suv_size_implausible")),
        ({"Units": "GML", "PatientWeight": None},
         dict.fromkeys(NORMALISATIONS[1:], "suv_weight_missing")),
        ({"PatientWeight": None}, dict.fromkeys(NORMALISATIONS, "suv_weight_missing")),
    ],
    ids=["no sex", "no size", "size of 9 cm", "vendor's SUVbw without weight", "no weight"],
)  # fmt: skip
def test_refusals_of_their_own(changes: dict[str, object], refused: dict[str, str]) -> None:
    found = derive_suv([header(**changes)])
    reasons = {n.name: n.reason_code for n in found.normalisations if n.reason_code}
    assert reasons == refused
    assert found.status == ("refused" if "suv_bw" in refused else "suv")
    assert {n.name for n in found.normalisations} == set(NORMALISATIONS)
    assert all(n.per_suvbw is None for n in found.normalisations if n.reason_code)


def test_warning_above_bmi_35() -> None:
    """110 kg at 1.75 m: BMI 35.92; 107 kg: 34.94."""
    warned = {n.name: n.warning for n in normalisations(110, 1.75, "F") if n.warning}
    assert warned == dict.fromkeys(("suv_lbm_morgan", "suv_lbm_james"), LEAN_MASS_WARNING)
    assert not [n for n in normalisations(107, 1.75, "F") if n.warning]


def test_units_are_put_right() -> None:
    assert [n.per_suvbw for n in normalisations(82_000, 170, "F")] == [
        n.per_suvbw for n in normalisations(82, 1.70, "F")
    ]


def test_not_for_other_modalities() -> None:
    assert derive_suv([header(Modality="CT")]).normalisations == ()
