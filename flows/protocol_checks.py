"""Holding the lake against its protocols: findings and checks renewed, only where they differ."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import pyarrow as pa

from flows.derive import input_digest
from flows.protocol_facts import facts_digest, protocol_facts
from flows.protocols import protocol_row, protocols_of
from flows.runs import RunLog, author
from lake import Lake, Transaction
from schemas.records import Row
from schemas.tables import TABLES
from tasks.protocol.evaluate import Protocols, check_row, evaluate, findings_of

#: Raised when the same facts and protocol would give other rows.
_ALGORITHM: Final = "protocol checks/1"

#: Findings of protocol rules, also of those that were code before protocols were files.
_KNOWN: Final = (
    "SELECT finding_id, first_run_id FROM findings WHERE protocol_digest IS NOT NULL "
    "OR (subject_kind = 'series' AND rule_id IN "
    "('UPT-1', 'ACT-2', 'HL-1', 'DEC-1', 'COR-1', 'WGT-1', 'VOX-1'))"
)
#: What there is of them; whatever else removes or adds one is noticed by it.
_PRESENT: Final = (
    "SELECT count(*) AS n, coalesce(bit_xor(hash(finding_id, severity)), 0) AS h FROM findings "
    "WHERE protocol_digest IS NOT NULL"
)
_BETWEEN: Final = (
    "SELECT * FROM protocol_checks WHERE series_instance_uid BETWEEN $first AND $last "
    "ORDER BY series_instance_uid, rule_id"
)
_GONE: Final = (
    "SELECT DISTINCT series_instance_uid FROM protocol_checks WHERE series_instance_uid "
    "NOT IN (SELECT unnest($uids::VARCHAR[]))"
)


@dataclass(frozen=True)
class Renewed:
    """What a renewal did.

    Parameters
    ----------
    n_series, n_checks : int
        Looked at; 0 where nothing had changed since the last time.
    n_findings : int
        What there is now.
    n_new, n_gone : int
        Findings that were not there before, and that hold no longer.
    """

    n_series: int = 0
    n_checks: int = 0
    n_findings: int = 0
    n_new: int = 0
    n_gone: int = 0


def renew_checks(lk: Lake, log: RunLog) -> Renewed:
    """Hold every PET and SPECT series against its centre's protocol.

    Runs after everything else is published, since visits, regions and clinical values may come in
    any order. Findings and checks that no longer hold go (history keeps them); a finding that
    stays keeps the run that found it first. Nothing is written, and no rule evaluated, if neither
    facts nor protocols nor the findings have changed.

    Raises
    ------
    InvalidInputError
        If a protocol file is not valid.
    """
    protocols = protocols_of(lk)
    # Taken before the facts: what another run publishes meanwhile is then checked the next time.
    digest = _facts_digest(lk, protocols)
    known = dict(lk.sql(_KNOWN).fetchall())
    present = lk.sql(_PRESENT).fetchone() or ()
    if _is_checked(lk, protocols, input_digest(digest, *present)):
        return Renewed(n_findings=len(known))
    done = _Progress()
    for facts in protocol_facts(lk):
        _renew_batch(lk, log, _evaluated(log, protocols, facts), known, done)
    gone = sorted(set(known) - done.finding_ids)
    _finish(lk, log, protocols, digest, gone, done)
    n_new = len(done.finding_ids - set(known))
    return Renewed(len(done.uids), done.n_checks, len(done.finding_ids), n_new, len(gone))


@dataclass
class _Progress:
    """What the batches so far came to: series with checks, and all findings that hold."""

    uids: set[str] = field(default_factory=set)
    finding_ids: set[str] = field(default_factory=set)
    n_checks: int = 0


@dataclass(frozen=True)
class _Batch:
    """Rows of ``protocol_checks`` of some series, and of ``findings`` with the series of each."""

    checks: pa.Table
    findings: list[tuple[str, Row]]


def _renew_batch(
    lk: Lake, log: RunLog, batch: _Batch, known: dict[str, str | None], done: _Progress
) -> None:
    """Write the series of a batch whose checks differ, and findings that are not there."""
    changed = _differing(lk, batch.checks)
    written = batch.checks.filter(
        pa.compute.is_in(
            batch.checks["series_instance_uid"], pa.array(sorted(changed), pa.string())
        )
    )
    findings = [
        _stamped(log, row, known)
        for uid, row in batch.findings
        if uid in changed or row["finding_id"] not in known
    ]
    done.uids |= set(batch.checks["series_instance_uid"].unique().to_pylist())
    done.finding_ids |= {str(row["finding_id"]) for _, row in batch.findings}
    done.n_checks += batch.checks.num_rows
    if not changed and not findings:
        return

    def write(tx: Transaction) -> None:
        tx.delete("protocol_checks", {"series_instance_uid": sorted(changed)})
        tx.insert("protocol_checks", written)
        tx.replace("findings", findings, scope=("finding_id",))

    message = log.message(f"protocol: checks of {len(changed)} series")
    lk.commit(write, message=message, author=author())


def _finish(
    lk: Lake, log: RunLog, protocols: Protocols, digest: str, gone: list[str], done: _Progress
) -> None:
    """Drop what no longer holds, and note what has been checked."""

    def write(tx: Transaction) -> None:
        if gone:
            tx.delete("findings", {"finding_id": gone})
        without = tx.sql(_GONE, {"uids": sorted(done.uids)})["series_instance_uid"].to_pylist()
        if without:
            tx.delete("protocol_checks", {"series_instance_uid": without})
        made = input_digest(digest, *tx.sql(_PRESENT).to_pylist()[0].values())
        named = [{**protocol_row(p), "checked_digest": made} for p in protocols.all()]
        tx.replace(
            "protocols", log.stamp(named), scope=("protocol_digest",), compared=("checked_digest",)
        )

    message = log.message(f"protocol: {len(done.finding_ids)} findings hold, {len(gone)} gone")
    lk.commit(write, message=message, author=author())


def _facts_digest(lk: Lake, protocols: Protocols) -> str:
    by_centre = {centre: p.digest for centre, p in sorted(protocols.centres.items())}
    return input_digest(_ALGORITHM, facts_digest(lk), protocols.default.digest, by_centre)


def _is_checked(lk: Lake, protocols: Protocols, digest: str) -> bool:
    done = dict(lk.sql("SELECT protocol_digest, checked_digest FROM protocols").fetchall())
    return all(done.get(p.digest) == digest for p in protocols.all())


def _evaluated(log: RunLog, protocols: Protocols, facts: Iterable[Row]) -> _Batch:
    checks: list[Row] = []
    findings: dict[str, tuple[str, Row]] = {}
    for series in facts:
        protocol = protocols.of(series["centre"])
        made = evaluate(protocol, series)
        checks += [check_row(check, series, protocol) for check in made]
        for row in findings_of(made, series, protocol):
            findings[str(row["finding_id"])] = (str(series["series_instance_uid"]), row)
    return _Batch(_as_table(log, checks), list(findings.values()))


def _differing(lk: Lake, checks: pa.Table) -> set[str]:
    """Series between the first and the last of a batch whose checks are not those in the lake."""
    if not checks.num_rows:
        return set()
    uids = checks["series_instance_uid"].to_pylist()
    bounds = {"first": min(uids), "last": max(uids)}
    old = lk.sql(_BETWEEN, bounds).to_arrow_table().drop_columns(["run_id"])
    order = [("series_instance_uid", "ascending"), ("rule_id", "ascending")]
    new = checks.sort_by(order).select(old.column_names)
    if new.equals(old.cast(new.schema)):
        return set()
    before, now = _by_series(old), _by_series(new)
    return {uid for uid in before | now if before.get(uid) != now.get(uid)}


def _by_series(checks: pa.Table) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in checks.to_pylist():
        found[row["series_instance_uid"]].append(row)
    return dict(found)


def _as_table(log: RunLog, checks: list[Row]) -> pa.Table:
    """Columns rather than rows: a lake has 25 checks a series."""
    schema = TABLES["protocol_checks"].arrow_schema
    stamped: dict[str, list[object]] = {
        name: [row[name] for row in checks] for name in schema.names if name != "run_id"
    }
    return pa.table(stamped | {"run_id": [log.run_id] * len(checks)}, schema=schema)


def _stamped(log: RunLog, row: Row, known: dict[str, str | None]) -> Row:
    """Keep the name of the run that found it first."""
    first = known.get(str(row["finding_id"])) or log.run_id
    return {**row, "first_run_id": first, "run_id": log.run_id}
