"""Objects in every transfer syntax that the installed decoders claim, by other encoders."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from tests.support.dicom_objects import to_bytes

Pixels = NDArray[Any]
#: Frame (y, x), bits stored -> encoded frame.
FrameEncoder = Callable[[Pixels, int], bytes]


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a transfer syntax is written, and what it can hold.

    Parameters
    ----------
    frame : FrameEncoder or None
        Encodes a frame; None for uncompressed syntaxes.
    largest_error : int
        Largest difference of a stored value after decoding; 0 if lossless.
    bits : tuple of int
        Bits Stored that it can hold.
    signed : bool
        Whether signed values can be held.
    """

    frame: FrameEncoder | None = None
    largest_error: int = 0
    bits: tuple[int, ...] = (8, 12, 16)
    signed: bool = True


def _unsigned(frame: Pixels, bits: int) -> Pixels:
    """Two's complement in the lowest bits, as codecs without a sign take signed values."""
    masked: Pixels = frame.view(f"u{frame.dtype.itemsize}") & ((1 << bits) - 1)
    return masked


def _jpeg(**options: Any) -> FrameEncoder:
    def encode(frame: Pixels, bits: int) -> bytes:
        plain = _unsigned(frame, bits)
        return bytes(imagecodecs.jpeg8_encode(plain, bitspersample=bits, **options))

    return encode


def _jpegls(level: int) -> FrameEncoder:
    def encode(frame: Pixels, bits: int) -> bytes:
        return bytes(imagecodecs.jpegls_encode(_unsigned(frame, bits), level=level))

    return encode


def _jpeg2000(**options: Any) -> FrameEncoder:
    def encode(frame: Pixels, bits: int) -> bytes:
        return bytes(
            imagecodecs.jpeg2k_encode(frame, codecformat="j2k", bitspersample=bits, **options)
        )

    return encode


def _htj2k(**options: Any) -> FrameEncoder:
    def encode(frame: Pixels, bits: int) -> bytes:
        return bytes(imagecodecs.htj2k_encode(frame, **options))

    return encode


def _rle(frame: Pixels, bits: int) -> bytes:
    """Segments of bytes, most significant first (PS3.5 Annex G), packed by imagecodecs."""
    little = frame.astype(frame.dtype.newbyteorder("<")).view(np.uint8)
    size = frame.dtype.itemsize
    planes = [little.reshape(-1, size)[:, size - 1 - i].reshape(frame.shape) for i in range(size)]
    segments = []
    for plane in planes:
        packed = b"".join(bytes(imagecodecs.packbits_encode(row.tobytes())) for row in plane)
        segments.append(packed + b"\0" * (len(packed) % 2))
    offsets = np.zeros(16, "<u4")
    offsets[0] = size
    offsets[1 : size + 1] = 64 + np.cumsum([0, *(len(s) for s in segments[:-1])])
    return offsets.tobytes() + b"".join(segments)


ENCODINGS: dict[str, Encoding] = {
    uid.ImplicitVRLittleEndian: Encoding(),
    uid.ExplicitVRLittleEndian: Encoding(),
    uid.DeflatedExplicitVRLittleEndian: Encoding(),
    uid.ExplicitVRBigEndian: Encoding(),
    uid.RLELossless: Encoding(_rle),
    uid.JPEGBaseline8Bit: Encoding(_jpeg(level=98), 6, (8,), signed=False),
    uid.JPEGExtended12Bit: Encoding(_jpeg(level=98), 40, (12,), signed=False),
    uid.JPEGLossless: Encoding(_jpeg(lossless=True, predictor=4)),
    uid.JPEGLosslessSV1: Encoding(_jpeg(lossless=True, predictor=1)),
    uid.JPEGLSLossless: Encoding(_jpegls(0)),
    uid.JPEGLSNearLossless: Encoding(_jpegls(2), 2, signed=False),
    uid.JPEG2000Lossless: Encoding(_jpeg2000(reversible=True)),
    uid.JPEG2000: Encoding(_jpeg2000(level=70), 24),
    uid.HTJ2KLossless: Encoding(_htj2k(reversible=True)),
    uid.HTJ2KLosslessRPCL: Encoding(_htj2k(reversible=True, tlm=True, tilepart=1)),
    uid.HTJ2K: Encoding(_htj2k(reversible=False), 24),
}


def formats(encoding: Encoding) -> list[tuple[int, bool]]:
    """Bits Stored and sign of what a syntax can hold."""
    return [(b, s) for b in encoding.bits for s in (False, True) if encoding.signed or not s]


def encoded(ds: Dataset, syntax: str, bits: int) -> bytes:
    """Write an object with its native pixels in another transfer syntax."""
    made, encoding = copy.deepcopy(ds), ENCODINGS[syntax]
    made.BitsStored, made.HighBit = bits, bits - 1
    made.ensure_file_meta()
    made.file_meta.TransferSyntaxUID = uid.UID(syntax)
    if encoding.frame is None:
        if syntax == uid.ExplicitVRBigEndian and made.BitsAllocated == 16:
            made.PixelData = np.frombuffer(made.PixelData, "<u2").byteswap().tobytes()
        return to_bytes(made)
    kind = "i" if made.PixelRepresentation else "u"
    stored = np.frombuffer(ds.PixelData, f"<{kind}{made.BitsAllocated // 8}")
    n_frames = int(made.get("NumberOfFrames", 1))
    frames = stored[: n_frames * made.Rows * made.Columns].reshape(-1, made.Rows, made.Columns)
    made.PixelData = encapsulate([encoding.frame(frame, bits) for frame in frames])
    made["PixelData"].VR = "OB"
    made["PixelData"].is_undefined_length = True
    if encoding.largest_error:
        made.LossyImageCompression, made.LossyImageCompressionRatio = "01", "3"
    return to_bytes(made)
