"""Objects that somebody is still writing: found by looking twice."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from typing import Protocol

from schemas.errors import RejectedObjectError
from schemas.records import ObjectRef
from tasks.sources.uris import FILE, TAR, ZIP, file_path, parse_uri, scheme_of

_NS = 1_000_000_000


class _WholeReader(Protocol):
    def read(self, uri: str, max_bytes: int) -> bytes:
        """All bytes of the object."""


class SettledReader:
    """Reads objects as they were listed: what changed since is refused.

    Size and time are compared *after* reading, so that a writer who comes at any moment in between
    is noticed. Objects of remote sources, and those without a time, are read as they are.

    Parameters
    ----------
    reader : object with ``read``
        Reads the bytes.
    refs : iterable of ObjectRef
        The objects as they were listed; others are read as they are.
    """

    def __init__(self, reader: _WholeReader, refs: Iterable[ObjectRef]) -> None:
        self._reader = reader
        self._listed = {ref.uri: ref for ref in refs}

    def read(self, uri: str, max_bytes: int) -> bytes:
        """Read a whole object.

        Raises
        ------
        RejectedObjectError
            ``still_being_written``, and as the reader.
        """
        ref = self._listed.get(uri)
        if ref is None:
            return self._reader.read(uri, max_bytes)
        try:
            data = self._reader.read(uri, max_bytes)
        except RejectedObjectError:
            _refuse_changed(ref)  # a file that is being written is cut off as well: say the cause
            raise
        _refuse_changed(ref)
        return data


def changed_since(ref: ObjectRef) -> bool:
    """Say whether a local object is there with another size or time than it was listed with."""
    if not ref.modified_ns or not _is_local(ref):
        return False
    file = file_path(ref.uri)
    try:
        status = os.stat(file or parse_uri(ref.uri).path)  # noqa: PTH116  once for every object
    except OSError:
        return False  # gone or forbidden: reading it says so
    if status.st_mtime_ns != ref.modified_ns:
        return True
    return file is not None and status.st_size != ref.size_bytes


def still_being_written(
    refs: Iterable[ObjectRef],
    settle_s: float,
    *,
    now: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> set[str]:
    """URIs of objects that change within `settle_s` seconds of being looked at.

    Only objects that were modified less than `settle_s` ago are looked at again, so that a run over
    files that lie there for long waits for nothing.

    Parameters
    ----------
    refs : iterable of ObjectRef
        As just listed.
    settle_s : float
        0: look at nothing.
    now, sleep : callable
        Clock (s since 1970) and wait.
    """
    young_ns = int((now() - settle_s) * _NS)
    young = [ref for ref in refs if settle_s and ref.modified_ns > young_ns and _is_local(ref)]
    if not young:
        return set()
    sleep(settle_s)
    return {ref.uri for ref in young if changed_since(ref)}


def _is_local(ref: ObjectRef) -> bool:
    return scheme_of(ref.uri) in {FILE, ZIP, TAR}


def _refuse_changed(ref: ObjectRef) -> None:
    if changed_since(ref):
        detail = "size or time are other than when it was listed"
        raise RejectedObjectError("still_being_written", detail) from None
