"""Flow `qc_phantom`: phantoms found, measured, held against limits, with their history."""

from __future__ import annotations

import logging
from datetime import date
from functools import partial
from pathlib import Path
from typing import Final

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.runtime import flow_run

import lake
from flows.cluster import open_cluster
from flows.derive import done_in_batches
from flows.opaque import opaque
from flows.phantom_candidates import HAS_PHANTOMS, Request, known_digests, phantom_jobs, read_fills
from flows.phantom_files import save_pictures
from flows.phantom_history import EXPIRED, expired_findings, with_history
from flows.private_flow import private_flow
from flows.runs import RunLog, author, run_record
from flows.work.phantoms import PhantomJob, PhantomOutcome, examine_phantom
from schemas.errors import InvalidInputError
from schemas.records import Row
from tasks.findings.row import finding_row
from tasks.phantom.fill import fill_of
from tasks.phantom.limits import read_limits, standards
from tasks.phantom.rows import NOT_FOUND, RULES, phantom_scan_id

logger = logging.getLogger(__name__)

#: Failures of the work itself, which are no statement about the phantom.
_FAILED: Final = "PHANTOM-FAILED"


@private_flow("qc_phantom")
def qc_phantom(
    location: str,
    *,
    series: list[str] | None = None,
    said: dict[str, object] | None = None,
    fill: str | None = None,
    standard: str | None = None,
    limits: str | None = None,
    everything: bool = False,
    dask_address: str | None = None,
    workers: int | None = None,
) -> dict[str, int]:
    """Examine phantom scans; what was examined with the same filling and limits is left alone.

    Parameters
    ----------
    location : str
        The lake.
    series : list of str or None
        UIDs in the lake, or original ones where the key is at hand; None: series that are known as
        phantoms, whose description says so, or that `fill` names.
    said : dict or None
        What all of them were filled with; keys as `tasks.phantom.fill.Fill`.
    fill : str or None
        TOML file with ``[[phantom]]`` entries, each with its ``series``.
    standard : str or None
        Standard that the reconstruction is said to meet, such as EARL1.
    limits : str or None
        CSV file of limits instead of those that come with tracerlake.
    everything : bool
        Examine every PET and SPECT series by its shape.

    Returns
    -------
    dict
        ``n_unchanged``, ``n_written`` (phantoms), ``n_not_found`` (series without a phantom),
        ``n_failed_limits`` (phantoms whose verdict is fail).

    Raises
    ------
    InvalidInputError
        The filling, the limits, the standard or a series cannot be used.
    """
    request = _request(series, said, fill, standard, limits, everything=everything)
    with (
        lake.open(location) as lk,
        run_record(lk, "qc_phantom", {"standard": standard}, prefect_id=str(flow_run.id)) as log,
    ):
        jobs = phantom_jobs(lk, request)
        known = known_digests(lk)
        new = [j for j in jobs if known.get(j.series_instance_uid) != j.identity["input_digest"]]
        log.count("n_unchanged", len(jobs) - len(new))
        get_run_logger().info("%d series to examine for phantoms", len(new))
        counts = dict.fromkeys(("n_not_found", "n_failed_limits"), 0)
        if new:
            with open_cluster(dask_address, workers=workers) as client:
                work = partial(examine_phantom, lk.volumes_root)
                for batch in done_in_batches(client, "phantoms", work, new):
                    done = [(d.job, d.result, d.error) for d in batch]
                    publish(opaque(lk), opaque(log), opaque(done))
                    outcomes = [d.result for d in batch if d.result is not None]
                    counts["n_not_found"] += sum(o.scan is None for o in outcomes)
                    counts["n_failed_limits"] += sum(
                        o.scan is not None and o.scan["phantom_verdict"] == "fail" for o in outcomes
                    )
        renew_history(lk, log, date.today())  # noqa: DTZ011  days of a site have no zone
        return {k: log.counts[k] for k in ("n_unchanged", "n_written")} | counts


