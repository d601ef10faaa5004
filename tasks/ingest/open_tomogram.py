"""Reconstructed tomographic NM images: all slices, and all gates, in one multi-frame object."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from schemas.errors import RejectedObjectError
from schemas.geometry import FloatArray
from tasks.dicom import tags, values
from tasks.dicom.elements import DatasetElements
from tasks.dicom.nm_vectors import frame_vector
from tasks.dicom.parse import parse_dataset
from tasks.dicom.pixels import decoded_pixels
from tasks.dicom.slices import (
    SliceHeader,
    numbers,
    read_pixel_format,
    read_rescale,
    time_key,
)
from tasks.dicom.stack import plane_directions
from tasks.ingest.limits import Limits
from tasks.ingest.load import LoadedObject
from tasks.ingest.open_slice import OpenSlice, require_size
from tasks.ingest.real_world import becquerel_mapping

#: Vectors of a reconstructed tomogram, in the order in which its frames count.
_VECTORS: Final = ("RRIntervalVector", "TimeSlotVector", "SliceVector")


@dataclass(frozen=True, slots=True)
class _Planes:
    """Where the slices of a tomogram lie: the first one, and the way from one to the next (mm)."""

    origin: FloatArray
    step: FloatArray
    orientation: tuple[float, ...]
    pixel_spacing: tuple[float, ...]


def open_tomogram(loaded: LoadedObject, limits: Limits) -> list[OpenSlice]:
    """Open a tomogram as slices, each at its place and, if gated, in its gate.

    Parameters
    ----------
    loaded : LoadedObject
        NM Image of type RECON TOMO or RECON GATED TOMO.
    limits : Limits
        Sizes.

    Raises
    ------
    RejectedObjectError
        Why it cannot be used.

    References
    ----------
    DICOM PS3.3 C.8.4.8 (NM Multi-frame), C.8.4.13 (Multi-gated Acquisition), C.8.4.15
    (Reconstruction).
    """
    dataset = parse_dataset(loaded.data, with_pixels=True)
    elements = DatasetElements(dataset)
    form = read_pixel_format(elements)
    require_size(form, limits)
    if form.n_frames < 2:
        raise RejectedObjectError(
            "single_slice", "expected 2 or more frames, got 1", ["NumberOfFrames"]
        )
    counts = _counted(dataset, form.n_frames)
    planes = _planes(dataset)
    slope, intercept = becquerel_mapping(dataset) or read_rescale(elements)
    frames = decoded_pixels(dataset, form)
    del dataset.PixelData
    gate_ms = _gate_ms(dataset)
    uid = elements.text(tags.SOP_INSTANCE_UID) or ""
    modality = elements.text(tags.MODALITY) or ""
    plane = replace(form, n_frames=1)
    return [
        OpenSlice(
            loaded,
            SliceHeader(
                sop_instance_uid=uid,
                pixels=plane,
                position=tuple((planes.origin + (number - 1) * planes.step).tolist()),
                orientation=planes.orientation,
                pixel_spacing=planes.pixel_spacing,
                slope=slope,
                intercept=intercept,
                time_key=_key(elements, interval, slot, gate_ms),
                modality=modality,
            ),
            stored,
            elements,
        )
        for stored, (interval, slot, number) in zip(frames, counts.tolist(), strict=True)
    ]


def _counted(dataset: Dataset, n_frames: int) -> NDArray[np.int64]:
    """R-R interval, time slot and slice of each frame, (frame, 3), from 1.

    A vector that is absent counts nothing, but for the slices of an ungated tomogram.
    """
    found = [frame_vector(dataset, keyword, n_frames) for keyword in _VECTORS]
    n_slices = values.number(dataset, "NumberOfSlices")
    if found[2] is None:
        if any(v is not None for v in found) or (n_slices or n_frames) != n_frames:
            raise RejectedObjectError(
                "missing_attribute", f"SliceVector is absent; {n_frames} frames came"
            )
        found[2] = np.arange(1, n_frames + 1)
    one = np.ones(n_frames, dtype=np.int64)
    counts = np.stack([one if v is None else v for v in found], axis=1)
    if len(np.unique(counts, axis=0)) != n_frames:
        raise RejectedObjectError(
            "invalid_attribute", "frame vectors do not count the frames", _VECTORS
        )
    return counts


def _planes(dataset: Dataset) -> _Planes:
    """Places of the slices from the first detector.

    The sign of Spacing Between Slices (0018,0088) tells whether slices are stacked along the normal
    of the first (positive) or against it (PS3.3 C.8.4.15).
    """
    detector = values.first_item(dataset, "DetectorInformationSequence")
    place = DatasetElements(detector)
    if not {tags.IMAGE_POSITION, tags.IMAGE_ORIENTATION} <= {int(tag) for tag in detector.keys()}:  # noqa: SIM118
        place = DatasetElements(dataset)  # some vendors write them outside the sequence
    origin = np.array(numbers(place, tags.IMAGE_POSITION, 3, "ImagePositionPatient"))
    orientation = numbers(place, tags.IMAGE_ORIENTATION, 6, "ImageOrientationPatient")
    row, column = plane_directions(orientation)
    top = DatasetElements(dataset)
    spacing = numbers(top, tags.PIXEL_SPACING, 2, "PixelSpacing")
    distance = numbers(top, tags.SPACING_BETWEEN_SLICES, 1, "SpacingBetweenSlices")[0]
    if distance == 0 or min(spacing) <= 0:
        raise RejectedObjectError(
            "invalid_attribute",
            "spacing is 0 or negative",
            ["PixelSpacing", "SpacingBetweenSlices"],
        )
    return _Planes(origin, np.cross(row, column) * distance, orientation, spacing)


def _gate_ms(dataset: Dataset) -> float | None:
    """Length of a time slot: Frame Time (0018,1063) of the gated data."""
    gated = values.first_item(dataset, "GatedInformationSequence")
    return values.number(values.first_item(gated, "DataInformationSequence"), "FrameTime")


def _key(elements: DatasetElements, interval: int, slot: int, gate_ms: float | None) -> str:
    """Time key of a frame; without the length of a slot its number stands for the time."""
    own = {tags.TRIGGER_TIME: f"{(slot - 1) * (gate_ms or 1.0):g}"}
    if interval > 1:
        own[tags.ACQUISITION_NUMBER] = str(interval)
    return time_key(elements, own)
