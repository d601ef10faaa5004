"""Bytes of one object by its URI: the only place where sources are read."""

from __future__ import annotations

from collections import OrderedDict
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from schemas.errors import RejectedObjectError
from tasks.sources.archive import DAMAGE
from tasks.sources.archive_reading import Archive, open_archive
from tasks.sources.file_reading import os_reason, read_file
from tasks.sources.remote_reading import RemoteReader
from tasks.sources.retrieved import Connections
from tasks.sources.uris import (
    FILE,
    LINK,
    TAR,
    ZIP,
    Place,
    archive_scheme,
    file_path,
    is_remote,
    parse_uri,
    scheme_of,
)

#: Archives kept open at once by one reader.
_MAX_OPEN: Final = 8


class ObjectReader:
    """Reads objects by URI and keeps the archives and connections it meets open.

    Use it as a context manager wherever more than one object is read: a zip's directory is then
    parsed once, and a compressed tar expanded once. Not to be shared between threads.

    Parameters
    ----------
    connections : Connections or None
        How to reach the objects of declared sources; None: local objects only.

    Examples
    --------
    >>> with ObjectReader() as reader:  # doctest: +SKIP
    ...     data = [reader.read(ref.uri, max_bytes=2**30) for ref in refs]
    """

    def __init__(self, connections: Connections | None = None) -> None:
        self._remote = RemoteReader(connections or Connections())
        self._open: OrderedDict[tuple[str, Path], Archive] = OrderedDict()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all archives and connections."""
        self._remote.close()
        while self._open:
            self._open.popitem()[1].close()

    def read(self, uri: str, max_bytes: int) -> bytes:
        """Read a whole object.

        Parameters
        ----------
        uri : str
            URI of an `ObjectRef`.
        max_bytes : int
            Refuse what is larger.

        Returns
        -------
        bytes
            The content.

        Raises
        ------
        RejectedObjectError
            ``unreadable``, ``oversized`` (files), ``archive_bomb`` (members), ``archive_damaged``,
            ``empty_file`` (an archive without members), ``unsupported_object`` (an archive inside
            an archive), ``not_dicom`` (a device or pipe), ``link_outside_source``; for objects of
            declared sources also ``source_unavailable`` and ``invalid_attribute``.
        """
        data, size = self._fetch(uri, max_bytes + 1, whole=True)
        if len(data) == size <= max_bytes:
            return data
        is_member = scheme_of(uri) in {ZIP, TAR}
        if max(size, len(data)) > max_bytes:
            code = "archive_bomb" if is_member else "oversized"
            raise RejectedObjectError(code, f"expected at most {max_bytes} bytes, got {size}")
        code = "archive_damaged" if is_member else "unreadable"
        raise RejectedObjectError(code, f"expected {size} bytes, got {len(data)}")

    def read_head(self, uri: str, n_bytes: int) -> bytes:
        """Read the first `n_bytes` of an object, or all of it if it is shorter.

        Raises
        ------
        RejectedObjectError
            As `read`, except for size.
        """
        return self._fetch(uri, n_bytes)[0]

    def _fetch(self, uri: str, limit: int, *, whole: bool = False) -> tuple[bytes, int]:
        path = file_path(uri)
        if path is not None:
            return read_file(path, limit)
        if is_remote(uri):
            return self._remote.read(uri, limit)
        place = parse_uri(uri)
        if place.scheme == LINK:
            raise RejectedObjectError("link_outside_source", "the link leaves its source folder")
        if place.scheme == FILE:
            return read_file(place.path, limit)
        if place.member is not None and archive_scheme(place.member):
            raise RejectedObjectError(
                "unsupported_object", "an archive inside an archive; unpack the outer one"
            )
        try:
            return self._read_member(place, limit, whole=whole)
        except RejectedObjectError:  # a ValueError too, so it must not count as damage below
            raise
        except (*DAMAGE, KeyError) as error:
            kind = type(error).__name__
            raise RejectedObjectError("archive_damaged", f"the archive fails with {kind}") from None
        except RuntimeError:
            raise RejectedObjectError("unreadable", "the archive member is encrypted") from None
        except OSError as error:
            raise RejectedObjectError("unreadable", os_reason(error)) from None

    def _read_member(self, place: Place, limit: int, *, whole: bool) -> tuple[bytes, int]:
        archive = self._archive(place)
        if place.member is not None:
            return archive.read(place.member, limit, whole=whole)
        if archive.is_empty():
            raise RejectedObjectError("empty_file", "the archive has no members")
        raise RejectedObjectError("archive_damaged", "the archive could not be listed")

    def _archive(self, place: Place) -> Archive:
        key = (place.scheme, place.path)
        if key not in self._open:
            self._open[key] = open_archive(place)
            if len(self._open) > _MAX_OPEN:
                self._open.popitem(last=False)[1].close()
        self._open.move_to_end(key)
        return self._open[key]


def read_object(uri: str, max_bytes: int) -> bytes:
    """Read one object; see `ObjectReader.read`, which is faster for many.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as f:
    ...     _ = f.write(b"abc"), f.flush()
    ...     read_object(f"file://{f.name}", max_bytes=10)
    b'abc'
    """
    with closing(ObjectReader()) as reader:
        return reader.read(uri, max_bytes)


def read_head(uri: str, n_bytes: int) -> bytes:
    """Read the first `n_bytes` of one object; see `ObjectReader.read_head`."""
    with closing(ObjectReader()) as reader:
        return reader.read_head(uri, n_bytes)
