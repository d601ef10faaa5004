"""The header that a frame of a multi-frame object would have as a classic single-frame object.

Enhanced objects say once for all frames, or frame by frame in functional groups, what classic
objects say in every slice. Written in the classic keywords, frames go the way of slices: the same
sorting into stacks, the same rules of quantification, the same de-identification.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timezone
from typing import Final

from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as DicomSequence

from tasks.dicom import values
from tasks.dicom.elements import DatasetElements, is_private_quantity
from tasks.dicom.variants import PATCHABLE, Header, overlay
from tasks.quantify.times import parse_datetime, parse_offset

#: Groups whose attributes a classic object has at its top, under their own name or another one.
#: Those of Legacy Converted objects hold whatever of the original had no place elsewhere.
_GROUPS: Final = (
    "UnassignedSharedConvertedAttributesSequence",
    "UnassignedPerFrameConvertedAttributesSequence",
    "PixelMeasuresSequence", "PlanePositionSequence", "PlaneOrientationSequence",
    "PixelValueTransformationSequence", "FrameContentSequence", "PETFrameTypeSequence",
    "PETFrameAcquisitionSequence", "PETFrameCorrectionFactorsSequence",
    "PETReconstructionSequence", "PETTableDynamicsSequence", "CTImageFrameTypeSequence",
    "CTReconstructionSequence", "CTXRayDetailsSequence", "CTExposureSequence",
    "CTAcquisitionDetailsSequence", "CTGeometrySequence", "MRImageFrameTypeSequence",
    "MREchoSequence", "MRTimingAndRelatedParametersSequence", "MRDiffusionSequence",
    "ParametricMapFrameTypeSequence", "RespiratorySynchronizationSequence",
    "CardiacSynchronizationSequence",
)  # fmt: skip
#: Attributes of these groups with another name in classic objects; of two with the same classic
#: name the later one counts (the heart before breathing).
_CLASSIC_NAME: Final = {
    "FrameType": "ImageType",
    "FrameAcquisitionDuration": "ActualFrameDuration",
    "FrameAcquisitionNumber": "AcquisitionNumber",
    "TemporalPositionIndex": "TemporalPositionIdentifier",
    "EffectiveEchoTime": "EchoTime",
    "NominalRespiratoryTriggerDelayTime": "TriggerTime",
    "NominalCardiacTriggerDelayTime": "TriggerTime",
}
#: Phase in per cent, and length of the cycle in ms, of breathing and of the heart.
_CYCLES: Final = (
    ("NominalPercentageOfRespiratoryPhase", "RespiratoryIntervalTime"),
    ("NominalPercentageOfCardiacPhase", "RRIntervalTimeNominal"),
)
#: What describes the multi-frame object as such, or is bulk.
_OF_THE_OBJECT: Final = frozenset(
    {
        "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", "NumberOfFrames",
        "DimensionOrganizationSequence", "DimensionIndexSequence", "FrameIncrementPointer",
        "ReferencedImageEvidenceSequence", "SourceImageEvidenceSequence", "IconImageSequence",
        "PixelData", "FloatPixelData", "DoubleFloatPixelData", "ExtendedOffsetTable",
        "ExtendedOffsetTableLengths",
    }
)  # fmt: skip


#: What only the object itself can say: a group that holds it all the same is not believed.
_NEVER_OF_A_GROUP: Final = (
    "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "Modality",
    "PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "InstitutionName",
    "SpecificCharacterSet", "TimezoneOffsetFromUTC", "Rows", "Columns", "BitsAllocated",
)  # fmt: skip


def _tag(keyword: str) -> int:
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise LookupError(f"{keyword} is not in the DICOM dictionary")
    return tag


_GROUP_TAGS: Final = tuple(_tag(keyword) for keyword in _GROUPS)
_CLASSIC_TAG: Final = {_tag(name): _tag(classic) for name, classic in _CLASSIC_NAME.items()}
_OBJECT_TAGS: Final = frozenset(_tag(keyword) for keyword in _OF_THE_OBJECT)
_TOP_TAGS: Final = _OBJECT_TAGS | {_tag(keyword) for keyword in _NEVER_OF_A_GROUP}


def object_attributes(dataset: Dataset, shared: Dataset) -> Dataset:
    """Attributes that all frames of an object have in common, as a classic object has them.

    Parameters
    ----------
    dataset : Dataset
        The multi-frame object.
    shared : Dataset
        Its shared functional groups.

    Examples
    --------
    >>> ds, shared, measures = Dataset(), Dataset(), Dataset()
    >>> ds.Modality, ds.NumberOfFrames, measures.PixelSpacing = "PT", 2, [4, 4]
    >>> shared.PixelMeasuresSequence = [measures]
    >>> sorted(object_attributes(ds, shared).dir())
    ['Modality', 'PixelSpacing']
    """
    common = Dataset()
    for tag in dataset.keys():  # noqa: SIM118 - a data set iterates over elements
        if int(tag) not in _OBJECT_TAGS:
            common[tag] = dataset[tag]
    for element in _classic_elements(shared, parse_offset(dataset.get("TimezoneOffsetFromUTC"))):
        common[element.tag] = element
    return common


def frame_attributes(groups: Dataset, local: timezone | None = None) -> Dataset:
    """Attributes of one frame, as a classic object has them.

    Parameters
    ----------
    groups : Dataset
        An item of Per-Frame Functional Groups Sequence (5200,9230).
    local : timezone or None
        Of the object.

    Examples
    --------
    >>> content, groups = Dataset(), Dataset()
    >>> content.FrameAcquisitionDateTime, content.FrameAcquisitionDuration = "20240105101000", 2e3
    >>> groups.FrameContentSequence = [content]
    >>> own = frame_attributes(groups)
    >>> own.AcquisitionDate, own.AcquisitionTime, int(own.ActualFrameDuration)
    ('20240105', '101000.000000', 2000)

    References
    ----------
    DICOM PS3.3 C.7.6.16.2 (functional group macros), C.8.22.5 (Enhanced PET).
    """
    own = Dataset()
    for element in _classic_elements(groups, local):
        own[element.tag] = element
    return own


def _classic_elements(groups: Dataset, local: timezone | None) -> Iterator[DataElement]:
    for tag in _GROUP_TAGS:
        if tag not in groups:
            continue
        value = groups[tag].value
        if not isinstance(value, DicomSequence) or not value:
            continue
        yield from _phase(value[0])
        for element in value[0]:
            classic = _CLASSIC_TAG.get(int(element.tag))
            if classic is not None:
                yield from _renamed(element, classic)
            elif int(element.tag) not in _TOP_TAGS:
                yield element
                if element.keyword == "FrameAcquisitionDateTime":
                    yield from _acquisition(str(element.value), local)


def _phase(item: Dataset) -> Iterator[DataElement]:
    """Trigger time from a phase in per cent of the cycle; a delay that is given comes after it."""
    for phase, cycle in _CYCLES:
        percent, length_ms = values.number(item, phase), values.number(item, cycle)
        if percent is not None and length_ms:
            text = f"{percent / 100 * length_ms:.12g}"
            yield DataElement(_tag("TriggerTime"), "DS", text)


def _renamed(element: DataElement, classic: int) -> Iterator[DataElement]:
    """Give an element its classic name and representation; nothing if it has no value."""
    vr, value = dictionary_VR(classic), element.value
    if value is None or value == "":
        return
    if vr == "CS":
        yield DataElement(classic, vr, value)
        return
    try:
        number = float(str(value))
        text = str(round(number)) if vr == "IS" else f"{number:.12g}"
    except (ValueError, OverflowError):  # several values, or no finite number
        return
    yield DataElement(classic, vr, text)


def _acquisition(text: str, local: timezone | None) -> Iterator[DataElement]:
    moment = parse_datetime(text, local)
    if moment is not None:
        yield DataElement(_tag("AcquisitionDate"), "DA", moment.strftime("%Y%m%d"))
        yield DataElement(_tag("AcquisitionTime"), "TM", moment.strftime("%H%M%S.%f"))
        yield DataElement(_tag("AcquisitionDateTime"), "DT", text)


class CommonElements(DatasetElements):
    """What all frames of an object have in common, in the classic keywords."""

    __slots__ = ("_keys",)

    def __init__(self, dataset: Dataset) -> None:
        super().__init__(dataset)
        self._keys: dict[frozenset[int], bytes] = {}

    def key(self, tags: frozenset[int]) -> bytes:
        """Join the text of those of `tags` that are there; made once for all frames."""
        if tags not in self._keys:
            self._keys[tags] = super().key(tags)
        return self._keys[tags]


class FrameElements:
    """A frame's classic header: what is its own stands before what all frames have in common.

    Parameters
    ----------
    common : CommonElements
        Of the object.
    own : Dataset
        Of the frame.
    """

    __slots__ = ("_dataset", "common", "own")

    def __init__(self, common: CommonElements, own: Dataset) -> None:
        self.common = common
        self.own = own
        self._dataset: Dataset | None = None

    @property
    def dataset(self) -> Dataset:
        """The whole header, put together when it is first asked for."""
        if self._dataset is None:
            self._dataset = overlay(self.common.dataset, self.own)
        return self._dataset

    def __contains__(self, tag: int) -> bool:
        return tag in self.own or tag in self.common

    def text(self, tag: int) -> str | None:
        """Text, values joined by backslash; None if absent or empty."""
        return DatasetElements(self.own).text(tag) if tag in self.own else self.common.text(tag)

    def integer(self, tag: int) -> int | None:
        """First value as an integer; None if absent, empty or no number."""
        own = DatasetElements(self.own)
        return own.integer(tag) if tag in self.own else self.common.integer(tag)

    def key(self, tags: frozenset[int]) -> bytes:
        """Join the text of those of `tags` that are there, to tell headers apart."""
        return self.common.key(tags) + b"\x1d" + DatasetElements(self.own).key(tags)

    def short_key(self, tags: frozenset[int]) -> tuple[int, bytes]:
        """Return a key that is as good as `key`."""
        return 0, self.key(tags)


def patched_frame(
    first: FrameElements, other: FrameElements, relevant: frozenset[int]
) -> Header | None:
    """Make the header of a frame as that of another one of its object and what differs.

    Parameters
    ----------
    first, other : FrameElements
        The frame whose header is known, and the one whose header is wanted.
    relevant : frozenset of int
        Tags to compare, as in `tasks.dicom.variants.patched_header`.

    Returns
    -------
    Header or None
        None if other elements than `PATCHABLE` differ, or one is there in one frame only.
    """
    if first.common is not other.common:
        return None
    own = Dataset()
    for tag in sorted({*first.own.keys(), *other.own.keys()}):
        if tag not in relevant and not is_private_quantity(int(tag)):
            continue
        if first.text(tag) == other.text(tag):
            continue
        if tag not in PATCHABLE or tag not in first or tag not in other:
            return None
        own[tag] = other.dataset[tag]
    return Header(other.dataset, own)
