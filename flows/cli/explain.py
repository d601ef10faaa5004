"""Command that explains: `explain`."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated

import typer

from flows.cli.options import Location
from flows.cli.terminal import console


class Form(StrEnum):
    """How an explanation is written."""

    TEXT = "text"
    JSON = "json"


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(explain)


def explain(
    location: Location,
    series: Annotated[
        str, typer.Argument(help="Series UID or volume in the lake, or the beginning of one.")
    ],
    fmt: Annotated[Form, typer.Option("--format", help="How to write it.")] = Form.TEXT,
    snapshot: Annotated[int | None, typer.Option(help="Explain it as the lake was.")] = None,
) -> None:
    """Show line by line how the values of a series, and its SUV, came to be."""
    import lake
    from flows.explain import explain_series
    from flows.explain_text import explanation_lines

    with lake.open(location, read_only=True) as opened:
        lk = opened if snapshot is None else opened.at(snapshot=snapshot)
        found = explain_series(lk, series)
    if fmt is Form.JSON:
        typer.echo(json.dumps(found.as_dict(), indent=1, default=str))
        return
    out = console()
    for line in explanation_lines(found):
        out.print(line, markup=False, highlight=False, soft_wrap=True)
