"""SUV derivation: one branch, one number worked out by hand."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable
from copy import deepcopy

import pytest
from pydicom.dataset import Dataset

from schemas.records import SuvDerivation
from tasks.quantify import derive_suv

HALF_LIFE = 6586.2


def header(
    acquisition: object = "110000", reference_ms: object = 149605, **values: object
) -> Dataset:
    """70 kg, 400 MBq F-18 injected at 10:00, series at 11:00, Bq/ml, decay corrected to START."""
    item, code = Dataset(), Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "C-111A1", "SRT", "^18^Fluorine"
    item.RadionuclideCodeSequence = [code]
    item.RadionuclideTotalDose, item.RadionuclideHalfLife = "4E8", str(HALF_LIFE)
    item.RadiopharmaceuticalStartTime = "100000"
    ds = Dataset()
    ds.Modality, ds.Units, ds.DecayCorrection, ds.Manufacturer = "PT", "BQML", "START", "SIEMENS"
    ds.CorrectedImage = ["DECY", "ATTN", "SCAT", "NORM", "RAN", "DTIM"]
    ds.PatientWeight, ds.PatientSize, ds.PatientSex = "70", "1.75", "F"
    ds.SeriesDate = ds.AcquisitionDate = "20250310"
    ds.SeriesTime, ds.AcquisitionTime = "110000", acquisition
    ds.FrameReferenceTime, ds.ActualFrameDuration = str(reference_ms), "300000"
    ds.RescaleIntercept = "0"
    ds.RadiopharmaceuticalInformationSequence = [item]
    for keyword, value in values.items():
        setattr(item if keyword.startswith("Radio") else ds, keyword, value)
    return ds


def factor(elapsed_s: float, dose: float = 4e8, half_life: float = HALF_LIFE) -> float:
    return 70_000 / (dose * 2 ** (-elapsed_s / half_life))


def refused(*slices: Dataset) -> str | None:
    found = derive_suv(slices)
    assert found.status == "refused"
    assert found.factors == ()
    assert found.reason_text
    return found.reason_code


def test_start_by_hand() -> None:
    """70000 g / (4e8 Bq x 2^(-3600 / 6586.2)) = 1.75e-4 x 1.460637 = 2.55611e-4 g/Bq."""
    found = derive_suv([header()])
    assert found.factors == pytest.approx((2.55611e-4,), rel=2e-6)
    assert found.rule == "BQML/START/series_time"
    assert (found.value_unit, found.uptake_time_s) == ("Bq/ml", 3600)
    assert found.injected_activity_bq == 4e8
    assert found.weight_kg == 70
    assert found.findings == ()


def test_steps_can_be_checked_and_identify_nobody() -> None:
    text = "\n".join(derive_suv([header(PatientName="Doe^Jane", PatientID="4711")]).steps)
    for number in ("400000000 Bq", "70 kg", "6586.2 s", "3600.000 s", "0.000255611", "(0018,1074)"):
        assert number in text
    assert not re.search(r"2025|\b1[01]:?0000|Doe|4711", text)


@pytest.mark.parametrize(
    ("modality", "unit"), [("CT", "HU"), ("NM", "CNTS"), ("MR", "1"), ("", "1")]
)
def test_other_modalities_have_no_suv(modality: str, unit: str) -> None:
    found = derive_suv([header(Modality=modality)])
    assert (found.status, found.value_unit, found.reason_code) == ("not_applicable", unit, None)


def test_no_slices_is_a_bug_of_the_caller() -> None:
    with pytest.raises(ValueError, match="at least one"):
        derive_suv([])


@pytest.mark.parametrize("units", ["PROPCPS", "1CM", "CPS", "PCNT", "XYZ"])
def test_units_that_cannot_be_converted(units: str) -> None:
    assert refused(header(Units=units)) == "suv_units_unsupported"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"RescaleIntercept": "-5"}, "suv_nonzero_intercept"),
        ({"ImageType": ["DERIVED", "PRIMARY", "MIP"]}, "suv_reprojection"),
        ({"SeriesType": ["WHOLE BODY", "REPROJECTION"]}, "suv_reprojection"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.130"}, "suv_decay_reference_missing"),
        ({"CorrectedImage": ["DECY", "SCAT"]}, "suv_not_attenuation_corrected"),
        ({"CorrectedImage": ["ATTN", "SCAT"]}, "suv_not_decay_corrected"),
        ({"DecayCorrection": "NONE"}, "suv_not_decay_corrected"),
        ({"DecayCorrection": ""}, "suv_decay_correction_unsupported"),
        ({"PatientWeight": "0.07"}, "suv_weight_implausible"),
        ({"PatientWeight": "700"}, "suv_weight_implausible"),
        ({"RadionuclideTotalDose": "4E5"}, "suv_dose_ambiguous"),
        ({"RadionuclideHalfLife": "109.8"}, "suv_half_life_mismatch"),
        ({"RadionuclideHalfLife": "4057"}, "suv_half_life_mismatch"),
        ({"RadionuclideHalfLife": "0"}, "suv_half_life_missing"),
        ({"AcquisitionTime": ""}, "suv_decay_reference_missing"),
        ({"RadiopharmaceuticalStartTime": "11h"}, "suv_injection_time_missing"),
        ({"Units": "GML", "SUVType": "BSA"}, "suv_units_unsupported"),
        ({"Units": "CM2ML", "SUVType": "BW"}, "suv_units_unsupported"),
        ({"Units": "GML", "SUVType": "LBM", "PatientSize": "17.5"}, "suv_size_implausible"),
        ({"Units": "GML", "SUVType": "LBM", "PatientSize": "0.40"}, "suv_size_implausible"),
    ],
)
@pytest.mark.filterwarnings("ignore:Invalid value for VR TM")
def test_refusals(changes: dict[str, object], reason: str) -> None:
    assert refused(header(**changes)) == reason


def test_two_administrations_are_refused() -> None:
    ds = header()
    item = ds.RadiopharmaceuticalInformationSequence[0]
    ds.RadiopharmaceuticalInformationSequence = [item, deepcopy(item)]
    assert refused(ds) == "suv_several_radiopharmaceuticals"


@pytest.mark.parametrize(
    "change",
    [{"PatientWeight": "71"}, {"Units": "CNTS"}, {"RadionuclideTotalDose": "3E8"}],
)
def test_values_of_the_series_must_agree(change: dict[str, object]) -> None:
    assert refused(header(), header(**change)) == "suv_mixed_values"


def test_lbm_morgan_by_hand() -> None:
    """Woman: 1.07 x 70 - 148 x 0.16 = 51.22 kg, so 70 / 51.22 = 1.366654."""
    found = derive_suv([header(Units="GML", SUVType="LBM")])
    assert found.factors == pytest.approx((1.366654,), rel=1e-6)
    assert found.value_unit == "g/ml"


def test_body_surface_by_hand() -> None:
    """Du Bois: 0.007184 x 175^0.725 x 70^0.425 = 1.84810 m2; 70000 / 18481.0 = 3.78767."""
    found = derive_suv([header(Units="CM2ML", PatientSize="175")])
    assert found.factors == pytest.approx((3.78767,), rel=1e-4)
    assert [rule for rule, _, _ in found.findings] == ["SUV-SIZE"]


def test_unreliable_lean_mass_is_flagged() -> None:
    """BMI 39.2: an image normalised by James cannot be relied on, one by Janmahasatian can."""
    found = derive_suv([header(Units="GML", SUVType="LBMJAMES128", PatientWeight="120")])
    assert [(rule, level) for rule, level, _ in found.findings] == [
        ("SUV-LBM", "warn"),
        ("SUV-LBM", "info"),
    ]
    found = derive_suv([header(Units="GML", SUVType="LBMJANMA", PatientWeight="120")])
    assert [(rule, level) for rule, level, _ in found.findings] == [("SUV-LBM", "info")]


def test_gml_by_weight_needs_nothing_else() -> None:
    found = derive_suv([header(Units="GML", PatientWeight="")])
    assert (found.status, found.value_unit, found.factors) == ("suv", "SUVbw", (1.0,))


# --- decay reference ---------------------------------------------------------------------------


def test_two_beds_agree_through_the_frame_reference_time() -> None:
    """Cropped to the second and third bed: series 11:00:00, beds at +300 and +600 s."""
    slices = [header("110500", 449605), header("111000", 749605)]
    found = derive_suv(slices)
    assert found.factors == pytest.approx([factor(3600)] * 2, rel=1e-6)
    assert found.rule == "BQML/START/frame_reference_time"


def test_ge_frame_reference_is_the_start_of_the_frame() -> None:
    slices = [
        header("110500", 300000, Manufacturer="GE MEDICAL SYSTEMS", SeriesTime="113000"),
        header("111000", 600000, Manufacturer="GE MEDICAL SYSTEMS", SeriesTime="113000"),
    ]
    assert derive_suv(slices).factors == pytest.approx([factor(3600)] * 2, rel=1e-9)


def test_disagreement_without_evidence_is_refused() -> None:
    """Series 11:00, bed at 11:20 that claims to be 150 s after the reference."""
    found = derive_suv([header("112000")])
    assert found.reason_code == "suv_decay_reference_ambiguous"
    assert found.decay_reference_spread_percent == pytest.approx(
        100 * (1 - 2 ** (-1200 / HALF_LIFE)), rel=1e-4
    )
    assert found.weight_kg == 70  # what is known stays known


def test_shared_acquisition_time_over_beds_leaves_the_series_time() -> None:
    """As real GE series: every bed carries the scan's start, offsets say otherwise."""
    slices = [header(reference_ms=1000 * (150 + 300 * k)) for k in range(4)]
    found = derive_suv(slices)
    assert found.factors == pytest.approx([factor(3600)] * 4, rel=1e-9)
    assert found.findings == ()


