"""Series that another allow-list of de-identification made: they are converted again."""

from __future__ import annotations

from collections import defaultdict

from flows.discovery import Discovery
from lake import Lake
from schemas.reasons import Outcome


def reopen_outdated(lk: Lake, found: Discovery, profile_version: str) -> int:
    """Treat the known objects of series as changed that went through another allow-list.

    A series is taken up again only if all objects that it was made from are in this listing:
    converting a part of it would put the part in the place of the whole.

    Parameters
    ----------
    lk : Lake
        The lake.
    found : Discovery
        What the sources list; objects move from `unchanged` to `changed`.
    profile_version : str
        Version of the allow-list now; ``none`` where de-identification is off.

    Returns
    -------
    int
        Series that are taken up again.
    """
    if not found.unchanged:
        return 0
    rows = lk.sql(
        "SELECT f.series_instance_uid, f.file_key, f.outcome "
        "FROM files f JOIN series s USING (series_instance_uid) "
        "WHERE s.deidentification_version IS DISTINCT FROM $now",
        {"now": profile_version},
    ).fetchall()
    by_series: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for series, key, outcome in rows:
        by_series[series].append((key, outcome))
    reopened = 0
    for objects in by_series.values():
        used = [key for key, outcome in objects if outcome == Outcome.INGESTED]
        if used and all(key in found.unchanged for key in used):
            for key, _ in objects:
                found.reopen(key)
            reopened += 1
    return reopened
