"""Image series: values, order, geometry, rows; and every reason for which there is no volume."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
)

from schemas.records import ConvertedSeries
from schemas.tables import TABLES
from tasks.deidentify.listed import ListedPseudonymiser
from tasks.deidentify.pseudonyms import IdentityPseudonymiser, Pseudonymiser
from tasks.dicom.kinds import CT_IMAGE, MR_IMAGE
from tasks.ingest.limits import Limits
from tests.support.dicom_objects import (
    SECRET,
    SERIES,
    convert_all,
    implicit_bytes,
    pet_series,
    reasons,
    set_pixels,
    structure_set,
    to_bytes,
)


def convert_one(objects: list[Dataset | bytes], **options: object) -> ConvertedSeries:
    (converted,) = convert_all(objects, **options)  # type: ignore[arg-type]
    return converted


def test_volume_of_an_axial_series() -> None:
    converted = convert_one(list(pet_series(5)))
    (volume,) = converted.raw
    assert volume.stored.shape == (5, 6, 4)
    assert volume.stored.dtype == np.int16
    assert volume.stored[2, 1, 3] == 200 + 1 * 4 + 3
    np.testing.assert_array_equal(volume.rescale_slope, [2, 2.125, 2.25, 2.375, 2.5])
    assert volume.value_unit == "Bq/ml"
    np.testing.assert_allclose(
        volume.geometry.affine,
        [[4, 0, 0, -10], [0, 4, 0, -20], [0, 0, 3, -300], [0, 0, 0, 1]],
        atol=1e-9,
    )
    assert reasons(converted) == ["ingested"] * 5


def test_suv_by_hand() -> None:
    """100 MBq, 1 h of F-18 decay (6586.2 s), 70 kg."""
    converted = convert_one(list(pet_series(5)))
    left = 100e6 * 0.5 ** (3600 / 6586.2)
    factors = converted.raw[0].suv_factor
    assert factors is not None
    np.testing.assert_allclose(factors, 70_000 / left, rtol=1e-12)
    (row,) = converted.rows["series"]
    assert row["suv_factor"] == factors[0]
    assert row["uptake_time_s"] == 3600


@pytest.mark.parametrize("order", [[4, 3, 2, 1, 0], [3, 0, 4, 1, 2]])
def test_order_of_files_does_not_matter(order: list[int]) -> None:
    straight, objects = convert_one(list(pet_series(5))), pet_series(5)
    shuffled = convert_one([objects[i] for i in order])
    np.testing.assert_array_equal(straight.raw[0].stored, shuffled.raw[0].stored)
    assert straight.rows["series"] == shuffled.rows["series"]
    assert straight.raw[0].attributes == shuffled.raw[0].attributes


def test_slices_ascend_along_the_normal_even_if_that_is_downwards() -> None:
    """Row direction -x and column direction y: the normal is -z, so the top slice comes first."""
    objects = pet_series(3, orientation=(-1, 0, 0, 0, 1, 0))
    (volume,) = convert_one(list(objects)).raw
    assert volume.geometry.affine[2, 2] == pytest.approx(-3)
    assert volume.geometry.affine[2, 3] == pytest.approx(-294)
    assert volume.stored[0, 0, 0] == 200


def test_non_square_pixels_and_spacing_order() -> None:
    """Pixel Spacing is row spacing (y) first."""
    (volume,) = convert_one(list(pet_series(3, pixel_spacing=(2.5, 4.5)))).raw
    assert volume.geometry.spacing == pytest.approx((3, 2.5, 4.5))


def test_series_row() -> None:
    converted = convert_one(list(pet_series(5)))
    (row,) = converted.rows["series"]
    pseudonymiser = Pseudonymiser(SECRET)
    key = pseudonymiser.patient_key("4711")
    assert set(row) <= set(TABLES["series"].columns)
    assert row["patient_key"] == key
    shifted = dt.datetime.fromisoformat("2024-01-05T10:10") + dt.timedelta(
        pseudonymiser.shift_days(key)
    )
    assert row["acquisition_datetime"] == shifted
    assert row["injection_datetime"] == shifted - dt.timedelta(hours=1)
    assert row["radiopharmaceutical"] == "FDG"
    assert row["radionuclide"] == "F-18"
    assert row["frame_duration_s"] == 120
    assert row["patient_age_years"] == 52
    assert row["series_description_words"] == ["pet", "wb", "ac"]
    assert row["corrected_image"] == ["DECY", "ATTN", "SCAT"]
    assert row["attenuation_corrected"] is True
    assert row["is_spect"] is False
    assert row["n_instances"] == 5
    assert str(row["centre"]).startswith("site-")


def test_nothing_that_names_the_patient_comes_out() -> None:
    converted = convert_one(list(pet_series(3)))
    text = repr(converted.rows) + repr(converted.raw[0].attributes)
    for identifier in ("Mustermann", "Erika", "4711", "Klinikum", "1.2.826.0.1", "2024"):
        assert identifier not in text
    assert converted.identity["patient_id"] == "4711"


def test_without_deidentification() -> None:
    converted = convert_one(
        list(pet_series(3)), pseudonymiser=IdentityPseudonymiser(), deidentify=False
    )
    (row,) = converted.rows["series"]
    assert row["patient_key"] == "4711"
    assert row["deidentification"] == "none"
    assert row["centre"] == "Klinikum Nord"
    assert converted.rows["files"][0]["uri"] == "file:///in/000"


def test_patient_without_id_is_known_by_the_study() -> None:
    objects = pet_series(3)
    for ds in objects:
        ds.PatientID = ""
    (row,) = convert_one(list(objects)).rows["series"]
    assert row["patient_key"] == Pseudonymiser(SECRET).study_patient_key(
        str(objects[0].StudyInstanceUID)
    )


def test_implicit_vr_gives_the_same_volume() -> None:
    explicit = convert_one(list(pet_series(4)))
    implicit = convert_one([implicit_bytes(ds) for ds in pet_series(4)])
    np.testing.assert_array_equal(explicit.raw[0].stored, implicit.raw[0].stored)
    assert explicit.raw[0].suv_factor is not None
    np.testing.assert_array_equal(explicit.raw[0].suv_factor, implicit.raw[0].suv_factor)


def test_overlay_bits_are_masked_and_the_sign_is_kept() -> None:
    """12 bits stored, overlay in bits 12 to 15: -1 is 0x0FFF, whatever lies above."""
    objects = pet_series(2)
    for ds in objects:
        set_pixels(ds, np.array([[0x0FFF, 0x7FFF], [0x0800, 0xF001]], np.uint16))
        ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 12, 11, 1
    (volume,) = convert_one(list(objects)).raw
    np.testing.assert_array_equal(volume.stored[0], [[-1, -1], [-2048, 1]])


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [("u1", "uint8"), ("i1", "int16"), ("<i2", "int16"), ("<u2", "uint16"), ("<i4", "int32"),
     ("<u4", "int32")],
)  # fmt: skip
def test_stored_types(dtype: str, expected: str) -> None:
    objects = pet_series(2)
    for ds in objects:
        set_pixels(ds, np.array([[1, 2, 3], [4, 5, 100]], dtype))
    (volume,) = convert_one(list(objects)).raw
    assert volume.stored.dtype == expected
    np.testing.assert_array_equal(volume.stored[1], [[1, 2, 3], [4, 5, 100]])


@pytest.mark.parametrize(
    "syntax", [RLELossless, JPEG2000Lossless, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
)
def test_other_transfer_syntaxes_give_the_same_values(syntax: UID) -> None:
    plain = convert_one(list(pet_series(3, rows=40, columns=33)))
    objects = []
    for ds in pet_series(3, rows=40, columns=33):
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        if syntax.is_compressed and syntax.is_encapsulated:
            ds.compress(syntax, generate_instance_uid=False)
        else:
            ds.file_meta.TransferSyntaxUID = syntax
            if syntax == ExplicitVRBigEndian:
                ds.PixelData = np.frombuffer(ds.PixelData, "<i2").astype(">i2").tobytes()
        objects.append(to_bytes(ds, syntax))
    converted = convert_one(list(objects))
    np.testing.assert_array_equal(converted.raw[0].stored, plain.raw[0].stored)
    assert converted.raw[0].suv_factor is not None
    np.testing.assert_array_equal(converted.raw[0].suv_factor, plain.raw[0].suv_factor)


def test_damaged_compressed_pixels_cost_the_slice() -> None:
    objects = pet_series(3)
    for ds in objects:
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.compress(RLELossless, generate_instance_uid=False)
    objects[2].PixelData = objects[2].PixelData[:-40] + bytes(40)
    assert reasons(convert_one(list(objects))) == ["ingested", "ingested", "undecodable_pixels"]


def test_padding_value_is_kept() -> None:
    objects = pet_series(2)
    for ds in objects:
        ds.PixelPaddingValue = 77
    assert convert_one(list(objects)).raw[0].attributes["pixel_padding_value"] == 77


def test_values_beyond_32_signed_bits_are_refused() -> None:
    objects = pet_series(2)
    for ds in objects:
        set_pixels(ds, np.array([[2**31]], "<u4"))
    assert reasons(convert_one(list(objects))) == ["invalid_attribute"] * 2


def test_units_by_modality() -> None:
    found = {}
    for sop_class, modality in ((CT_IMAGE, "CT"), (MR_IMAGE, "MR")):
        objects = pet_series(2)
        for ds in objects:
            ds.SOPClassUID, ds.Modality, ds.RescaleIntercept = sop_class, modality, "-1024"
        (volume,) = convert_one(list(objects)).raw
        found[modality] = volume.value_unit
        assert volume.suv_factor is None
        assert volume.values()[0, 0, 1] == 1 * 2 - 1024
    assert found == {"CT": "HU", "MR": "1"}


def test_pet_without_units_is_kept_and_suv_refused() -> None:
    objects = pet_series(3)
    for ds in objects:
        del ds.Units
    converted = convert_one(list(objects))
    assert converted.raw[0].value_unit == "1"
    assert converted.raw[0].suv_factor is None
    assert converted.rows["series"][0]["suv_reason_code"] == "suv_units_missing"


def test_factor_per_slice_without_decay_correction() -> None:
    """NONE: each slice is corrected from its own time; two beds, 600 s apart."""
    objects = pet_series(4)
    for i, ds in enumerate(objects):
        ds.DecayCorrection, ds.CorrectedImage = "NONE", ["ATTN"]
        ds.AcquisitionTime = "101000" if i < 2 else "102000"
    converted = convert_one(list(reversed(objects)))
    factors = converted.raw[0].suv_factor
    assert factors is not None
    assert factors[0] == factors[1]
    assert factors[2] == factors[3]
    assert factors[2] / factors[0] == pytest.approx(2 ** (600 / 6586.2), rel=1e-12)
    assert converted.rows["series"][0]["suv_factor"] is None


def test_spect_stored_as_pet() -> None:
    objects = pet_series(2)
    for ds in objects:
        ds.RadiopharmaceuticalInformationSequence[0].Radiopharmaceutical = "Lu-177 DOTATATE"
    (row,) = convert_one(list(objects)).rows["series"]
    assert (row["is_spect"], row["radionuclide"]) == (True, "Lu-177")
    assert row["radiopharmaceutical"] == "DOTATATE"


def test_same_object_twice_is_a_duplicate() -> None:
    objects = pet_series(3)
    converted = convert_one([*objects, to_bytes(objects[1])])
    assert reasons(converted) == ["duplicate", "ingested", "ingested", "ingested"]
    assert converted.rows["series"][0]["n_instances"] == 3
    assert converted.rows["findings"] == []


def test_same_uid_with_other_content_is_a_conflict() -> None:
    objects = pet_series(3)
    other = pet_series(3)[1]
    other.RescaleSlope = "99"
    converted = convert_one([*objects, other])
    assert reasons(converted) == ["conflicting_duplicate", "ingested", "ingested", "ingested"]
    assert converted.raw[0].rescale_slope[1] == 2.125
    assert converted.rows["findings"] == []  # the volume is whole; the flow notes the conflict


def _move(objects: list[Dataset]) -> None:
    objects[2].ImagePositionPatient = ["-10", "-20", "-294.4"]


def _repeat(objects: list[Dataset]) -> None:
    objects[2].ImagePositionPatient = objects[1].ImagePositionPatient


def _lean(objects: list[Dataset]) -> None:
    for i, ds in enumerate(objects):
        ds.ImagePositionPatient = ["-10", f"{-20 + 4 * i}", f"{-300 + 3 * i}"]


def _other_patient(objects: list[Dataset]) -> None:
    objects[1].PatientID = "4712"


def _skew(objects: list[Dataset]) -> None:
    for ds in objects:
        ds.ImageOrientationPatient = ["1", "0", "0", "0.5", "1", "0"]


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda objects: objects.pop(2), "missing_slices"),
        (lambda objects: objects.__delitem__(slice(1, None)), "single_slice"),
        (_move, "nonuniform_spacing"),
        (_repeat, "duplicate_positions"),
        (_lean, "gantry_tilt"),
        (_other_patient, "mixed_quantification"),
        (_skew, "invalid_attribute"),
    ],
)
def test_series_without_a_regular_grid(
    spoil: Callable[[list[Dataset]], object], reason: str
) -> None:
    objects = pet_series(6)
    spoil(objects)
    converted = convert_one(list(objects))
    assert converted.raw == ()
    assert set(converted.rows) == {"files"}
    assert reasons(converted) == [reason] * len(objects)


@pytest.mark.parametrize("tilt", [0.002, 0.0])
def test_small_shear_is_rounding(tilt: float) -> None:
    objects = pet_series(6)
    for i, ds in enumerate(objects):
        ds.ImagePositionPatient = ["-10", f"{-20 + tilt * i}", f"{-300 + 3 * i}"]
    assert len(convert_one(list(objects)).raw) == 1


def test_one_odd_distance_within_tolerance() -> None:
    """As GE writes where bed positions meet: 2.95 among 3.00 mm, 0.04 mm off an even grid."""
    objects = pet_series(10)
    for i, ds in enumerate(objects):
        ds.ImagePositionPatient = ["-10", "-20", f"{-300 + 3 * i - (0.05 if i > 4 else 0):g}"]
    assert len(convert_one(list(objects)).raw) == 1


def _no_position(ds: Dataset) -> None:
    del ds.ImagePositionPatient


def _text_for_number(ds: Dataset) -> None:
    ds["RescaleSlope"].value = "1"
    ds.RescaleSlope = "0"


def _colour(ds: Dataset) -> None:
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 3, "RGB"


def _no_pixels(ds: Dataset) -> None:
    del ds.PixelData


def _cut_pixels(ds: Dataset) -> None:
    ds.PixelData = ds.PixelData[:-2]


def _huge(ds: Dataset) -> None:
    ds.Rows = ds.Columns = 65535


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (_no_position, "missing_attribute"),
        (_text_for_number, "invalid_attribute"),
        (_colour, "unsupported_object"),
        (_no_pixels, "missing_attribute"),
        (_cut_pixels, "truncated"),
        (_huge, "oversized"),
    ],
)
def test_one_bad_slice(spoil: Callable[[Dataset], None], reason: str) -> None:
    """At the end of the stack the rest makes a volume, inside it does not."""
    at_end, inside = pet_series(5), pet_series(5)
    spoil(at_end[4])
    spoil(inside[2])
    converted = convert_one(list(at_end))
    assert reasons(converted) == sorted(["ingested"] * 4 + [reason])
    assert converted.raw[0].stored.shape[0] == 4
    (finding,) = converted.rows["findings"]
    assert finding["rule_id"] == "ingest.partial_series"
    assert set(finding) <= set(TABLES["findings"].columns)
    holed = convert_one(list(inside))
    assert reasons(holed) == sorted(["missing_slices"] * 4 + [reason])
    assert holed.raw == ()


def test_limits() -> None:
    small = Limits(max_pixel_bytes=47)
    assert reasons(convert_one(list(pet_series(3)), limits=small)) == ["oversized"] * 3
    whole = Limits(max_series_bytes=100)
    assert reasons(convert_one(list(pet_series(3)), limits=whole)) == ["oversized"] * 3


def test_slice_count_of_the_header_is_compared() -> None:
    objects = pet_series(4)
    for ds in objects:
        ds.NumberOfSlices = 6
    (finding,) = convert_one(list(objects)).rows["findings"]
    assert (finding["rule_id"], finding["observed_value"]) == ("ingest.slice_count", 4.0)


def test_other_kind_in_the_series_is_put_aside() -> None:
    odd = structure_set({"Lesion": [[0.0] * 9]})
    odd.SeriesInstanceUID = SERIES
    odd.SOPInstanceUID = "1.2.3.4"
    assert reasons(convert_one([*pet_series(3), odd])) == ["ingested"] * 3 + ["invalid_attribute"]


def test_patients_of_two_issuers_with_one_number_are_two() -> None:
    """The issuer of the source counts where the object names none."""
    keys = set()
    for issuer in ("", "A", "B"):
        converted = convert_one(list(pet_series(5)), default_issuer=issuer)
        (row,) = converted.rows["series"]
        keys.add(row["patient_key"])
        assert converted.identity.get("issuer_of_patient_id", "") == issuer
    assert len(keys) == 3
    named = pet_series(5)
    for ds in named:
        ds.IssuerOfPatientID = "A"
    (row,) = convert_one(list(named), default_issuer="B").rows["series"]
    assert row["patient_key"] == Pseudonymiser(SECRET).patient_key(str(named[0].PatientID), "A")


def test_without_a_required_pseudonym_nothing_is_kept() -> None:
    strict = ListedPseudonymiser.with_list(Pseudonymiser(SECRET), {}, is_required=True)
    converted = convert_one(list(pet_series(3)), pseudonymiser=strict)
    assert reasons(converted) == ["pseudonym_missing"] * 3
    assert set(converted.rows) == {"files"}
    assert not converted.raw
    assert not converted.identity
