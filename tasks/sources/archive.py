"""Zip and tar archives as sources: members are objects, nothing is unpacked to disk."""

from __future__ import annotations

import gzip
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from schemas.records import ObjectRef
from tasks.sources.archive_bounds import BoundedStream, expanded_bound, open_zip, tar_members
from tasks.sources.uris import TAR, ZIP, archive_scheme, make_uri

#: What the standard library raises on archives that are cut off, corrupt or not archives at all.
DAMAGE: Final = (
    zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, zlib.error, struct.error, EOFError,
    NotImplementedError, UnicodeDecodeError, ValueError, IndexError, OverflowError, RecursionError,
)  # fmt: skip


def archive_objects(path: Path) -> Iterator[ObjectRef]:
    """Members of one archive, each name once; the archive itself if it is damaged or empty.

    A name that occurs twice means what it means to every unpacker: the later member replaces the
    earlier one. Links and folders inside an archive hold no data and are no objects.

    Parameters
    ----------
    path : Path
        Absolute path of a ``.zip``, ``.tar``, ``.tar.gz`` or ``.tgz`` file.
    """
    scheme = archive_scheme(path.name) or ZIP
    try:
        status = path.stat()
        members = _zip_members(path) if scheme == ZIP else _tar_members(path)
    except (*DAMAGE, OSError):
        # A URI without member: reading it raises the reason for which it could not be listed.
        yield ObjectRef(make_uri(scheme, path), *_size_and_time(path))
        return
    if not members:
        yield ObjectRef(make_uri(scheme, path), status.st_size, status.st_mtime_ns)
    for name, size in members.items():
        yield ObjectRef(make_uri(scheme, path, name), size, status.st_mtime_ns)


def _size_and_time(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        return 0, 0
    return status.st_size, status.st_mtime_ns


def _zip_members(path: Path) -> dict[str, int]:
    with open_zip(path) as archive:
        found = {i.filename: i.file_size for i in archive.infolist() if not i.is_dir()}
    return dict(sorted(found.items()))


def _tar_members(path: Path) -> dict[str, int]:
    # In the archive's own order: a compressed tar can only be read forwards.
    size = path.stat().st_size
    is_plain = path.name.lower().endswith(".tar")
    with path.open("rb") if is_plain else gzip.open(path, "rb") as stream:
        bounded = BoundedStream(stream, None if is_plain else expanded_bound(size))
        with tarfile.open(fileobj=bounded, mode="r:") as archive:  # type: ignore[call-overload]
            return {m.name: m.size for m in tar_members(archive)}


@dataclass(frozen=True, slots=True)
class ArchiveSource:
    """One archive given by the user.

    Parameters
    ----------
    path : Path
        Absolute path of the archive.
    name : str
        Name of the source.
    """

    path: Path
    name: str = "archive"

    def objects(self) -> Iterator[ObjectRef]:
        """Members of the archive; see `tasks.sources.base.Source.objects`."""
        return archive_objects(self.path)


def is_archive(path: Path) -> bool:
    """Say whether a file is read as an archive, by its name."""
    return archive_scheme(path.name) in {ZIP, TAR}
