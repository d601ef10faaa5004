"""RTSTRUCT to rows."""

from __future__ import annotations

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from schemas.tables import TABLES
from tasks.deidentify.pseudonyms import Pseudonymiser
from tests.support.dicom_objects import SECRET, SERIES, convert_all, reasons, structure_set

SQUARE = [0.0, 0.0, 5.0, 10.0, 0.0, 5.0, 10.0, 10.0, 5.0, 0.0, 10.0, 5.0]
UPPER = [v + (3.0 if i % 3 == 2 else 0.0) for i, v in enumerate(SQUARE)]


def test_rows_of_contours_and_segments() -> None:
    (converted,) = convert_all([structure_set({"Lesion 1": [SQUARE, UPPER], "Liver": [SQUARE]})])
    pseudonymiser = Pseudonymiser(SECRET)
    series = pseudonymiser.uid(SERIES + ".77")
    first, second = converted.rows["segments"]
    assert first == {
        "segmentation_series_uid": series,
        "segment_number": 1,
        "segment_label": "lesion_1",
        "segment_kind": "contours",
        "property_code": None,
        "n_contours": 2,
        "referenced_series_uid": pseudonymiser.uid(SERIES),
        "frame_of_reference_uid": pseudonymiser.uid("1.2.826.0.1.3680043.8.498.7"),
    }
    assert second["segment_label"] == "liver"
    assert [(c["segment_number"], c["contour_index"]) for c in converted.rows["contours"]] == [
        (1, 0), (1, 1), (2, 0),
    ]  # fmt: skip
    assert converted.rows["contours"][1]["points_lps_mm"] == UPPER
    for table in ("series", "segments", "contours"):
        for row in converted.rows[table]:
            assert set(row) <= set(TABLES[table].columns)
    (row,) = converted.rows["series"]
    assert row["referenced_series_uid"] == pseudonymiser.uid(SERIES)
    assert row["frame_of_reference_uid"] == first["frame_of_reference_uid"]
    assert (row["series_kind"], row["modality"]) == ("contours", "RTSTRUCT")
    assert reasons(converted) == ["ingested"]


def test_names_of_people_do_not_stay_in_labels() -> None:
    (converted,) = convert_all([structure_set({"Lesion Dr. Mustermann": [SQUARE]})])
    assert converted.rows["segments"][0]["segment_label"] == "lesion"


def test_observed_code() -> None:
    ds, observation, code = structure_set({"x": [SQUARE]}), Dataset(), Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "108369006", "SCT", "Neoplasm"
    observation.ReferencedROINumber = 1
    observation.RTROIIdentificationCodeSequence = Sequence([code])
    ds.RTROIObservationsSequence = Sequence([observation])
    (converted,) = convert_all([ds])
    assert converted.rows["segments"][0]["property_code"] == "SCT:108369006"


def test_a_broken_contour_takes_its_region_out_with_a_finding() -> None:
    ds = structure_set({"Lesion 1": [SQUARE, SQUARE[:-1]], "Lesion 2": [SQUARE]})
    (converted,) = convert_all([ds])
    assert [s["n_contours"] for s in converted.rows["segments"]] == [0, 1]
    assert {c["segment_number"] for c in converted.rows["contours"]} == {2}
    (finding,) = converted.rows["findings"]
    assert finding["rule_id"] == "ingest.unusable_contours"


def test_region_without_contours_is_kept_as_empty() -> None:
    ds = structure_set({"Lesion 1": []})
    del ds.ROIContourSequence
    (converted,) = convert_all([ds])
    assert converted.rows["segments"][0]["n_contours"] == 0


def test_several_objects_of_one_series_are_numbered_on() -> None:
    second = structure_set({"Liver": [SQUARE]})
    second.SOPInstanceUID = SERIES + ".77.2"
    (converted,) = convert_all([structure_set({"a": [SQUARE], "b": [SQUARE]}), second])
    numbers = [s["segment_number"] for s in converted.rows["segments"]]
    assert sorted(map(str, numbers)) == ["1", "2", "3"]
    assert len({(c["segment_number"], c["contour_index"]) for c in converted.rows["contours"]}) == 3


def test_without_regions_it_is_refused() -> None:
    ds = structure_set({"a": [SQUARE]})
    del ds.StructureSetROISequence
    (converted,) = convert_all([ds])
    assert reasons(converted) == ["missing_attribute"]
    assert set(converted.rows) == {"files"}
