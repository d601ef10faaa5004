"""Flow `maintain`: expire, merge, remove what nothing needs, take digests of table files."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta

from prefect import flow
from prefect.runtime import flow_run

import lake
from flows.run_reports import prune_run_reports
from flows.runs import run_record
from lake.maintenance import maintain as keep_small
from lake.vacuum import DEFAULT_GRACE


@flow(name="maintain", persist_result=False, validate_parameters=False)
def maintain(location: str, *, grace: timedelta = DEFAULT_GRACE) -> dict[str, int]:
    """Keep a lake quick and small; see `lake.maintenance.maintain`.

    Parameters
    ----------
    location : str
        The lake.
    grace : timedelta
        Orphans that are younger stay.

    Returns
    -------
    dict
        Fields of `lake.maintenance.Maintained`, and ``n_reports``: removed reports of runs.
    """
    with (
        lake.open(location) as lk,
        run_record(lk, "maintain", {"grace_s": grace.total_seconds()}, prefect_id=str(flow_run.id)),
    ):
        done = dict(asdict(keep_small(lk, grace=grace)))
        removed = prune_run_reports(lk, lk.settings.maintenance.keep_run_reports)
        return {**done, "n_reports": removed}
