"""Enhanced multi-frame objects: converted from classic slices by highdicom, or made by hand."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from highdicom.legacy import (
    LegacyConvertedEnhancedCTImage,
    LegacyConvertedEnhancedMRImage,
    LegacyConvertedEnhancedPETImage,
)
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import ExplicitVRLittleEndian

from tasks.dicom.kinds import ENHANCED_CT, ENHANCED_MR, ENHANCED_PET, PARAMETRIC_MAP
from tests.support.dicom_objects import AXIAL, SERIES, common, set_pixels

_CONVERTERS = {
    "PT": LegacyConvertedEnhancedPETImage,
    "CT": LegacyConvertedEnhancedCTImage,
    "MR": LegacyConvertedEnhancedMRImage,
}
_WANTED = {
    "PatientBirthDate": "19700101", "StudyID": "1", "AccessionNumber": "", "SeriesNumber": "1",
    "ReferringPhysicianName": "", "PatientPosition": "HFS", "ContentTime": "101000",
    "Laterality": "", "PositionReferenceIndicator": "", "SoftwareVersions": "1",
    "DeviceSerialNumber": "1",
}  # fmt: skip
_CLASSES = {"PT": ENHANCED_PET, "CT": ENHANCED_CT, "MR": ENHANCED_MR}


def complete(ds: Dataset) -> Dataset:
    """Add what the standard wants of a classic slice and our reader does not."""
    for keyword, value in {**_WANTED, "ContentDate": ds.SeriesDate}.items():
        if keyword not in ds:
            setattr(ds, keyword, value)
    if not hasattr(ds, "file_meta"):
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return ds


def legacy_converted(slices: Sequence[Dataset], uid: str = SERIES + ".1000") -> Dataset:
    """One Legacy Converted Enhanced object of the same series, as highdicom converts slices."""
    converter = _CONVERTERS[str(slices[0].Modality)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tells what small test objects lack
        made = converter(
            legacy_datasets=[complete(ds) for ds in slices],
            series_instance_uid=str(slices[0].SeriesInstanceUID),
            series_number=1,
            sop_instance_uid=uid,
            instance_number=1,
        )
    assert isinstance(made, Dataset)
    return made


@dataclass
class Frame:
    """A frame: where it lies, its one stored value, and attributes by functional group."""

    z: float
    value: int
    groups: dict[str, dict[str, Any]] = field(default_factory=dict)
    orientation: Sequence[float] = AXIAL


def frame(z: float, value: int, **content: Any) -> Frame:
    """Make a frame with attributes of its Frame Content Sequence."""
    return Frame(z, value, {"FrameContentSequence": content})


def item(attributes: Mapping[str, Any]) -> Dataset:
    """Make a sequence item of attributes by keyword."""
    ds = Dataset()
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def group(attributes: Mapping[str, Any]) -> DicomSequence:
    """Make a functional group."""
    return DicomSequence([item(attributes)])


def mapping(unit: str, slope: float, intercept: float = 0.0) -> dict[str, Any]:
    """Attributes of a Real World Value Mapping."""
    code = {"CodeValue": unit, "CodingSchemeDesignator": "UCUM", "CodeMeaning": unit}
    return {
        "RealWorldValueSlope": slope,
        "RealWorldValueIntercept": intercept,
        "RealWorldValueFirstValueMapped": 0,
        "RealWorldValueLastValueMapped": 30000,
        "MeasurementUnitsCodeSequence": group(code),
        "LUTLabel": "A",
        "LUTExplanation": "A",
    }


def enhanced(
    modality: str,
    frames: Sequence[Frame],
    *,
    number: int = 1,
    shape: tuple[int, int] = (4, 5),
    shared: Mapping[str, Mapping[str, Any]] | None = None,
) -> Dataset:
    """Enhanced object of axial frames at (-10, -20, z) with pixels of 4 mm, each of one value."""
    ds = common(_CLASSES[modality], modality, number)
    del ds.AcquisitionDate, ds.AcquisitionTime
    ds.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    ds.NumberOfFrames = len(frames)
    measures = {"PixelSpacing": ["4", "4"], "SliceThickness": "3"}
    ds.SharedFunctionalGroupsSequence = group(
        {
            name: group(said)
            for name, said in {"PixelMeasuresSequence": measures, **(shared or {})}.items()
        }
    )
    ds.PerFrameFunctionalGroupsSequence = DicomSequence([_groups(f) for f in frames])
    return set_pixels(ds, np.stack([np.full(shape, f.value, np.int16) for f in frames]))


def _groups(made: Frame) -> Dataset:
    ds = Dataset()
    ds.PlanePositionSequence = group({"ImagePositionPatient": ["-10", "-20", f"{made.z:g}"]})
    ds.PlaneOrientationSequence = group(
        {"ImageOrientationPatient": [f"{v:g}" for v in made.orientation]}
    )
    for name, said in made.groups.items():
        setattr(ds, name, group(said))
    return ds


def enhanced_pet(frames: Sequence[Frame], **options: Any) -> Dataset:
    """FDG of 100 MBq, injected at 9:10, corrected to 10:10; 2 Bq/ml for each stored 1."""
    shared = options.pop("shared", {"RealWorldValueMappingSequence": mapping("Bq/ml", 2.0)})
    ds = enhanced("PT", frames, shared=shared, **options)
    ds.DecayCorrected, ds.DecayCorrectionDateTime = "YES", "20240105101000"
    ds.AttenuationCorrected, ds.ScatterCorrected = "YES", "YES"
    ds.RadiopharmaceuticalInformationSequence = group(
        {
            "RadiopharmaceuticalStartDateTime": "20240105091000",
            "RadionuclideTotalDose": "100000000",
            "RadionuclideHalfLife": "6586.2",
            "RadionuclideCodeSequence": group(
                {
                    "CodeValue": "77004003",
                    "CodingSchemeDesignator": "SCT",
                    "CodeMeaning": "^18^Fluorine",
                }
            ),
        }
    )
    return ds


def pet_frames(n: int = 3, **content: Any) -> list[Frame]:
    """Frames at z = 0, 3, 6 ... with stored values 1, 2, 3 ..."""
    said = {
        "FrameAcquisitionDateTime": "20240105101000",
        "FrameReferenceDateTime": "20240105101100",
        "FrameAcquisitionDuration": 120000.0,
        **content,
    }
    return [frame(3.0 * i, i + 1, **said) for i in range(n)]


def parametric(values: NDArray[Any], unit: str = "mm2/s") -> Dataset:
    """Parametric map (frame, y, x) of float32 or float64, at z = 0, 3, 6 ... mm."""
    frames = [Frame(3.0 * i, 0) for i in range(len(values))]
    shared = {"RealWorldValueMappingSequence": mapping(unit, 1.0)}
    ds = enhanced("MR", frames, shape=values.shape[1:], shared=shared)
    ds.SOPClassUID = PARAMETRIC_MAP
    for keyword in ("PixelData", "BitsStored", "HighBit", "PixelRepresentation"):
        delattr(ds, keyword)
    ds.BitsAllocated = 8 * values.dtype.itemsize
    keyword = "FloatPixelData" if values.dtype.itemsize == 4 else "DoubleFloatPixelData"
    setattr(ds, keyword, values.tobytes())
    return ds


def stored_values(stored: NDArray[Any]) -> list[Any]:
    """Value of each frame of a volume (z, y, x) or (t, z, y, x) of `enhanced` frames."""
    assert (stored == stored[..., :1, :1]).all()
    values: list[Any] = stored[..., 0, 0].tolist()
    return values