def test_beds_that_are_each_their_own_reference_are_refused() -> None:
    slices = [
        header(t, 0, Manufacturer="GE MEDICAL SYSTEMS", SeriesTime="130000")
        for t in ("110000", "110500")
    ]
    assert refused(*slices) == "suv_decay_reference_ambiguous"


def test_only_the_first_acquisition_is_left() -> None:
    found = derive_suv([header(reference_ms=0, SeriesTime="130000")])
    assert found.factors == pytest.approx([factor(3600)], rel=1e-9)
    assert [rule for rule, _, _ in found.findings] == ["SUV-REFERENCE"]


def test_early_series_time_that_nothing_confirms_is_refused() -> None:
    assert refused(header("112000", 0)) == "suv_decay_reference_missing"


Block = tuple[int, str, int]
GE: Block = (0x0009, "GEMS_PETD_01", 0x0D)
SIEMENS: Block = (0x0071, "SIEMENS MED PT", 0x22)


def with_private(ds: Dataset, place: Block, vr: str, value: object) -> Dataset:
    group, creator, element = place
    ds.private_block(group, creator, create=True).add_new(element, vr, value)
    return ds


@pytest.mark.parametrize(("place", "vendor"), [(GE, "GE MEDICAL SYSTEMS"), (SIEMENS, "SIEMENS")])
@pytest.mark.parametrize(("vr", "value"), [("DT", "20250310105000"), ("UN", b"20250310105000\x00")])
def test_private_reference_comes_first(place: Block, vendor: str, vr: str, value: object) -> None:
    ds = with_private(header(SeriesTime="130000", Manufacturer=vendor), place, vr, value)
    found = derive_suv([ds])
    assert found.factors == pytest.approx([factor(3000)], rel=1e-9)
    assert found.rule == "BQML/START/private_time"


