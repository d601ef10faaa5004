"""Everything that a lake, a Prefect database or a log holds, decompressed, as text to search.

A column chunk, a Zarr chunk, a page of a database and a picture inside a report are all opened:
bytes that lie compressed on disk hide nothing.
"""

from __future__ import annotations

import base64
import io
import re
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq
import zarr

#: A place and what stands there.
Found = tuple[str, str]

#: Runs of text in binary data: what could spell a word, one or two bytes a letter.
_RUN: Final = re.compile(rb"[\x20-\x7e]{6,}|(?:[\x20-\x7e]\0){6,}|(?:\0[\x20-\x7e]){6,}")
_BASE64: Final = re.compile(rb"base64,([A-Za-z0-9+/=\s]{16,})")


def lake_contents(location: Path) -> Iterator[Found]:
    """All files of a lake: their names, their bytes, and what is inside them."""
    for path in sorted(location.rglob("*")):
        relative = str(path.relative_to(location))
        yield f"name {relative}", relative
        if path.is_file() and path.name != "tracerlake.toml":
            yield from file_contents(path, relative)
        elif path.suffix == ".zarr":
            yield from _zarr(path, relative)


def file_contents(path: Path, name: str) -> Iterator[Found]:
    """Bytes of one file, and what is inside by its kind."""
    data = path.read_bytes()
    if path.suffix != ".html":  # base64 spells short words by chance
        yield f"bytes of {name}", _runs(data)
    if path.suffix == ".parquet":
        yield from _parquet(path, name)
    elif data.startswith(b"SQLite format 3"):
        yield from database_contents(path, name)
    elif path.suffix == ".html":
        yield f"text of {name}", _BASE64.sub(b"", data).decode("utf-8", "replace")
        for number, match in enumerate(_BASE64.finditer(data)):
            inner = base64.b64decode(match[1])
            yield f"picture {number} of {name}", _runs(inner) + _runs(_inflated(inner))
    elif path.suffix in {".json", ".toml", ".txt", ".log"}:
        yield f"text of {name}", data.decode("utf-8", "replace")


def database_contents(path: Path, name: str) -> Iterator[Found]:
    """All rows of all tables of a SQLite database (and, by `file_contents`, its free pages)."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        for (table,) in tables.fetchall():
            rows = connection.execute(f'SELECT * FROM "{table}"').fetchall()
            parts = [_as_text(value) for row in rows for value in row]
            yield f"{name}, table {table}", "\n".join(parts)


def prefect_contents(home: Path) -> Iterator[Found]:
    """Prefect's folder: its database (runs, parameters, logs, artifacts) and all other files."""
    for path in sorted(home.rglob("*")):
        if path.is_file():
            yield from file_contents(path, f"prefect {path.name}")
            if path.suffix == ".db":
                yield from database_contents(path, f"prefect {path.name}")


def _as_text(value: object) -> str:
    return _runs(value) if isinstance(value, bytes) else str(value)


def _runs(data: bytes) -> str:
    """Stretches of `data` that could be text."""
    return b"\n".join(_RUN.findall(data)).replace(b"\0", b"").decode("ascii")


def _parquet(path: Path, name: str) -> Iterator[Found]:
    table = pq.read_table(path)
    yield f"schema of {name}", str(table.schema) + str(table.schema.metadata)
    yield f"statistics of {name}", str(pq.read_metadata(path).to_dict())
    for column in table.schema:
        if _is_textual(column.type):
            values = table[column.name].combine_chunks()
            flat = values.flatten() if pa.types.is_list(column.type) else values
            yield f"column {column.name} of {name}", "\n".join(map(str, flat.to_pylist()))


def _is_textual(kind: pa.DataType) -> bool:
    inner = kind.value_type if pa.types.is_list(kind) else kind
    return not pa.types.is_floating(inner)


def _zarr(path: Path, name: str) -> Iterator[Found]:
    group = zarr.open_group(path, mode="r")
    yield f"attributes of {name}", str(dict(group.attrs))
    for key, array in group.members(max_depth=None):
        yield f"attributes of {name}/{key}", str(dict(array.attrs))
        if isinstance(array, zarr.Array):
            yield f"values of {name}/{key}", _runs(array[...].tobytes())


def _inflated(data: bytes) -> bytes:
    """Decompress the pixels and texts of a PNG."""
    out, stream = b"", io.BytesIO(data)
    if stream.read(8) != b"\x89PNG\r\n\x1a\n":
        return out
    pixels = b""
    while header := stream.read(8):
        chunk = stream.read(int.from_bytes(header[:4], "big"))
        stream.read(4)
        if header[4:] == b"IDAT":
            pixels += chunk
        elif header[4:] in {b"zTXt", b"iTXt", b"tEXt", b"eXIf"}:
            out += chunk
    return out + zlib.decompress(pixels)
