"""Writing a file so that it is there, whole, whatever happens afterwards."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Final

#: Ending of files that are still being written; sources never list them.
UNFINISHED: Final = ".part"


def write_durably(path: Path, data: bytes) -> None:
    """Write a file of mode 0600; when this returns, a power cut does not lose it.

    The name appears with the complete content behind it or not at all: written under another name,
    synchronised, renamed, and the folder synchronised (a rename lives in the folder).

    Parameters
    ----------
    path : Path
        Missing folders are made with mode 0700.
    data : bytes
        The content.

    Raises
    ------
    OSError
        If it cannot be written; nothing is left behind.
    """
    make_folder(path.parent)
    temporary = path.with_name(f".{secrets.token_hex(8)}{UNFINISHED}")
    handle = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _synchronise(path.parent)


def make_folder(folder: Path) -> None:
    """Make a folder (mode 0700) and its missing parents, durably."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    _synchronise(folder.parent)


def _synchronise(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
