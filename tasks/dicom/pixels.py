"""Stored pixel values, exactly as in the object."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.utils import pixel_array
from pydicom.uid import UID

from schemas.errors import RejectedObjectError
from tasks.dicom.codestream import require_honest_frames
from tasks.dicom.parse import quiet_pydicom
from tasks.dicom.slices import PixelFormat

StoredArray = NDArray[np.integer[Any]]
#: Stored values of any kind of image; those of parametric maps may be floating point.
PixelArray = NDArray[np.number[Any]]


def native_pixels(data: bytes, offset: int, length: int, form: PixelFormat) -> StoredArray:
    """Read the stored values of uncompressed little-endian pixel data.

    Parameters
    ----------
    data : bytes
        The object.
    offset, length : int
        Of the value of Pixel Data (7FE0,0010).
    form : PixelFormat
        Layout.

    Returns
    -------
    ndarray, (frame, y, x)
        A view of `data` if all allocated bits are image, otherwise a copy without the other bits.

    Raises
    ------
    RejectedObjectError
        ``truncated`` if the bytes end before the pixels do.
    """
    available = min(length, len(data) - offset)
    if available < form.n_bytes:
        raise RejectedObjectError(
            "truncated", f"expected {form.n_bytes} bytes of pixels, got {max(available, 0)}"
        )
    count = form.n_bytes // form.dtype.itemsize
    flat = np.frombuffer(data, form.dtype, count=count, offset=offset)
    return mask_unused_bits(flat.reshape(form.n_frames, form.rows, form.columns), form)


def mask_unused_bits(stored: StoredArray, form: PixelFormat) -> StoredArray:
    """Remove bits outside the image (overlays, padding) and extend the sign.

    References
    ----------
    DICOM PS3.5 section 8.1.1.
    """
    above = form.bits_allocated - form.high_bit - 1
    below = form.bits_allocated - form.bits_stored
    if below == 0 or (above == below and _is_within(stored, form.bits_stored)):
        return stored
    shifted: StoredArray = np.right_shift(np.left_shift(stored, above), below)
    return shifted


def _is_within(stored: StoredArray, bits: int) -> bool:
    """Tell whether all values fit into the lowest bits, so that masking would change none."""
    largest = int(stored.max())
    if stored.dtype.kind == "u":
        return largest < 1 << bits
    return largest < 1 << (bits - 1) and int(stored.min()) >= -(1 << (bits - 1))


def transfer_syntax(dataset: Dataset) -> UID:
    """Return the transfer syntax of a parsed object.

    Raises
    ------
    RejectedObjectError
        ``undecodable_pixels`` if it is none of the standard's.
    """
    syntax = UID(str(dataset.file_meta.TransferSyntaxUID))
    if not syntax.is_transfer_syntax or syntax.is_private:
        raise RejectedObjectError(
            "undecodable_pixels", "the transfer syntax is not a standard one", ["TransferSyntaxUID"]
        )
    return syntax


def decoded_pixels(dataset: Dataset, form: PixelFormat) -> StoredArray:
    """Decode the stored values of any transfer syntax that the installed decoders know.

    Parameters
    ----------
    dataset : pydicom.Dataset
        With pixel data and file meta information.
    form : PixelFormat
        Layout, for the shape.

    Returns
    -------
    ndarray, (frame, y, x)
        Without bits outside the image, with the sign extended; a view if they were uncompressed.

    Raises
    ------
    RejectedObjectError
        ``missing_attribute`` without pixel data, ``undecodable_pixels`` or ``truncated``.
    """
    if "PixelData" not in dataset:
        raise RejectedObjectError("missing_attribute", "PixelData is absent")
    syntax = transfer_syntax(dataset)
    stored = dataset.PixelData or b""
    if not syntax.is_compressed and len(stored) < form.n_bytes:
        raise RejectedObjectError(
            "truncated", f"expected {form.n_bytes} bytes of pixels, got {len(stored)}"
        )
    if not syntax.is_compressed and syntax.is_little_endian and form.bits_allocated > 1:
        return native_pixels(stored, 0, len(stored), form)
    try:
        if syntax.is_compressed:
            require_honest_frames(dataset.PixelData, form)
        with quiet_pydicom():
            array = pixel_array(dataset, raw=True)
    except (MemoryError, RejectedObjectError):
        raise
    except Exception as error:  # noqa: BLE001 - decoder plug-ins raise what their libraries do
        raise RejectedObjectError(
            "undecodable_pixels", f"{syntax.name}: decoder failed with {type(error).__name__}"
        ) from None
    shape = (form.n_frames, form.rows, form.columns)
    if array.size != np.prod(shape):
        raise RejectedObjectError(
            "undecodable_pixels", f"expected shape {shape}, decoded {array.shape}"
        )
    reshaped: StoredArray = array.reshape(shape)
    if syntax.is_compressed:
        return _with_sign(reshaped, form)
    return mask_unused_bits(reshaped, form)


def _with_sign(decoded: StoredArray, form: PixelFormat) -> StoredArray:
    """Extend the sign of decoded values where the codec knew of none.

    Codecs hold nothing but the image, so no bit is masked: a lossy one may overshoot the range,
    and masking would make its highest value the lowest.

    References
    ----------
    DICOM PS3.5 section 8.2 and 8.2.3 (the sign of JPEG-LS is in the data set only).
    """
    half = 1 << (form.bits_stored - 1)
    if not form.is_signed or form.bits_stored == form.bits_allocated:
        return decoded
    if int(decoded.min()) < 0 or int(decoded.max()) < half:
        return decoded
    extended: StoredArray = np.where(decoded >= half, decoded - 2 * half, decoded)
    return extended
