"""Enhanced PET, CT and MR: the same volumes as from classic slices, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy

import numpy as np
import pytest
from pydicom.dataset import Dataset

from schemas.records import ConvertedSeries
from schemas.volume import RawVolume
from tasks.dicom.kinds import CT_IMAGE, MR_IMAGE
from tests.support.dicom_objects import convert_all, pet_series, reasons, scan_all, to_bytes
from tests.support.enhanced_objects import (
    Frame,
    complete,
    enhanced,
    enhanced_pet,
    frame,
    group,
    item,
    legacy_converted,
    mapping,
    pet_frames,
    stored_values,
)


def ct_series(n_slices: int = 5) -> list[Dataset]:
    """Slices that were measured one after the other, so that all headers differ."""
    slices = pet_series(n_slices)
    for i, ds in enumerate(slices):
        _plain(ds, CT_IMAGE, "CT")
        ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType = "1", "-1024", "HU"
        ds.AcquisitionTime, ds.AcquisitionNumber = f"1010{i:02d}", 1
        ds.KVP, ds.ConvolutionKernel = "120", "B30f"
    return slices


def mr_series(n_slices: int = 5) -> list[Dataset]:
    slices = pet_series(n_slices)
    for ds in slices:
        _plain(ds, MR_IMAGE, "MR")
        del ds.RescaleSlope, ds.RescaleIntercept
        ds.EchoTime, ds.RepetitionTime, ds.FlipAngle = "2.3", "500", "15"
        ds.ScanningSequence, ds.SequenceVariant, ds.ScanOptions = "GR", "SK", ""
        ds.MRAcquisitionType, ds.EchoTrainLength = "2D", "1"
    return slices


def _plain(ds: Dataset, sop_class: str, modality: str) -> None:
    ds.SOPClassUID, ds.Modality = sop_class, modality
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    for keyword in (
        "Units", "DecayCorrection", "CorrectedImage", "SeriesType", "ActualFrameDuration",
        "FrameReferenceTime", "RadiopharmaceuticalInformationSequence",
    ):  # fmt: skip
        delattr(ds, keyword)


def only(converted: list[ConvertedSeries]) -> tuple[ConvertedSeries, RawVolume]:
    (series,) = converted
    (volume,) = series.raw
    return series, volume


#: What the two rows of one series differ in.
_OF_THE_OBJECTS = {"sop_class_uid", "n_instances", "input_digest", "run_id"}


@pytest.mark.parametrize("make", [pet_series, ct_series, mr_series])
@pytest.mark.parametrize("deidentify", [True, False])
def test_legacy_converted_is_the_same_volume(
    make: Callable[[], list[Dataset]], deidentify: bool
) -> None:
    """Written by highdicom, which sorts the frames the other way round."""
    classic, expected = only(convert_all([complete(ds) for ds in make()], deidentify=deidentify))
    enhanced, found = only(convert_all([legacy_converted(make())], deidentify=deidentify))
    assert reasons(enhanced) == ["ingested"]
    np.testing.assert_array_equal(found.stored, expected.stored)
    assert found.stored.dtype == expected.stored.dtype
    np.testing.assert_array_equal(found.geometry.affine, expected.geometry.affine)
    np.testing.assert_array_equal(found.rescale_slope, expected.rescale_slope)
    np.testing.assert_array_equal(found.rescale_intercept, expected.rescale_intercept)
    assert found.value_unit == expected.value_unit
    if expected.suv_factor is None:
        assert found.suv_factor is None
    else:
        assert found.suv_factor is not None
        np.testing.assert_array_equal(found.suv_factor, expected.suv_factor)
    (row,), (expected_row,) = enhanced.rows["series"], classic.rows["series"]
    differing = {k for k in expected_row if row[k] != expected_row[k]}
    assert differing <= _OF_THE_OBJECTS


def test_dynamic_legacy_converted_has_the_frames_of_the_slices() -> None:
    slices = []
    for number, minute in enumerate((10, 12, 17)):
        for ds in pet_series(4, series="1.2.3"):
            ds.SOPInstanceUID += f".{number}"
            ds.AcquisitionTime, ds.ActualFrameDuration = f"10{minute}00", str(60000 * (number + 1))
            ds.InstanceNumber = str(4 * number + int(ds.InstanceNumber))
            slices.append(ds)
    _, expected = only(convert_all(deepcopy(slices)))
    _, found = only(convert_all([legacy_converted(slices)]))
    np.testing.assert_array_equal(found.stored, expected.stored)
    assert found.frames is not None
    assert expected.frames is not None
    assert found.frames.kind == "time"
    np.testing.assert_array_equal(found.frames.start_s, [0, 120, 420])
    np.testing.assert_array_equal(found.frames.duration_s, [60, 120, 180])
    np.testing.assert_array_equal(found.suv_factor, expected.suv_factor)


def test_suv_of_enhanced_pet_by_hand() -> None:
    """70 kg, 100 MBq at 9:10, values corrected to 10:10, in kBq/ml by a mapping of each frame."""
    frames = pet_frames()
    for i, made in enumerate(frames):
        made.groups["RealWorldValueMappingSequence"] = mapping("kBq/ml", 0.002 * (i + 1))
        made.groups["PixelValueTransformationSequence"] = {
            "RescaleSlope": "1", "RescaleIntercept": "0", "RescaleType": "US",
        }  # fmt: skip
    series, volume = only(convert_all([enhanced_pet(frames)]))
    assert reasons(series) == ["ingested"]
    assert volume.value_unit == "Bq/ml"
    np.testing.assert_allclose(volume.rescale_slope, [2, 4, 6], rtol=1e-15)
    expected = 70e3 / (1e8 * 2 ** (-3600 / 6586.2))
    assert volume.suv_factor is not None
    np.testing.assert_allclose(volume.suv_factor, np.full(3, expected), rtol=1e-12)
    (row,) = series.rows["series"]
    assert row["suv_rule"] == "BQML/START/decay_correction_datetime"
    assert (row["units"], row["decay_correction"], row["attenuation_corrected"]) == (
        "BQML", "START", True,
    )  # fmt: skip
    assert (row["radionuclide"], row["uptake_time_s"]) == ("F-18", 3600)
    assert row["frame_duration_s"] == 120


@pytest.mark.parametrize(
    ("unit", "value_unit", "rule"),
    [
        ("Bq/ml", "Bq/ml", "BQML/START/decay_correction_datetime"),
        ("{SUVbw}g/ml", "SUVbw", "GML/BW"),
        ("{SUVlbm}g/ml", "g/ml", "GML/LBM"),
        ("{SUVbsa}cm2/ml", "cm2/ml", "CM2ML/BSA"),
    ],
)
def test_units_by_mapping(unit: str, value_unit: str, rule: str) -> None:
    shared = {"RealWorldValueMappingSequence": mapping(unit, 0.5)}
    series, volume = only(convert_all([enhanced_pet(pet_frames(), shared=shared)]))
    assert (volume.value_unit, series.rows["series"][0]["suv_rule"]) == (value_unit, rule)
    assert volume.values()[2, 0, 0] == 1.5


def test_frames_that_are_not_decay_corrected() -> None:
    """Each frame by the moment that it stands for: 10:11 and 10:21."""
    frames = pet_frames(4)
    for i, made in enumerate(frames):
        minute = 11 if i < 2 else 21
        content = made.groups["FrameContentSequence"]
        content["FrameReferenceDateTime"] = f"2024010510{minute}00"
        content["FrameAcquisitionDateTime"] = f"2024010510{minute - 1}00"
    ds = enhanced_pet(frames)
    ds.DecayCorrected = "NO"
    del ds.DecayCorrectionDateTime
    series, volume = only(convert_all([ds]))
    expected = [70e3 / (1e8 * 2 ** (-seconds / 6586.2)) for seconds in (3660, 3660, 4260, 4260)]
    assert series.rows["series"][0]["suv_rule"] == "BQML/NONE/frame_reference_datetime"
    assert volume.suv_factor is not None
    np.testing.assert_allclose(volume.suv_factor, np.array(expected), rtol=1e-12)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"DecayCorrectionDateTime": None}, "suv_decay_reference_missing"),
        ({"DecayCorrectionDateTime": "20240105120000"}, "suv_decay_reference_ambiguous"),
        ({"DecayCorrectionDateTime": "20240103101000"}, "suv_decay_reference_ambiguous"),
        (
            {"DecayCorrected": None, "DecayCorrectionDateTime": None},
            "suv_decay_correction_unsupported",
        ),
        ({"AttenuationCorrected": "NO"}, "suv_not_attenuation_corrected"),
        ({"PatientWeight": None}, "suv_weight_missing"),
        ({"RadiopharmaceuticalInformationSequence": None}, "suv_dose_missing"),
    ],
)  # fmt: skip
def test_suv_refused(change: dict[str, str | None], reason: str) -> None:
    ds = enhanced_pet(pet_frames())
    for keyword, value in change.items():
        if value is None:
            delattr(ds, keyword)
        else:
            setattr(ds, keyword, value)
    if "DecayCorrected" in change:
        del ds.ScatterCorrected, ds.AttenuationCorrected
    series, volume = only(convert_all([ds]))
    (row,) = series.rows["series"]
    assert (row["suv_status"], row["suv_reason_code"]) == ("refused", reason)
    assert (volume.suv_factor, volume.value_unit) == (None, "Bq/ml")


def test_several_mappings_to_one_unit_are_refused() -> None:
    ds = enhanced_pet(pet_frames())
    shared = ds.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence
    shared.append(item(mapping("Bq/ml", 3.0)))
    (series,) = convert_all([ds])
    assert reasons(series) == ["unsupported_object"]


def test_bq_before_suv_where_a_frame_is_mapped_to_both() -> None:
    ds = enhanced_pet(pet_frames())
    shared = ds.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence
    shared.insert(0, item(mapping("%", 1.0)))
    _, volume = only(convert_all([ds]))
    assert volume.value_unit == "Bq/ml"


def dynamic_frames() -> list[Frame]:
    """Three frames of two slices; stored values are 10 x frame + slice."""
    return [
        frame(
            3.0 * i, 10 * t + i, FrameAcquisitionDateTime=f"202401051{minute:03d}00",
            FrameAcquisitionDuration=60e3, TemporalPositionIndex=t + 1,
        )
        for t, minute in enumerate((10, 11, 13)) for i in range(2)
    ]  # fmt: skip


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4, 5], [5, 0, 3, 2, 4, 1], [0, 2, 4, 1, 3, 5]])
def test_dynamic_enhanced_pet_in_any_order_of_frames(order: list[int]) -> None:
    frames = dynamic_frames()
    _, volume = only(convert_all([enhanced_pet([frames[i] for i in order])]))
    assert stored_values(volume.stored) == [[0, 1], [10, 11], [20, 21]]
    assert volume.frames is not None
    assert volume.frames.kind == "time"
    np.testing.assert_array_equal(volume.frames.start_s, [0, 60, 180])
    np.testing.assert_array_equal(volume.frames.duration_s, [60, 60, 60])
    assert volume.suv_factor is not None
    assert volume.suv_factor.shape == (3, 2)


def test_gates_by_the_delay_after_the_trigger() -> None:
    frames = pet_frames(2) + pet_frames(2)
    for i, made in enumerate(frames):
        made.value = i
        made.groups["CardiacSynchronizationSequence"] = {
            "NominalCardiacTriggerDelayTime": 250.0 * (i // 2)
        }
    _, volume = only(convert_all([enhanced_pet(frames)]))
    assert volume.frames is not None
    assert volume.frames.kind == "gate"
    np.testing.assert_array_equal(volume.frames.start_s, [0, 0.25])
    assert stored_values(volume.stored) == [[0, 1], [2, 3]]


def test_gates_by_the_phase_of_the_breathing_cycle() -> None:
    """Phases of 0 and 50 % of a cycle of 4 s."""
    frames = pet_frames(2) + pet_frames(2)
    for i, made in enumerate(frames):
        made.value = i
        made.groups["RespiratorySynchronizationSequence"] = {
            "NominalPercentageOfRespiratoryPhase": 50.0 * (i // 2),
            "RespiratoryIntervalTime": 4000.0,
        }
    _, volume = only(convert_all([enhanced_pet(frames)]))
    assert volume.frames is not None
    assert volume.frames.kind == "gate"
    np.testing.assert_array_equal(volume.frames.start_s, [0, 2])


@pytest.mark.parametrize(
    ("name", "keyword", "kind"),
    [
        ("MREchoSequence", "EffectiveEchoTime", "echo"),
        ("MRDiffusionSequence", "DiffusionBValue", "other"),
    ],
)
def test_echoes_and_b_values_of_enhanced_mr(name: str, keyword: str, kind: str) -> None:
    frames = [
        Frame(3.0 * i, 10 * t + i, {name: {keyword: value}})
        for t, value in enumerate((0.5, 500.0)) for i in range(3)
    ]  # fmt: skip
    series, volume = only(convert_all([enhanced("MR", frames)]))
    assert volume.frames is not None
    assert (volume.frames.kind, volume.frames.labels) == (kind, ("0.5", "500"))
    assert stored_values(volume.stored) == [[0, 1, 2], [10, 11, 12]]
    assert (volume.value_unit, series.rows["series"][0]["modality"]) == ("1", "MR")


def test_stacks_of_other_orientation_are_volumes_of_their_own() -> None:
    coronal = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
    frames = [Frame(3.0 * i, i, {"FrameContentSequence": {"StackID": "1"}}) for i in range(3)]
    frames += [Frame(0.0, 7, {"FrameContentSequence": {"StackID": "2"}}, coronal) for _ in range(2)]
    ds = enhanced("CT", frames, shared={"PixelValueTransformationSequence": HOUNSFIELD})
    ds.PerFrameFunctionalGroupsSequence[4].PlanePositionSequence[0].ImagePositionPatient = [
        "-10", "-15", "0",
    ]  # fmt: skip
    (series,) = convert_all([ds])
    assert [v.stored.shape[0] for v in series.raw] == [3, 2]
    assert {v.value_unit for v in series.raw} == {"HU"}
    assert reasons(series) == ["ingested"]
    assert series.raw[0].values()[0, 0, 0] == -1024


HOUNSFIELD = {"RescaleSlope": "1", "RescaleIntercept": "-1024", "RescaleType": "HU"}


def test_stacks_at_the_same_places_by_stack_id() -> None:
    frames = [
        Frame(3.0 * i, 10 * s + i, {"FrameContentSequence": {"StackID": f"S{s}"}})
        for s in range(2) for i in range(3)
    ]  # fmt: skip
    (series,) = convert_all([enhanced("CT", frames)])
    assert [stored_values(v.stored) for v in series.raw] == [[0, 1, 2], [10, 11, 12]]
    assert [v.part.label for v in series.raw] == ["stack 1", "stack 2"]


def test_a_lonely_frame_is_left_out_and_noted() -> None:
    frames = [*pet_frames(), Frame(0.0, 9, {}, (0.0, 1.0, 0.0, 0.0, 0.0, -1.0))]
    series, volume = only(convert_all([enhanced_pet(frames)]))
    assert stored_values(volume.stored) == [1, 2, 3]
    (finding,) = [f for f in series.rows["findings"] if f["rule_id"] == "ingest.partial_object"]
    assert "1 mixed_orientations" in str(finding["message"])
    assert reasons(series) == ["ingested"]


def test_localizer_frames_are_left_out() -> None:
    frames = [frame(3.0 * i, i) for i in range(4)]
    for i, made in enumerate(frames):
        kind = "LOCALIZER" if i == 3 else "VOLUME"
        made.groups["CTImageFrameTypeSequence"] = {
            "FrameType": ["ORIGINAL", "PRIMARY", kind, "NONE"]
        }
    _, volume = only(convert_all([enhanced("CT", frames)]))
    assert stored_values(volume.stored) == [0, 1, 2]
    (series,) = convert_all([enhanced("CT", frames[3:])])
    assert reasons(series) == ["localizer"]


def test_objects_of_one_series_pool_their_frames() -> None:
    frames = pet_frames(5)
    objects = [enhanced_pet(frames[::2], number=1), enhanced_pet(frames[1::2], number=2)]
    series, volume = only(convert_all(objects))
    assert stored_values(volume.stored) == [1, 2, 3, 4, 5]
    assert reasons(series) == ["ingested", "ingested"]


def concatenation(n_parts: int = 3) -> list[Dataset]:
    parts = []
    for number in range(1, n_parts + 1):
        part = enhanced_pet(pet_frames(6)[2 * number - 2 : 2 * number], number=number)
        part.ConcatenationUID, part.InConcatenationNumber = "1.2.3.4", number
        part.InConcatenationTotalNumber = n_parts
        parts.append(part)
    return parts


def test_concatenation_is_joined() -> None:
    series, volume = only(convert_all(concatenation()[::-1]))
    assert stored_values(volume.stored) == [1, 2, 3, 4, 5, 6]
    assert reasons(series) == ["ingested"] * 3


@pytest.mark.parametrize("kept", [[0, 1], [1, 2], [0, 2], [0, 1, 1]])
def test_concatenation_without_a_part_is_refused(kept: list[int]) -> None:
    parts = concatenation()
    objects = [deepcopy(parts[i]) for i in kept]
    for i, ds in enumerate(objects):
        ds.SOPInstanceUID += f".{i}"
    (series,) = convert_all(objects)
    assert reasons(series) == ["missing_slices"] * len(kept)
    assert series.raw == ()


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        (("SharedFunctionalGroupsSequence", "PixelMeasuresSequence"), "missing_attribute"),
        (("PerFrameFunctionalGroupsSequence",), "missing_attribute"),
        (("PerFrameFunctionalGroupsSequence", "PlanePositionSequence"), "missing_attribute"),
        (("PerFrameFunctionalGroupsSequence", "PlaneOrientationSequence"), "missing_attribute"),
        (("NumberOfFrames",), "invalid_attribute"),
        (("SOPInstanceUID",), "missing_attribute"),
        (("PixelData",), "missing_attribute"),
        (("BitsAllocated",), "missing_attribute"),
    ],
)
def test_missing_parts_give_reasons(path: tuple[str, ...], reason: str) -> None:
    ds = enhanced_pet(pet_frames())
    place = ds
    for keyword in path[:-1]:
        place = place[keyword].value[0]
    delattr(place, path[-1])
    scanned, _ = scan_all([to_bytes(ds)])
    if scanned[0].outcome is not None:
        assert scanned[0].reason_code == reason
        return
    (series,) = convert_all([ds])
    assert reasons(series) == [reason]


def test_frames_and_groups_that_do_not_match() -> None:
    ds = enhanced_pet(pet_frames())
    ds.PerFrameFunctionalGroupsSequence.pop()
    (series,) = convert_all([ds])
    assert reasons(series) == ["invalid_attribute"]
    row = series.rows["files"][0]
    assert row["reason_tags"] == [
        "(0028,0008) NumberOfFrames", "(5200,9230) PerFrameFunctionalGroupsSequence",
    ]  # fmt: skip


def test_identity_is_never_taken_from_a_group() -> None:
    ds = enhanced_pet(pet_frames())
    hidden = {"PatientID": "9999-XQ", "PatientName": "Other^Name", "FrameComments": "Dr. Who"}
    for groups in ds.PerFrameFunctionalGroupsSequence:
        groups.UnassignedPerFrameConvertedAttributesSequence = group(hidden)
    plain, _ = only(convert_all([enhanced_pet(pet_frames())]))
    found, volume = only(convert_all([ds]))
    key = "patient_key"
    assert found.rows["series"][0][key] == plain.rows["series"][0][key]
    text = str(found.rows) + str(volume.attributes)
    assert not any(word in text for word in ("9999-XQ", "Other", "Who", "Mustermann"))
