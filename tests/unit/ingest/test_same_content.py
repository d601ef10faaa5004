"""Copies in another encoding are duplicates; a changed value or pixel is a conflict."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pytest
from pydicom import uid
from pydicom.dataset import Dataset

from schemas.errors import RejectedObjectError
from schemas.records import SeriesGroup
from tasks.deidentify.pseudonyms import Pseudonymiser
from tasks.dicom.grouping import group_series
from tasks.dicom.kinds import CT_IMAGE
from tasks.ingest.context import Context
from tasks.ingest.convert import convert_series
from tasks.ingest.limits import Limits
from tasks.ingest.load import content_digest
from tasks.ingest.same_content import is_same_content
from tests.support.dicom_objects import (
    SECRET,
    convert_all,
    implicit_bytes,
    outcomes,
    pet_slice,
    reasons,
    scan_all,
    to_bytes,
)
from tests.support.encodings import ENCODINGS, encoded

LOSSLESS = [s for s, e in ENCODINGS.items() if not e.largest_error]
DEIDENTIFYING = Context(Pseudonymiser(SECRET), Limits(), deidentify=True)


def _slice(number: int = 1) -> Dataset:
    stored = np.random.default_rng(number).integers(-1024, 3000, (16, 12)).astype("<i2")
    ds = pet_slice(number, stored, (0, 0, 3.0 * number))
    ds.SOPClassUID, ds.Modality = CT_IMAGE, "CT"
    ds.RescaleSlope, ds.RescaleIntercept = "1", "-1024"
    ds.PatientName, ds.InstitutionName = "Doe^Jane", "Hospital One"
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "39607008", "SCT", "Lung"
    ds.AnatomicRegionSequence = [item]
    return ds


@pytest.mark.parametrize("syntax", LOSSLESS, ids=lambda s: uid.UID(s).keyword)
def test_every_lossless_encoding_says_the_same(syntax: str) -> None:
    plain = to_bytes(_slice())
    copied = encoded(_slice(), syntax, 16)
    assert is_same_content(plain, copied, DEIDENTIFYING)
    assert is_same_content(copied, plain, Context(Pseudonymiser(SECRET), Limits(), False))


def _brighter(ds: Dataset) -> None:
    pixels = np.frombuffer(ds.PixelData, "<i2").copy()
    pixels[5] += 1
    ds.PixelData = pixels.tobytes()


def _other_slope(ds: Dataset) -> None:
    ds.RescaleSlope = "1.5"


def _deeper(ds: Dataset) -> None:
    ds.AnatomicRegionSequence[0].CodeValue = "10200004"


def _other_patient(ds: Dataset) -> None:
    ds.PatientID = "somebody else"


@pytest.mark.parametrize("change", [_brighter, _other_slope, _deeper, _other_patient])
def test_one_other_value_is_other_content(change: Callable[[Dataset], None]) -> None:
    changed = _slice()
    change(changed)
    assert not is_same_content(
        to_bytes(_slice()), encoded(changed, uid.RLELossless, 16), DEIDENTIFYING
    )


def test_what_a_lake_does_not_keep_does_not_count() -> None:
    renamed = _slice()
    renamed.PatientName, renamed.LossyImageCompression = "Doe^Janet", "00"
    one, other = to_bytes(_slice()), encoded(renamed, uid.JPEGLSLossless, 16)
    assert is_same_content(one, other, DEIDENTIFYING)
    assert not is_same_content(one, other, Context(Pseudonymiser(SECRET), Limits(), False))


def test_what_cannot_be_read_equals_nothing() -> None:
    plain, packed = to_bytes(_slice()), encoded(_slice(), uid.JPEG2000Lossless, 16)
    assert not is_same_content(plain, packed[: len(packed) // 2], DEIDENTIFYING)
    assert not is_same_content(plain, b"no DICOM", DEIDENTIFYING)
    lossy = encoded(_slice(), uid.JPEG2000, 16)
    assert not is_same_content(plain, lossy, DEIDENTIFYING)


def test_copies_in_one_series_are_duplicates() -> None:
    slices = [_slice(n) for n in (1, 2, 3)]
    changed = copy.deepcopy(slices[2])
    _brighter(changed)
    (made,) = convert_all(
        [
            *map(to_bytes, slices),
            encoded(slices[0], uid.RLELossless, 16),
            implicit_bytes(slices[1]),
            encoded(changed, uid.RLELossless, 16),
        ]
    )
    assert reasons(made) == ["conflicting_duplicate", *["duplicate"] * 2, *["ingested"] * 3]
    assert made.raw[0].stored.shape == (3, 16, 12)


class _Reader:
    """Objects in memory; one that is not there is refused, as by the readers of sources."""

    def __init__(self, objects: Mapping[str, bytes]) -> None:
        self._objects = objects

    def read(self, uri: str, max_bytes: int) -> bytes:
        if uri not in self._objects:
            raise RejectedObjectError("unreadable", "it is gone")
        return self._objects[uri][:max_bytes]


def _group(contents: list[bytes], used: bytes, **marks: object) -> tuple[SeriesGroup, _Reader]:
    scanned, reader = scan_all(contents)
    (group,) = group_series(scanned)
    digest = content_digest(used)
    objects = tuple(replace(o, used_digest=digest, **marks) for o in group.objects)  # type: ignore[arg-type]
    return replace(group, objects=objects), _Reader(reader.objects)


@pytest.mark.parametrize(
    ("marks", "outcome"),
    [
        # the object in use can be read where it was: compared
        ({"used_uri": "file:///in/000"}, "duplicate"),
        # it is gone, but the copy was found to be one before
        ({"copy_digests": ("known",)}, "duplicate"),
        # it is gone, or holds something else by now, and nothing is known
        ({"used_uri": "file:///in/gone"}, "conflicting_duplicate"),
        ({"used_uri": "file:///in/002"}, "conflicting_duplicate"),
        ({}, "conflicting_duplicate"),
    ],
)
def test_a_copy_is_held_against_the_object_in_use(marks: dict[str, object], outcome: str) -> None:
    original, packed = to_bytes(_slice()), encoded(_slice(), uid.RLELossless, 16)
    if "copy_digests" in marks:
        marks = {"copy_digests": (content_digest(packed),)}
    touched = _slice()
    touched.PatientName = "Doe^Janet"  # nothing that is kept, but not what the lake took
    group, reader = _group([original, packed, to_bytes(touched)], original, **marks)
    copies = tuple(o for o in group.objects if o.ref.uri.endswith("001"))
    made = convert_series(
        replace(group, objects=copies, is_known=True), reader=reader,
        pseudonymiser=Pseudonymiser(SECRET), limits=Limits(),
    )  # fmt: skip
    assert list(outcomes(made).values()) == [outcome]
    assert made.leaves_series


def test_a_known_copy_stands_for_what_is_gone_when_the_series_is_made_again() -> None:
    """All originals are gone, the copies remain: the series is converted from them."""
    slices = [_slice(n) for n in (1, 2)]
    packed = [encoded(s, uid.RLELossless, 16) for s in slices]
    scanned, reader = scan_all(packed)
    (group,) = group_series(scanned)
    objects = tuple(
        replace(o, used_digest=content_digest(to_bytes(s)), copy_digests=(content_digest(p),))
        for o, s, p in zip(group.objects, slices, packed, strict=True)
    )
    made = convert_series(
        replace(group, objects=objects), reader=reader,
        pseudonymiser=Pseudonymiser(SECRET), limits=Limits(),
    )  # fmt: skip
    assert reasons(made) == ["ingested"] * 2
    (plain,) = convert_all(slices)
    np.testing.assert_array_equal(made.raw[0].stored, plain.raw[0].stored)
