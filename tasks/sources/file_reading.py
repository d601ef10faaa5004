"""Bytes of one file, with errors that show no path."""

from __future__ import annotations

import os
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
        if path.exists() and not path.is_file() and not path.is_dir():
            raise RejectedObjectError("not_dicom", "a device, socket or pipe, not a file")
        with path.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            # Asking for no more than is there: a read allocates what it is asked for.
            return stream.read(min(limit, size)), size
    except OSError as error:
        raise RejectedObjectError("unreadable", os_reason(error)) from None


def os_reason(error: OSError) -> str:
    """Name the error without the path that its own message would show."""
    return f"the system answers {error.strerror or type(error).__name__}"
