"""Series that get more objects than the lake knew: what is known of them, and is it still there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from lake import Lake
from lake.keys import KeyStore
from schemas.reasons import Outcome
from schemas.records import ObjectRef, ScannedObject


@dataclass(frozen=True, slots=True)
class KnownObject:
    """An object the lake has an outcome for, of a series that now gets more.

    Parameters
    ----------
    series_instance_uid, sop_instance_uid : str
        Pseudonymised.
    was_used : bool
        Part of the series' present volume, contours or mask.
    """

    ref: ObjectRef
    file_key: str
    source_name: str | None
    series_instance_uid: str
    sop_instance_uid: str | None
    was_used: bool


def known_objects(
    lk: Lake,
    keys: KeyStore,
    unchanged: Mapping[str, ObjectRef],
    series_uids: Iterable[str],
    exclude: set[str],
) -> list[KnownObject]:
    """Return what the lake has of series that get more.

    A series that grows is converted again as a whole, so its known objects are needed: from this
    listing, or from where the key holder's table says they were.

    Parameters
    ----------
    unchanged : mapping
        Objects of this listing that need no look, by file key.
    series_uids : iterable of str
        Pseudonymised UIDs of the series with new objects.
    exclude : set of str
        File keys that are being read anyway.
    """
    wanted = sorted(set(series_uids))
    if not wanted:
        return []
    rows = lk.sql(
        "SELECT file_key, size_bytes, modified_ns, source_name, series_instance_uid, "
        "sop_instance_uid, outcome FROM files "
        "WHERE list_contains($uids, series_instance_uid) ORDER BY file_key",
        {"uids": wanted},
    ).fetchall()
    found = []
    for key, size, modified, name, series, sop, outcome in rows:
        if key in exclude:
            continue
        ref = unchanged.get(key)
        if ref is None and (uri := keys.location(key)) is not None:
            ref = ObjectRef(uri, size, modified)
        if ref is not None:
            used = outcome == Outcome.INGESTED
            found.append(KnownObject(ref, key, name, series, sop, used))
    return found


def incomplete_series(
    known: Iterable[KnownObject],
    looked_at: Iterable[ScannedObject],
    fresh: Iterable[ScannedObject],
    uid: Callable[[str], str],
) -> set[str]:
    """Pseudonymised UIDs of series of which a used object is gone and did not come again.

    Converting what is left would put a part of the series in the place of the whole.

    Parameters
    ----------
    known : iterable of KnownObject
        What the lake had.
    looked_at : iterable of ScannedObject
        Those objects as they are now.
    fresh : iterable of ScannedObject
        The new objects.
    uid : callable
        Pseudonym of an original UID.
    """
    readable = {s.ref.uri for s in looked_at if s.outcome is None}
    again = {uid(s.sop_instance_uid) for s in fresh if s.sop_instance_uid}
    present = again | {k.sop_instance_uid for k in known if k.ref.uri in readable}
    return {
        k.series_instance_uid for k in known if k.was_used and k.sop_instance_uid not in present
    }
