"""Commands about protocols and findings: `protocol show|validate|check`, `findings`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table as RichTable

from flows.cli.options import Location
from flows.cli.query import Format, write_answer
from flows.cli.run import require_lake, show_counts
from flows.cli.terminal import console, progress_bars

if TYPE_CHECKING:
    from tasks.protocol.model import Protocol

#: Columns that fit a terminal; csv and the like have all of them.
_SHOWN = ["severity", "centre", "rule", "patient_key", "message"]

protocol = typer.Typer(help="What studies are held to.", no_args_is_help=True)


class Severity(StrEnum):
    """How bad a finding is."""

    INFO = "info"
    WARN = "warn"
    FAIL = "fail"


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    protocol.command()(show)
    protocol.command()(validate)
    protocol.command()(check)
    app.add_typer(protocol, name="protocol")
    app.command()(findings)


def show(
    place: Annotated[
        Path | None,
        typer.Argument(help="A lake or a protocol file; without it, what tracerlake comes with."),
    ] = None,
    centre: Annotated[str | None, typer.Option(help="Of this centre of the lake.")] = None,
) -> None:
    """Show the rules of a protocol: limits, source, and what is switched off."""
    _print_rules(_chosen(place, centre))


def _chosen(place: Path | None, centre: str | None) -> Protocol:
    from tasks.protocol.load import default_protocol, load_protocol

    if place is None:
        return default_protocol()
    if place.is_file():
        return load_protocol(place)
    import lake
    from flows.protocols import protocols_of

    with lake.open(place, read_only=True) as lk:
        return protocols_of(lk).of(centre)


def _print_rules(chosen: Protocol) -> None:
    from tasks.protocol.quantities import QUANTITIES

    table = RichTable("rule", "what", "limits", "source", header_style="bold")
    for rule_id, rule in chosen.rules.items():
        limits = rule.limit_text(QUANTITIES[rule.quantity].unit)
        shown = limits if rule.enabled else f"off: {rule.reason}"
        table.add_row(
            rule_id, rule.title, shown, f"{rule.source} [{rule.status}]".replace("[", r"\[")
        )
    out = console()
    out.print(f"{chosen.protocol_id}: {chosen.title}", highlight=False)
    out.print(table)
    out.print(f"{len(chosen.active())} rules, digest {chosen.digest}", highlight=False)


def validate(
    file: Annotated[Path, typer.Argument(help="Protocol file (TOML).")],
) -> None:
    """Check a protocol file; exit code 2 with every key that is wrong."""
    from tasks.protocol.load import load_protocol

    made = load_protocol(file)
    off = len(made.rules) - len(made.active())
    console().print(
        f"{made.protocol_id} is valid: {len(made.active())} rules, {off} switched off, "
        f"digest {made.digest}",
        highlight=False,
        soft_wrap=True,
    )


def check(location: Location) -> None:
    """Hold all studies of a lake against its protocols; the nightly run does it too."""
    require_lake(location)
    with progress_bars():
        from flows.check_protocol import check_protocol as flow

        counts = flow(str(location.resolve()))
    show_counts("Protocol", counts)


def findings(
    location: Location,
    since_last_run: Annotated[
        bool,
        typer.Option("--since-last-run", help="Only what is new since the check before the last."),
    ] = False,
    centre: Annotated[str | None, typer.Option(help="Only of this centre.")] = None,
    severity: Annotated[Severity, typer.Option(help="From this severity on.")] = Severity.WARN,
    fail_on: Annotated[
        Severity | None,
        typer.Option(help="Exit code 3 if one of those listed is at least this bad."),
    ] = None,
    fmt: Annotated[Format, typer.Option("--format", help="How to write it.")] = Format.TABLE,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write.")] = None,
) -> None:
    """List findings, the worst first: protocol violations and everything else that was noted."""
    import lake
    from flows.new_findings import findings as ask

    with lake.open(location, read_only=True) as lk:
        answer = ask(lk, is_new=since_last_run, centre=centre, severity=severity.value)
    is_table = fmt is Format.TABLE and output is None
    write_answer(answer.select(_SHOWN) if is_table else answer, fmt, output)
    if fail_on is None:
        return
    order = list(Severity)
    bad = set(order[order.index(fail_on) :])
    if bad & set(answer["severity"].to_pylist()):
        raise typer.Exit(3)
