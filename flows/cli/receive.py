"""Command `receive`: a Storage SCP for scanners and archives that push."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.terminal import error_console


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(receive)


def receive(
    spool: Annotated[Path, typer.Argument(help="Folder that objects are put into.")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="TCP port; 0: any.")] = 11112,
    ae_title: Annotated[str, typer.Option(help="Our AE title.")] = "TRACERLAKE",
    host: Annotated[
        str, typer.Option(help="Interface; 0.0.0.0: reachable from other machines.")
    ] = "127.0.0.1",
    sender: Annotated[
        list[str] | None,
        typer.Option("--from", help="AE title that may send; repeatable; default: any."),
    ] = None,
) -> None:
    """Take objects that scanners and archives push (C-STORE) into a spool, until interrupted."""
    from pydantic import TypeAdapter, ValidationError

    from flows.receiving import receive as run
    from schemas.errors import InvalidInputError
    from schemas.sources import AeTitle

    for title in (ae_title, *(sender or ())):
        try:
            TypeAdapter(AeTitle).validate_python(title)
        except ValidationError:
            raise InvalidInputError(f"{title!r} is no AE title: 1 to 16 characters") from None
    count = run(spool, ae_title=ae_title, host=host, port=port, callers=sender or (), say=_say)
    _say(f"{count} objects taken")


def _say(text: str) -> None:
    error_console().print(text, highlight=False, soft_wrap=True)
