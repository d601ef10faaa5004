"""What the lake knows of one ingestion run, as the run left it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from flows.discovery import ASKED_AGAIN
from flows.report.trend import RunPoint
from lake import Lake
from schemas.errors import NotFoundInLakeError
from schemas.reasons import REASONS
from schemas.records import Row

#: Earlier runs that one is compared with.
_EARLIER: Final = 10
_LATEST: Final = "latest"

_RUN: Final = (
    "SELECT * EXCLUDE (parameters_json, run_author), "
    "row_number() OVER (ORDER BY started_at DESC, run_id) = 1 AS is_latest "
    "FROM runs WHERE flow_name = 'ingest' QUALIFY run_id = $run OR ($run = 'latest' AND is_latest)"
)

#: A run that changed nothing has written its own row when it began and when it ended.
_BEGIN_AND_END: Final = 2

_SOURCES: Final = "SELECT * FROM run_sources WHERE run_id = $run ORDER BY source_number"

_EARLIER_RUNS: Final = (
    "SELECT run_id, started_at, n_files - n_unchanged, n_quarantined, objects_per_s FROM runs "
    "WHERE flow_name = 'ingest' AND run_state != 'running' AND started_at < $started "
    "ORDER BY started_at DESC, run_id LIMIT $limit"
)

#: Series with something new of this run, with how many of their volumes are new.
_SERIES: Final = """
SELECT s.series_instance_uid, s.centre, s.modality, s.n_instances, coalesce(v.n, 0) AS n_volumes
FROM series s
LEFT JOIN (SELECT series_instance_uid, count(*) AS n FROM volumes
           WHERE run_id = $run AND zone IN ('raw', 'mask') GROUP BY ALL) v
USING (series_instance_uid)
WHERE s.run_id = $run OR v.n > 0
"""

_BY_CENTRE: Final = """
SELECT centre, modality, count(*) AS series, sum(n_instances)::BIGINT AS objects,
  coalesce(sum(n_volumes) FILTER (NOT list_contains($grown, series_instance_uid)), 0)::BIGINT
    AS new_volumes,
  coalesce(sum(n_volumes) FILTER (list_contains($grown, series_instance_uid)), 0)::BIGINT
    AS grown_volumes
FROM ({series}) GROUP BY ALL ORDER BY ALL
"""

#: Objects without a series row are counted by the run; what is asked for again each night keeps the
#: run that saw it first, hence both ways to find the series.
_REASONS: Final = """
SELECT o.reason_code, o.n_objects, count(DISTINCT f.series_instance_uid) AS n_series,
  coalesce(list(DISTINCT f.series_instance_uid ORDER BY f.series_instance_uid)
    FILTER (f.series_instance_uid IS NOT NULL), []) AS series,
  coalesce(list(DISTINCT f.source_name ORDER BY f.source_name)
    FILTER (f.source_name IS NOT NULL), []) AS sources
FROM run_outcomes o
LEFT JOIN files f ON f.outcome = o.outcome AND f.reason_code = o.reason_code
  AND (f.run_id = $run OR list_contains($again, o.reason_code))
WHERE o.run_id = $run AND o.outcome = $outcome
GROUP BY ALL ORDER BY o.n_objects DESC, o.reason_code
"""

_CONFLICTS: Final = """
SELECT series_instance_uid, count(*) AS objects, any_value(source_name) AS source FROM files
WHERE run_id = $run AND reason_code = 'conflicting_duplicate' GROUP BY ALL ORDER BY ALL LIMIT 50
"""

_FINDINGS: Final = """
SELECT severity, rule_id AS rule, centre, count(*) AS times,
  any_value(message ORDER BY finding_id) AS example
FROM findings WHERE run_id = $run GROUP BY ALL
ORDER BY list_position(['fail', 'warn', 'info'], any_value(severity)), times DESC, rule LIMIT 60
"""

_VOLUMES: Final = """
SELECT v.volume_path, s.modality, s.patient_key, s.centre, v.series_instance_uid,
  coalesce(s.radiopharmaceutical, s.radionuclide) AS tracer, v.shape_t, v.shape_z, v.shape_y,
  v.shape_x, v.part_index
FROM volumes v JOIN series s USING (series_instance_uid)
WHERE v.run_id = $run AND v.zone = 'raw'
  -- Secondary Capture may show who the patient is
  AND NOT starts_with(coalesce(s.sop_class_uid, ''), '1.2.840.10008.5.1.4.1.1.7.')
  AND s.sop_class_uid IS DISTINCT FROM '1.2.840.10008.5.1.4.1.1.7'
