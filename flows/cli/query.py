"""Commands that ask: `sql`, `tables`, `describe`."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table as RichTable

from flows.cli.terminal import console, error_console
from schemas.errors import InvalidInputError, TracerlakeError
from schemas.tables import TABLES

if TYPE_CHECKING:
    import pyarrow as pa

    from lake import Lake

#: Rows of an answer shown on a terminal; all rows go to csv, json and parquet.
_SHOWN_ROWS = 200


class Format(StrEnum):
    """How an answer is written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(sql)
    app.command()(tables)
    app.command()(describe)


def sql(
    location: Annotated[Path, typer.Argument(help="The lake.")],
    query: Annotated[str | None, typer.Argument(help="SQL; without it, a prompt.")] = None,
    fmt: Annotated[Format, typer.Option("--format", help="How to write it.")] = Format.TABLE,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write.")] = None,
    snapshot: Annotated[int | None, typer.Option(help="Ask the lake as it was.")] = None,
) -> None:
    """Ask the lake in SQL; without a query, interactively."""
    import lake

    with lake.open(location, read_only=True) as opened:
        lk = opened if snapshot is None else opened.at(snapshot=snapshot)
        if query is None:
            _prompt(lk, fmt)
        else:
            write_answer(lk.sql(query).to_arrow_table(), fmt, output)


def write_answer(answer: pa.Table, fmt: Format, output: Path | None) -> None:
    """Write an answer to a file or standard output.

    Raises
    ------
    InvalidInputError
        Parquet to a terminal, or a file that cannot be written.
    """
    if fmt is Format.TABLE and output is None:
        show(answer)
        return
    data = _encoded(answer, Format.CSV if fmt is Format.TABLE else fmt)
    if output is not None:
        try:
            output.write_bytes(data)
        except OSError as error:
            raise InvalidInputError(f"cannot write {output}: {error.strerror}") from error
        return
    if fmt is Format.PARQUET and sys.stdout.isatty():
        raise InvalidInputError("parquet is binary: give --output FILE or redirect it")
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _encoded(answer: pa.Table, fmt: Format) -> bytes:
    import json

    import pyarrow as pa
    import pyarrow.parquet

    sink = pa.BufferOutputStream()
    if fmt is Format.PARQUET:
        pa.parquet.write_table(answer, sink)
        data: bytes = sink.getvalue().to_pybytes()
        return data
    if fmt is Format.CSV:
        text: str = answer.to_pandas().to_csv(index=False)
        return text.encode()
    return (json.dumps(answer.to_pylist(), indent=1, default=str) + "\n").encode()


def show(answer: pa.Table) -> None:
    """Print an answer: as a table where it fits, otherwise one record below the other."""
    out = console()
    shown = answer.slice(0, _SHOWN_ROWS)
    rows = [[_cell(value) for value in row.values()] for row in shown.to_pylist()]
    names = answer.column_names
    widths = [max(len(n), *(min(len(r[i]), 40) for r in rows), 1) for i, n in enumerate(names)]
    if sum(widths) + 3 * len(names) <= out.width or not rows:
        out.print(_as_table(answer, rows))
    else:
        out.print(_as_records(names, rows))
    n = f"{answer.num_rows} row{'' if answer.num_rows == 1 else 's'}"
    more = f" (first {len(rows)} shown; --format csv gives all)"
    out.print(n + (more if len(rows) < answer.num_rows else ""), highlight=False)


def _as_table(answer: pa.Table, rows: list[list[str]]) -> RichTable:
    import pyarrow as pa

    table = RichTable(header_style="bold")
    for field in answer.schema:
        numeric = pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
        table.add_column(field.name, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def _as_records(names: list[str], rows: list[list[str]]) -> RichTable:
    table = RichTable(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for number, row in enumerate(rows, start=1):
        table.add_row(f"-- {number} --", "")
        for name, value in zip(names, row, strict=True):
            table.add_row(name, value)
    return table


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def _prompt(lk: Lake, fmt: Format) -> None:
    """Read statements up to a semicolon until the user leaves; errors do not end the session."""
    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import WordCompleter
    from prompt_toolkit.history import FileHistory

    words = [*TABLES, *{c for t in TABLES.values() for c in t.columns}, "SELECT", "FROM", "WHERE"]
    history = Path(typer.get_app_dir("tracerlake")) / "sql_history"
    history.parent.mkdir(parents=True, exist_ok=True)
    session: PromptSession[str] = PromptSession(
        history=FileHistory(str(history)), completer=WordCompleter(words, ignore_case=True)
    )
    error_console().print("SQL, ended by ;   .tables   .describe TABLE   .quit", highlight=False)
    while (statement := _statement(session)) is not None:
        try:
            _answer(lk, statement, fmt)
        except TracerlakeError as error:
            error_console().print(str(error), style="red", markup=False, highlight=False)


def _statement(session: object) -> str | None:
    lines: list[str] = []
    while True:
        try:
            line = session.prompt("... " if lines else "sql> ")  # type: ignore[attr-defined]
        except KeyboardInterrupt:
            lines = []
            continue
        except EOFError:
            return None
        if not lines and line.strip() in {".quit", ".exit", "exit", "quit"}:
            return None
        lines.append(line)
        text = "\n".join(lines).strip()
        if text.startswith(".") or text.endswith(";"):
            return text
        if not text:
            lines = []


def _answer(lk: Lake, statement: str, fmt: Format) -> None:
    command, _, argument = statement.partition(" ")
    if command == ".tables":
        console().print(_table_list(lk))
    elif command == ".describe":
        describe(argument.strip() or None)
    else:
        write_answer(lk.sql(statement.rstrip("; \n")).to_arrow_table(), fmt, None)


def tables(location: Annotated[Path, typer.Argument(help="The lake.")]) -> None:
    """List the tables and views of a lake."""
    import lake

    with lake.open(location, read_only=True) as lk:
        console().print(_table_list(lk))


def _table_list(lk: Lake) -> RichTable:
    table = RichTable("table", "what it holds", header_style="bold")
    table.add_column("rows", justify="right")
    for info in lk.tables():
        table.add_row(info.name, info.description, f"{info.rows:,}")
    return table


def describe(
    table: Annotated[str | None, typer.Argument(help="Table; without it, all of them.")] = None,
) -> None:
    """Explain the columns of a table: type, unit, meaning, source."""
    if table is not None and table not in TABLES:
        raise InvalidInputError(f"no table {table!r}; there are: {', '.join(sorted(TABLES))}")
    if table is None:
        shown = RichTable("table", "what it holds", header_style="bold")
        for t in TABLES.values():
            shown.add_row(t.name, t.description)
        console().print(shown)
        return
    chosen = TABLES[table]
    shown = RichTable("column", "type", "unit", "meaning", "source", title=chosen.description)
    for column in chosen.fields:
        name = f"{column.name} *" if column.name in chosen.key else column.name
        shown.add_row(name, column.type, column.unit or "", column.description, column.source)
    console().print(shown)
    console().print("* key", highlight=False)
