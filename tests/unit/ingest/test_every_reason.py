"""Each reason code of the quarantine can be met: objects, archives and failures that lead to it."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from distributed import KilledWorker
from pydicom.dataset import Dataset

from flows.cluster import failure_reason
from schemas.errors import RejectedObjectError
from schemas.reasons import QUARANTINE_REASONS, Outcome
from schemas.records import ObjectRef
from tasks.deidentify.pseudonyms import Pseudonymiser
from tasks.deidentify.suv_gate import assert_suv_preserved
from tasks.dicom.grouping import group_series
from tasks.dicom.scan import scan_object
from tasks.ingest.convert import Limits, convert_series
from tasks.ingest.outcomes import file_row, scanned_row
from tasks.sources.reading import ObjectReader
from tasks.sources.uris import make_uri
from tests.support.dicom_objects import MemoryReader, pet_series, to_bytes
from tests.support.fuzz_seeds import hand_made_seeds

ROOT = Path(__file__).resolve().parents[3]


def reasons_of(objects: list[Dataset | bytes], limits: Limits | None = None) -> set[str]:
    """Reason codes with which these objects end."""
    contents = [o if isinstance(o, bytes) else to_bytes(o) for o in objects]
    reader = MemoryReader({f"file:///in/{i}": data for i, data in enumerate(contents)})
    scanned = [scan_object(ObjectRef(u, len(d), 1), reader) for u, d in reader.objects.items()]
    pseudonyms = Pseudonymiser(bytes(32))
    rows = [scanned_row(s, pseudonyms) for s in scanned if s.outcome is not None]
    for group in group_series(scanned):
        made = convert_series(
            group, reader=reader, pseudonymiser=pseudonyms, limits=limits or Limits()
        )
        rows += made.rows["files"]
    return {str(row["reason_code"]) for row in rows if row["reason_code"]}


def spoilt(change: Callable[[list[Dataset]], object]) -> set[str]:
    """Reasons of a series of six slices after a change."""
    objects = pet_series(6)
    change(objects)
    return reasons_of(list(objects))


def _set(index: int, **values: object) -> Callable[[list[Dataset]], None]:
    def change(objects: list[Dataset]) -> None:
        for keyword, value in values.items():
            setattr(objects[index], keyword, value)

    return change


def _move(objects: list[Dataset]) -> None:
    for ds, z in zip(objects, (0, 3, 6, 10.7, 12, 15), strict=True):
        ds.ImagePositionPatient = ["-10", "-20", str(z)]


def _lean(objects: list[Dataset]) -> None:
    for i, ds in enumerate(objects):
        ds.ImagePositionPatient = [str(10 * i), "-20", str(3 * i)]


def _resize(objects: list[Dataset]) -> None:
    objects[5].Rows, objects[5].Columns = 4, 6


def _same_instance(objects: list[Dataset]) -> None:
    objects[3].SOPInstanceUID = objects[2].SOPInstanceUID


def _surface(objects: list[Dataset]) -> None:
    del objects[1:]
    objects[0].SOPClassUID = "1.2.840.10008.5.1.4.1.1.66.5"


def _nested(depth: int) -> bytes:
    value = b""
    for _ in range(depth):
        item = struct.pack("<HHI", 0xFFFE, 0xE000, len(value)) + value
        value = struct.pack("<HH2sHI", 0x0040, 0xA730, b"SQ", 0, len(item)) + item
    return value


def _with_nesting(depth: int) -> bytes:
    content = to_bytes(pet_series(1)[0])
    at = content.rindex(b"\xe0\x7f\x10\x00")
    return content[:at] + _nested(depth) + content[at:]


def _damaged_stream() -> bytes:
    """JPEG-LS of which only the first marker is left."""
    content = hand_made_seeds()["pet-jpeg-ls"][0]
    at = content.index(b"\xff\xd8", content.rindex(b"\xe0\x7f\x10\x00"))
    return content[: at + 2] + bytes(len(content) - at - 10) + content[-8:]


def _read(uri: str, max_bytes: int = 2**20) -> set[str]:
    with pytest.raises(RejectedObjectError) as caught, ObjectReader() as reader:
        reader.read(uri, max_bytes)
    return {caught.value.reason_code}


def _archive(folder: Path, content: bytes) -> str:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("1", content)
    (folder / "x.zip").write_bytes(packed.getvalue())
    return make_uri("zip", folder / "x.zip", "1")


def _gate() -> set[str]:
    with pytest.raises(RejectedObjectError) as caught:
        assert_suv_preserved((1.0,), (2.0,))
    return {caught.value.reason_code}


#: Code to a way to it. Objects of their own in memory; `tmp` is an empty folder.
PRODUCERS: dict[str, Callable[[Path], set[str]]] = {
    "unreadable": lambda tmp: _read((tmp / "gone.dcm").as_uri()),
    "source_unavailable": lambda _: _read("dicomweb://gone/studies/1/series/2/instances/3"),
    "not_parseable": lambda _: reasons_of([b"\0" * 128 + b"DICM" + b"\x02\0\x10\0UI\x16\0"
                                           b"1.2.840.10008.1.2.1.99\xff\xff\xff\xff"]),
    "truncated": lambda _: reasons_of([to_bytes(pet_series(1)[0])[:-10]]),
    "missing_attribute": lambda _: spoilt(_set(5, PixelSpacing=None)),
    "invalid_attribute": lambda _: spoilt(_set(5, PixelSpacing=["0", "4"])),
    "undecodable_pixels": lambda _: reasons_of([_damaged_stream()]),
    "oversized": lambda _: reasons_of([*pet_series(3)], Limits(max_pixel_bytes=40)),
    "too_complex": lambda _: reasons_of([_with_nesting(60)]),
    "conflicting_duplicate": lambda _: spoilt(_same_instance),
    "mixed_sizes": lambda _: spoilt(_resize),
    "mixed_orientations": lambda _: spoilt(
        _set(5, ImageOrientationPatient=["0", "1", "0", "0", "0", "-1"])),
    "duplicate_positions": lambda _: spoilt(
        _set(2, ImagePositionPatient=["-10", "-20", "-297"])),
    "missing_slices": lambda _: spoilt(lambda objects: objects.pop(2)),
    "nonuniform_spacing": lambda _: spoilt(_move),
    "gantry_tilt": lambda _: spoilt(_lean),
    "single_slice": lambda _: reasons_of([*pet_series(1)]),
    "mixed_quantification": lambda _: spoilt(_set(3, PatientID="another")),
    "unsupported_object": lambda _: spoilt(_surface),
    "suv_changed_by_deidentification": lambda _: _gate(),
    "archive_damaged": lambda tmp: _read(_archive(tmp, b"x").replace("!1", "!2")),
    "archive_bomb": lambda tmp: _read(_archive(tmp, bytes(2**21))),
    "killed_workers": lambda _: {failure_reason(KilledWorker("job", None, 1))},
    "out_of_memory": lambda _: {failure_reason(MemoryError())},
    "internal_error": lambda _: {failure_reason(KeyError())},
}  # fmt: skip

#: Codes that need a lake, a list of pseudonyms or clinical data, and the tests that meet them.
ELSEWHERE = {
    "series_incomplete": "tests/integration/test_growing_series.py",
    "overtaken": "tests/faults/test_ingest_faults.py",
    "superseded": "tests/integration/test_accept_changed.py",
    "still_being_written": "tests/integration/test_never_double.py",
    "pseudonym_missing": "tests/unit/deidentify/test_pseudonym_list.py",
    "deidentification_failed": "tests/unit/deidentify/test_deidentify_profile.py",
    "missing_reference": "tests/unit/clinical/test_fhir.py",
}


@pytest.mark.parametrize("code", sorted(PRODUCERS))
def test_the_code_is_met(code: str, tmp_path: Path) -> None:
    assert code in PRODUCERS[code](tmp_path)


@pytest.mark.parametrize("code", sorted(ELSEWHERE))
def test_another_test_meets_the_code(code: str) -> None:
    assert code in (ROOT / ELSEWHERE[code]).read_text(encoding="utf-8")


def test_no_code_is_dead() -> None:
    """A new reason belongs into one of the two tables above."""
    assert set(PRODUCERS) | set(ELSEWHERE) == set(QUARANTINE_REASONS)
    assert not set(PRODUCERS) & set(ELSEWHERE)


def test_internal_faults_of_a_conversion(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise KeyError

    monkeypatch.setattr("tasks.ingest.convert.load_objects", fail)
    assert reasons_of([*pet_series(3)]) == {"internal_error"}


def test_a_row_without_a_reason_has_none() -> None:
    row = file_row(ObjectRef("file:///x", 1, 1), Outcome.INGESTED, None, Pseudonymiser(bytes(32)))
    assert (row["reason_code"], row["reason_text"], row["reason_tags"]) == (None, None, None)
