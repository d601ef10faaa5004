"""Flow `check_protocol`: every study against its protocol, with the night's new violations."""

from __future__ import annotations

from prefect import flow, get_run_logger
from prefect.artifacts import create_markdown_artifact
from prefect.runtime import flow_run

import lake
from flows.new_findings import findings
from flows.progress import stage
from flows.protocol_checks import renew_checks
from flows.report.protocol_summary import protocol_summary
from flows.runs import run_record


@flow(name="check_protocol", persist_result=False, validate_parameters=False)
def check_protocol(location: str) -> dict[str, int]:
    """Hold all studies against the lake's protocols; only what changed is written.

    Ingestion does the same at its end. This flow comes after clinical data and features, which some
    rules need, marks a night (see `flows.new_findings`), and leaves an artifact.

    Parameters
    ----------
    location : str
        The lake.

    Returns
    -------
    dict
        ``n_findings`` there are, ``n_new`` of them since the last check (found by ingestion or
        here), ``n_gone`` that hold no longer.

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
    with lake.open(location, read_only=True) as lk:
        n_new = findings(lk, is_new=True, only_protocol=True).num_rows
        get_run_logger().info("protocol: %d findings, %d new", renewed.n_findings, n_new)
        create_markdown_artifact(
            key="protocol", markdown=protocol_summary(lk), description="Protocol violations"
        )
    return {"n_findings": renewed.n_findings, "n_new": n_new, "n_gone": renewed.n_gone}