def test_private_reference_replaces_a_missing_duration() -> None:
    ds = with_private(header(ActualFrameDuration=None), SIEMENS, "DT", "20250310110000")
    assert derive_suv([ds]).status == "suv"


def test_private_reference_of_another_day_is_not_used() -> None:
    ds = with_private(header(), SIEMENS, "DT", "20250101110000")
    assert derive_suv([ds]).rule == "BQML/START/series_time"


def test_siemens_element_is_not_ge() -> None:
    """(0009,100D) of another maker's block means something else."""
    ds = header(SeriesTime="130000")
    ds.private_block(0x0009, "SOMEONE ELSE", create=True).add_new(0x0D, "DT", "20250310105000")
    assert derive_suv([ds]).rule == "BQML/START/frame_reference_time"


# --- injection ---------------------------------------------------------------------------------


def injected(**values: object) -> SuvDerivation:
    return derive_suv([header(**values)])


def test_date_time_of_injection_with_offset_from_utc() -> None:
    found = injected(
        RadiopharmaceuticalStartDateTime="20250310090000+0000",
        RadiopharmaceuticalStartTime="",
        TimezoneOffsetFromUTC="+0100",
    )
    assert found.uptake_time_s == 3600


def test_scrubbed_date_leaves_the_time() -> None:
    found = injected(RadiopharmaceuticalStartDateTime="19000101100000")
    assert found.uptake_time_s == 3600
    assert [rule for rule, _, _ in found.findings] == ["SUV-TIME"]


