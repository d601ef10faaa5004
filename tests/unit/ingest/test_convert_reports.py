"""Structured reports to rows: reports written by highdicom, expectations by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest
from highdicom import sr
from highdicom.sr import CodedConcept
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.sr.codedict import codes

from schemas.records import ConvertedSeries
from schemas.tables import TABLES
from tasks.deidentify.pseudonyms import Pseudonymiser
from tasks.ingest.report_content import MAX_DEPTH
from tests.support.dicom_objects import SECRET, SERIES, common, convert_all, reasons, structure_set
from tests.support.reports import (
    MAP_SERIES,
    REPORT_SERIES,
    TRACKING_UID,
    evidence,
    measurement,
    report,
    text_report,
    volumetric_group,
)

uid = Pseudonymiser(SECRET).uid


def converted(*reports: Dataset) -> ConvertedSeries:
    """Convert reports of one series."""
    (found,) = convert_all(reports)
    for table in ("series", "measurements", "evaluations"):
        for row in found.rows.get(table, []):
            assert set(row) <= set(TABLES[table].columns)
    return found


def test_one_row_per_value_with_codes_and_mapped_uids() -> None:
    group = volumetric_group(
        [
            measurement(4.5, codes.SCT.Maximum),
            measurement(
                2.25, codes.SCT.Mean, method=codes.DCM.SUVLeanBodyMassCalculationMethod,
                finding_sites=[sr.FindingSite(codes.SCT.Liver)],
            ),
        ],
        method=codes.DCM.SUVBodyWeightCalculationMethod,
        time_point_context=sr.TimePointContext("1", time_point_order=2),
        session="7",
        finding_sites=[sr.FindingSite(codes.SCT.Lung, laterality=codes.SCT.Left)],
    )  # fmt: skip
    first, second = converted(report([group])).rows["measurements"]
    assert first == {
        "report_series_uid": uid(REPORT_SERIES),
        "sop_instance_uid": uid(f"{REPORT_SERIES}.1"),
        "patient_key": Pseudonymiser(SECRET).patient_key("4711"),
        "measurement_index": 1,
        "group_index": 1,
        "tracking_label": "lesion_3",
        "tracking_uid": uid(TRACKING_UID),
        "time_point": "1",
        "time_point_order": 2,
        "reading_session": "7",
        "finding_category_code": None,
        "finding_code": "SCT:108369006",
        "finding_site_code": "SCT:39607008",
        "laterality_code": "SCT:7771000",
        "topographical_modifier_code": None,
        "quantity_code": "DCM:126401",
        "quantity_name": "SUVbw",
        "derivation_code": "SCT:56851009",
        "derivation_name": "Maximum",
        "measurement_method_codes": ["DCM:126410"],
        "measurement_modifiers": None,
        "value": 4.5,
        "unit_code": "{SUVbw}g/ml",
        "value_qualifier_code": None,
        "measured_series_uid": uid(SERIES),
        "region_kind": "segment",
        "segmentation_series_uid": uid(SERIES + ".88"),
        "segment_number": 1,
        "mapping_series_uid": uid(MAP_SERIES),
    }
    # what a value states of itself comes before what its group states
    assert (second["measurement_index"], second["value"]) == (2, 2.25)
    assert second["measurement_method_codes"] == ["DCM:126411"]
    assert second["finding_site_code"] == "SCT:10200004"
    assert second["laterality_code"] is None


def test_series_row() -> None:
    made = converted(report([volumetric_group([measurement(1.0)])]))
    (row,) = made.rows["series"]
    assert (row["series_kind"], row["modality"], row["n_instances"]) == ("report", "SR", 1)
    assert row["referenced_series_uid"] == uid(SERIES)
    assert reasons(made) == ["ingested"]
    assert not made.raw
    assert not made.masks


def test_no_text_of_the_report_survives() -> None:
    group = volumetric_group(
        [measurement(1.0)],
        identifier="Mustermann Erika 12.03.1965",
        session="Dr. Huber",
        time_point_context=sr.TimePointContext("20240105"),
    )
    made = converted(report([group]))
    everything = json.dumps(made.rows, default=str).casefold()
    for word in ("mustermann", "erika", "1965", "huber", "rita", "reader", "acc99", "20240105",
                 "4711", SERIES, TRACKING_UID):  # fmt: skip
        assert word.casefold() not in everything
    (row,) = made.rows["measurements"]
    assert (row["tracking_label"], row["time_point"], row["reading_session"]) == ("roi", None, None)


@pytest.mark.parametrize(
    ("scheme", "value", "kept"),
    [
        ("99PMP", "250137", "99PMP:250137"),  # published by its maker
        ("99LOCAL", "4711081", None),  # may be a number of a person
        ("99LOCAL", "A12", "99LOCAL:A12"),
        ("99LOCAL", "Frau Huber", None),  # free text in the place of a code
        ("99LOCAL", "Mustermann1", None),  # the patient's name
        ("SRT", "T-04711", "SRT:T-04711"),  # by chance the patient's number: no such code
    ],
)
def test_only_codes_pass_for_codes(scheme: str, value: str, kept: str | None) -> None:
    group = volumetric_group([measurement(1.0, CodedConcept(value, scheme, "x"))])
    (row,) = converted(report([group])).rows["measurements"]
    expected = None if value == "T-04711" else kept
    assert row["derivation_code"] == expected


def test_old_snomed_codes_are_given_as_their_successors() -> None:
    group = volumetric_group([measurement(1.0, CodedConcept("G-A437", "SRT", "Maximum"))])
    (row,) = converted(report([group])).rows["measurements"]
    assert (row["derivation_code"], row["derivation_name"]) == ("SCT:56851009", "Maximum")


def test_a_code_of_the_standard_stays_although_it_holds_the_patients_number() -> None:
    made = report([volumetric_group([measurement(1.0, codes.SCT.Maximum)])])
    made.PatientID = "6851009"
    (row,) = converted(made).rows["measurements"]
    assert row["derivation_code"] == "SCT:56851009"


def test_answers_of_readers_are_rows_of_their_own() -> None:
    question = CodedConcept("111005", "DCM", "Assessment Category")
    group = volumetric_group(
        [measurement(1.0)],
        qualitative_evaluations=[sr.QualitativeEvaluation(question, codes.SCT.Yes)],
    )
    (row,) = converted(report([group])).rows["evaluations"]
    assert (row["question_code"], row["answer_code"]) == ("DCM:111005", "SCT:373066001")
    assert (row["question_name"], row["answer_name"]) == ("Assessment Category", "Yes")
    assert (row["group_index"], row["finding_code"]) == (1, "SCT:108369006")


def test_regions_in_space_on_images_and_without_a_region() -> None:
    pet = evidence()[0]
    square = np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 0, 0]])
    track = sr.TrackingIdentifier(TRACKING_UID, "liver")
    planar = sr.PlanarROIMeasurementsAndQualitativeEvaluations(
        track,
        referenced_region=sr.ImageRegion3D("POLYGON", square, pet.FrameOfReferenceUID),
        measurements=[measurement(1.0)],
    )
    drawn = sr.PlanarROIMeasurementsAndQualitativeEvaluations(
        track,
        referenced_region=sr.ImageRegion(
            "CIRCLE", np.array([[1.0, 1], [1, 2]]),
            sr.SourceImageForRegion(pet.SOPClassUID, pet.SOPInstanceUID),
        ),
        measurements=[measurement(2.0)],
    )  # fmt: skip
    whole = sr.MeasurementsAndQualitativeEvaluations(
        track,
        source_images=[sr.SourceImageForMeasurementGroup(pet.SOPClassUID, pet.SOPInstanceUID)],
        measurements=[measurement(3.0)],
    )
    rows = converted(report([planar, drawn, whole], three_d=True)).rows["measurements"]
    found = [(r["group_index"], r.get("region_kind"), r.get("measured_series_uid")) for r in rows]
    assert found == [(1, "region", None), (2, "region", uid(SERIES)), (3, None, uid(SERIES))]
    assert all(r.get("segmentation_series_uid") is None for r in rows)


def test_a_roi_of_a_structure_set() -> None:
    """Region in Space (130488, DCM) names an RTSTRUCT; highdicom cannot write it."""
    made = report([volumetric_group([measurement(1.0)])])
    drawn = structure_set({"a": [[0.0, 0, 0]]})
    group = next(i for i in made.ContentSequence[-1].ContentSequence if i.ValueType == "CONTAINER")
    region = next(i for i in group.ContentSequence if i.ValueType == "IMAGE")
    region.ValueType = "COMPOSITE"
    region.ConceptNameCodeSequence[0].CodeValue = "130488"
    reference = region.ReferencedSOPSequence[0]
    del reference.ReferencedSegmentNumber
    reference.ReferencedSOPClassUID = drawn.SOPClassUID
    named = Dataset()
    named.ValueType, named.RelationshipType, named.TextValue = "TEXT", "HAS PROPERTIES", "4"
    named.ConceptNameCodeSequence = DicomSequence([CodedConcept("130489", "DCM", "ROI")])
    region.ContentSequence = DicomSequence([named])
    (row,) = converted(made).rows["measurements"]
    assert (row["region_kind"], row["segment_number"]) == ("roi", 4)
    assert row["segmentation_series_uid"] == uid(SERIES + ".88")


def test_several_reports_of_a_series_are_numbered_on() -> None:
    groups = [volumetric_group([measurement(1.0), measurement(2.0)])]
    made = converted(report(groups, number=1), report(groups, number=2))
    rows = made.rows["measurements"]
    assert [(r["measurement_index"], r["group_index"]) for r in rows] == [
        (1, 1), (2, 1), (3, 2), (4, 2),
    ]  # fmt: skip
    assert len({r["sop_instance_uid"] for r in rows}) == 2


def test_a_value_that_could_not_be_had_keeps_its_reason() -> None:
    failed = measurement(1.0, qualifier=codes.DCM.MeasurementFailure)
    made = report([volumetric_group([failed])])
    group = made.ContentSequence[-1].ContentSequence[0]
    number = next(i for i in group.ContentSequence if i.ValueType == "NUM")
    number.MeasuredValueSequence = DicomSequence()
    (row,) = converted(made).rows["measurements"]
    assert (row["value"], row["unit_code"]) == (None, None)
    assert row["value_qualifier_code"] == "DCM:114006"


def test_floating_point_value_comes_before_its_rounded_form() -> None:
    made = report([volumetric_group([measurement(1.0)])])
    group = made.ContentSequence[-1].ContentSequence[0]
    number = next(i for i in group.ContentSequence if i.ValueType == "NUM")
    measured = number.MeasuredValueSequence[0]
    measured.NumericValue, measured.FloatingPointValue = "0.33333333333333", 1 / 3
    (row,) = converted(made).rows["measurements"]
    assert row["value"] == 1 / 3


def test_reports_without_measurements_are_ignored_by_that_name() -> None:
    assert reasons(converted(text_report())) == ["report_without_measurements"]
    both = converted(text_report(), report([volumetric_group([measurement(1.0)])], number=2))
    assert reasons(both) == ["ingested", "report_without_measurements"]
    assert both.rows["findings"] == []


def test_endless_nesting_ends_in_quarantine() -> None:
    made = report([volumetric_group([measurement(1.0)])])
    inner = made
    for _ in range(MAX_DEPTH + 2):
        item = Dataset()
        item.ValueType = "CONTAINER"
        inner.ContentSequence = DicomSequence([item])
        inner = item
    assert reasons(converted(made)) == ["invalid_attribute"]


def test_a_report_without_content() -> None:
    ds = common("1.2.840.10008.5.1.4.1.1.88.33", "SR", 1, REPORT_SERIES)
    assert reasons(converted(ds)) == ["missing_attribute"]
