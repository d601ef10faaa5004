"""Bytes of one file, with errors that show no path."""

from __future__ import annotations

import os
import stat
from io import FileIO
from pathlib import Path

from schemas.errors import RejectedObjectError


def read_file(path: Path, limit: int) -> tuple[bytes, int]:
    """Read at most `limit` bytes of a file, and its size.

    Raises
    ------
    RejectedObjectError
        ``unreadable``, or ``not_dicom`` for a device, socket or pipe.
    """
    try:
        # Opening a pipe would wait for a writer: look first.
        mode = os.stat(path).st_mode  # noqa: PTH116  quicker than the method of Path
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            raise RejectedObjectError("not_dicom", "a device, socket or pipe, not a file")
        with path.open("rb", buffering=0) as stream:
            size = os.fstat(stream.fileno()).st_size
            # Asking for no more than is there: a read allocates what it is asked for.
            return _read(stream, min(limit, size)), size
    except OSError as error:
        raise RejectedObjectError("unreadable", os_reason(error)) from None


def _read(stream: FileIO, n_bytes: int) -> bytes:
    """Read `n_bytes` or to the end; one call of the system returns 2 GiB at most."""
    data = stream.read(n_bytes)
    while len(data) < n_bytes and (more := stream.read(n_bytes - len(data))):
        data += more
    return data


def os_reason(error: OSError) -> str:
    """Name the error without the path that its own message would show."""
    return f"the system answers {error.strerror or type(error).__name__}"