def test_scrubbed_midnight_is_no_time() -> None:
    found = injected(
        RadiopharmaceuticalStartDateTime="19000101000000", RadiopharmaceuticalStartTime=""
    )
    assert found.reason_code == "suv_injection_time_missing"


def test_uptake_over_midnight_by_time_of_day() -> None:
    found = injected(
        SeriesTime="003000", AcquisitionTime="003000", RadiopharmaceuticalStartTime="2330"
    )
    assert found.uptake_time_s == 3600
    assert found.injection_datetime is not None
    assert found.injection_datetime.day == 9


def test_injection_during_the_scan_is_kept_and_flagged() -> None:
    found = injected(RadiopharmaceuticalStartTime="110500")
    assert found.uptake_time_s == -300
    assert ("SUV-CLOCK", "fail") in {(rule, severity) for rule, severity, _ in found.findings}


def test_a_time_of_day_after_the_scan_is_not_yesterday() -> None:
    """13:00 for a scan at 11:00 would be 22 h of uptake: 12 half-lives."""
    found = injected(RadiopharmaceuticalStartTime="130000")
    assert found.reason_code == "suv_injection_time_implausible"


def test_without_any_date_times_of_day_still_count() -> None:
    ds = header()
    del ds.SeriesDate, ds.AcquisitionDate
    found = derive_suv([ds])
    assert found.factors == pytest.approx([factor(3600)], rel=1e-9)
    assert found.injection_datetime is None


def test_whole_days_shifted_leave_the_factor_unchanged() -> None:
    plain = header(RadiopharmaceuticalStartDateTime="20250310100000")
    shifted = header(
        RadiopharmaceuticalStartDateTime="20240229100000",
        SeriesDate="20240229",
        AcquisitionDate="20240229",
    )
    assert derive_suv([plain]).factors == derive_suv([shifted]).factors


# --- ADMIN, NONE, counts -----------------------------------------------------------------------


def test_admin_needs_neither_times_nor_half_life() -> None:
    found = injected(
        DecayCorrection="ADMIN", RadiopharmaceuticalStartTime="", RadionuclideHalfLife=""
    )
    assert found.factors == (70_000 / 4e8,)


def test_none_by_hand() -> None:
    """x = ln 2 x 300 / 6586.2; x / (1 - exp(-x)) = 1.015869; exp(lambda 3600) = 1.460637."""
    found = injected(DecayCorrection="NONE", CorrectedImage=["ATTN"])
    assert found.factors == pytest.approx([1.75e-4 * 1.015869 * 1.460637], rel=1e-5)


