"""The spool: where pushed objects lie, safe, from their arrival until they are taken in."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from schemas.errors import ConflictError, StorageError
from schemas.records import ObjectRef
from tasks.sources.durable import UNFINISHED, make_folder, write_durably
from tasks.sources.uris import FILE, make_uri

#: Marks a folder as a spool, and is locked by the receiver that fills it.
MARK: Final = ".tracerlake-spool"

_FOLDER: Final = re.compile(r"[0-9a-f]{2}")
_FILE: Final = re.compile(r"[0-9a-f]{64}\.dcm")


@dataclass(frozen=True, slots=True)
class Spool:
    """A folder of objects named by the SHA-256 of their content.

    The same bytes pushed twice are one file; another content under the same SOP Instance UID is a
    second file, so nothing is overwritten. Nothing that a sender says becomes part of a path.

    Parameters
    ----------
    path : Path
        The folder.
    """

    path: Path

    def keep(self, data: bytes) -> Path:
        """Write an object durably; when this returns, it may be acknowledged.

        Raises
        ------
        OSError
            If it cannot be kept; it must not be acknowledged then.
        """
        digest = hashlib.sha256(data).hexdigest()
        path = self.path / digest[:2] / f"{digest}.dcm"
        if not path.is_file():
            write_durably(path, data)
        return path

    @contextmanager
    def filling(self) -> Iterator[None]:
        """Make the folder, and be the only one who fills it.

        What a receiver that died left half-written was never acknowledged, so it is removed.

        Raises
        ------
        ConflictError
            If another receiver fills it.
        StorageError
            If it cannot be written.
        """
        try:
            make_folder(self.path)
            handle = os.open(self.path / MARK, os.O_CREAT | os.O_RDWR, 0o600)
        except OSError as error:
            raise StorageError(f"{self.path} cannot be a spool: {error.strerror}") from error
        with os.fdopen(handle, "rb"):
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise ConflictError(f"another receiver fills {self.path} already") from error
            for unfinished in self.path.glob(f"??/.*{UNFINISHED}"):
                unfinished.unlink(missing_ok=True)
            yield


@dataclass(frozen=True, slots=True)
class SpoolSource:
    """A spool as a source, in the order of digests; what is still being written is not listed.

    Parameters
    ----------
    path : Path
        Absolute path of the spool.
    name : str
        Name of the source.
    """

    path: Path
    name: str = "spool"

    def objects(self) -> Iterator[ObjectRef]:
        """All complete objects; see `tasks.sources.base.Source.objects`."""
        for folder in sorted(self.path.iterdir()):
            if _FOLDER.fullmatch(folder.name) and folder.is_dir():
                yield from _objects(folder)


def _objects(folder: Path) -> Iterator[ObjectRef]:
    with os.scandir(folder) as entries:
        found = sorted((e for e in entries if _FILE.fullmatch(e.name)), key=lambda e: e.name)
    for entry in found:
        status = entry.stat(follow_symlinks=False)
        yield ObjectRef(make_uri(FILE, Path(entry.path)), status.st_size, status.st_mtime_ns)


def is_spool(path: Path) -> bool:
    """Say whether a folder has been filled by a receiver."""
    return (path / MARK).is_file()
