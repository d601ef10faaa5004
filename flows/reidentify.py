"""Looking up who or what is behind pseudonyms, for those who hold the key."""

from __future__ import annotations

import csv
import io
import os
import pwd
from collections.abc import Sequence
from pathlib import Path

from lake import Lake
from lake.key_files import refuse_inside_lake
from lake.keys import Original
from schemas.errors import InvalidInputError


def reidentify(lk: Lake, pseudonyms: Sequence[str], *, reason: str = "") -> list[Original]:
    """Look up pseudonyms; who asked for which and when is logged in the key folder.

    An instance's UID leads to the place of its file: of instances, the key holder's table knows the
    place only.

    Parameters
    ----------
    lk : Lake
        The lake; its key must be at hand.
    pseudonyms : sequence of str
        Patient keys, pseudonymised UIDs or file keys.
    reason : str
        Why, for the log.

    Returns
    -------
    list of Original
        In the order asked. Never to be logged.

    Raises
    ------
    InvalidInputError
        If the lake holds identities anyway, or its key is not at hand.
    """
    if not lk.settings.deidentify:
        raise InvalidInputError("this lake keeps identities (deidentify = false): nothing to do")
    file_keys = dict(
        lk.sql(
            "SELECT sop_instance_uid, file_key FROM files "
            "WHERE list_contains($asked, sop_instance_uid) AND outcome = 'ingested'",
            {"asked": list(pseudonyms)},
        ).fetchall()
    )
    found = lk.keys().reidentify(
        [file_keys.get(p, p) for p in pseudonyms], account=_account(), reason=reason
    )
    return [o._replace(pseudonym=p) for o, p in zip(found, pseudonyms, strict=True)]


def _account() -> str:
    """Name of the account by the system, not by the environment, which anybody can set."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"user {os.geteuid()}"


def write_originals(path: Path, found: Sequence[Original]) -> None:
    """Write what was found as CSV that only its owner may read.

    Raises
    ------
    InvalidInputError
        If the file exists, cannot be written, or would lie in a lake.
    """
    place = path.expanduser().resolve()
    refuse_inside_lake(place.parent)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(Original._fields)
    writer.writerows(found)
    try:
        handle = os.open(place, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except OSError as error:
        raise InvalidInputError(f"cannot make {place}: {error.strerror}") from error
    with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
        file.write(text.getvalue())
