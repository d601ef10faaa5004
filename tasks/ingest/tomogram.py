"""Reconstructed tomographic NM images: all slices in one multi-frame object."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from schemas.errors import RejectedObjectError
from schemas.geometry import Geometry
from tasks.dicom import tags, values
from tasks.dicom.elements import DatasetElements
from tasks.dicom.parse import parse_dataset
from tasks.dicom.pixels import StoredArray, decoded_pixels, mask_unused_bits
from tasks.dicom.slices import PixelFormat, numbers, read_pixel_format, read_rescale
from tasks.dicom.stack import plane_directions, plane_stack
from tasks.dicom.variants import Header
from tasks.ingest.assembled import Assembled
from tasks.ingest.limits import Limits
from tasks.ingest.load import LoadedObject
from tasks.ingest.open_slice import require_size, volume_dtype
from tasks.ingest.outcomes import OutcomeBook

#: Units of Real World Value Mapping (UCUM) that make SPECT quantitative.
BECQUEREL_PER_ML: Final = "Bq/ml"


def assemble_tomogram(
    objects: Iterable[LoadedObject], limits: Limits, book: OutcomeBook
) -> Assembled:
    """Read the one tomogram of an NM series.

    Parameters
    ----------
    objects : iterable of LoadedObject
        NM Image objects of one series.
    limits : Limits
        Sizes.
    book : OutcomeBook
        Takes the outcome of objects that cannot be used.

    Raises
    ------
    RejectedObjectError
        ``unsupported_dynamic`` if several tomograms came, or why the only one cannot be used.
    """
    opened = []
    for loaded in objects:
        try:
            opened.append(_open(loaded, limits))
        except RejectedObjectError as error:
            book.reject(loaded.item, error)
    if len(opened) != 1:
        if not opened:
            raise RejectedObjectError("missing_slices", "no object of the series can be used")
        raise RejectedObjectError("unsupported_dynamic", f"{len(opened)} tomograms in one series")
    return opened[0]


def _open(loaded: LoadedObject, limits: Limits) -> Assembled:
    dataset = parse_dataset(loaded.data, with_pixels=True)
    elements = DatasetElements(dataset)
    form = read_pixel_format(elements)
    require_size(form, limits)
    if form.n_frames < 2:
        raise RejectedObjectError("single_slice", "expected 2 or more frames, got 1")
    order = _frame_order(dataset, form.n_frames)
    geometry, is_reversed = _geometry(dataset, form)
    frames = mask_unused_bits(decoded_pixels(dataset, form), form)
    del dataset.PixelData
    order = order[::-1] if is_reversed else order
    stored: StoredArray = frames[order].astype(volume_dtype([frames]), copy=False)
    slope, intercept = _rescale(dataset, elements)
    n = form.n_frames
    return Assembled(
        stored=stored,
        slope=np.full(n, slope),
        intercept=np.full(n, intercept),
        geometry=geometry,
        headers=[Header(dataset)],
        header_of_slice=np.zeros(n, dtype=np.intp),
        objects=[loaded],
    )


def _frame_order(dataset: Dataset, n_frames: int) -> NDArray[np.intp]:
    """Frames in slice order by Slice Vector (0054,0080); as they come where it is absent.

    References
    ----------
    DICOM PS3.3 C.8.4.8 (NM Multi-frame Module).
    """
    n_slices = values.number(dataset, "NumberOfSlices")
    if n_slices is not None and n_slices != n_frames:
        raise RejectedObjectError(
            "unsupported_dynamic", f"{n_frames} frames of {n_slices:g} slices"
        )
    vector = [str(v) for v in values.values_of(dataset, "SliceVector")]
    if not vector:
        return np.arange(n_frames, dtype=np.intp)
    if sorted(vector, key=lambda v: (len(v), v)) != [str(i + 1) for i in range(n_frames)]:
        raise RejectedObjectError("unsupported_dynamic", "SliceVector does not count the frames")
    return np.argsort(np.array([int(v) for v in vector]))


def _geometry(dataset: Dataset, form: PixelFormat) -> tuple[Geometry, bool]:
    """Grid from the first detector; True if the frames run against row x column direction.

    References
    ----------
    DICOM PS3.3 C.8.4.15: the sign of Spacing Between Slices (0018,0088) tells whether slices are
    stacked along the normal of the first (positive) or against it.
    """
    detector = values.first_item(dataset, "DetectorInformationSequence")
    place = DatasetElements(detector)
    if not {tags.IMAGE_POSITION, tags.IMAGE_ORIENTATION} <= {int(tag) for tag in detector.keys()}:  # noqa: SIM118
        place = DatasetElements(dataset)  # some vendors write them outside the sequence
    origin = np.array(numbers(place, tags.IMAGE_POSITION, 3, "ImagePositionPatient"))
    row, column = plane_directions(
        numbers(place, tags.IMAGE_ORIENTATION, 6, "ImageOrientationPatient")
    )
    top = DatasetElements(dataset)
    spacing = numbers(top, tags.PIXEL_SPACING, 2, "PixelSpacing")
    distance = numbers(top, tags.SPACING_BETWEEN_SLICES, 1, "SpacingBetweenSlices")[0]
    if distance == 0 or min(spacing) <= 0:
        raise RejectedObjectError("invalid_attribute", "spacing is 0 or negative")
    step = np.cross(row, column) * distance
    if distance < 0:
        origin, step = origin + (form.n_frames - 1) * step, -step
    geometry = plane_stack(
        form.rows, form.columns, spacing, (row, column), origin, step, form.n_frames
    )
    return geometry, distance < 0


def _rescale(dataset: Dataset, elements: DatasetElements) -> tuple[float, float]:
    """Real World Value Mapping to Bq/ml if there is one, else Rescale Slope and Intercept."""
    mapping = becquerel_mapping(dataset)
    return mapping if mapping is not None else read_rescale(elements)


def becquerel_mapping(dataset: Dataset) -> tuple[float, float] | None:
    """Slope and intercept of a Real World Value Mapping (0040,9096) to Bq/ml, if there is one.

    References
    ----------
    DICOM PS3.3 C.7.6.16.2.11; units by UCUM, CID 7181.
    """
    for item in values.items(dataset, "RealWorldValueMappingSequence"):
        unit = values.text(values.first_item(item, "MeasurementUnitsCodeSequence"), "CodeValue")
        slope = values.number(item, "RealWorldValueSlope")
        if unit is not None and unit.lower() == BECQUEREL_PER_ML.lower() and slope:
            return slope, values.number(item, "RealWorldValueIntercept") or 0.0
    return None