def _request(
    series: list[str] | None,
    said: dict[str, object] | None,
    fill: str | None,
    standard: str | None,
    limits: str | None,
    *,
    everything: bool,
) -> Request:
    known = read_limits(Path(limits) if limits else None)
    if standard is not None and standard not in standards(known):
        raise InvalidInputError(f"no limits of {standard!r}; known: {', '.join(standards(known))}")
    return Request(
        tuple(series or ()),
        read_fills(Path(fill)) if fill else {},
        fill_of(said) if said else None,
        standard,
        known,
        everything,
    )


@task(name="publish phantom scans", cache_policy=NO_CACHE, persist_result=False)
def publish(
    lk: lake.Lake,
    log: RunLog,
    done: list[tuple[PhantomJob, PhantomOutcome | None, BaseException | None]],
) -> None:
    """Save pictures, then commit scans, recovery and findings of a batch of series."""
    for job, outcome, _ in done:
        if outcome is not None:
            key = phantom_scan_id(job.series_instance_uid)
            save_pictures(lk.folder.reports, key, outcome.pictures)
    scans = [o.scan for _, o, _ in done if o is not None and o.scan is not None]
    recovery = [row for _, o, _ in done if o is not None for row in o.recovery]
    findings = [row for job, o, error in done for row in _findings(job, o, error)]
    uids = [job.series_instance_uid for job, _, _ in done]
    keys = [str(scan["phantom_scan_id"]) for scan in scans]

    def write(tx: lake.Transaction) -> None:
        # where no phantom was found this time, what was found before stays beside the finding
        tx.delete("phantom_scans", {"phantom_scan_id": keys})
        tx.delete("phantom_recovery", {"phantom_scan_id": keys})
        tx.delete("findings", {"rule_id": [*RULES, NOT_FOUND, _FAILED], "subject_id": uids})
        for table, rows in (
            ("phantom_scans", with_history(scans)), ("phantom_recovery", recovery),
            ("findings", findings),
        ):  # fmt: skip
            if rows:
                tx.insert(table, log.stamp(rows))

    lk.commit(write, message=log.message(f"{len(scans)} phantom scans"), author=author())
    log.count("n_written", len(scans))


def _findings(
    job: PhantomJob, outcome: PhantomOutcome | None, error: BaseException | None
) -> list[Row]:
    if outcome is not None:
        return outcome.findings
    return [
        finding_row(
            rule_id=_FAILED,
            severity="fail",
            subject_kind="series",
            subject_id=job.series_instance_uid,
            message=f"the phantom could not be examined ({type(error).__name__})",
            centre=job.identity["centre"],
        )
    ]


def has_phantoms(lk: lake.Lake) -> bool:
    """Return whether the lake has phantom scans, or series whose description names a phantom."""
    return bool(lk.sql(HAS_PHANTOMS).fetchall())


def renew_history(lk: lake.Lake, log: RunLog, today: date) -> None:
    """Mark superseded scans and renew the findings about what has run out, where that changes."""
    rows: list[Row] = lk.sql("SELECT * FROM phantom_scans").to_arrow_table().to_pylist()
    completed = with_history(rows)
    changed = [new for old, new in zip(rows, completed, strict=True) if old != new]
    findings = expired_findings(completed, today)
    known = lk.sql("SELECT finding_id FROM findings WHERE rule_id = $rule", {"rule": EXPIRED})
    if not changed and {r[0] for r in known.fetchall()} == {f["finding_id"] for f in findings}:
        return

    def write(tx: lake.Transaction) -> None:
        if changed:
            tx.replace("phantom_scans", changed, scope=("phantom_scan_id",))
        tx.delete("findings", {"rule_id": [EXPIRED]})
        if findings:
            tx.insert("findings", log.stamp(findings))

    lk.commit(write, message=log.message("history of phantom scans"), author=author())