ORDER BY s.modality NOT IN ('PT', 'NM'), s.centre, s.patient_key, v.volume_id
LIMIT $limit
"""


@dataclass(frozen=True)
class RunFacts:
    """Everything the report of a run shows, before it is drawn.

    Parameters
    ----------
    run : dict
        Its row in `runs`, and ``is_latest``: no ingestion began after it.
    earlier : list of RunPoint
        The runs before it, oldest first.
    is_as_then : bool
        The lake as the run left it could still be read; otherwise as it is now.
    quarantined, ignored : list of dict
        By reason: ``reason_code, sentence, n_objects, n_series, series, sources``.
    volumes : list of dict
        New raw volumes, the first ones; `n_volumes` is how many there are.
    grown : set of str
        Series of which the lake had a volume before.
    """

    run: Row
    earlier: list[RunPoint]
    is_as_then: bool
    sources: list[Row]
    by_centre: pa.Table
    quarantined: list[Row]
    ignored: list[Row]
    conflicts: pa.Table
    findings: pa.Table
    volumes: list[Row]
    n_volumes: int
    grown: frozenset[str]


def run_facts(lk: Lake, run_id: str, max_volumes: int) -> RunFacts:
    """Ask the lake about a run, at the snapshot in which it ended.

    Parameters
    ----------
    run_id : str
        Of an ingestion, or ``latest``.
    max_volumes : int
        New volumes to name.

    Raises
    ------
    NotFoundInLakeError
        There is no such run.
    """
    run = find_run(lk, run_id)
    this = {"run": run["run_id"]}
    before, own = _snapshots(lk, str(run["run_id"]))
    after = own[-1] if own else None
    if run["n_files"] == run["n_unchanged"] and 0 < len(own) <= _BEGIN_AND_END:
        return _nothing_new(lk, run)
    then = lk if after is None else lk.at(snapshot=after)
    grown = _grown(lk, then, before, this)
    by_centre = then.sql(
        _BY_CENTRE.replace("{series}", _SERIES), {**this, "grown": sorted(grown)}
    ).to_arrow_table()
    count = "SELECT count(*) AS n FROM volumes WHERE run_id = $run AND zone = 'raw'"
    return RunFacts(
        run=run,
        earlier=_points(lk, run),
        is_as_then=after is not None,
        sources=_rows(lk, _SOURCES, this),
        by_centre=by_centre,
        quarantined=_reasons(then, this, "quarantined"),
        ignored=_reasons(then, this, "ignored"),
        conflicts=then.sql(_CONFLICTS, this).to_arrow_table(),
        findings=then.sql(_FINDINGS, this).to_arrow_table(),
        volumes=_rows(then, _VOLUMES, {**this, "limit": max_volumes}),
        n_volumes=int(str(_rows(then, count, this)[0]["n"])),
        grown=grown,
    )


def _nothing_new(lk: Lake, run: Row) -> RunFacts:
    """Return what most nights bring: none of the questions about new objects need be asked."""
    nothing = pa.table({})
    return RunFacts(
        run, _points(lk, run), is_as_then=True, sources=_rows(lk, _SOURCES, {"run": run["run_id"]}),
        by_centre=nothing, quarantined=[], ignored=[], conflicts=nothing, findings=nothing,
        volumes=[], n_volumes=0, grown=frozenset(),
    )  # fmt: skip


def find_run(lk: Lake, run_id: str) -> Row:
    """Return the row of an ingestion in `runs`; ``latest`` is the one that began last.

    Raises
    ------
    NotFoundInLakeError
        There is no such run.
    """
    found = _rows(lk, _RUN, {"run": run_id})
    if not found:
        what = "no ingestion has run" if run_id == _LATEST else f"there is no ingestion {run_id}"
        raise NotFoundInLakeError(f"{what} in this lake; see table 'runs'")
    return found[0]


def _rows(lk: Lake, query: str, values: Mapping[str, object]) -> list[Row]:
    rows: list[dict[str, Any]] = lk.sql(query, values).to_arrow_table().to_pylist()
    return list(rows)


def _snapshots(lk: Lake, run_id: str) -> tuple[int | None, list[int]]:
    """Last snapshot before the run (None where it has expired) and those of its own."""
    everything = lk.snapshots()
    own = [s.snapshot_id for s in everything if f" {run_id}:" in (s.message or "")]
    earlier = [s.snapshot_id for s in everything if own and s.snapshot_id < own[0]]
    return (earlier[-1] if earlier else None), own


def _grown(lk: Lake, then: Lake, before: int | None, this: Row) -> frozenset[str]:
    if before is None:
        return frozenset()
    uids = [row["series_instance_uid"] for row in _rows(then, _SERIES, this)]
    if not uids:  # most nights: an older state of the lake need not be opened
        return frozenset()
    query = (
        "SELECT DISTINCT series_instance_uid FROM volumes WHERE list_contains($uids, "
        "series_instance_uid)"
    )
    known = _rows(lk.at(snapshot=before), query, {"uids": uids})
    return frozenset(str(row["series_instance_uid"]) for row in known)


def _points(lk: Lake, run: Row) -> list[RunPoint]:
    values = {"started": run["started_at"], "limit": _EARLIER}
    rows = lk.sql(_EARLIER_RUNS, values).fetchall()
    return [RunPoint(*row) for row in reversed(rows)]


def _reasons(then: Lake, this: Row, outcome: str) -> list[Row]:
    values = {**this, "outcome": outcome, "again": list(ASKED_AGAIN)}
    rows = _rows(then, _REASONS, values)
    return [{**row, "sentence": REASONS.get(str(row["reason_code"]), "")} for row in rows]
