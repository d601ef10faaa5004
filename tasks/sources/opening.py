"""From what the user typed to a source, with errors a person can act on."""

from __future__ import annotations

import os
from pathlib import Path

from schemas.errors import InvalidInputError
from schemas.sources import DicomwebSettings, DimseSettings, ObjectStoreSettings, SpoolSettings
from tasks.sources.archive import ArchiveSource, is_archive
from tasks.sources.base import Source
from tasks.sources.dicomdir import DicomdirSource, is_dicomdir, referenced_files
from tasks.sources.dicomweb import DicomwebSource
from tasks.sources.dimse import DimseSource
from tasks.sources.folder import FileSource, FolderSource
from tasks.sources.object_store import ObjectStoreSource
from tasks.sources.retrieved import Connections
from tasks.sources.spool import SpoolSource, is_spool
from tasks.sources.uris import FILE, parse_uri


def open_source(location: str | Path, name: str | None = None) -> Source:
    """Open a folder, a spool, an archive, a DICOMDIR or a single file as a source.

    Parameters
    ----------
    location : str or Path
        Path (``~`` allowed) or ``file:///`` URI.
    name : str, optional
        Name of the source in the lake. By default its kind (``folder``, ``archive``, ``file``,
        ...), not its path: paths may hold a person's name.

    Returns
    -------
    Source
        Ready to be listed.

    Raises
    ------
    InvalidInputError
        If nothing is there, it may not be read, or it is empty.
    """
    path = _existing_path(location)
    if path.is_dir() and is_spool(path):
        return SpoolSource(path, **_named(name))
    if path.is_dir():
        return FolderSource(path, **_named(name))
    if path.stat().st_size == 0:
        raise InvalidInputError(
            f"{location} is an empty file; give a folder, archive or DICOM file"
        )
    if is_archive(path):
        return ArchiveSource(path, **_named(name))
    if is_dicomdir(path):
        referenced_files(path)  # a damaged one is refused now
        return DicomdirSource(path, **_named(name))
    return FileSource(path, **_named(name))


def open_declared(name: str, connections: Connections) -> Source:
    """Open a source that the lake's settings declare.

    Parameters
    ----------
    name : str
        Its name, one of ``connections.settings``.
    connections : Connections
        All declared sources, and where retrieved objects are put.

    Raises
    ------
    InvalidInputError
        As `open_source`, for those that are local.
    """
    settings = connections.settings[name]
    if isinstance(settings, DicomwebSettings):
        return DicomwebSource(settings, name)
    if isinstance(settings, DimseSettings):
        return DimseSource(settings, name, connections)
    if isinstance(settings, ObjectStoreSettings):
        return ObjectStoreSource(settings, name)
    if isinstance(settings, SpoolSettings):
        path = _existing_path(settings.path)
        if not is_spool(path):
            raise InvalidInputError(f"{path} is no spool; fill it with: tracerlake receive {path}")
        return SpoolSource(path, name)
    return open_source(settings.path, name)


def _named(name: str | None) -> dict[str, str]:
    return {} if name is None else {"name": name}


def _existing_path(location: str | Path) -> Path:
    if isinstance(location, str) and "://" in location:
        place = parse_uri(location)
        if place.scheme != FILE:
            raise InvalidInputError(f"expected a path or a file:/// URI, got {place.scheme}://")
        given = place.path
    else:
        given = Path(location).expanduser()
    path = Path(os.path.realpath(given))
    if not path.exists():
        raise InvalidInputError(f"{location} does not exist; check the path and that it is mounted")
    if not os.access(path, os.R_OK | (os.X_OK if path.is_dir() else 0)):
        raise InvalidInputError(
            f"{location} may not be read by this account; check its permissions"
        )
    if path.is_dir() and next(path.iterdir(), None) is None:
        raise InvalidInputError(f"{location} is an empty folder; give one that holds DICOM files")
    if not path.is_dir() and not path.is_file():
        raise InvalidInputError(f"{location} is neither a folder nor a file")
    return path
