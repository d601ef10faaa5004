"""A folder and everything below it, archives included, as a source."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from urllib.parse import quote

from schemas.records import ObjectRef
from tasks.sources.archive import archive_objects
from tasks.sources.uris import FILE, LINK, archive_scheme, make_uri

#: Says whether a name is the same in a URI.
_needs_no_quotes = re.compile(r"[A-Za-z0-9_.~-]+").fullmatch

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FolderSource:
    """A folder given by the user, walked in the order of names.

    Symbolic links are resolved, not walked through: what a link to a place inside the source points
    to is reached by the walk itself, so every file comes once and no loop can arise. Links that
    leave the source are yielded as ``link:`` objects.

    Parameters
    ----------
    path : Path
        Absolute path, links resolved.
    name : str
        Name of the source.
    """

    path: Path
    name: str = "folder"

    def objects(self) -> Iterator[ObjectRef]:
        """All files and archive members; see `tasks.sources.base.Source.objects`."""
        pending = [os.fspath(self.path)]
        while pending:
            folder = pending.pop()
            entries = _list_folder(folder)
            if isinstance(entries, ObjectRef):
                yield entries
                continue
            folders: list[str] = []
            yield from self._files(entries, folder, folders)
            pending.extend(reversed(folders))

    def _files(
        self, entries: list[os.DirEntry[str]], folder: str, folders: list[str]
    ) -> Iterator[ObjectRef]:
        """Yield what is no folder, and put the others into `folders`."""
        parent = f"{FILE}://{quote(os.fsencode(folder))}".rstrip("/")
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.path)
                continue
            name = entry.name
            try:
                if entry.is_symlink():
                    yield from self._link(Path(entry.path))
                    continue
                if archive_scheme(name) and entry.is_file():
                    yield from archive_objects(Path(entry.path))
                    continue
                # Nearly all entries: no path object is made of them, for a lake has millions.
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                _log.debug("an object vanished between listing and looking at it")
                continue
            coded = name if _needs_no_quotes(name) else quote(os.fsencode(name))
            yield ObjectRef(f"{parent}/{coded}", status.st_size, status.st_mtime_ns)

    def _link(self, path: Path) -> Iterator[ObjectRef]:
        target = Path(os.path.realpath(path))
        if not target.is_relative_to(self.path):
            yield ObjectRef(make_uri(LINK, path), 0, path.lstat().st_mtime_ns)
        elif not target.exists():  # dangling, or pointing at itself: reading it says `unreadable`
            yield ObjectRef(make_uri(FILE, path), 0, path.lstat().st_mtime_ns)


def _list_folder(folder: str) -> list[os.DirEntry[str]] | ObjectRef:
    """Entries in the order of names, or the folder itself if it must not be read."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=attrgetter("name"))
    except OSError:
        return ObjectRef(make_uri(FILE, Path(folder)), 0, 0)


def _file_object(path: Path, status: os.stat_result) -> ObjectRef:
    return ObjectRef(make_uri(FILE, path), status.st_size, status.st_mtime_ns)


@dataclass(frozen=True, slots=True)
class FileSource:
    """A single file given by the user.

    Parameters
    ----------
    path : Path
        Absolute path, links resolved: the user named it, so a link is followed.
    name : str
        Name of the source.
    """

    path: Path
    name: str = "file"

    def objects(self) -> Iterator[ObjectRef]:
        """Yield the one file."""
        yield _file_object(self.path, self.path.stat())
