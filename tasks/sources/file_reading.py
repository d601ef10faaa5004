"""Bytes of one file, with errors that show no path."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Final

from schemas.errors import RejectedObjectError

#: Opening a pipe would wait for a writer otherwise, and a terminal could take over this process.
_FLAGS: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY


def read_file(path: str | Path, limit: int) -> tuple[bytes, int]:
    """Read at most `limit` bytes of a file, and its size.

    Raises
    ------
    RejectedObjectError
        ``unreadable``, or ``not_dicom`` for a device, socket or pipe.
    """
    try:
        handle = os.open(path, _FLAGS)
        try:
            status = os.fstat(handle)
            if stat.S_ISDIR(status.st_mode):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            if not stat.S_ISREG(status.st_mode):
                raise _not_a_file()
            # Asking for no more than is there: a read allocates what it is asked for.
            return _read(handle, min(limit, status.st_size)), status.st_size
        finally:
            os.close(handle)
    except OSError as error:
        if error.errno == errno.ENXIO:  # a socket, or a device that is not there
            raise _not_a_file() from None
        raise RejectedObjectError("unreadable", os_reason(error)) from None


def _not_a_file() -> RejectedObjectError:
    return RejectedObjectError("not_dicom", "a device, socket or pipe, not a file")


def _read(handle: int, n_bytes: int) -> bytes:
    """Read `n_bytes` or to the end; one call of the system returns 2 GiB at most."""
    data = os.read(handle, n_bytes)
    while len(data) < n_bytes and (more := os.read(handle, n_bytes - len(data))):
        data += more
    return data


def os_reason(error: OSError) -> str:
    """Name the error without the path that its own message would show."""
    return f"the system answers {error.strerror or type(error).__name__}"
