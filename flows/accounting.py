"""The accounts of a run: every object that was listed ended in exactly one outcome."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from flows.runs import RunLog, author
from lake import Lake
from schemas.errors import AccountingError
from tasks.findings.row import finding_row

_OUTCOMES: Final = ("n_unchanged", "n_ingested", "n_duplicate", "n_quarantined", "n_ignored")


def check_accounts(lk: Lake, log: RunLog, file_keys: Iterable[str]) -> None:
    """Hold the counters of a run against each other and against the table `files`.

    Parameters
    ----------
    file_keys : iterable of str
        Of all new and changed objects that were listed.

    Raises
    ------
    AccountingError
        If the outcomes do not add up to the objects listed, or one of them has no row. A finding
        on the run says the same.
    """
    n_listed, n_ended = log.counts["n_files"], sum(log.counts[name] for name in _OUTCOMES)
    n_lost = _without_row(lk, list(file_keys))
    if n_listed == n_ended and not n_lost:
        return
    message = (
        f"{n_listed} objects were listed, {n_ended} outcomes were counted and {n_lost} objects "
        "have none; the run is not to be trusted. Please report this."
    )
    finding = finding_row(
        rule_id="ingest.accounts",
        severity="fail",
        subject_kind="run",
        subject_id=log.run_id,
        message=message,
        observed_value=float(n_ended),
        limit_text=f"{n_listed} objects",
    )
    lk.commit(
        lambda tx: tx.replace("findings", log.stamp([finding]), scope=("finding_id",)),
        message=log.message("accounts do not add up"),
        author=author(),
    )
    raise AccountingError(f"run {log.run_id}: {message}")


def _without_row(lk: Lake, file_keys: list[str]) -> int:
    row = lk.sql(
        "SELECT count(*) FROM (SELECT unnest($keys) AS file_key) ANTI JOIN files USING (file_key)",
        {"keys": file_keys},
    ).fetchone()
    return int(row[0]) if row else len(file_keys)
