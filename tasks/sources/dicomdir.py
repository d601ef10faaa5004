"""A DICOMDIR as a source: exactly what it references."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import MediaStorageDirectoryStorage

from schemas.errors import InvalidInputError
from schemas.records import ObjectRef
from tasks.sources.uris import FILE, LINK, make_uri

#: A directory of a million images is smaller; a larger file is none.
_MAX_BYTES: Final = 2**30


@dataclass(frozen=True, slots=True)
class DicomdirSource:
    """The files that the records of a DICOMDIR reference, in their order.

    Files beside them are not looked at. A referenced file that is missing is yielded all the same,
    and reading it says ``unreadable``; a reference that leaves the folder is a ``link:`` object.

    Parameters
    ----------
    path : Path
        Absolute path of the DICOMDIR, links resolved.
    name : str
        Name of the source.
    """

    path: Path
    name: str = "dicomdir"

    def objects(self) -> Iterator[ObjectRef]:
        """All referenced files; see `tasks.sources.base.Source.objects`.

        Raises
        ------
        InvalidInputError
            If the file is no DICOMDIR.
        """
        seen: set[ObjectRef] = set()
        for parts in referenced_files(self.path):
            ref = _reference(self.path.parent, parts)
            if ref not in seen:
                seen.add(ref)
                yield ref


def is_dicomdir(path: Path) -> bool:
    """Say whether a file is read as a DICOMDIR: by the name that PS3.10 8.6 prescribes."""
    return path.name.upper() == "DICOMDIR"


def referenced_files(path: Path) -> list[tuple[str, ...]]:
    """Components of every Referenced File ID (0004,1500) of the records in use.

    Raises
    ------
    InvalidInputError
        If the file cannot be read or is no DICOMDIR.
    """
    if path.stat().st_size > _MAX_BYTES:
        raise InvalidInputError(f"{path} is too large for a DICOMDIR")
    try:
        directory = dcmread(path)
        records = directory.DirectoryRecordSequence
        is_directory = directory.file_meta.MediaStorageSOPClassUID == MediaStorageDirectoryStorage
        files = [_file_id(record) for record in records] if is_directory else None
    except Exception as error:  # noqa: BLE001  a parser meets anything in a damaged file
        name = type(error).__name__
        raise InvalidInputError(
            f"{path} cannot be read as a DICOMDIR ({name}); give the folder that it lies in instead"
        ) from None
    if files is None:
        raise InvalidInputError(f"{path} is a DICOM file of another kind; rename it")
    return [parts for parts in files if parts]


def _file_id(record: Dataset) -> tuple[str, ...]:
    """Components of the record's file; none if it has no file or is out of use."""
    if record.get("RecordInUseFlag", 0xFFFF) == 0:
        return ()
    value = record.get("ReferencedFileID")
    if value is None or value == "":
        return ()
    parts: Sequence[object] = [value] if isinstance(value, str) else list(value)
    return tuple(str(part) for part in parts)


def _reference(folder: Path, parts: tuple[str, ...]) -> ObjectRef:
    if any(part in {"", ".", ".."} or "/" in part or "\0" in part for part in parts):
        return ObjectRef(make_uri(LINK, folder.joinpath(*map(_one_name, parts))), 0, 0)
    path = _present(folder, parts)
    real = Path(os.path.realpath(path))
    if not real.is_relative_to(os.path.realpath(folder)):
        return ObjectRef(make_uri(LINK, path), 0, 0)
    try:
        status = real.stat()
    except OSError:
        return ObjectRef(make_uri(FILE, real), 0, 0)
    return ObjectRef(make_uri(FILE, real), status.st_size, status.st_mtime_ns)


def _one_name(part: str) -> str:
    return part.replace("/", "_").replace("\0", "_") or "_"


def _present(folder: Path, parts: tuple[str, ...]) -> Path:
    """Path of a file as the medium shows it: often in lower case, sometimes with a version."""
    path = folder
    for part in parts:
        exact = path / part
        path = exact if exact.exists() else _alike(path, part) or exact
    return path


def _alike(folder: Path, name: str) -> Path | None:
    try:
        present = sorted(folder.iterdir())
    except OSError:
        return None
    wanted = name.upper()
    return next((p for p in present if _plain(p.name) == wanted), None)


def _plain(name: str) -> str:
    """Name as in a File ID: ISO 9660 shows ``IMG1.;1`` for ``IMG1``."""
    return name.upper().partition(";")[0].rstrip(".")
