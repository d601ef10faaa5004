"""Whether two objects of one SOP Instance UID that differ as bytes say the same.

An archive may send an object in another transfer syntax than it got it in: compressed without loss,
with implicit value representations, with sequences of another kind of length. What a lake keeps of
it (the de-identified header and the decoded pixels) is the same.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from pydicom.dataset import Dataset

from schemas.errors import RejectedObjectError
from tasks.dicom.elements import DatasetElements
from tasks.dicom.parse import parse_dataset, quiet_pydicom
from tasks.dicom.pixels import decoded_pixels
from tasks.dicom.slices import read_pixel_format
from tasks.dicom.variants import without
from tasks.ingest.context import Context

#: Says of an object that was compressed without loss that it was not compressed with loss.
_NO_LOSS: Final = "00"


def is_same_content(one: bytes, other: bytes, context: Context) -> bool:
    """Tell whether two objects are equal but for their encoding.

    Compared are the de-identified headers (all elements at any depth, apart from file meta
    information, pixel data and group lengths) and the stored values of all pixels after decoding.
    An object that cannot be parsed, de-identified or decoded equals none.

    Parameters
    ----------
    one, other : bytes
        Whole objects.
    context : Context
        How headers are de-identified.
    """
    try:
        first, second = (parse_dataset(data, with_pixels=True) for data in (one, other))
        with quiet_pydicom():
            return _header(first, context) == _header(second, context) and _are_pixels_equal(
                first, second
            )
    except RejectedObjectError:
        return False


def _header(dataset: Dataset, context: Context) -> Dataset:
    plain = without(dataset, ["PixelData"])
    for tag in list(plain.keys()):
        if tag.element == 0:
            del plain[tag]
    if str(plain.get("LossyImageCompression", "")) == _NO_LOSS:
        del plain.LossyImageCompression
    return context.clean(plain)


def _are_pixels_equal(first: Dataset, second: Dataset) -> bool:
    if "PixelData" not in first and "PixelData" not in second:
        return True
    one, other = (decoded_pixels(d, read_pixel_format(DatasetElements(d))) for d in (first, second))
    return one.shape == other.shape and bool(np.array_equal(one, other))
