"""Structured reports and value maps: reports written by highdicom, an independent writer."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from highdicom import sr
from highdicom.sr import CodedConcept
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian

from tasks.dicom.kinds import REAL_WORLD_VALUE_MAPPING
from tests.support.dicom_objects import SERIES, common, pet_slice, segmentation, to_bytes

REPORT_SERIES = SERIES + ".55"
MAP_SERIES = SERIES + ".66"
TRACKING_UID = "2.25.111222333"
SUV_BW = CodedConcept("126401", "DCM", "SUVbw")
SUV_UNIT = CodedConcept("{SUVbw}g/ml", "UCUM", "SUVbw")


def evidence() -> list[Dataset]:
    """PET slice, its segmentation and its value map, as highdicom wants evidence."""
    found = [
        pet_slice(1, np.zeros((2, 2), np.int16), (0, 0, 0)),
        segmentation([(1, 0.0, np.ones((2, 2), bool))], ["Lesion 1"]),
        value_map(0.5),
    ]
    for ds in found:
        ds.PatientBirthDate, ds.AccessionNumber, ds.StudyID = "19720101", "ACC99", "17"
        ds.ReferringPhysicianName = "Who^Doctor"
        ds.ensure_file_meta()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return found


def measurement(value: float, derivation: object = None, **options: object) -> sr.Measurement:
    """Value of SUVbw."""
    return sr.Measurement(name=SUV_BW, value=value, unit=SUV_UNIT, derivation=derivation, **options)


def volumetric_group(
    measurements: Sequence[sr.Measurement],
    *,
    identifier: str = "Lesion 3 of Mustermann",
    segment: int = 1,
    **options: object,
) -> sr.VolumetricROIMeasurementsAndQualitativeEvaluations:
    """Group of TID 1411 on a segment of `evidence`."""
    _, seg, mapping = evidence()
    return sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(TRACKING_UID, identifier),
        referenced_segment=sr.ReferencedSegment(
            seg.SOPClassUID, seg.SOPInstanceUID, segment,
            source_series=sr.SourceSeriesForSegmentation(SERIES),
        ),
        referenced_real_world_value_map=sr.RealWorldValueMap(mapping.SOPInstanceUID),
        finding_type=codes.SCT.Neoplasm,
        measurements=measurements,
        **options,
    )  # fmt: skip


def report(groups: Sequence[object], *, number: int = 1, three_d: bool = False) -> Dataset:
    """Measurement report of TID 1500 over `evidence`, read by a person with a name."""
    person = sr.PersonObserverIdentifyingAttributes("Reader^Rita")
    observer = sr.ObserverContext(codes.DCM.Person, person)
    content = sr.MeasurementReport(
        sr.ObservationContext(observer_person_context=observer),
        procedure_reported=CodedConcept("44139-4", "LN", "PET whole body"),
        imaging_measurements=groups,
    )  # fmt: skip
    make = sr.Comprehensive3DSR if three_d else sr.ComprehensiveSR
    made = make(
        evidence=evidence(), content=content, series_instance_uid=REPORT_SERIES, series_number=9,
        sop_instance_uid=f"{REPORT_SERIES}.{number}", instance_number=number,
        manufacturer="SIEMENS", institution_name="Klinikum Nord",
    )  # fmt: skip
    # Read back plain: highdicom's own content sequences refuse what other writers do.
    return dcmread(io.BytesIO(to_bytes(made)))


def text_report(number: int = 1) -> Dataset:
    """Report whose only content is that a person read it."""
    made = report([volumetric_group([measurement(1.0)])], number=number)
    made.ContentSequence = made.ContentSequence[:-1]
    return made


def value_map(
    slope: float, *, intercept: float = 0.0, images: Sequence[Dataset] = (), number: int = 1
) -> Dataset:
    """Real World Value Mapping to SUVbw of the given PET slices."""
    ds = common(REAL_WORLD_VALUE_MAPPING, "RWV", number, MAP_SERIES)
    ds.ContentLabel, ds.ContentCreatorName = "RWV", "Reader^Rita"
    mapping, item, series = Dataset(), Dataset(), Dataset()
    mapping.LUTLabel, mapping.LUTExplanation = "SUVbw", "for Mustermann"
    mapping.RealWorldValueSlope, mapping.RealWorldValueIntercept = slope, intercept
    mapping.add_new(0x00409216, "SS", -5)
    mapping.add_new(0x00409211, "SS", 32000)
    mapping.MeasurementUnitsCodeSequence = DicomSequence([_code("{SUVbw}g/ml", "UCUM")])
    mapping.QuantityDefinitionSequence = DicomSequence(
        [
            _definition(("G-C1C6", "SRT"), ("126400", "DCM")),
            _definition(("370129005", "SCT"), ("126410", "DCM")),
        ]
    )
    references = DicomSequence([_reference(image) for image in images])
    item.RealWorldValueMappingSequence = DicomSequence([mapping])
    item.ReferencedImageSequence = references
    series.SeriesInstanceUID, series.ReferencedInstanceSequence = SERIES, references
    ds.ReferencedImageRealWorldValueMappingSequence = DicomSequence([item])
    ds.ReferencedSeriesSequence = DicomSequence([series])
    return ds


def _definition(concept: tuple[str, str], value: tuple[str, str]) -> Dataset:
    item = Dataset()
    item.ValueType = "CODE"
    item.ConceptNameCodeSequence = DicomSequence([_code(*concept)])
    item.ConceptCodeSequence = DicomSequence([_code(*value)])
    return item


def _reference(image: Dataset) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = image.SOPClassUID
    item.ReferencedSOPInstanceUID = image.SOPInstanceUID
    return item


def _code(value: str, scheme: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, "free text"
    return item
