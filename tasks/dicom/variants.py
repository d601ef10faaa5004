"""Headers of one series that differ in dates and numbers only: parse one, patch the others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

from tasks.dicom import tags
from tasks.dicom.elements import RawElements

#: Elements that may be patched: plain dates, times and numbers, whose meaning (and whose
#: de-identification) does not depend on any other element.
PATCHABLE: Final = frozenset(
    {
        tags.STUDY_DATE, tags.SERIES_DATE, tags.ACQUISITION_DATE, tags.ACQUISITION_DATETIME,
        tags.STUDY_TIME, tags.SERIES_TIME, tags.ACQUISITION_TIME, tags.FRAME_REFERENCE_TIME,
        tags.ACTUAL_FRAME_DURATION, tags.RESCALE_INTERCEPT, tags.FRAME_REFERENCE_DATETIME,
        0x00541321,  # DecayFactor
        0x00541322,  # DoseCalibrationFactor
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Header:
    """A header, complete, and what of it is its own.

    Parameters
    ----------
    dataset : Dataset
        All elements.
    own : Dataset or None
        The elements in which it differs from the first header of the series; None if it was parsed
        on its own.
    """

    dataset: Dataset
    own: Dataset | None = None


def patched_header(
    first: Dataset, first_elements: RawElements, elements: RawElements, relevant: frozenset[int]
) -> Header | None:
    """Make a header from the first one of the series and the elements that differ.

    Parameters
    ----------
    first : Dataset
        The first header, parsed.
    first_elements, elements : RawElements
        Elements of the first and of this object.
    relevant : frozenset of int
        Tags to compare; what else differs is of one slice (its position, its slope).

    Returns
    -------
    Header or None
        None if the header has to be parsed: other elements than `PATCHABLE` differ, or one of them
        is there in one object only.
    """
    differing = [
        tag
        for tag in sorted({*first_elements.tags(), *elements.tags()} & relevant)
        if first_elements.value(tag) != elements.value(tag)
    ]
    if not set(differing) <= PATCHABLE:
        return None
    own = Dataset()
    for tag in differing:
        before, value = first_elements.value(tag), elements.value(tag)
        if before is None or value is None:
            return None
        raw = RawDataElement(
            BaseTag(tag), dictionary_VR(tag), len(value), value, 0, is_implicit_VR=False,
            is_little_endian=True,
        )  # fmt: skip
        own[tag] = raw
    return Header(overlay(first, own), own)


def overlay(base: Dataset, own: Dataset) -> Dataset:
    """Return a copy of a header in which the elements of another one take their place."""
    # Of the elements as they are: copy.copy would share them with a plain Dataset, and setting them
    # one by one looks at each.
    return Dataset({tag: item for source in (base, own) for tag, item in source.items()})


def without(base: Dataset, keywords: Iterable[str]) -> Dataset:
    """Return a copy of a header that lacks some elements."""
    left_out = {tag_for_keyword(keyword) for keyword in keywords}
    return Dataset({tag: item for tag, item in base.items() if int(tag) not in left_out})
