"""Where the volumes of a lake lie, and how a volume appears there whole or not at all."""

from __future__ import annotations

import contextlib
import math
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, cast

import zarr
from zarr.storage import LocalStore

from lake.volumes.group import GroupWriter
from schemas.errors import InvalidInputError, NotFoundInLakeError, StorageError

#: Mark of a volume that is still being written; `lake.vacuum` removes left-overs.
UNFINISHED: Final = ".unfinished-"


def local_root(root: str) -> Path:
    """Folder of a volumes root.

    Raises
    ------
    InvalidInputError
        For object stores, which this version cannot write yet.
    """
    if "://" in root and not root.startswith("file://"):
        raise InvalidInputError(
            f"volumes at {root.split('://', 1)[0]}:// are not supported by this version; "
            "use a folder"
        )
    return Path(root.removeprefix("file://"))


def open_group(root: str, path: str) -> zarr.Group:
    """Open a stored volume for reading.

    Raises
    ------
    NotFoundInLakeError
        If there is no such volume.
    StorageError
        If it is there but no Zarr group.
    """
    folder = local_root(root) / path
    if not folder.is_dir():
        raise NotFoundInLakeError(f"volume {path} is not among the lake's volumes")
    try:
        return zarr.open_group(LocalStore(folder, read_only=True), mode="r", zarr_format=3)
    except (OSError, ValueError, KeyError) as error:
        raise StorageError(f"volume {path} is damaged: {type(error).__name__}") from error


def folder_of(group: zarr.Group) -> Path:
    """Folder of a group that `open_group` opened."""
    return Path(cast("LocalStore", group.store).root)


def publish(root: str, path: str, fill: Callable[[GroupWriter], None]) -> None:
    """Write a group beside its place and move it there in one step.

    A process that dies on the way leaves an unfinished folder that no reader takes for a volume.
    If another process published the same volume first, that one stays.

    Raises
    ------
    StorageError
        If the volume cannot be written.
    """
    with unfinished(root, path) as temporary:
        fill(GroupWriter(temporary))
        move_in(temporary, root, path)


@contextlib.contextmanager
def unfinished(root: str, path: str) -> Iterator[Path]:
    """Folder to write a volume in; what is still there at the end is removed.

    Parameters
    ----------
    root, path : str
        Where the volume will lie; of one that gets its name at the end, any name in its folder.

    Raises
    ------
    StorageError
        If the volume cannot be written.
    """
    target = local_root(root) / path
    temporary = target.with_name(f"{target.name}{UNFINISHED}{os.getpid()}-{secrets.token_hex(4)}")
    with _storage_errors(path):
        temporary.mkdir(parents=True)
        try:
            yield temporary
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def move_in(temporary: Path, root: str, path: str) -> None:
    """Let a finished volume appear at its place, unless another process was first."""
    _move(temporary, local_root(root) / path)


def touch(root: str, path: str) -> None:
    """Mark a volume as in use now, so that `lake.vacuum` gives it a new period of grace."""
    with _storage_errors(path):
        os.utime(local_root(root) / path)


def discard(root: str, path: str, *, before: float = math.inf) -> bool:
    """Remove a volume; it disappears in one step and is then deleted file by file.

    Parameters
    ----------
    root, path : str
        Which.
    before : float
        Leave it if it was changed or touched at this time (s since 1970) or later.

    Returns
    -------
    bool
        False if it was left, or has gone already.
    """
    target = local_root(root) / path
    doomed = target.with_name(f"{target.name}{UNFINISHED}{secrets.token_hex(8)}")
    with _storage_errors(path), contextlib.suppress(FileNotFoundError):
        if target.stat().st_mtime >= before:
            return False
        target.rename(doomed)
        shutil.rmtree(doomed)
        return True
    return False


def stored_bytes(root: str, path: str) -> int:
    """Bytes of all files of a volume."""
    folder = local_root(root) / path
    return sum(
        (Path(parent) / name).stat().st_size
        for parent, _, names in os.walk(folder)
        for name in names
    )


def list_volumes(root: str) -> Iterator[tuple[str, float, bool]]:
    """All volumes on disk: path, time of the last change (s since 1970), and whether finished."""
    base = local_root(root)
    for folder in sorted(base.glob("*/*/*.zarr*")):
        with contextlib.suppress(FileNotFoundError):  # published or removed since
            changed = folder.stat().st_mtime
            yield folder.relative_to(base).as_posix(), changed, UNFINISHED not in folder.name


def _move(temporary: Path, target: Path) -> None:
    try:
        temporary.rename(target)
    except OSError:
        if not target.is_dir():  # otherwise another process was first, with the same content
            raise


@contextlib.contextmanager
def _storage_errors(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if isinstance(error, StorageError):
            raise
        raise StorageError(
            f"volume {path} cannot be written: {error.strerror or type(error).__name__}; check "
            "free space and permissions of the lake's volumes folder"
        ) from error