def test_none_with_one_time_for_all_beds_is_refused() -> None:
    slices = [
        header(reference_ms=1000 * (150 + 300 * k), DecayCorrection="NONE", CorrectedImage=["ATTN"])
        for k in range(2)
    ]
    assert refused(*slices) == "suv_decay_reference_ambiguous"


def philips(suv: object, activity: object, vr: object = "DS", **values: object) -> Dataset:
    ds = header(Units="CNTS", Manufacturer="Philips", **values)
    block = ds.private_block(0x7053, "Philips PET Private Group", create=True)
    for element, value in ((0x00, suv), (0x09, activity)):
        if value is not None:
            block.add_new(element, str(vr), value)
    return ds


def test_counts_by_activity_factor() -> None:
    found = derive_suv([philips(None, "1.5")])
    assert found.factors == pytest.approx([1.5 * factor(3600)], rel=1e-9)
    assert found.rule == "CNTS/activity_factor/START/series_time"


def test_counts_with_unknown_vr() -> None:
    assert derive_suv([philips(b"0.0005 ", b"0.0 ", "UN")]).factors == (0.0005,)


def test_counts_fall_back_on_the_vendors_suv_factor() -> None:
    found = derive_suv([philips("0.0005", "1.5", PatientWeight="")])
    assert found.factors == (0.0005,)
    assert [rule for rule, _, _ in found.findings] == ["SUV-PHILIPS"]


def test_disagreeing_philips_factors_are_flagged() -> None:
    found = derive_suv([philips("0.0005", "1.5")])
    assert found.factors == pytest.approx([1.5 * factor(3600)])
    assert any(rule == "SUV-PHILIPS" for rule, _, _ in found.findings)


def test_philips_factors_are_not_applied_to_becquerels() -> None:
    ds = philips("0.0005", "1.5")
    ds.Units = "BQML"
    assert derive_suv([ds]).factors == pytest.approx([factor(3600)], rel=1e-9)


@pytest.mark.parametrize(
    ("vr", "value"), [("UN", struct.pack("<f", 1.5)), ("FL", 1.5), ("LO", "1.5")]
)
def test_binary_private_numbers(vr: str, value: object) -> None:
    assert derive_suv([philips(None, value, vr)]).factors == pytest.approx([1.5 * factor(3600)])


def test_private_factor_found_in_another_block() -> None:
    ds = header(Units="CNTS", Manufacturer="Philips")
    ds.add_new((0x7053, 0x0010), "LO", "SOMEONE ELSE")
    ds.add_new((0x7053, 0x1000), "DS", "9.9")
    ds.add_new((0x7053, 0x0011), "LO", "Philips PET Private Group")
    ds.add_new((0x7053, 0x1100), "DS", "0.0005")
    assert derive_suv([ds]).factors == (0.0005,)


def test_same_factors_for_every_slice_order() -> None:
    slices = [header("110500", 449605), header("110000", 149605)]
    assert derive_suv(slices).factors == pytest.approx(derive_suv(slices[::-1]).factors)


def test_headers_are_left_alone() -> None:
    ds = header()
    before = ds.to_json()
    derive_suv([ds])
    assert ds.to_json() == before


@pytest.mark.parametrize("units", ["BQML", "CNTS", "GML", "CM2ML"])
@pytest.mark.parametrize("correction", ["START", "ADMIN", "NONE"])
def test_factors_are_never_partial(units: str, correction: str) -> None:
    claims = ["ATTN"] if correction == "NONE" else ["ATTN", "DECY"]
    make: Callable[..., Dataset] = header
    slices = [make(Units=units, DecayCorrection=correction, CorrectedImage=claims)] * 3
    found = derive_suv(slices)
    assert len(found.factors) == (3 if found.status == "suv" else 0)
    assert all(math.isfinite(f) and f > 0 for f in found.factors)
    assert (found.reason_code is None) == (found.status == "suv")


