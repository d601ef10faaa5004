"""The same pixels in every transfer syntax give the same stored values."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import dcmread, uid
from pydicom.dataset import Dataset
from pydicom.pixels.decoders.base import get_decoder

from schemas.records import ConvertedSeries
from tasks.dicom.kinds import CT_IMAGE
from tests.support.dicom_objects import (
    convert_all,
    nm_tomogram,
    pet_slice,
    reasons,
    segmentation,
)
from tests.support.encodings import ENCODINGS, encoded, formats
from tests.support.enhanced_objects import enhanced_pet, pet_frames

ALL = [
    pytest.param(syntax, bits, signed, id=f"{uid.UID(syntax).keyword}-{'iu'[not signed]}{bits}")
    for syntax, encoding in ENCODINGS.items()
    for bits, signed in formats(encoding)
]


def stored_values(bits: int, *, signed: bool, n: int = 1) -> NDArray[Any]:
    """Frames (frame, y, x) of a smooth picture with noise that reach both ends of the range."""
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    y, x = np.mgrid[:24, :20] / 24
    smooth = np.stack([0.5 + 0.4 * np.sin(3 * x + i) * np.cos(2 * y) for i in range(n)])
    noisy = smooth + np.random.default_rng(7).normal(0, 0.01, smooth.shape)
    values = np.clip(low + noisy * (high - low), low, high).round()
    values[:, 0, 0], values[:, -1, -1] = low, high
    kind = f"{'i' if signed else 'u'}{1 if bits == 8 else 2}"
    return values.astype(kind)


def ct_slices(frames: NDArray[Any]) -> list[Dataset]:
    """CT slices of stored values."""
    slices = [pet_slice(i + 1, frame, (0, 0, 3.0 * i)) for i, frame in enumerate(frames)]
    for ds in slices:
        ds.SOPClassUID, ds.Modality = CT_IMAGE, "CT"
        ds.RescaleSlope, ds.RescaleIntercept = "1", "-1024"
    return slices


def scale(bits: int) -> int:
    """Errors of lossy codecs grow with the range: bounds are for up to 12 bits."""
    return 1 << max(0, bits - 12)


def volume_of(made: ConvertedSeries) -> NDArray[Any]:
    """Stored values of the only volume."""
    assert set(reasons(made)) == {"ingested"}
    (volume,) = made.raw
    return volume.stored


def test_every_syntax_that_the_decoders_claim_is_tested() -> None:
    """A decoder that comes with a new plug-in makes this fail, until it is tested below."""
    claimed = set()
    for syntax in uid.AllTransferSyntaxes:
        try:
            decoder = get_decoder(syntax)
        except NotImplementedError:
            continue
        if decoder.is_available:
            claimed.add(str(syntax))
    assert claimed == set(ENCODINGS)


@pytest.mark.parametrize(("syntax", "bits", "signed"), ALL)
def test_slices(syntax: str, bits: int, signed: bool) -> None:
    frames = stored_values(bits, signed=signed, n=2)
    objects = [encoded(ds, syntax, bits) for ds in ct_slices(frames)]
    (made,) = convert_all(objects)
    found = volume_of(made)
    difference = np.abs(found.astype(np.int64) - frames.astype(np.int64)).max()
    assert difference <= ENCODINGS[syntax].largest_error * scale(bits)
    rules = {f["rule_id"] for f in made.rows["findings"]}
    assert ("ingest.lossy_compression" in rules) == bool(ENCODINGS[syntax].largest_error)


@pytest.mark.parametrize(("syntax", "bits", "signed"), ALL)
def test_frames_of_a_tomogram(syntax: str, bits: int, signed: bool) -> None:
    frames = stored_values(bits, signed=signed, n=3)
    (made,) = convert_all([encoded(nm_tomogram(frames), syntax, bits)])
    difference = np.abs(volume_of(made).astype(np.int64) - frames.astype(np.int64)).max()
    assert difference <= ENCODINGS[syntax].largest_error * scale(bits)


@pytest.mark.parametrize("kind", ["enhanced", "planar"])
@pytest.mark.parametrize("syntax", [s for s, e in ENCODINGS.items() if 16 in e.bits])
def test_frames_of_other_objects(syntax: str, kind: str) -> None:
    ds = enhanced_pet(pet_frames(3)) if kind == "enhanced" else planar_image()
    (plain,) = convert_all([ds])
    (made,) = convert_all([encoded(ds, syntax, 16)])
    difference = np.abs(volume_of(made).astype(np.int64) - volume_of(plain).astype(np.int64)).max()
    assert difference <= ENCODINGS[syntax].largest_error * scale(16)
    rules = {f["rule_id"] for f in made.rows["findings"]}
    assert ("ingest.lossy_compression" in rules) == bool(ENCODINGS[syntax].largest_error)


def planar_image() -> Dataset:
    """Whole body of one detector."""
    ds = nm_tomogram(stored_values(12, signed=False))
    ds.ImageType = ["ORIGINAL", "PRIMARY", "WHOLE BODY", "EMISSION"]
    del ds.SliceVector, ds.FrameIncrementPointer
    return ds


@pytest.mark.parametrize("syntax", [s for s, e in ENCODINGS.items() if e.frame is None])
@pytest.mark.parametrize("signed", [False, True])
def test_overlays_in_unused_bits_are_no_image(syntax: str, signed: bool) -> None:
    frames = stored_values(12, signed=signed, n=2)
    dirty = ((frames.view(np.uint16) & 0x0FFF) | 0x5000).view(frames.dtype)
    objects = [encoded(ds, syntax, 12) for ds in ct_slices(dirty)]
    (made,) = convert_all(objects)
    np.testing.assert_array_equal(volume_of(made), frames)
    (tomogram,) = convert_all([encoded(nm_tomogram(dirty), syntax, 12)])
    np.testing.assert_array_equal(volume_of(tomogram), frames)


@pytest.mark.parametrize("syntax", [s for s, e in ENCODINGS.items() if not e.largest_error])
def test_fractional_segmentation(syntax: str) -> None:
    masks = [np.zeros((6, 4), bool) for _ in range(3)]
    masks[0][2:4, 1:3] = masks[1][1:5, 1:3] = masks[2][3, 3] = True
    seg = segmentation([(1, 3.0 * i, m) for i, m in enumerate(masks)], ["a"], kind="FRACTIONAL")
    seg.PixelData = (np.stack(masks) * np.uint8(200)).tobytes()
    (made,) = convert_all([encoded(seg, syntax, 8)])
    assert reasons(made) == ["ingested"]
    np.testing.assert_array_equal(made.masks[0].labels, np.stack(masks).astype(np.uint8))


@pytest.mark.parametrize("syntax", [s for s, e in ENCODINGS.items() if e.frame is None])
def test_binary_segmentation(syntax: str) -> None:
    masks = [np.zeros((5, 3), bool) for _ in range(3)]  # 15 bits a frame: no whole bytes
    masks[0][2:4, 1:3] = masks[1][1:5, 1] = masks[2][3, 2] = True
    seg = segmentation([(1, 3.0 * i, m) for i, m in enumerate(masks)], ["a"])
    (made,) = convert_all([encoded(seg, syntax, 1)])
    np.testing.assert_array_equal(made.masks[0].labels, np.stack(masks).astype(np.uint8))


@pytest.mark.parametrize(
    ("syntax", "said", "found"),
    [
        (uid.ExplicitVRLittleEndian, None, False),
        (uid.ExplicitVRLittleEndian, "00", False),
        (uid.ExplicitVRLittleEndian, "01", True),  # lossy before it was stored plainly
        (uid.JPEG2000, None, True),  # may have lost, and does not say that it did not
        (uid.JPEG2000, "00", False),
        (uid.JPEGLSNearLossless, "00", True),  # the syntax knows better
    ],
)
def test_lossy_compression_is_found(syntax: str, said: str | None, found: bool) -> None:
    frames = stored_values(12, signed=False, n=2)
    objects = []
    for ds in ct_slices(frames):
        made = encoded(ds, syntax, 12)
        objects.append(_saying(made, said))
    (made_series,) = convert_all(objects)
    rows = [f for f in made_series.rows["findings"] if f["rule_id"] == "ingest.lossy_compression"]
    assert [r["severity"] for r in rows] == (["warn"] if found else [])


def _saying(content: bytes, said: str | None) -> bytes:
    ds = dcmread(io.BytesIO(content))
    if said is None:
        ds.pop("LossyImageCompression", None)
    else:
        ds.LossyImageCompression = said
    buffer = io.BytesIO()
    ds.save_as(buffer)
    return buffer.getvalue()
