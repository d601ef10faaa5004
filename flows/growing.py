"""Series that the lake knows and that get more objects: what it uses of them, is it still there.

"Used" is an object that the present volume, contours or mask of its series was made of.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from lake import Lake
from schemas.reasons import Outcome
from schemas.records import ObjectRef, ScannedObject

#: Series and SOP Instance UID (pseudonymised) and digest of the content.
Content = tuple[str, str | None, str | None]


@dataclass(frozen=True, slots=True)
class KnownObject:
    """An object the lake has an outcome for, of a series that now gets more.

    Parameters
    ----------
    series_instance_uid, sop_instance_uid : str
        Pseudonymised.
    ref : ObjectRef or None
        Where it lies; None if nobody knows any more.
    is_used : bool
        Part of the series' present volume, contours or mask.
    is_copy : bool
        Holds what is used, perhaps in another encoding.
    """

    file_key: str
    source_name: str | None
    series_instance_uid: str
    sop_instance_uid: str | None
    content_blake3: str | None
    is_used: bool
    ref: ObjectRef | None
    is_copy: bool = False

    @property
    def content(self) -> Content:
        """What identifies the content of the object within the lake."""
        return self.series_instance_uid, self.sop_instance_uid, self.content_blake3


def known_objects(
    lk: Lake,
    series_uids: Iterable[str],
    unchanged: Mapping[str, ObjectRef],
    location: Callable[[str], str | None],
) -> list[KnownObject]:
    """Return what the lake has of series.

    A series that grows is converted again as a whole, so its known objects are needed: from this
    listing, or from where the key holder's table says they were.

    Parameters
    ----------
    series_uids : iterable of str
        Pseudonymised.
    unchanged : mapping
        Objects of this listing that need no look, by file key.
    location : callable
        URI by file key, if the key holder knows.
    """
    wanted = sorted(set(series_uids))
    if not wanted:
        return []
    rows = lk.sql(
        "SELECT file_key, size_bytes, modified_ns, source_name, series_instance_uid, "
        "sop_instance_uid, content_blake3, outcome FROM files "
        "WHERE series_instance_uid IN (SELECT unnest($uids)) ORDER BY file_key",
        {"uids": wanted},
    ).fetchall()
    found = []
    for key, size, modified, name, series, sop, digest, outcome in rows:
        ref = unchanged.get(key)
        if ref is None and (uri := location(key)) is not None:
            ref = ObjectRef(uri, size, modified)
        is_used, is_copy = outcome == Outcome.INGESTED, outcome == Outcome.DUPLICATE
        found.append(KnownObject(key, name, series, sop, digest, is_used, ref, is_copy))
    return found


def marked(
    scanned: Iterable[ScannedObject],
    known: Iterable[KnownObject],
    uid: Callable[[str], str],
    file_key: Callable[[str], str],
) -> list[ScannedObject]:
    """Say of each object which content the lake uses under its SOP Instance UID.

    Parameters
    ----------
    scanned : iterable of ScannedObject
        To be converted.
    known : iterable of KnownObject
        What the lake has of their series.
    uid, file_key : callable
        Pseudonyms of an original UID and of a place.
    """
    used: dict[tuple[str, str | None], KnownObject] = {}
    copies: dict[tuple[str, str | None], set[str]] = defaultdict(set)
    places = set()
    for k in known:
        instance = k.series_instance_uid, k.sop_instance_uid
        if k.is_used:
            places.add(k.file_key)
            if instance not in used or k.ref is not None:  # of several, one that can be read
                used[instance] = k
        elif k.is_copy and k.content_blake3:
            copies[instance].add(k.content_blake3)

    def mark(item: ScannedObject) -> ScannedObject:
        instance = uid(str(item.series_instance_uid)), uid(str(item.sop_instance_uid))
        found = used.get(instance)
        if found is None or found.content_blake3 is None:
            return item
        return replace(
            item,
            used_digest=found.content_blake3,
            is_used=file_key(item.ref.uri) in places,
            used_uri=None if found.ref is None else found.ref.uri,
            copy_digests=tuple(sorted(copies[instance])),
        )

    return [mark(item) for item in scanned]


def to_remake(
    scanned: Iterable[ScannedObject], known: Iterable[KnownObject], file_key: Callable[[str], str]
) -> set[str]:
    """Original UIDs of the series to convert; the others bring nothing that the lake does not use.

    Those are series with an object that the lake uses nothing like, and series of which a used
    object is looked at although it did not change: somebody wants them converted again.
    """
    unchanged = {
        (k.file_key, k.ref.size_bytes, k.ref.modified_ns) for k in known if k.is_used and k.ref
    }
    return {
        str(s.series_instance_uid)
        for s in scanned
        if s.used_digest is None
        or (file_key(s.ref.uri), s.ref.size_bytes, s.ref.modified_ns) in unchanged
    }


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
    present = {
        (uid(str(s.series_instance_uid)), uid(s.sop_instance_uid))
        for s in (*looked_at, *fresh)
        if s.outcome is None and s.sop_instance_uid
    }
    return {
        k.series_instance_uid
        for k in known
        if k.is_used and (k.series_instance_uid, k.sop_instance_uid) not in present
    }
