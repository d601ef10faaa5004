"""An image series put together: the common form of slice stacks and tomograms."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from schemas.errors import RejectedObjectError
from schemas.geometry import FloatArray, Geometry
from tasks.dicom import tags
from tasks.dicom.elements import DatasetElements, RawElements, is_private_quantity
from tasks.dicom.pixels import StoredArray
from tasks.dicom.slices import read_slice_header
from tasks.dicom.stack import stack_geometry
from tasks.dicom.variants import Header, patched_header
from tasks.ingest.limits import Limits
from tasks.ingest.load import LoadedObject
from tasks.ingest.open_slice import OpenSlice, open_slices, stack_pixels
from tasks.ingest.outcomes import OutcomeBook
from tasks.ingest.planes import PlaneStore

#: Elements that rules of quantification look at: headers that agree in them share one derivation.
#: The slope is left out on purpose (it differs in every slice, and factors apply after it).
QUANTITY_TAGS: Final = frozenset(
    {
        tags.IMAGE_TYPE, tags.STUDY_DATE, tags.SERIES_DATE, tags.ACQUISITION_DATE,
        tags.ACQUISITION_DATETIME, tags.STUDY_TIME, tags.SERIES_TIME, tags.ACQUISITION_TIME,
        tags.MODALITY, tags.MANUFACTURER, tags.TIMEZONE_OFFSET, tags.PATIENT_ID,
        tags.ISSUER_OF_PATIENT_ID, tags.PATIENT_SEX, tags.PATIENT_SIZE, tags.PATIENT_WEIGHT,
        tags.ACTUAL_FRAME_DURATION, tags.STUDY_UID, tags.FRAME_OF_REFERENCE_UID,
        tags.CORRECTED_IMAGE, tags.RESCALE_INTERCEPT, tags.RESCALE_TYPE,
        0x00189701,  # DecayCorrectionDateTime
        0x00189758,  # DecayCorrected
        0x00409096,  # RealWorldValueMappingSequence
        0x00540016,  # RadiopharmaceuticalInformationSequence
        0x00541000,  # SeriesType
        0x00541001,  # Units
        0x00541006,  # SUVType
        0x00541101,  # AttenuationCorrectionMethod
        0x00541102,  # DecayCorrection
        tags.FRAME_REFERENCE_TIME,
        0x00541321,  # DecayFactor
        0x00541322,  # DoseCalibrationFactor
    }
)  # fmt: skip

#: What may not differ between the slices of one volume. (Where weight, dose or decay correction
#: differ, the volume is fine and `derive_suv` refuses.)
_ONE_VALUE: Final = (
    "PatientID", "IssuerOfPatientID", "StudyInstanceUID", "FrameOfReferenceUID", "Modality",
    "Units", "RescaleType",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Assembled:
    """Stored values of a whole image series on one grid, and the headers they came with.

    Parameters
    ----------
    stored : ndarray, (z, y, x), integer
        Slices ascend along row direction x column direction.
    slope, intercept : ndarray, (z,), float64
        Rescaling of each slice.
    geometry : Geometry
        The grid.
    headers : list of Header
        Original headers that differ in what quantification looks at, in slice order.
    header_of_slice : ndarray, (z,), intp
        Index into `headers`.
    objects : list of LoadedObject
        In slice order (one, for a multi-frame object).
    """

    stored: StoredArray
    slope: FloatArray
    intercept: FloatArray
    geometry: Geometry
    headers: list[Header]
    header_of_slice: NDArray[np.intp]
    objects: list[LoadedObject]


def assemble_slices(
    objects: Iterable[LoadedObject], limits: Limits, book: OutcomeBook
) -> Assembled:
    """Stack the slices of a series.

    Parameters
    ----------
    objects : iterable of LoadedObject
        Single-frame images of one series, read as they are asked for.
    limits : Limits
        Sizes.
    book : OutcomeBook
        Takes the outcome of slices that cannot be used.

    Raises
    ------
    RejectedObjectError
        If there is no regular grid (see `stack_geometry`), headers contradict each other
        (``mixed_quantification``), or the volume is ``oversized``.
    """
    planes = PlaneStore(len(book.group.objects), limits.max_series_bytes)
    slices = open_slices(objects, limits, planes, book)
    order, geometry = _grid(slices)
    ordered = [slices[i] for i in order]
    if sum(s.header.pixels.n_bytes for s in ordered) > limits.max_series_bytes:
        raise RejectedObjectError("oversized", f"over {limits.max_series_bytes} bytes of pixels")
    headers, header_of_slice = distinct_headers(ordered)
    return Assembled(
        stored=stack_pixels(ordered, planes),
        slope=np.array([s.header.slope for s in ordered], dtype=np.float64),
        intercept=np.array([s.header.intercept for s in ordered], dtype=np.float64),
        geometry=geometry,
        headers=headers,
        header_of_slice=header_of_slice,
        objects=[s.loaded for s in ordered],
    )


def _grid(slices: list[OpenSlice]) -> tuple[NDArray[np.intp], Geometry]:
    if not slices:
        raise RejectedObjectError("missing_slices", "no slice of the series can be used")
    return stack_geometry([s.header for s in slices])


def distinct_headers(slices: list[OpenSlice]) -> tuple[list[Header], NDArray[np.intp]]:
    """Parse one header of each kind that quantification could tell apart.

    Returns
    -------
    headers : list of Header
        In the order of the slices that they first occur in.
    header_of_slice : ndarray, (z,), intp
        Index into `headers` of each slice.

    Raises
    ------
    RejectedObjectError
        ``mixed_quantification`` if patient, study or units differ; ``not_parseable``.
    """
    by_short_key: dict[tuple[int, bytes], int] = {}
    by_key: dict[bytes, int] = {}
    headers: list[Header] = []
    opened: list[OpenSlice] = []
    index = np.empty(len(slices), dtype=np.intp)
    for i, item in enumerate(slices):
        short = item.elements.short_key(QUANTITY_TAGS)
        if short not in by_short_key:
            key = item.elements.key(QUANTITY_TAGS)
            if key not in by_key:
                by_key[key] = len(headers)
                headers.append(_header(item, headers, opened))
                opened.append(item)
            by_short_key[short] = by_key[key]
        index[i] = by_short_key[short]
    _require_one_value([header.dataset for header in headers])
    return headers, index


def _header(item: OpenSlice, known: list[Header], opened: list[OpenSlice]) -> Header:
    """Patch the first header of the series if that will do, otherwise parse this one."""
    if known and isinstance(item.elements, RawElements):
        first = opened[0].elements
        if isinstance(first, RawElements) and not _has_private_difference(first, item.elements):
            patched = patched_header(known[0].dataset, first, item.elements, QUANTITY_TAGS)
            if patched is not None:
                return patched
    return Header(_verified_header(item))


def _has_private_difference(first: RawElements, other: RawElements) -> bool:
    private = {t for e in (first, other) for t in e.tags() if is_private_quantity(t)}
    return any(first.value(tag) != other.value(tag) for tag in private)


def _verified_header(item: OpenSlice) -> Dataset:
    """Parse a header and hold what was read quickly against it."""
    dataset = item.parse()
    header = read_slice_header(DatasetElements(dataset))
    if (header.position, header.slope, header.pixels) != (
        item.header.position, item.header.slope, item.header.pixels,
    ):  # fmt: skip
        raise RejectedObjectError("not_parseable", "two parsers disagree about the header")
    return dataset


def _require_one_value(headers: list[Dataset]) -> None:
    for keyword in _ONE_VALUE:
        found = {str(header.get(keyword) or "") for header in headers}
        if len(found) > 1:
            raise RejectedObjectError(
                "mixed_quantification", f"{keyword} has {len(found)} different values"
            )
