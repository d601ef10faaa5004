"""A prefix of an object store as a source, through fsspec."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from schemas.errors import InvalidInputError, RejectedObjectError, SourceUnavailableError
from schemas.records import ObjectRef
from schemas.sources import ObjectStoreSettings
from tasks.sources.uris import OBJECT_STORE, RemotePlace, make_remote_uri

_TIMES: Final = ("LastModified", "last_modified", "updated", "mtime", "created")
_NS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class ObjectStoreSource:
    """Everything below a prefix, in the order of names.

    Archives are not read in place here: they come as one object each, which is no DICOM.

    Parameters
    ----------
    settings : ObjectStoreSettings
        The declared source.
    name : str
        Its name.
    """

    settings: ObjectStoreSettings
    name: str = "object_store"

    def objects(self) -> Iterator[ObjectRef]:
        """All objects; see `tasks.sources.base.Source.objects`.

        Raises
        ------
        SourceUnavailableError
            If the store does not answer or refuses.
        InvalidInputError
            If the driver is not installed.
        """
        files, prefix = open_store(self.settings)
        try:
            found: Mapping[str, Mapping[str, Any]] = files.find(prefix, detail=True, refresh=True)
        except (OSError, ValueError) as error:
            name = type(error).__name__
            raise SourceUnavailableError(f"{self.settings.url} cannot be listed: {name}") from None
        for path, about in sorted(found.items()):
            below = path.removeprefix(prefix).lstrip("/")
            uri = make_remote_uri(OBJECT_STORE, self.name, below.split("/"))
            yield ObjectRef(uri, int(about.get("size") or 0), _changed_ns(about))


def open_store(settings: ObjectStoreSettings) -> tuple[Any, str]:
    """Open the store.

    Returns
    -------
    tuple
        fsspec file system, and the prefix in its own notation.

    Raises
    ------
    InvalidInputError
        If the driver is not installed or does not take the settings.
    """
    import fsspec  # type: ignore[import-untyped]

    options = {} if settings.endpoint_url is None else {"endpoint_url": settings.endpoint_url}
    try:
        files, prefix = fsspec.core.url_to_fs(settings.url, **options)
    except ImportError as error:
        raise InvalidInputError(f"{settings.url}: {error}") from None
    except (TypeError, ValueError) as error:
        raise InvalidInputError(
            f"{settings.url} cannot be opened: {type(error).__name__}"
        ) from None
    return files, str(prefix).rstrip("/")


def read_stored(store: tuple[Any, str], place: RemotePlace, limit: int) -> tuple[bytes, int]:
    """Read at most `limit` bytes of an object, and its size.

    Raises
    ------
    RejectedObjectError
        ``unreadable`` if it is gone or forbidden, ``source_unavailable`` for other failures.
    """
    files, prefix = store
    if any(part in {".", "..", ""} for part in place.parts):
        raise RejectedObjectError("unreadable", "the name of the object is not a plain path")
    path = "/".join((prefix, *place.parts))
    try:
        size = int(files.size(path) or 0)
        return files.cat_file(path, start=0, end=min(limit, size)), size
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        raise RejectedObjectError("unreadable", f"the store says {type(error).__name__}") from None
    except OSError as error:
        name = type(error).__name__
        raise RejectedObjectError("source_unavailable", f"the store says {name}") from None


def _changed_ns(about: Mapping[str, Any]) -> int:
    """Time of the last change; without one, what identifies the content serves as well."""
    value = next((about[key] for key in _TIMES if about.get(key)), None)
    if isinstance(value, datetime):
        return int(value.timestamp()) * _NS + value.microsecond * 1000
    if isinstance(value, int | float):
        return int(value * _NS)
    tag = str(value or about.get("ETag") or about.get("etag") or "")
    return zlib.crc32(tag.encode())
