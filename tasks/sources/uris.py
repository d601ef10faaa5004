"""URIs of input objects, percent-encoded.

Local ones are ``file:``, ``zip:``, ``tar:`` and ``link:``. ``!`` separates an archive from its
member. It is encoded wherever it is part of a name, so the split is never ambiguous. Names that are
not valid UTF-8 survive byte by byte.

Remote ones are ``dicomweb:``, ``dimse:`` and ``object-store:``. In place of a host they name a
declared source, ``dicomweb://pacs/studies/1.2/series/1.2.3/instances/1.2.3.4``, so they hold
neither address nor secret, and stay the same when a server moves.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote, unquote, unquote_to_bytes

from schemas.errors import InvalidInputError, RejectedObjectError

FILE: Final = "file"
ZIP: Final = "zip"
TAR: Final = "tar"
#: A symbolic link that leaves its source; it is listed, never read.
LINK: Final = "link"
DICOMWEB: Final = "dicomweb"
DIMSE: Final = "dimse"
OBJECT_STORE: Final = "object-store"
#: Schemes of objects that are reached through a declared source.
REMOTE: Final = frozenset({DICOMWEB, DIMSE, OBJECT_STORE})

_LEVELS: Final = ("studies", "series", "instances")
_UID: Final = re.compile(r"[0-9A-Za-z._-]{1,64}")

_SUFFIXES: Final = {".zip": ZIP, ".tar": TAR, ".tar.gz": TAR, ".tgz": TAR}
_ENDINGS: Final = tuple(_SUFFIXES)


class Place(NamedTuple):
    """A parsed URI: scheme, absolute path and, inside archives, the member's name."""

    scheme: str
    path: Path
    member: str | None


def scheme_of(uri: str) -> str:
    """Scheme of a URI, such as ``zip``."""
    return uri.partition("://")[0]


def archive_scheme(name: str) -> str | None:
    """``zip`` or ``tar`` by the ending of a file name; None if it is no archive."""
    lowered = name.lower()
    if not lowered.endswith(_ENDINGS):
        return None
    return next((s for suffix, s in _SUFFIXES.items() if lowered.endswith(suffix)), None)


def make_uri(scheme: str, path: Path, member: str | None = None) -> str:
    """Build the URI of a file or archive member.

    Examples
    --------
    >>> make_uri("zip", Path("/data/a b.zip"), "x!y/1.dcm")
    'zip:///data/a%20b.zip!x%21y/1.dcm'
    """
    uri = f"{scheme}://{quote(os.fsencode(path))}"
    return uri if member is None else f"{uri}!{quote(member, errors='surrogateescape')}"


def parse_uri(uri: str) -> Place:
    """Take a URI apart.

    Raises
    ------
    InvalidInputError
        If it is no URI of this module.

    Examples
    --------
    >>> parse_uri("zip:///data/a%20b.zip!x%21y/1.dcm").member
    'x!y/1.dcm'
    """
    scheme, separator, rest = uri.partition("://")
    if not separator or scheme not in {FILE, ZIP, TAR, LINK} or not rest.startswith("/"):
        raise InvalidInputError(f"expected a file, zip, tar or link URI, got scheme {scheme!r}")
    path, bang, member = rest.partition("!")
    name = unquote(member, errors="surrogateescape") if bang else None
    return Place(scheme, Path(os.fsdecode(unquote_to_bytes(path))), name)


def file_path(uri: str) -> str | None:
    """Path of a plain file, without the detour over `Place`; None for all other objects.

    Examples
    --------
    >>> file_path("file:///data/a%20b.dcm")
    '/data/a b.dcm'
    >>> file_path("zip:///data/a.zip!x") is None
    True
    """
    if not uri.startswith("file:///") or "!" in uri:
        return None
    path = uri[7:]
    return os.fsdecode(unquote_to_bytes(path)) if "%" in path else path


class RemotePlace(NamedTuple):
    """A parsed URI of a remote object: scheme, name of the source, decoded parts of its path."""

    scheme: str
    source: str
    parts: tuple[str, ...]


def is_remote(uri: str) -> bool:
    """Say whether the object is reached through a declared source."""
    return scheme_of(uri) in REMOTE


def make_remote_uri(scheme: str, source: str, parts: Iterable[str]) -> str:
    """Build the URI of a remote object from the parts of its path.

    Examples
    --------
    >>> make_remote_uri("object-store", "bucket", ["a b", "1.dcm"])
    'object-store://bucket/a%20b/1.dcm'
    """
    return f"{scheme}://{source}/" + "/".join(quote(part, safe="") for part in parts)


def make_instance_uri(scheme: str, source: str, *uids: str) -> str:
    """Build the URI of a study, series or instance from its one to three UIDs.

    Examples
    --------
    >>> make_instance_uri("dicomweb", "pacs", "1.2", "1.2.3", "1.2.3.4")
    'dicomweb://pacs/studies/1.2/series/1.2.3/instances/1.2.3.4'
    """
    named = zip(_LEVELS, uids, strict=False)
    return make_remote_uri(scheme, source, [part for pair in named for part in pair])


def parse_remote_uri(uri: str) -> RemotePlace:
    """Take the URI of a remote object apart.

    Raises
    ------
    InvalidInputError
        If it is none.
    """
    scheme, separator, rest = uri.partition("://")
    source, slash, path = rest.partition("/")
    if not separator or scheme not in REMOTE or not source or not slash:
        raise InvalidInputError(f"expected a remote URI, got scheme {scheme!r}")
    return RemotePlace(scheme, source, tuple(unquote(part) for part in path.split("/")))


def instance_uids(place: RemotePlace) -> tuple[str, str, str]:
    """Study, series and instance UID of a remote instance, safe to be put into a request.

    Raises
    ------
    RejectedObjectError
        ``invalid_attribute`` if one of them is absent or no UID.
    """
    uids = place.parts[1::2]
    if len(uids) != 3 or not all(is_uid(uid) for uid in uids):
        raise RejectedObjectError("invalid_attribute", "the source lists it under an invalid UID")
    return uids[0], uids[1], uids[2]


def is_uid(text: str) -> bool:
    """Say whether a text can serve as UID in a request (vendors bend the rules: letters pass)."""
    return _UID.fullmatch(text) is not None and text.strip(".") != ""


def series_of(uri: str) -> str:
    """URI of the series that a remote instance belongs to."""
    return uri.rpartition("/instances/")[0]
