"""URIs of input objects: ``file:``, ``zip:``, ``tar:`` and ``link:``, percent-encoded.

``!`` separates an archive from its member. It is encoded wherever it is part of a name, so the
split is never ambiguous. Names that are not valid UTF-8 survive byte by byte.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote, unquote, unquote_to_bytes

from schemas.errors import InvalidInputError

FILE: Final = "file"
ZIP: Final = "zip"
TAR: Final = "tar"
#: A symbolic link that leaves its source; it is listed, never read.
LINK: Final = "link"

_SUFFIXES: Final = {".zip": ZIP, ".tar": TAR, ".tar.gz": TAR, ".tgz": TAR}


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
