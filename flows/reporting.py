"""A run of ingestion from its first row to its report, whatever comes of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from prefect import get_run_logger
from prefect.artifacts import create_markdown_artifact

from flows.cluster import ClusterOnDemand
from flows.report.run_build import write_run_report
from flows.report.run_summary import run_summary
from flows.runs import RunLog, run_record
from lake import Lake
from schemas.errors import TracerlakeError


@contextmanager
def reported_run(
    lk: Lake,
    cluster: ClusterOnDemand,
    flow_name: str,
    parameters: Mapping[str, object],
    *,
    prefect_id: str,
) -> Iterator[RunLog]:
    """Keep a run's record as `flows.runs.run_record` does, then write its report.

    The report comes after the end of the record, so that it knows how the run ended. A run that
    fails is reported too.

    Parameters
    ----------
    cluster : ClusterOnDemand
        Draws the pictures, if there are any.
    """
    log: RunLog | None = None
    try:
        with run_record(lk, flow_name, parameters, prefect_id=prefect_id) as log:
            yield log
    except Exception:
        if log is not None:
            _report(lk, log.run_id, cluster)
        raise
    _report(lk, log.run_id, cluster)


def _report(lk: Lake, run_id: str, cluster: ClusterOnDemand) -> None:
    """Write the report; what is ingested stays so if that fails (a full disk, lost workers)."""
    try:
        report = write_run_report(lk, run_id, cluster)
    except TracerlakeError as error:
        get_run_logger().error("run %s has no report: %s", run_id, error)
        return
    create_markdown_artifact(
        key="ingest-run",
        markdown=run_summary(report.facts),
        description=f"Ingestion run {run_id}",
    )
