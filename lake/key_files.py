"""Files of the key holder's folder: made for the owner only, refused if others could reach them."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path
from typing import Final

from lake.settings import SETTINGS_FILE
from schemas.errors import InvalidInputError, StorageError

SECRET_FILE: Final = "secret.key"  # noqa: S105 - a file name
SECRET_BYTES: Final = 32


def refuse_inside_lake(folder: Path) -> None:
    """Make sure that a folder does not lie in a lake.

    Raises
    ------
    InvalidInputError
        If it does.
    """
    for parent in (folder, *folder.parents):
        if (parent / SETTINGS_FILE).exists():
            raise InvalidInputError(
                f"the key folder {folder} lies inside the lake {parent}; whoever gets the lake "
                f"would get its key. Set key_dir in {SETTINGS_FILE} or TRACERLAKE_KEY_DIR to a "
                "folder outside it."
            )


def refuse_wide(path: Path, allowed: int) -> None:
    """Make sure that a file or folder is what it seems, ours, and closed to others.

    Parameters
    ----------
    path : Path
        Existing file or folder.
    allowed : int
        Permissions that it may have, such as ``0o600``.

    Raises
    ------
    InvalidInputError
        If it is a link (somebody else could change where it leads), belongs to another account, or
        has wider permissions.
    """
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        raise InvalidInputError(f"{path} is a symbolic link; put the file itself there")
    if status.st_uid != os.geteuid():
        raise InvalidInputError(
            f"{path} belongs to another account (user {status.st_uid}); run as that account, or "
            "change its owner"
        )
    mode = stat.S_IMODE(status.st_mode)
    if mode & ~allowed:
        raise InvalidInputError(
            f"{path} has mode {mode:04o}, so that others may read it; "
            f"run: chmod {allowed:04o} {path}"
        )


def make_folder(folder: Path) -> None:
    """Make a folder and what is missing above it, all for the owner only, whatever the umask."""
    missing = [folder, *folder.parents]
    for path in reversed([p for p in missing if not p.exists()]):
        path.mkdir(mode=0o700, exist_ok=True)


def read_or_make_secret(folder: Path) -> bytes:
    """Read the secret of a key folder; make it the first time.

    Raises
    ------
    InvalidInputError
        As `refuse_wide`.
    StorageError
        If it is damaged; it is never replaced.
    """
    path = folder / SECRET_FILE
    if not path.exists() and not path.is_symlink():
        _make_secret(path)
    refuse_wide(path, 0o600)
    secret = path.read_bytes()
    if len(secret) != SECRET_BYTES:
        raise StorageError(
            f"{path} holds {len(secret)} bytes instead of {SECRET_BYTES}; restore it from a backup "
            "(a new key would give every patient a second pseudonym)"
        )
    return secret


def _make_secret(path: Path) -> None:
    # A link either takes the name with all 32 bytes behind it or fails because another process
    # was first: no reader ever sees half a key, and no key is ever replaced.
    temporary = path.with_name(f".{SECRET_FILE}-{secrets.token_hex(8)}")
    handle = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(SECRET_BYTES))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, path)
        except FileExistsError:
            return
    finally:
        temporary.unlink()
