"""Flow `check_protocol`: every study against its protocol, with the night's new violations."""

from __future__ import annotations

from prefect import flow, get_run_logger
from prefect.artifacts import create_markdown_artifact
from prefect.runtime import flow_run

import lake
from flows.progress import stage
from flows.protocol_checks import renew_checks
from flows.report.protocol_summary import protocol_summary
from flows.runs import run_record


@flow(name="check_protocol", persist_result=False, validate_parameters=False)
def check_protocol(location: str) -> dict[str, int]:
    """Hold all studies against the lake's protocols; only what changed is written.

    Ingestion does the same at its end. This flow comes after clinical data and features, which some
    rules need, marks a night (see `flows.report.new_findings`), and leaves an artifact.

    Parameters
    ----------
    location : str
        The lake.

    Returns
    -------
    dict
        ``n_series`` and ``n_checks`` looked at, ``n_findings`` there are, ``n_new`` and ``n_gone``
        of them since the last check.

    Raises
    ------
    InvalidInputError
        If a protocol file is not valid.
    """
    with (
        lake.open(location) as lk,
        run_record(lk, "check_protocol", {}, prefect_id=str(flow_run.id)) as log,
    ):
        with stage("protocol", None) as progress:
            renewed = renew_checks(lk, log)
            progress.advance("protocol", renewed.n_series)
        log.count("n_written", renewed.n_new)
        get_run_logger().info("protocol: %d findings, %d new", renewed.n_findings, renewed.n_new)
    with lake.open(location, read_only=True) as lk:
        create_markdown_artifact(
            key="protocol", markdown=protocol_summary(lk), description="Protocol violations"
        )
    return {
        "n_series": renewed.n_series,
        "n_checks": renewed.n_checks,
        "n_findings": renewed.n_findings,
        "n_new": renewed.n_new,
        "n_gone": renewed.n_gone,
    }
