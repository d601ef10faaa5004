"""The reference objects of `tasks.simulate.reference_objects` as DICOM, with their phantom."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import EnhancedPETImageStorage, PositronEmissionTomographyImageStorage

from schemas.geometry import Geometry
from tasks.simulate.dicom_modules import add_plane, code, fork, new_object, place_slice, sequence
from tasks.simulate.identifiers import uid
from tasks.simulate.imaging import Image
from tasks.simulate.reference_objects import (
    ACTIVITY_BQ,
    REFERENCE_OBJECTS,
    WEIGHT_KG,
    ReferenceObject,
    Stored,
)
from tasks.simulate.timing import (
    average_activity_time_s,
    decay_constant,
    dicom_date,
    dicom_datetime,
    dicom_time,
)

_SLICES, _SIZE, _VOXEL_MM = 20, 64, 4.0
#: Stored integer of SUV 1: 720, 3600 and 14400 for the three SUVs, as in the public objects.
_STORED_PER_SUV: Final = 3600
_DEFAULTS: Final[Mapping[str, object]] = {
    "Modality": "PT", "Manufacturer": "Synthetic", "PatientName": "PETDRO PHANTOM",
    "PatientID": "DRO", "PatientBirthDate": "19900101", "PatientSex": "O", "PatientSize": "1.75",
    "PatientWeight": "70.0", "StudyDescription": "PET SUV verification DRO",
    "ImageType": ["ORIGINAL", "PRIMARY"], "SeriesType": ["STATIC", "IMAGE"], "Units": "BQML",
    "CountsSource": "EMISSION", "DecayCorrection": "START",
    "CorrectedImage": ["NORM", "DTIM", "ATTN", "SCAT", "DECY", "RAN"],
    "RandomsCorrectionMethod": "DLYD", "ReconstructionMethod": "PSF+TOF 4i5s",
    "FrameReferenceTime": "150000.0", "RescaleIntercept": "0.0",
}  # fmt: skip
#: Attributes of classic PET that Enhanced PET says elsewhere, or not at all.
_CLASSIC: Final = (
    "Units", "SUVType", "DecayCorrection", "CorrectedImage", "SeriesType", "CountsSource",
    "FrameReferenceTime", "ActualFrameDuration", "AcquisitionDate", "AcquisitionTime",
    "RescaleIntercept", "ImageOrientationPatient", "PixelSpacing", "SliceThickness",
)  # fmt: skip


def reference_phantom() -> tuple[Image, NDArray[np.bool_]]:
    """SUV of the phantom, and the mask of everything but its surroundings.

    Returns
    -------
    suv : ndarray, (z, y, x), float32
        A cylinder of SUV 1.00 with spheres of 4.00 and 0.20, in air.
    mask : ndarray, (z, y, x), bool
        The cylinder.
    """
    z, y, x = np.indices((_SLICES, _SIZE, _SIZE), dtype=np.float64)
    middle = (_SIZE - 1) / 2
    mask = np.hypot(y - middle, x - middle) < 26
    suv = np.where(mask, 1.0, 0.0).astype(np.float32)
    for centre_x, value in ((middle - 12, 4.0), (middle + 12, 0.2)):
        inside = (z - 9.5) ** 2 + (y - middle) ** 2 + (x - centre_x) ** 2 < 6.0**2
        suv[inside] = value
    return suv, mask


def reference_object(name: str) -> list[Dataset]:
    """Build an object by its ID.

    Parameters
    ----------
    name : str
        A key of `REFERENCE_OBJECTS`, such as ``DRO_3_4_1``.

    Returns
    -------
    list of Dataset
        Its slices, or one multi-frame object of Enhanced PET.
    """
    made = REFERENCE_OBJECTS[name]
    stored, slopes = _stored(made)
    if made.is_enhanced:
        return [_enhanced(made, stored, slopes)]
    header = _header(made)
    return [_slice(made, header, i, stored[i], slopes[i]) for i in range(_SLICES)]


def per_suv(made: ReferenceObject) -> NDArray[np.float64]:
    """Rescaled value of SUV 1 in each slice, (z,).

    SUV 1 is the injected activity spread evenly over the body weight, at the same moment.

    References
    ----------
    DICOM PS3.3 C.8.9.1.1.6 (Decay Correction); C.8.9.4.1.5 (mean activity of a frame).
    """
    rate = decay_constant(made.half_life_s)
    wait = (made.start - made.injection).total_seconds()
    at_injection = ACTIVITY_BQ / (WEIGHT_KG * 1000.0)
    lt = rate * made.frame_duration_s
    starts = np.array([_bed_start_s(made, i) for i in range(_SLICES)])
    of_stored = {
        Stored.SUV: np.ones(_SLICES),
        Stored.AT_INJECTION: np.full(_SLICES, at_injection),
        Stored.AT_START: np.full(_SLICES, at_injection * math.exp(-rate * wait)),
        Stored.IN_FRAME: at_injection * np.exp(-rate * (wait + starts)) * -math.expm1(-lt) / lt,
    }
    return np.asarray(of_stored[made.stored] * made.stored_per_unit)


def _stored(made: ReferenceObject) -> tuple[NDArray[np.int16], NDArray[np.float64]]:
    """Scale the phantom to integers (z, y, x); with them the slope of each slice."""
    suv, _ = reference_phantom()
    steps = np.array([made.slope_steps[i % len(made.slope_steps)] for i in range(_SLICES)])
    stored = np.rint(suv * (_STORED_PER_SUV / steps)[:, None, None]).astype(np.int16)
    return stored, per_suv(made) / _STORED_PER_SUV * steps


def _bed_start_s(made: ReferenceObject, index: int) -> float:
    beds = made.bed_starts_s
    return beds[index * len(beds) // _SLICES]


def _geometry() -> Geometry:
    return Geometry(
        (_SLICES, _SIZE, _SIZE), np.diag([_VOXEL_MM, _VOXEL_MM, _VOXEL_MM, 1.0])
    )  # fmt: skip


def _header(made: ReferenceObject) -> Dataset:
    """Attributes that all slices share."""
    ds = new_object(PositronEmissionTomographyImageStorage)
    _set(ds, _DEFAULTS)
    add_plane(ds, _geometry())
    ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 15, 1
    ds.StudyInstanceUID = uid("reference object", made.name, "study")
    ds.SeriesInstanceUID = uid("reference object", made.name)
    ds.FrameOfReferenceUID = uid("reference object", made.name, "frame of reference")
    ds.SeriesDescription = f"PET SUV verification {made.name}"
    ds.StudyDate = ds.SeriesDate = dicom_date(made.start)
    ds.StudyTime = ds.SeriesTime = dicom_time(made.start)
    ds.ActualFrameDuration = str(round(made.frame_duration_s * 1000))
    ds.RadiopharmaceuticalInformationSequence = sequence(_isotope(made))
    for element in made.private:
        block = ds.private_block(element.group, element.creator, create=True)
        block.add_new(element.element, element.vr, element.value)
    return ds


def _isotope(made: ReferenceObject) -> Dataset:
    changes = dict(made.isotope)
    item = Dataset()
    item.Radiopharmaceutical = "FDG" if "code" not in changes else "Tracer"
    item.RadiopharmaceuticalStartTime = dicom_time(made.injection)
    item.RadiopharmaceuticalStartDateTime = dicom_datetime(made.injection)
    item.RadionuclideTotalDose = f"{ACTIVITY_BQ:.1f}"
    item.RadionuclideHalfLife = f"{made.half_life_s:g}"
    item.RadionuclidePositronFraction = "1.0"
    value, meaning = changes.pop("code", "C-111A1"), changes.pop("meaning", "^18^Fluorine")
    item.RadionuclideCodeSequence = sequence(code(str(value), "SRT", str(meaning)))
    _set(item, changes)
    return item


def _set(ds: Dataset, values: Mapping[str, object]) -> None:
    """Set attributes by keyword; None takes one away."""
    for keyword, value in values.items():
        if value is not None:
            setattr(ds, keyword, value)
        elif keyword in ds:
            delattr(ds, keyword)


def _slice(
    made: ReferenceObject, header: Dataset, index: int, stored: NDArray[Any], slope: float
) -> Dataset:
    ds = fork(header)
    start = _moment(made, index)
    ds.SOPInstanceUID = uid("reference object", made.name, index)
    ds.InstanceNumber = index + 1
    ds.AcquisitionDate, ds.AcquisitionTime = dicom_date(start), dicom_time(start)
    ds.RescaleSlope = f"{slope:.10g}"
    place_slice(ds, _geometry(), index)
    _set(ds, made.header)
    ds.add_new("PixelData", "OW", stored.tobytes())
    return ds


def _moment(made: ReferenceObject, index: int) -> datetime:
    return made.start + timedelta(seconds=_bed_start_s(made, index))


def _enhanced(
    made: ReferenceObject, stored: NDArray[np.int16], slopes: NDArray[np.float64]
) -> Dataset:
    """One object of Enhanced PET: units and moments in functional groups (PS3.3 A.56)."""
    ds = _header(made)
    _set(ds, made.header)
    units, decay = str(ds.Units), str(ds.DecayCorrection)
    _set(ds, dict.fromkeys(_CLASSIC))
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = EnhancedPETImageStorage
    ds.SOPInstanceUID, ds.InstanceNumber = uid("reference object", made.name, 0), 1
    ds.ImageType = ["DERIVED", "PRIMARY", "VOLUME", "NONE"]
    ds.AcquisitionDateTime = dicom_datetime(made.start)
    ds.DecayCorrected = "NO" if decay == "NONE" else "YES"
    if ds.DecayCorrected == "YES":
        ds.DecayCorrectionDateTime = dicom_datetime(made.start)
    ds.AttenuationCorrected = ds.ScatterCorrected = ds.RandomsCorrected = "YES"
    ds.NumberOfFrames = len(stored)
    ds.SharedFunctionalGroupsSequence = sequence(_group(_shared()))
    unit = {"BQML": "Bq/ml", "GML": "{SUVbw}g/ml"}[units]
    ds.PerFrameFunctionalGroupsSequence = sequence(
        *(_group(_frame(made, i, unit, float(slope))) for i, slope in enumerate(slopes))
    )
    ds.add_new("PixelData", "OW", stored.tobytes())
    return ds


_Groups = dict[str, dict[str, object]]


def _group(groups: _Groups) -> Dataset:
    """Functional groups, each a sequence of one item."""
    ds = Dataset()
    for name, values in groups.items():
        item = Dataset()
        _set(item, values)
        setattr(ds, name, sequence(item))
    return ds


def _shared() -> _Groups:
    spacing = [str(_VOXEL_MM)] * 2
    cosines: Sequence[str] = ["1", "0", "0", "0", "1", "0"]
    return {
        "PixelMeasuresSequence": {"PixelSpacing": spacing, "SliceThickness": str(_VOXEL_MM)},
        "PlaneOrientationSequence": {"ImageOrientationPatient": cosines},
    }


def _frame(made: ReferenceObject, index: int, unit: str, slope: float) -> _Groups:
    start = _moment(made, index)
    mean = average_activity_time_s(made.frame_duration_s, made.half_life_s)
    return {
        "PlanePositionSequence": {"ImagePositionPatient": ["0", "0", f"{_VOXEL_MM * index:g}"]},
        "FrameContentSequence": {
            "FrameAcquisitionDateTime": dicom_datetime(start),
            "FrameReferenceDateTime": dicom_datetime(start + timedelta(seconds=mean)),
            "FrameAcquisitionDuration": made.frame_duration_s * 1000.0,
        },
        "PixelValueTransformationSequence": {
            "RescaleSlope": f"{slope:.10g}", "RescaleIntercept": "0", "RescaleType": "US",
        },
        "RealWorldValueMappingSequence": {
            "RealWorldValueSlope": slope, "RealWorldValueIntercept": 0.0,
            "RealWorldValueFirstValueMapped": -32768, "RealWorldValueLastValueMapped": 32767,
            "MeasurementUnitsCodeSequence": sequence(code(unit, "UCUM", unit)),
            "LUTLabel": "A", "LUTExplanation": "A",
        },
    }  # fmt: skip
