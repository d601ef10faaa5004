"""An image series put together: its slices as volumes, each with the headers it came with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from schemas.errors import RejectedObjectError
from schemas.geometry import FloatArray, Geometry
from schemas.volume import FrameAxis
from tasks.dicom import tags
from tasks.dicom.classic_header import FrameElements, patched_frame
from tasks.dicom.elements import DatasetElements, RawElements, is_private_quantity
from tasks.dicom.partition import Partition, Stack, partition
from tasks.dicom.pixels import PixelArray
from tasks.dicom.slices import read_slice_header
from tasks.dicom.variants import Header, patched_header
from tasks.ingest.limits import Limits
from tasks.ingest.load import LoadedObject
from tasks.ingest.open_slice import OpenSlice, stack_pixels
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
        0x00189759,  # AttenuationCorrected
        tags.REAL_WORLD_MAPPING,
        0x00540016,  # RadiopharmaceuticalInformationSequence
        0x00541000,  # SeriesType
        0x00541001,  # Units
        0x00541006,  # SUVType
        0x00541101,  # AttenuationCorrectionMethod
        0x00541102,  # DecayCorrection
        tags.FRAME_REFERENCE_TIME, tags.FRAME_REFERENCE_DATETIME,
        0x00541321,  # DecayFactor
        0x00541322,  # DoseCalibrationFactor
    }
)  # fmt: skip

#: What may not differ between the slices of a series.
_ONE_VALUE_OF_A_SERIES: Final = (
    "PatientID", "IssuerOfPatientID", "StudyInstanceUID", "FrameOfReferenceUID", "Modality",
)  # fmt: skip
#: What may not differ between the slices of one volume. (Where weight, dose or decay correction
#: differ, the volume is fine and `derive_suv` refuses.)
_ONE_VALUE_OF_A_VOLUME: Final = ("Units", "RescaleType")


@dataclass(frozen=True, slots=True, eq=False)
class Assembled:
    """Stored values of one volume on one grid, and the headers they came with.

    Parameters
    ----------
    stored : ndarray, (z, y, x) or (t, z, y, x)
        Slices ascend along row direction x column direction.
    slope, intercept : ndarray, (z,) or (t, z), float64
        Rescaling of each slice.
    geometry : Geometry
        The grid.
    headers : list of Header
        Original headers that differ in what quantification looks at, in slice order.
    header_of_slice : ndarray, (z,) or (t, z), intp
        Index into `headers`.
    objects : list of LoadedObject
        In slice order, each once.
    frames : FrameAxis or None
        Of a 4-D volume.
    label : str or None
        What of the series it is; None if it is all of it.
    """

    stored: PixelArray
    slope: FloatArray
    intercept: FloatArray
    geometry: Geometry
    headers: list[Header]
    header_of_slice: NDArray[np.intp]
    objects: list[LoadedObject]
    frames: FrameAxis | None = None
    label: str | None = None


def assemble(
    slices: list[OpenSlice], planes: PlaneStore, limits: Limits, book: OutcomeBook
) -> list[Assembled]:
    """Put the slices of a series together.

    Parameters
    ----------
    slices : list of OpenSlice
        All that could be opened, in any order.
    planes : PlaneStore
        That they were opened with.
    limits : Limits
        Sizes.
    book : OutcomeBook
        Takes the outcome of objects that are in no volume.

    Returns
    -------
    list of Assembled
        One volume or several (see `tasks.dicom.partition`), the largest first.

    Raises
    ------
    RejectedObjectError
        If there is none, or if headers contradict each other (``mixed_quantification``).
    """
    if not slices:
        raise RejectedObjectError("missing_slices", "no slice of the series can be used")
    found = partition([s.header for s in slices], lambda i, j: _is_same(slices[i], slices[j]))
    made: list[Assembled] = []
    for stack in found.stacks:
        try:
            made.append(_assembled(stack, slices, planes, limits))
        except RejectedObjectError as error:
            found.rejected.update(dict.fromkeys(stack.order.ravel().tolist(), error))
    _settle(found, slices, {id(o.item) for a in made for o in a.objects}, book)
    if not made:
        raise next(iter(found.rejected.values()))
    require_one_value([h.dataset for a in made for h in a.headers], _ONE_VALUE_OF_A_SERIES)
    return made


def _assembled(
    stack: Stack, slices: list[OpenSlice], planes: PlaneStore, limits: Limits
) -> Assembled:
    ordered = [slices[i] for i in stack.order.ravel()]
    if sum(s.header.pixels.n_bytes for s in ordered) > limits.max_series_bytes:
        raise RejectedObjectError("oversized", f"over {limits.max_series_bytes} bytes of pixels")
    headers, header_of_slice = distinct_headers(ordered)
    shape = stack.order.shape
    stored = stack_pixels(ordered, planes)
    return Assembled(
        stored=stored.reshape(*shape, *stored.shape[1:]),
        slope=np.array([s.header.slope for s in ordered], dtype=np.float64).reshape(shape),
        intercept=np.array([s.header.intercept for s in ordered], dtype=np.float64).reshape(shape),
        geometry=stack.geometry,
        headers=headers,
        header_of_slice=header_of_slice.reshape(shape),
        objects=list({id(s.loaded.item): s.loaded for s in ordered}.values()),
        frames=stack.frames,
        label=stack.label,
    )


def _is_same(one: OpenSlice, other: OpenSlice) -> bool:
    """Tell whether two slices at one place hold the same image."""
    alike = (one.header.slope, one.header.intercept) == (other.header.slope, other.header.intercept)
    is_real = one.stored.dtype.kind == "f"
    return alike and np.array_equal(one.stored, other.stored, equal_nan=is_real)


def _settle(found: Partition, slices: list[OpenSlice], used: set[int], book: OutcomeBook) -> None:
    """Give every object that is in no volume its outcome."""
    settled = set(used)
    for index, error in found.rejected.items():
        item = slices[index].loaded.item
        if id(item) in used:
            book.leave_out_frame(error)
        elif id(item) not in settled:
            settled.add(id(item))
            book.reject(item, error)
    for index, original in found.repeated.items():
        item = slices[index].loaded.item
        if id(item) in settled:
            continue
        settled.add(id(item))
        if original in found.rejected:
            book.reject(item, found.rejected[original])
        else:
            book.duplicate(item)


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
        ``mixed_quantification`` if units differ; ``not_parseable``.
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
    require_one_value([header.dataset for header in headers], _ONE_VALUE_OF_A_VOLUME)
    return headers, index


def _header(item: OpenSlice, known: list[Header], opened: list[OpenSlice]) -> Header:
    """Patch the first header of the series if that will do, otherwise parse this one."""
    first = opened[0].elements if known else None
    if isinstance(item.elements, FrameElements) and isinstance(first, FrameElements):
        framed = patched_frame(first, item.elements, QUANTITY_TAGS)
        if framed is not None:
            return framed
    if isinstance(item.elements, RawElements) and isinstance(first, RawElements):
        patched = _patched(known[0], first, item.elements)
        if patched is not None:
            return patched
    return Header(_verified_header(item))


def _patched(known: Header, first: RawElements, elements: RawElements) -> Header | None:
    if _has_private_difference(first, elements):
        return None
    return patched_header(known.dataset, first, elements, QUANTITY_TAGS)


def _has_private_difference(first: RawElements, other: RawElements) -> bool:
    private = {t for e in (first, other) for t in e.tags() if is_private_quantity(t)}
    return any(first.value(tag) != other.value(tag) for tag in private)


def _verified_header(item: OpenSlice) -> Dataset:
    """Parse a header and hold what was read quickly against it."""
    if not isinstance(item.elements, RawElements):
        return item.elements.dataset
    dataset = item.parse()
    header = read_slice_header(DatasetElements(dataset))
    if (header.position, header.slope, header.pixels) != (
        item.header.position, item.header.slope, item.header.pixels,
    ):  # fmt: skip
        raise RejectedObjectError("not_parseable", "two parsers disagree about the header")
    return dataset


def require_one_value(headers: list[Dataset], keywords: Iterable[str]) -> None:
    """Refuse headers that contradict each other.

    Raises
    ------
    RejectedObjectError
        ``mixed_quantification``.
    """
    for keyword in keywords:
        found = {str(header.get(keyword) or "") for header in headers}
        if len(found) > 1:
            raise RejectedObjectError(
                "mixed_quantification", f"{keyword} has {len(found)} different values"
            )
