"""Many series from one, in little time: the same bytes under other identifiers."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pydicom

from benchmarks.image_series import write_pet_series

#: Series of one patient and study.
_SERIES_PER_PATIENT: Final = 2


@dataclass(frozen=True)
class Pattern:
    """One series as bytes, and the identifiers in it that every copy gets anew.

    Parameters
    ----------
    slices : tuple of (bytes, bytes)
        Content of each file, and its SOP Instance UID as it is written there.
    series_uid, study_uid, patient_id : bytes
        As written in all of them.
    """

    slices: tuple[tuple[bytes, bytes], ...]
    series_uid: bytes
    study_uid: bytes
    patient_id: bytes

    def copy(self, number: int) -> list[bytes]:
        """Return the files of copy `number`, of the same lengths."""
        patient = number // _SERIES_PER_PATIENT
        renamed = {
            self.series_uid: _uid(self.series_uid, 1, number),
            self.study_uid: _uid(self.study_uid, 2, patient),
            self.patient_id: b"S%0*d" % (len(self.patient_id) - 1, patient),
        }
        files = []
        for index, (content, instance_uid) in enumerate(self.slices):
            new = _uid(instance_uid, 3, number * len(self.slices) + index)
            copied = content.replace(instance_uid, new)
            for old, other in renamed.items():
                copied = copied.replace(old, other)
            files.append(copied)
        return files


def read_pattern(folder: Path) -> Pattern:
    """Read the files of one series."""
    paths = sorted(folder.iterdir())
    headers = [pydicom.dcmread(path, stop_before_pixels=True) for path in paths]
    first = headers[0]
    return Pattern(
        tuple(
            (path.read_bytes(), str(header.SOPInstanceUID).encode())
            for path, header in zip(paths, headers, strict=True)
        ),
        str(first.SeriesInstanceUID).encode(),
        str(first.StudyInstanceUID).encode(),
        str(first.PatientID).encode(),
    )


def write_small_series(folder: Path, n_series: int, *, slices: int = 4, size: int = 16) -> None:
    """Write `n_series` small PET series, one folder each, two of them a patient."""
    with tempfile.TemporaryDirectory(prefix="bench-") as place:
        write_pet_series(Path(place) / "one", slices, size)
        pattern = read_pattern(Path(place) / "one")
    write_copies(pattern, folder, n_series)


def write_copies(pattern: Pattern, folder: Path, n_series: int) -> None:
    """Write copies of a series, one folder each."""
    for number in range(n_series):
        series = folder / f"series-{number:06d}"
        series.mkdir(parents=True)
        for index, content in enumerate(pattern.copy(number)):
            (series / f"{index:04d}.dcm").write_bytes(content)


def _uid(like: bytes, kind: int, number: int) -> bytes:
    """Make a UID as long as another one (2.25. and up to 39 digits)."""
    head = b"2.25.%d" % kind
    return head + b"%0*d" % (len(like) - len(head), number)