def dynamic(acquisition: str, reference_ms: float, duration_ms: int, factor: str) -> Dataset:
    return header(acquisition, reference_ms, SeriesType=["DYNAMIC", "IMAGE"], DecayFactor=factor,
                  ActualFrameDuration=str(duration_ms))  # fmt: skip


def test_frames_of_a_dynamic_series_share_one_reference() -> None:
    """Frames of 1 min at 11:00 and of 10 min at 11:30; their factors are those to 11:00.

    1 min: x = 6.3145e-3, x / (1 - e^-x) = 1.003161. 10 min: x = 0.063145, 1.031905; over
    1800 s another 2^(1800 / 6586.2) = 1.208558, together 1.247117.
    """
    frames = [dynamic("110000", 29_984, 60_000, "1.003161"),
              dynamic("113000", 2_098_422, 600_000, "1.247117")]  # fmt: skip
    found = derive_suv(frames)
    assert found.factors == pytest.approx([2.55611e-4] * 2, rel=2e-6)
    assert found.findings == ()
    assert "Series Type (0054,1000) = DYNAMIC: one t_ref for all frames" in found.steps
    assert any("agree with t_ref" in step for step in found.steps)


def test_frames_that_were_each_corrected_to_their_own_start_are_refused() -> None:
    """A factor of 1.031905 for 10 min corrects to 11:30, half an hour after the first frame."""
    frames = [dynamic("110000", 29_984, 60_000, "1.003161"),
              dynamic("113000", 2_098_422, 600_000, "1.031905")]  # fmt: skip
    assert refused(*frames) == "suv_decay_reference_ambiguous"


def test_decay_factors_that_nobody_filled_in_say_nothing() -> None:
    frames = [dynamic("110000", 29_984, 60_000, "1"), dynamic("113000", 2_098_422, 600_000, "1.0")]
    assert derive_suv(frames).status == "suv"


def test_decay_factors_to_another_time_are_flagged() -> None:
    """Both by 1.1 more than to 11:00: to 10:44:54, 906 s before."""
    frames = [dynamic("110000", 29_984, 60_000, "1.103477"),
              dynamic("113000", 2_098_422, 600_000, "1.371829")]  # fmt: skip
    found = derive_suv(frames)
    assert [(rule, severity) for rule, severity, _ in found.findings] == [("SUV-REFERENCE", "fail")]
    assert "-906 s" in found.findings[0][2]


def test_gates_state_the_mean_of_the_whole_scan() -> None:
    """75 s a gate, but their data come from 10 min, whose mean is 297 s after the start."""
    gate = header("110000", 296_856, SeriesType=["GATED", "IMAGE"], ActualFrameDuration="75000")
    found = derive_suv([gate])
    assert found.factors == pytest.approx((2.55611e-4,), rel=2e-6)
    assert found.rule == "BQML/START/series_time"
    assert found.findings == ()


def test_gates_without_decay_correction_are_flagged() -> None:
    gate = header("110000", 296_856, SeriesType=["GATED", "IMAGE"], ActualFrameDuration="75000",
                  DecayCorrection="NONE", CorrectedImage=["ATTN", "SCAT"])  # fmt: skip
    found = derive_suv([gate])
    assert (found.status, found.findings[0][0]) == ("suv", "SUV-REFERENCE")


@pytest.mark.parametrize(
    "changes",
    [
        {"PatientWeight": "70000"},
        {"PatientSize": None},
        {
            "RadiopharmaceuticalStartDateTime": "20250310100000",
            "AcquisitionDate": "19000101",
            "SeriesDate": "19000101",
        },
    ],
    ids=["weight in g", "no size", "all dates anonymised but that of the injection"],
)
def test_same_factor_whatever_the_header(changes: dict[str, object]) -> None:
    assert derive_suv([header(**changes)]).factors == pytest.approx((factor(3600),), rel=1e-4)
