"""Command of the key holder: `reidentify`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table as RichTable
from rich.text import Text

from flows.cli.options import Location
from flows.cli.terminal import console, error_console
from schemas.errors import InvalidInputError


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(reidentify)


def reidentify(
    location: Location,
    pseudonyms: Annotated[
        list[str] | None, typer.Argument(help="Patient keys, pseudonymised UIDs or file keys.")
    ] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", help="New file, for its owner only, instead of showing.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why, for the log in the key folder.")] = "",
    history: Annotated[
        bool, typer.Option("--history", help="Show who looked up what before.")
    ] = False,
) -> None:
    """Show who or what is behind pseudonyms; needs the key, and is logged in its folder."""
    import lake
    from flows.reidentify import reidentify as look_up
    from flows.reidentify import write_originals

    with lake.open(location, read_only=True) as lk:
        if history:
            _show((map(str, row) for row in lk.keys().lookups()),
                  ("when", "account", "pseudonym", "kind", "reason"))  # fmt: skip
            return
        if not pseudonyms:
            raise InvalidInputError("nothing to look up; give a pseudonym, or --history")
        if csv is not None and csv.exists():
            raise InvalidInputError(f"{csv} exists already; give a new file")
        found = look_up(lk, pseudonyms, reason=reason)
    if csv is not None:
        write_originals(csv, found)
    else:
        _show(found, ("pseudonym", "kind", "original", "issuer"))
    if unknown := sum(o.kind == "unknown" for o in found):
        error_console().print(f"{unknown} of {len(found)} pseudonyms are not known", style="red")
        raise typer.Exit(1)


def _show(rows: Iterable[Iterable[str]], names: tuple[str, ...]) -> None:
    table = RichTable(*names, header_style="bold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console().print(table)
