"""Entry point of `tracerlake`: the command tree, and errors as one sentence."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from flows.cli import (
    explain,
    keyholder,
    kinetics,
    lakes,
    operate,
    protocol,
    qc,
    quarantine,
    query,
    receive,
    run,
    show,
)
from flows.cli.terminal import error_console
from flows.orchestration import embed_prefect
from flows.runs import code_version
from schemas.errors import InvalidInputError, TracerlakeError

app = typer.Typer(
    name="tracerlake",
    help="A data lake for multi-centre nuclear medicine: DICOM in, harmonised SQL out.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tracerlake {code_version()}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[  # noqa: ARG001  its callback does the work
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Set up what every command shares."""
    embed_prefect()


for commands in (
    lakes, run, qc, kinetics, query, explain, show, receive, quarantine, protocol, operate,
    keyholder,
):  # fmt: skip
    commands.register(app)


def main() -> None:
    """Run the command line; a known error becomes one sentence and exit code 1 (2: wrong use)."""
    try:
        app()
    except InvalidInputError as error:
        error_console().print(f"error: {error}", style="red", markup=False, highlight=False)
        sys.exit(2)
    except TracerlakeError as error:
        error_console().print(f"error: {error}", style="red", markup=False, highlight=False)
        sys.exit(1)
    except KeyboardInterrupt:
        error_console().print("interrupted; what was committed is kept, run again to continue")
        sys.exit(130)


if __name__ == "__main__":
    main()
