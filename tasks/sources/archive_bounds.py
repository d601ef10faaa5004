"""What an archive may cost before anything in it is believed."""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Iterator
from gzip import GzipFile
from pathlib import Path
from typing import IO, Final

from schemas.errors import RejectedObjectError

#: What expands to no more than this is fine; beyond it, it may expand by the factor below. (Images
#: reach about 10, empty label maps about 200, deflate itself ends near 1030.)
SMALL_BYTES: Final = 64 * 2**20
MAX_EXPANSION: Final = 400
#: Members of one archive: each costs about a kilobyte of memory to list.
MAX_MEMBERS: Final = 1_000_000
#: The list at the end of a zip; half a million members with long names.
_MAX_DIRECTORY_BYTES: Final = 64 * 2**20
#: One header of a tar, with long names and PAX records.
_MAX_HEADER_BYTES: Final = 2**20
#: End of central directory, its comment and its 64-bit twin.
_ZIP_END_BYTES: Final = 66_000


def bomb(detail: str) -> RejectedObjectError:
    """Error for an archive, or a member of one, that must not be expanded."""
    return RejectedObjectError("archive_bomb", detail)


def expanded_bound(packed_bytes: int) -> int:
    """Most bytes that so many packed ones may become."""
    return max(SMALL_BYTES, MAX_EXPANSION * packed_bytes)


def refuse_bomb(expanded_bytes: int, packed_bytes: int) -> None:
    """Refuse what expands beyond all measure.

    Raises
    ------
    RejectedObjectError
        ``archive_bomb``.
    """
    if expanded_bytes > expanded_bound(packed_bytes):
        raise bomb(f"it expands more than {MAX_EXPANSION} times")


def open_zip(path: Path) -> zipfile.ZipFile:
    """Open a zip whose list of members is not out of all proportion.

    Raises
    ------
    RejectedObjectError
        ``archive_bomb``.
    """
    if _directory_bytes(path) > _MAX_DIRECTORY_BYTES:
        raise bomb("its list of members is too long")
    return zipfile.ZipFile(path)


def _directory_bytes(path: Path) -> int:
    """Size of the central directory as the end of the zip states it (APPNOTE 4.3.14, 4.3.16)."""
    size = path.stat().st_size
    if size <= _MAX_DIRECTORY_BYTES:
        return size
    with path.open("rb") as stream:
        stream.seek(max(size - _ZIP_END_BYTES, 0))
        end = stream.read()
    at = end.rfind(b"PK\x05\x06")
    stated = int.from_bytes(end[at + 12 : at + 16], "little") if at >= 0 else 0
    wide = end.rfind(b"PK\x06\x06")
    if stated == 0xFFFFFFFF and wide >= 0:
        return int.from_bytes(end[wide + 40 : wide + 48], "little")
    return stated


class BoundedStream:
    """A tar as it is listed: no header larger than headers are, no expansion without end.

    Parameters
    ----------
    stream : file object
        Of the plain tar; closed by its owner.
    bound : int or None
        Bytes that it may have; None if it lies there already and costs nothing to go through.
    """

    def __init__(self, stream: IO[bytes] | GzipFile, bound: int | None = None) -> None:
        self._stream = stream
        self._bound = bound
        self.is_listing = True

    def read(self, size: int = -1) -> bytes:
        """Read as the stream does.

        Raises
        ------
        tarfile.ReadError
            If a header announces to be larger than headers are.
        RejectedObjectError
            ``archive_bomb`` beyond the bound.
        """
        if self.is_listing and not 0 <= size <= _MAX_HEADER_BYTES:
            raise tarfile.ReadError("a header of absurd size")
        self._check(self._stream.tell())
        return self._stream.read(size)

    def seek(self, position: int, whence: int = 0) -> int:
        """Go to a position as the stream does.

        Raises
        ------
        tarfile.ReadError
            If no file reaches so far.
        RejectedObjectError
            ``archive_bomb`` beyond the bound.
        """
        self._check(position)
        try:
            return self._stream.seek(position, whence)
        except OSError:  # beyond what any file may be
            raise tarfile.ReadError("a header that points nowhere") from None

    def tell(self) -> int:
        """Position in the plain tar."""
        return self._stream.tell()

    def _check(self, position: int) -> None:
        if self._bound is not None and position > self._bound:
            raise bomb("it announces or expands to more than it can hold")


def tar_members(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Files of a tar, in its order.

    Raises
    ------
    RejectedObjectError
        ``archive_bomb`` for too many.
    tarfile.ReadError
        If a header points backwards, which would be read for ever.
    """
    last = -1
    for number, member in enumerate(archive):
        if number >= MAX_MEMBERS:
            raise bomb(f"more than {MAX_MEMBERS} members")
        if member.size < 0 or member.offset <= last:
            raise tarfile.ReadError("a header that points backwards")
        last = member.offset
        if member.isreg():
            yield member
