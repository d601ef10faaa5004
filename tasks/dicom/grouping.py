"""Objects of one series, together and in an order that does not depend on how they were found."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from schemas.records import ScannedObject, SeriesGroup


def group_series(scanned: Iterable[ScannedObject]) -> list[SeriesGroup]:
    """Group the objects that are to be converted by Series Instance UID.

    Parameters
    ----------
    scanned : iterable of ScannedObject
        In any order; those with an outcome already are left out.

    Returns
    -------
    list of SeriesGroup
        Sorted by series; objects by instance number, SOP Instance UID, whether the lake uses this
        very object, then place. The kind is that of most objects (`convert_series` quarantines the
        others).
    """
    series: dict[str, list[ScannedObject]] = defaultdict(list)
    for item in scanned:
        if item.outcome is None and item.kind and item.series_instance_uid:
            series[item.series_instance_uid].append(item)
    return [_group(uid, series[uid]) for uid in sorted(series)]


def _group(uid: str, objects: list[ScannedObject]) -> SeriesGroup:
    counts = Counter(item.kind for item in objects)
    kind = max(sorted(k for k in counts if k), key=lambda k: counts[k])
    ordered = sorted(objects, key=_place)
    return SeriesGroup(uid, kind, tuple(ordered))


def _place(item: ScannedObject) -> tuple[int, str, bool, str]:
    uid = item.sop_instance_uid or ""
    return item.instance_number or 0, uid, not item.is_used, item.ref.uri
