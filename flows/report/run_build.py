"""Writing the report of one ingestion run."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

import lake
from flows.cluster import ClusterOnDemand
from flows.report.drawing import draw_in_order
from flows.report.page import data_url, render, write_page
from flows.report.run_facts import RunFacts, run_facts
from flows.report.trend import RunPoint, trend_svg, verdicts
from flows.runs import code_version
from flows.work.thumbnails import ThumbnailJob, draw_thumbnail
from schemas.errors import ClusterError, InvalidInputError
from schemas.records import Row

logger = logging.getLogger(__name__)

#: Thumbnails in one report; a bigger run shows the first ones and says so.
_MAX_PICTURES: Final = 60
_OUTCOMES: Final = ("unchanged", "ingested", "duplicate", "quarantined", "ignored")
#: Stages with their colours, Okabe and Ito's.
_STAGES: Final = {
    "discover": ("#56b4e9", "list the sources, compare with the lake"),
    "retrieve": ("#cc79a7", "wait for archives that deliver to us"),
    "scan": ("#009e73", "read headers"),
    "convert": ("#0072b2", "read, de-identify, stack, compress, store"),
    "commit": ("#e69f00", "publish rows"),
}


@dataclass(frozen=True)
class RunReport:
    """A report that was written, and what it says in short.

    Parameters
    ----------
    path : Path
        The HTML file.
    facts : RunFacts
        What is in it.
    """

    path: Path
    facts: RunFacts


def write_run_report(lk: lake.Lake, run_id: str, cluster: ClusterOnDemand) -> RunReport:
    """Write ``reports/runs/<run id>.html``, and ``latest.html`` beside it if it is the last run.

    Parameters
    ----------
    cluster : ClusterOnDemand
        For the thumbnails, if there are new volumes.

    Raises
    ------
    NotFoundInLakeError
        There is no such run.
    StorageError
        The file cannot be written.
    """
    facts = run_facts(lk, run_id, _MAX_PICTURES)
    html = _html(lk, facts, cluster)
    folder = lk.folder.reports / "runs"
    path = write_page(folder / f"{facts.run['run_id']}.html", html)
    if facts.run["is_latest"]:
        write_page(folder / "latest.html", html)
    return RunReport(path, facts)


def build_run_report(
    location: str, run_id: str, output: Path | None = None, *, dask_address: str | None = None
) -> Path:
    """Write the report of a run that is over, to its place in the lake or to `output`.

    Parameters
    ----------
    run_id : str
        Of an ingestion, or ``latest``.

    Raises
    ------
    NotFoundInLakeError, StorageError
        As `write_run_report`.
    InvalidInputError
        `output` is a folder.
    """
    if output is not None and output.is_dir():
        raise InvalidInputError(f"{output} is a folder; give the name of an HTML file")
    with lake.open(location, read_only=True) as lk, ClusterOnDemand(dask_address) as cluster:
        if output is None:
            return write_run_report(lk, run_id, cluster).path
        return write_page(output, _html(lk, run_facts(lk, run_id, _MAX_PICTURES), cluster))


def _html(lk: lake.Lake, facts: RunFacts, cluster: ClusterOnDemand) -> str:
    run = facts.run
    this = _point(run)
    previous = facts.earlier[-1].run_id if facts.earlier else None
    return render(
        "run.html",
        run=run,
        facts=facts,
        version=code_version(),
        generated=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        outcomes=[(name, run[f"n_{name}"]) for name in _OUTCOMES],
        total=sum(int(str(run[f"n_{name}"])) for name in _OUTCOMES),
        verdicts=verdicts(this, facts.earlier),
        points=[*facts.earlier, this],
        trend=trend_svg([*facts.earlier, this]),
        stages=_stages(run),
        previous=previous,
        previous_is_there=(lk.folder.reports / "runs" / f"{previous}.html").is_file(),
        thumbnails=_thumbnails(lk, facts, cluster),
        max_listed=20,
    )


def _point(run: Row) -> RunPoint:
    started, rate = run["started_at"], run["objects_per_s"]
    if not isinstance(started, datetime):
        raise TypeError("a run has a start")
    changed = int(str(run["n_files"])) - int(str(run["n_unchanged"]))
    per_s = None if rate is None else float(str(rate))
    return RunPoint(str(run["run_id"]), started, changed, int(str(run["n_quarantined"])), per_s)


def _stages(run: Row) -> list[dict[str, object]]:
    """Seconds by stage with their share of the run; the rest is the start of the workers."""
    if run["elapsed_s"] is None:
        return []
    elapsed = float(str(run["elapsed_s"]))
    seconds = {name: float(str(run[f"{name}_s"] or 0.0)) for name in _STAGES}
    rest = max(elapsed - sum(seconds.values()), 0.0)
    rows = [(name, seconds[name], *_STAGES[name]) for name in _STAGES]
    rows.append(("other", rest, "#a9bccb", "start workers, link CT to PET, clear up"))
    return [
        {"name": name, "seconds": s, "percent": 100.0 * s / elapsed if elapsed else 0.0,
         "colour": colour, "what": what}
        for name, s, colour, what in rows
    ]  # fmt: skip


def _thumbnails(
    lk: lake.Lake, facts: RunFacts, cluster: ClusterOnDemand
) -> list[dict[str, object]]:
    if not facts.volumes:
        return []
    jobs = [ThumbnailJob(str(v["volume_path"]), str(v["modality"])) for v in facts.volumes]
    try:
        drawn = draw_in_order(cluster.client, partial(draw_thumbnail, lk.volumes_root), jobs)
    except ClusterError as error:
        logger.warning("the report of the run has no pictures: %s", error)
        return []
    return [
        {"picture": png and data_url(png), "caption": _caption(volume), "volume": volume,
         "grown": str(volume["series_instance_uid"]) in facts.grown}
        for volume, png in zip(facts.volumes, drawn, strict=True)
    ]  # fmt: skip


def _caption(volume: Row) -> str:
    frames = f"{volume['shape_t']} frames of " if volume["shape_t"] else ""
    shape = " x ".join(str(volume[f"shape_{axis}"]) for axis in "zyx")
    part = f", volume {volume['part_index']}" if int(str(volume["part_index"] or 1)) > 1 else ""
    tracer = f" {volume['tracer']}" if volume["tracer"] else ""
    return f"{volume['modality']}{tracer}, {frames}{shape}{part}"
