"""Commands that keep a lake running: serving, reports, snapshots, checks, maintenance."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table as RichTable

from flows.cli.options import (
    ClinicalOptions,
    ClusterOptions,
    Location,
    SelectionOptions,
    with_groups,
)
from flows.cli.run import WatchedSources, require_lake, show_counts
from flows.cli.terminal import console, error_console, progress_bars
from schemas.errors import InvalidInputError


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(with_groups(serve))
    app.command()(with_groups(report))
    app.command()(snapshots)
    app.command()(verify)
    app.command()(vacuum)
    app.command()(maintain)


def serve(
    location: Location,
    selection: SelectionOptions,
    clinical: ClinicalOptions,
    cluster: ClusterOptions,
    cron: Annotated[str, typer.Option(help="When to run, as cron.")] = "0 2 * * *",
    timezone: Annotated[
        str | None, typer.Option(help="Of --cron; default: this machine's.")
    ] = None,
    source: WatchedSources = None,
) -> None:
    """Schedule the nightly flow on a Prefect server and run it when due, until interrupted."""
    import lake
    from flows.serving import serve_nightly
    from flows.sources import resolve_places

    with lake.open(location) as lk:
        lk.keys()
    if not source:
        raise InvalidInputError("nothing to watch; give --source FOLDER")
    places = resolve_places(location, source)  # a mistake shows now, not at two in the morning
    parameters = {
        "location": str(location.resolve()),
        "sources": places,
        "selection": selection.as_parameter(),
        "dask_address": cluster.dask,
        "workers": cluster.workers,
        **clinical.as_parameters(),
    }
    serve_nightly(parameters, cron=cron, timezone=timezone, say=_say)


def _say(text: str) -> None:
    error_console().print(text, highlight=False, soft_wrap=True)


def report(
    location: Location,
    cluster: ClusterOptions,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="HTML file.")] = None,
    run: Annotated[
        str | None,
        typer.Option(help="Report of one ingestion instead: its run id, or latest."),
    ] = None,
) -> None:
    """Write the report of the lake: counts, pictures, features before and after; or of one run."""
    from flows.report.build import build_report
    from flows.report.run_build import build_run_report

    with progress_bars():
        if run is None:
            path = build_report(str(location.resolve()), output, dask_address=cluster.dask)
        else:
            path = build_run_report(str(location.resolve()), run, output, dask_address=cluster.dask)
    console().print(f"Report: {path}", highlight=False, soft_wrap=True)


def snapshots(location: Location) -> None:
    """List the snapshots of a lake; any of them can be asked with `sql --snapshot N`."""
    import lake

    table = RichTable("snapshot", "time", "author", "message", header_style="bold")
    with lake.open(location, read_only=True) as lk:
        for s in lk.snapshots():
            table.add_row(str(s.snapshot_id), f"{s.time:%Y-%m-%d %H:%M:%S}", s.author, s.message)
    console().print(table)


def verify(location: Location) -> None:
    """Re-read everything and hold it against its digests; exit code 1 if something is wrong."""
    import lake
    from lake.verify import verify as check

    with lake.open(location, read_only=True) as lk:
        problems = check(lk)
    for problem in problems:
        line = f"{problem.kind}  {problem.subject}: {problem.detail}"
        console().print(line, highlight=False, soft_wrap=True)
    if problems:
        raise typer.Exit(1)
    console().print("clean", highlight=False)


GraceHours = Annotated[float, typer.Option(min=0, help="Spare what was written more recently.")]


def vacuum(location: Location, grace_hours: GraceHours = 24.0) -> None:
    """Remove volumes that no snapshot refers to."""
    import lake
    from lake.vacuum import vacuum as clean

    with lake.open(location) as lk:
        removed = clean(lk, grace=timedelta(hours=grace_hours))
    console().print(
        f"removed {len(removed.volumes)} volumes and {len(removed.files)} table files "
        "that no snapshot refers to",
        highlight=False,
    )


def maintain(location: Location, grace_hours: GraceHours = 24.0) -> None:
    """Expire old snapshots, merge small files, remove orphans; the nightly run does it too."""
    require_lake(location)
    with progress_bars():
        from flows.maintenance import maintain as flow

        done = flow(str(location.resolve()), grace=timedelta(hours=grace_hours))
    show_counts("Maintenance", done)
