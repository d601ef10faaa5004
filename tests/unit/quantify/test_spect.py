"""SPECT by the rules of NM objects: activity in MBq, decay reference assumed, numbers by hand."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset

from schemas.records import SuvDerivation
from tasks.ingest.spect_acquisition import Timing, collimator, spect_timing
from tasks.quantify.spect import at_mean, derive_spect

#: Tc-99m.
HALF_LIFE = 21624.0


def header(**values: object) -> Dataset:
    """75 kg, 600 MBq Tc-99m at 9:00, acquired from 12:00 for 30 min."""
    item, ds = Dataset(), Dataset()
    item.RadionuclideTotalDose, item.RadionuclideHalfLife = "600", str(HALF_LIFE)
    item.RadiopharmaceuticalStartDateTime = "20250310090000"
    ds.Modality, ds.CorrectedImage = "NM", ["ATTN", "SCAT"]
    ds.PatientWeight, ds.PatientSize, ds.PatientSex = "75", "1.80", "M"
    ds.SeriesDate = ds.AcquisitionDate = "20250310"
    ds.SeriesTime = ds.AcquisitionTime = "120000"
    ds.RadiopharmaceuticalInformationSequence = [item]
    for keyword, value in values.items():
        setattr(item if keyword.startswith("Radio") else ds, keyword, value)
    return ds


def derived(**values: object) -> SuvDerivation:
    return derive_spect([header(**values)], is_mapped=True, duration_s=1800.0)


def test_by_hand() -> None:
    """3 h are 0.4994451 half-lives: D = 6e8 x 0.7073788 = 4.244273e8; 75000 / D = 1.767087e-4."""
    found = derived()
    assert found.factors == pytest.approx((1.767087e-4,), rel=1e-6)
    assert (found.status, found.rule) == ("suv", "mapping/acquisition_start")
    assert (found.value_unit, found.injected_activity_bq) == ("Bq/ml", 6e8)
    assert found.uptake_time_s == 3 * 3600
    assert "D0 = Radionuclide Total Dose (0018,1074) = 600 MBq" in found.steps
    assert [n.reason_code for n in found.normalisations] == [None] * 6


def test_mean_of_the_acquisition_is_a_candidate() -> None:
    """x = ln 2 x 1800 / 21624 = 0.0576983; x / (1 - exp(-x)) = 1.0291266."""
    start, mean = derived().candidates
    assert (start.rule, start.is_chosen, start.first_s) == ("acquisition_start", True, 10800)
    assert mean.difference_percent == pytest.approx(2.91266, abs=1e-4)
    moved = at_mean(derived(), 1800.0)
    assert moved.factors == pytest.approx((1.767087e-4 * 1.0291266,), rel=1e-6)
    assert [(c.is_chosen, c.is_considered) for c in moved.candidates] == [
        (False, False),
        (True, True),
    ]
    assert moved.candidates[1].difference_percent == pytest.approx(0, abs=1e-9)


def test_counts_keep_what_a_calibration_needs() -> None:
    found = derive_spect([header()], is_mapped=False, duration_s=None)
    assert (found.status, found.value_unit, found.factors) == ("not_applicable", "CNTS", ())
    assert (found.normalisations, found.candidates) == ((), ())
    assert found.if_calibrated is not None
    assert found.if_calibrated.factors == derived().factors
    assert found.injected_activity_bq == 6e8


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"RadionuclideTotalDose": "1e5"}, "suv_dose_ambiguous"),
        ({"RadionuclideTotalDose": "0"}, "suv_dose_missing"),
        ({"PatientWeight": None}, "suv_weight_missing"),
        ({"RadionuclideHalfLife": None}, "suv_half_life_missing"),
        ({"RadiopharmaceuticalStartDateTime": None}, "suv_injection_time_missing"),
        ({"AcquisitionTime": None}, "suv_decay_reference_missing"),
        ({"CorrectedImage": ["SCAT"]}, "suv_not_attenuation_corrected"),
    ],
)
def test_refusals(changes: dict[str, object], reason: str) -> None:
    found = derived(**changes)
    assert (found.status, found.reason_code, found.factors) == ("refused", reason, ())
    assert found.value_unit == "Bq/ml"
    assert {n.reason_code for n in found.normalisations} == {reason}


def test_activity_in_bq_is_recognised() -> None:
    found = derived(RadionuclideTotalDose="6e8")
    assert found.factors == pytest.approx((1.767087e-4,), rel=1e-6)
    assert [(rule, level) for rule, level, _ in found.findings] == [("SUV-DOSE", "warn")]


def rotation(duration_ms: int, views: int) -> Dataset:
    item = Dataset()
    item.ActualFrameDuration, item.NumberOfFramesInRotation = duration_ms, views
    return item


@pytest.mark.parametrize(
    ("rotations", "expected"),
    [
        ([rotation(15000, 120)], Timing(15.0, 120)),
        ([rotation(20000, 60), rotation(20000, 60)], Timing(20.0, 60)),  # two beds
        ([rotation(20000, 60), rotation(10000, 60)], Timing(None, None)),
        ([], Timing(None, None)),
    ],
)
def test_timing_of_rotations(rotations: list[Dataset], expected: Timing) -> None:
    ds = Dataset()
    ds.RotationInformationSequence = rotations
    assert spect_timing(ds) == expected
    assert expected.duration_s in (1800.0, 1200.0, None)


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("MELP", "PARA", "MELP"),
        ("Siemens LEHR 1", "PARA", "LEHR"),
        ("Doe's collimator", "PARA", "PARA"),
        (None, "PINH", "PINH"),
        ("Doe", "DOE", None),
    ],
)
def test_collimator_never_is_free_text(name: str | None, kind: str, expected: str | None) -> None:
    item, ds = Dataset(), Dataset()
    item.CollimatorGridName, item.CollimatorType = name, kind
    ds.DetectorInformationSequence = [item]
    assert collimator(ds) == expected
