"""Open planar objects: projections of an NM camera, and grey Secondary Capture of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from pydicom.dataset import Dataset

from schemas.errors import RejectedObjectError
from tasks.dicom import tags, values
from tasks.dicom.elements import DatasetElements
from tasks.dicom.kinds import NM_CLASSES, is_secondary_capture
from tasks.dicom.nm_times import FrameTimes, frame_times
from tasks.dicom.nm_vectors import Counts, frame_counts
from tasks.dicom.parse import parse_dataset
from tasks.dicom.pixels import StoredArray, decoded_pixels
from tasks.dicom.slices import PixelFormat, numbers, read_pixel_format, read_rescale
from tasks.ingest.limits import Limits
from tasks.ingest.load import LoadedObject
from tasks.ingest.open_slice import require_size


@dataclass(frozen=True, slots=True, eq=False)
class PlanarObject:
    """The frames of one planar object, in their order.

    Parameters
    ----------
    loaded : LoadedObject
        The object.
    dataset : Dataset
        Its header as it came.
    form : str
        Image Type value 3 (``STATIC``, ``WHOLE BODY`` ...), empty if it says nothing.
    stored : ndarray, (frame, y, x)
        Stored values.
    slope, intercept : float
        Rescaling.
    pixel_spacing : tuple of float or None
        Between rows, between columns (mm); None if it is not given.
    counts : dict
        What each frame is of; see `tasks.dicom.nm_vectors`.
    times : FrameTimes
        When each frame was measured.
    acquired : datetime or None
        Start of the acquisition.
    """

    loaded: LoadedObject
    dataset: Dataset
    form: str
    stored: StoredArray
    slope: float
    intercept: float
    pixel_spacing: tuple[float, ...] | None
    counts: Counts
    times: FrameTimes
    acquired: datetime | None

    @property
    def is_secondary_capture(self) -> bool:
        """True for Secondary Capture."""
        return is_secondary_capture(self.loaded.item.sop_class_uid or "")

    @property
    def has_counts(self) -> bool:
        """True if the values are counts of a camera, not grey values of a picture of them."""
        if values.text(self.dataset, "Modality") != "NM":
            return False
        return not self.is_secondary_capture or "energy_window" in self.counts

    def fingerprint(self) -> bytes:
        """Equal for objects that hold the same frames of the same time."""
        digest = hashlib.sha256(self.stored.tobytes())
        digest.update(repr((self.stored.shape, self.stored.dtype.str, self.acquired)).encode())
        digest.update(repr((self.slope, self.intercept, self.pixel_spacing)).encode())
        for name, counts in self.counts.items():
            digest.update(name.encode() + counts.tobytes())
        return digest.digest()


def open_planar(loaded: LoadedObject, limits: Limits) -> PlanarObject:
    """Open one planar object.

    Parameters
    ----------
    loaded : LoadedObject
        NM Image of a planar type, or Secondary Capture.
    limits : Limits
        Sizes.

    Raises
    ------
    RejectedObjectError
        Why it cannot be used; ``secondary_capture`` for what is coloured or marked as showing
        identity.

    References
    ----------
    DICOM PS3.3 C.8.4 (NM modules), A.8 (Secondary Capture).
    """
    dataset = parse_dataset(loaded.data, with_pixels=True)
    elements = DatasetElements(dataset)
    form = _pixel_format(dataset, elements, loaded)
    require_size(form, limits)
    slope, intercept = read_rescale(elements)
    stored = decoded_pixels(dataset, form)
    del dataset.PixelData
    kind = _image_form(dataset)
    counts = frame_counts(dataset, form.n_frames)
    return PlanarObject(
        loaded=loaded.beginning(0),
        dataset=dataset,
        form=kind,
        stored=stored,
        slope=slope,
        intercept=intercept,
        pixel_spacing=_pixel_spacing(elements),
        counts=counts,
        times=frame_times(dataset, kind, counts, form.n_frames),
        acquired=values.moment(
            dataset, "AcquisitionDate", "AcquisitionTime", "AcquisitionDateTime"
        ),
    )


def _pixel_format(dataset: Dataset, elements: DatasetElements, loaded: LoadedObject) -> PixelFormat:
    """Layout of the pixels; refuses what shows, or may show, who the patient is."""
    is_capture = (loaded.item.sop_class_uid or "") not in NM_CLASSES
    if values.text(dataset, "BurnedInAnnotation") == "YES":
        raise RejectedObjectError(
            "secondary_capture" if is_capture else "deidentification_failed",
            "BurnedInAnnotation is YES",
        )
    try:
        return read_pixel_format(elements)
    except RejectedObjectError as error:
        if is_capture and error.reason_code == "unsupported_object":
            raise RejectedObjectError("secondary_capture", error.detail, error.attributes) from None
        raise


def _image_form(dataset: Dataset) -> str:
    kinds = values.texts(dataset, "ImageType")
    return kinds[2].upper() if len(kinds) > 2 else ""


def _pixel_spacing(elements: DatasetElements) -> tuple[float, ...] | None:
    """Pixel Spacing in mm; what is no such thing counts as absent, since nothing rests on it."""
    try:
        spacing = numbers(elements, tags.PIXEL_SPACING, 2, "PixelSpacing")
    except RejectedObjectError:
        return None
    return spacing if min(spacing) > 0 else None
