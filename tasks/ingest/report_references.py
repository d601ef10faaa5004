"""What a measurement of a report was made on: image series, segment or ROI, value map."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pydicom.dataset import Dataset

from schemas.records import Row
from tasks.dicom import values
from tasks.dicom.kinds import REAL_WORLD_VALUE_MAPPING, RT_STRUCTURE_SET, SEGMENTATION_CLASSES
from tasks.ingest import report_concepts as concepts
from tasks.ingest.context import Context
from tasks.ingest.report_content import ContentItem

_EVIDENCE: Final = (
    "CurrentRequestedProcedureEvidenceSequence",
    "PertinentOtherEvidenceSequence",
)
_NOT_IMAGES: Final = SEGMENTATION_CLASSES | {RT_STRUCTURE_SET, REAL_WORLD_VALUE_MAPPING}
_LARGEST_SEGMENT: Final = 65535


@dataclass(frozen=True, slots=True)
class References:
    """Finds what the items of one report refer to.

    Parameters
    ----------
    context : Context
        Maps UIDs.
    series_of : mapping
        Original SOP Instance UID to original Series Instance UID.
    """

    context: Context
    series_of: Mapping[str, str]

    def columns(self, item: ContentItem) -> Row:
        """Columns of `measurements` that say what a group, or one measurement, was made on.

        Parameters
        ----------
        item : ContentItem
            Measurement group or NUM item; only what it states itself is filled in.
        """
        found: Row = {}
        region = _region(item)
        if region is not None:
            found["region_kind"] = concepts.REGION_KINDS[region.concept or ""]
        if region is not None and found["region_kind"] in ("segment", "segmentation_frame", "roi"):
            found["segmentation_series_uid"] = self._series(region.reference)
            found["segment_number"] = _segment_number(region)
        image = self._image_series(item)
        if image:
            found["measured_series_uid"] = image
        for used in item.named(concepts.VALUE_MAP_USED):
            found["mapping_series_uid"] = self._series(used.reference)
        return found

    def _image_series(self, item: ContentItem) -> str | None:
        """Pseudonym of the image series that an item states, however it does."""
        for stated in item.named(concepts.SOURCE_SERIES):
            if stated.uid:
                return self.context.uid(stated.uid)
        for below in item.walk():
            is_own = below is item or below.value_type != "NUM"
            if is_own and below.value_type == "IMAGE" and _is_image(below.reference):
                series = self._series(below.reference)
                if series:
                    return series
        return None

    def _series(self, reference: Dataset) -> str | None:
        instance = values.text(reference, "ReferencedSOPInstanceUID")
        return self.context.uid(self.series_of.get(instance or ""))


def series_of_evidence(report: Dataset) -> dict[str, str]:
    """Series of every instance that a report lists as evidence; both UIDs as they came.

    References
    ----------
    DICOM PS3.3 C.17.2 (Hierarchical SOP Instance Reference).
    """
    return {
        instance: series
        for keyword in _EVIDENCE
        for study in values.items(report, keyword)
        for item in values.items(study, "ReferencedSeriesSequence")
        if (series := values.text(item, "SeriesInstanceUID"))
        for reference in values.items(item, "ReferencedSOPSequence")
        if (instance := values.text(reference, "ReferencedSOPInstanceUID"))
    }


def _region(item: ContentItem) -> ContentItem | None:
    """Item that refers to the region; of several the one that says most, in the order of kinds."""
    for concept in concepts.REGION_KINDS:
        found = item.named(concept)
        if found:
            return found[0]
    drawn = [child for child in item.children if child.value_type in ("SCOORD", "SCOORD3D")]
    if not drawn:
        return None
    first = drawn[0]  # a measurement inferred from coordinates without a name of their own
    return ContentItem(first.dataset, first.value_type, concepts.IMAGE_REGION, first.children)


def _segment_number(region: ContentItem) -> int | None:
    """Referenced Segment Number (0062,000B), or the ROI number that an RTSTRUCT is named by."""
    number = values.number(region.reference, "ReferencedSegmentNumber")
    for named in region.named(concepts.REFERENCED_ROI):
        number = int(named.text) if named.text.isdecimal() and len(named.text) <= 5 else number
    usable = number is not None and 0 <= number <= _LARGEST_SEGMENT
    return int(number) if usable and number is not None else None


def _is_image(reference: Dataset) -> bool:
    return values.text(reference, "ReferencedSOPClassUID") not in _NOT_IMAGES
