"""Holding the lake against its protocols: findings and checks renewed, only where they differ."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
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
    checks, findings, n_series = _evaluated(log, protocols, protocol_facts(lk))
    stamped = _with_first_run(log, findings, known)
    gone = sorted(set(known) - set(stamped))

    def write(tx: Transaction) -> None:
        _forget(tx, gone, checks)
        tx.replace("protocol_checks", checks, scope=("series_instance_uid",))
        tx.replace("findings", list(stamped.values()), scope=("finding_id",))
        made = input_digest(digest, *tx.sql(_PRESENT).to_pylist()[0].values())
        named = [{**protocol_row(p), "checked_digest": made} for p in protocols.all()]
        tx.replace(
            "protocols", log.stamp(named), scope=("protocol_digest",), compared=("checked_digest",)
        )

    n_new = len(set(stamped) - set(known))
    message = log.message(f"protocol: {n_new} new findings, {len(gone)} gone")
    lk.commit(write, message=message, author=author())
    return Renewed(n_series, checks.num_rows, len(stamped), n_new, len(gone))


def _facts_digest(lk: Lake, protocols: Protocols) -> str:
    by_centre = {centre: p.digest for centre, p in sorted(protocols.centres.items())}
    return input_digest(_ALGORITHM, facts_digest(lk), protocols.default.digest, by_centre)


def _is_checked(lk: Lake, protocols: Protocols, digest: str) -> bool:
    done = dict(lk.sql("SELECT protocol_digest, checked_digest FROM protocols").fetchall())
    return all(done.get(p.digest) == digest for p in protocols.all())


def _evaluated(
    log: RunLog, protocols: Protocols, batches: Iterable[list[Row]]
) -> tuple[pa.Table, dict[str, Row], int]:
    """Return ``protocol_checks``, rows of ``findings`` by key, and how many series it were."""
    tables = [_as_table(log, [])]
    findings: dict[str, Row] = {}
    n_series = 0
    for batch in batches:
        checks: list[Row] = []
        for series in batch:
            protocol = protocols.of(series["centre"])
            made = evaluate(protocol, series)
            checks += [check_row(check, series, protocol) for check in made]
            findings |= {str(f["finding_id"]): f for f in findings_of(made, series, protocol)}
        tables.append(_as_table(log, checks))
        n_series += len(batch)
    return pa.concat_tables(tables), findings, n_series


def _as_table(log: RunLog, checks: list[Row]) -> pa.Table:
    """Columns rather than rows: a lake has 25 checks a series."""
    schema = TABLES["protocol_checks"].arrow_schema
    stamped: dict[str, list[object]] = {
        name: [row[name] for row in checks] for name in schema.names if name != "run_id"
    }
    return pa.table(stamped | {"run_id": [log.run_id] * len(checks)}, schema=schema)


def _with_first_run(
    log: RunLog, findings: dict[str, Row], known: dict[str, str | None]
) -> dict[str, Row]:
    return {
        key: {**row, "first_run_id": known.get(key) or log.run_id, "run_id": log.run_id}
        for key, row in findings.items()
    }


def _forget(tx: Transaction, gone: list[str], checks: pa.Table) -> None:
    """Drop findings that hold no longer, and checks of series that have none now."""
    if gone:
        tx.delete("findings", {"finding_id": gone})
    still = checks["series_instance_uid"].unique().to_pylist()
    without = tx.sql(_GONE, {"uids": still}).to_pylist()
    if without:
        tx.delete(
            "protocol_checks",
            {"series_instance_uid": [row["series_instance_uid"] for row in without]},
        )
