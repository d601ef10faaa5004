"""Members of an open archive: the bytes of one, within bounds."""

from __future__ import annotations

import gzip
import tarfile
import tempfile
import zipfile
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Final, Protocol

from schemas.errors import RejectedObjectError
from tasks.sources.archive_bounds import (
    SMALL_BYTES,
    BoundedStream,
    open_zip,
    refuse_bomb,
    tar_members,
)
from tasks.sources.uris import ZIP, Place

#: The other methods of zip expand a chunk at once, however large it becomes.
_METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})


class Archive(Protocol):
    """An archive that is kept open."""

    def read(self, member: str, limit: int, *, whole: bool) -> tuple[bytes, int]:
        """At most `limit` bytes of a member, and its declared size.

        If the `whole` member is wanted and has `limit` bytes or more, nothing is read of it.
        """

    def is_empty(self) -> bool:
        """Say whether it has no members with data."""

    def close(self) -> None:
        """Close the file."""


def open_archive(place: Place) -> Archive:
    """Open the archive that a URI names."""
    return ZipArchive(place.path) if place.scheme == ZIP else TarArchive(place.path)


class ZipArchive:
    """A zip; only its list of members is in memory.

    Parameters
    ----------
    path : Path
        Of the file.
    """

    def __init__(self, path: Path) -> None:
        self._file = open_zip(path)

    def read(self, member: str, limit: int, *, whole: bool) -> tuple[bytes, int]:
        """Read a member as `Archive.read` says."""
        info = self._file.getinfo(member)
        if info.compress_type not in _METHODS:
            raise RejectedObjectError(
                "unsupported_object", "a zip member compressed otherwise than by deflate"
            )
        if whole and info.file_size >= limit:
            return b"", info.file_size
        if whole:
            refuse_bomb(info.file_size, info.compress_size)
        with self._file.open(info) as stream:
            return stream.read(limit), info.file_size

    def is_empty(self) -> bool:
        """Say whether it holds folders at most."""
        return all(info.is_dir() for info in self._file.infolist())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class TarArchive:
    """A tar; a compressed one lies expanded in memory or in an unnamed temporary file.

    Parameters
    ----------
    path : Path
        Of the file.
    """

    def __init__(self, path: Path) -> None:
        with ExitStack() as opened:  # closes what is open if the next step fails
            plain = opened.enter_context(_expanded(path))
            stream = BoundedStream(plain)
            archive = tarfile.open(fileobj=stream, mode="r:")  # type: ignore[call-overload]  # noqa: SIM115
            self._file: tarfile.TarFile = opened.enter_context(archive)
            self._members = {m.name: m for m in tar_members(self._file)}
            stream.is_listing = False
            self._opened = opened.pop_all()

    def read(self, member: str, limit: int, *, whole: bool) -> tuple[bytes, int]:
        """Read a member as `Archive.read` says."""
        info = self._members[member]
        if whole and info.size >= limit:
            return b"", info.size
        if info.issparse() and info.size > SMALL_BYTES:
            raise RejectedObjectError("archive_bomb", "a large file of holes")
        stream = self._file.extractfile(info)
        if stream is None:
            raise KeyError(member)
        with stream:
            data = stream.read(min(limit, info.size))
        if len(data) < min(limit, info.size):
            raise EOFError("tar member is cut off")
        return data, info.size

    def is_empty(self) -> bool:
        """Say whether it holds folders and links at most."""
        return not self._members

    def close(self) -> None:
        """Close the file."""
        self._opened.close()


def _expanded(path: Path) -> IO[bytes]:
    """Return the plain tar; a compressed one is expanded once: gzip cannot be read backwards."""
    if path.name.lower().endswith(".tar"):
        return path.open("rb")
    packed = path.stat().st_size
    spool = tempfile.SpooledTemporaryFile(max_size=SMALL_BYTES)  # noqa: SIM115  closed by its user
    try:
        with gzip.open(path, "rb") as stream:
            while chunk := stream.read(2**20):
                spool.write(chunk)
                refuse_bomb(spool.tell(), packed)
    except BaseException:
        spool.close()
        raise
    spool.seek(0)
    return spool
