"""`tracerlake quarantine`: what could not be used, why, and what becomes of it at another try."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table as RichTable

from flows.cli.options import ClusterOptions, Location, with_groups
from flows.cli.query import Format, write_answer
from flows.cli.terminal import console, error_console, progress_bars
from schemas.errors import InvalidInputError

if TYPE_CHECKING:
    from lake import Lake
    from schemas.records import Row

Reason = Annotated[str | None, typer.Option("--reason", help="Only this reason code.")]
FromSource = Annotated[str | None, typer.Option("--source", help="Only from this source.")]
Series = Annotated[
    str | None, typer.Option("--series", help="Only of this series (as in the lake).")
]

commands = typer.Typer(
    name="quarantine",
    help="What could not be used: list it, understand it, try it again.",
    no_args_is_help=True,
)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(commands)


@commands.command("list")
def list_reasons(
    location: Location,
    reason: Reason = None,
    source: FromSource = None,
    series: Series = None,
    fmt: Annotated[Format, typer.Option("--format", help="How to write it.")] = Format.TABLE,
) -> None:
    """Count what is in quarantine, by reason and source."""
    import lake
    from flows.quarantine import Choice, grouped

    with lake.open(location, read_only=True) as lk:
        found = grouped(lk, Choice(reason, source, series))
    if fmt is Format.TABLE and not found.num_rows:
        console().print("nothing in quarantine", highlight=False)
        return
    write_answer(found, fmt, None)


@commands.command()
def show(
    location: Location,
    name: Annotated[str, typer.Argument(help="File key, its beginning, or series.")],
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Show the original places; needs the key, is logged.")
    ] = False,
    why: Annotated[str, typer.Option("--why", help="Why, for the log in the key folder.")] = "",
) -> None:
    """Show all that is known of an object or series in quarantine, and what to do."""
    import lake
    from flows.quarantine import find

    with lake.open(location, read_only=True) as lk:
        rows = find(lk, name)
        places = _revealed(lk, rows, why) if reveal else {}
        for row in rows:
            _show_object(lk, row, places)
    if reveal:
        error_console().print("The places above are identified patient data.", style="red")


def _revealed(lk: Lake, rows: list[Row], why: str) -> dict[str, str]:
    """Places by file key."""
    from flows.reidentify import reidentify

    keys = [str(row["file_key"]) for row in rows]
    if not lk.settings.deidentify:
        return {str(row["file_key"]): str(row["uri"]) for row in rows}
    found = reidentify(lk, keys, reason=why or "quarantine")
    return {o.pseudonym: o.original for o in found if o.kind != "unknown"}


def _show_object(lk: Lake, row: Row, places: dict[str, str]) -> None:
    from flows.quarantine import object_kind, remedy, series_outcomes

    key, series, tags = str(row["file_key"]), row["series_instance_uid"], row["reason_tags"]
    lines = {
        "object": key,
        "what it is": object_kind(row),
        "from source": row["source_name"],
        "size": f"{row['size_bytes']} bytes",
        "reason": row["reason_code"],
        "what happened": row["reason_text"],
        "attributes": "\n".join(tags) if isinstance(tags, list) else None,
        "what to do": remedy(row["reason_code"]),
        "series": series,
        "whole series": _told(series_outcomes(lk, series)) if series else None,
        "instance": row["sop_instance_uid"],
        "first seen by run": row["first_run_id"],
        "last looked at by run": row["run_id"],
    }
    if places:
        lines["place"] = places.get(key, "not known to the key holder's table")
    table = RichTable(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for label, value in lines.items():
        if value is not None:
            table.add_row(label, _plain(value))
    console().print(table)
    console().print()


def _plain(value: object) -> str:
    from rich.markup import escape

    return escape(str(value))


def _told(counts: dict[str, int]) -> str:
    return ", ".join(f"{outcome} {n}" for outcome, n in counts.items())


@commands.command()
@with_groups
def retry(
    location: Location,
    cluster: ClusterOptions,
    reason: Reason = None,
    source: FromSource = None,
    series: Series = None,
    centre: Annotated[
        str | None, typer.Option(help="Centre code, as given when they were ingested.")
    ] = None,
    issuer: Annotated[
        str | None, typer.Option(help="Issuer of patient IDs, as given when they were ingested.")
    ] = None,
    only: Annotated[
        str | None,
        typer.Option("--object", help="Only this object: its file key or its beginning."),
    ] = None,
    accept_changed: Annotated[
        bool,
        typer.Option(
            "--accept-changed",
            help="Use the changed objects in conflict from now on; needs --series or --object.",
        ),
    ] = False,
) -> None:
    """Ingest just these objects again, where they lie, and show what became of them."""
    import lake
    from flows.quarantine import Choice, to_retry

    if accept_changed and series is None and only is None:
        raise InvalidInputError(
            "--accept-changed replaces what the lake uses: say of which --series or --object"
        )
    with lake.open(location, read_only=True) as lk:
        rows = to_retry(lk, Choice(reason, source, series), only, accept_changed=accept_changed)
    if not rows:
        console().print("nothing in quarantine to try again", highlight=False)
        return
    before = {str(row["file_key"]): str(row["reason_code"]) for row in rows}
    with progress_bars():
        from flows.ingest import ingest as flow

        flow(
            str(location.resolve()), [], dask_address=cluster.dask, workers=cluster.workers,
            centre=centre, issuer=issuer, again=sorted(before), accept_changed=accept_changed,
        )  # fmt: skip
    with lake.open(location, read_only=True) as lk:
        _show_fate(before, _endings(lk, before))


def _endings(lk: Lake, keys: dict[str, str]) -> dict[str, str]:
    """Outcome or reason of objects now, by file key."""
    return dict(
        lk.sql(
            "SELECT file_key, coalesce(reason_code, outcome) FROM files "
            "WHERE list_contains($keys, file_key)",
            {"keys": sorted(keys)},
        ).fetchall()
    )


def _show_fate(before: dict[str, str], after: dict[str, str]) -> None:
    table = RichTable("was", "is now", header_style="bold")
    table.add_column("objects", justify="right")
    counts = Counter((was, after.get(key, "gone")) for key, was in before.items())
    for (was, now), n in sorted(counts.items()):
        table.add_row(was, now, f"{n:,}")
    console().print(table)


@commands.command()
def export(
    location: Location,
    folder: Annotated[Path, typer.Argument(help="New or empty folder, outside any lake.")],
    reason: Reason = None,
    source: FromSource = None,
    series: Series = None,
    with_objects: Annotated[
        bool,
        typer.Option(
            "--with-objects",
            help="Also link or copy the objects; needs the key. IDENTIFIED PATIENT DATA.",
        ),
    ] = False,
) -> None:
    """Write a folder per reason, with an index and what to do; no identity unless asked for."""
    import lake
    from flows.quarantine import Choice, chosen_rows
    from flows.quarantine_export import write_folders

    with lake.open(location, read_only=True) as lk:
        rows = chosen_rows(lk, Choice(reason, source, series))
        places = _revealed(lk, rows, "quarantine export") if with_objects and rows else {}
        counts = write_folders(rows, folder)
        n = sum(counts.values())
        text = f"{n} objects, {len(counts)} reasons: {folder}"
        console().print(text, highlight=False, soft_wrap=True)
        if with_objects:
            _export_objects(lk, rows, folder, places)


def _export_objects(lk: Lake, rows: list[Row], folder: Path, places: dict[str, str]) -> None:
    from flows.quarantine_export import add_objects
    from flows.sources import connections
    from tasks.sources.reading import ObjectReader

    with ObjectReader(connections(lk)) as reader:
        done = add_objects(
            rows, folder, places, reader, max_bytes=lk.settings.limits.max_object_bytes
        )
    error_console().print(
        f"{done} of {len(rows)} objects are there now: identified patient data. "
        "Delete the folder when you are done.",
        style="red", highlight=False, soft_wrap=True,
    )  # fmt: skip
    if done < len(rows):
        raise InvalidInputError(f"{len(rows) - done} objects are no longer where they were")
