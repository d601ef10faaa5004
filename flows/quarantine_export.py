"""The quarantine as folders: one per reason, with an index and what to do."""

from __future__ import annotations

import csv
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from flows.quarantine import object_kind, remedy
from lake.key_files import refuse_inside_lake
from schemas.errors import InvalidInputError, RejectedObjectError
from schemas.reasons import QUARANTINE_REASONS
from schemas.records import Row
from tasks.sources.reading import ObjectReader
from tasks.sources.uris import FILE, parse_uri, scheme_of

INDEX: Final = "index.csv"
OBJECTS: Final = "objects"
_INDEX_COLUMNS: Final = (
    "file_key", "source_name", "series_instance_uid", "sop_instance_uid", "sop_class_uid",
    "size_bytes", "reason_text", "reason_tags", "first_run_id", "run_id",
)  # fmt: skip
_IDENTIFYING: Final = (
    "WARNING: the folders `objects` hold, or lead to, identified patient data: headers, pixels and "
    "the places of files. Treat them as such, and delete them when you are done."
)


def write_folders(rows: Iterable[Row], folder: Path) -> dict[str, int]:
    """Write a folder per reason code with `INDEX` and a README; no identity is in them.

    Parameters
    ----------
    rows : iterable of Row
        Of the view ``quarantine``.
    folder : Path
        New or empty; readable by its owner only.

    Returns
    -------
    dict
        Objects by reason code.

    Raises
    ------
    InvalidInputError
        If the folder is not empty, cannot be written or lies in a lake.
    """
    by_reason: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_reason[str(row["reason_code"])].append(row)
    _make(folder)
    try:
        for code, members in by_reason.items():
            _write_reason(folder / code, code, members)
        counts = {code: len(members) for code, members in by_reason.items()}
        (folder / "README.md").write_text(_overview(counts), encoding="utf-8")
    except OSError as error:
        raise InvalidInputError(f"cannot write to {folder}: {error.strerror}") from error
    return counts


def _make(folder: Path) -> None:
    refuse_inside_lake(folder.resolve())
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        is_empty = not any(folder.iterdir())
    except OSError as error:
        raise InvalidInputError(f"cannot make {folder}: {error.strerror}") from error
    if not is_empty:
        raise InvalidInputError(f"{folder} is not empty; give a new or empty folder")


def _write_reason(folder: Path, code: str, rows: list[Row]) -> None:
    folder.mkdir(mode=0o700)
    with (folder / INDEX).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_INDEX_COLUMNS)
        writer.writerows([_cell(row.get(name)) for name in _INDEX_COLUMNS] for row in rows)
    (folder / "README.md").write_text(_page(code, rows), encoding="utf-8")


def _cell(value: object) -> str:
    if isinstance(value, list):
        return "; ".join(map(str, value))
    return "" if value is None else str(value)


def _page(code: str, rows: list[Row]) -> str:
    kinds = Counter(object_kind(row) for row in rows)
    tags = Counter(str(t) for row in rows for t in _list(row.get("reason_tags")))
    lines = [
        f"# {code}",
        "",
        QUARANTINE_REASONS.get(code, ""),
        "",
        f"What to do: {remedy(code)}",
        "",
    ]
    lines += [f"Objects: {len(rows)}, see `{INDEX}`. Of these kinds:", ""]
    lines += [f"- {kind}: {n}" for kind, n in kinds.most_common()]
    if tags:
        lines += ["", "Attributes involved:", ""]
        lines += [f"- {tag}: {n}" for tag, n in tags.most_common()]
    return "\n".join(lines) + "\n"


def _list(value: object) -> list[object]:
    return list(value) if isinstance(value, list) else []


def _overview(counts: Mapping[str, int]) -> str:
    lines = ["# Quarantine", "", f"{sum(counts.values())} objects that could not be used.", ""]
    lines += ["| folder | objects | what happened | what to do |", "|---|--:|---|---|"]
    lines += [
        f"| {code} | {n} | {QUARANTINE_REASONS.get(code, '')} | {remedy(code)} |"
        for code, n in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    ]
    return "\n".join(lines) + "\n"


def add_objects(
    rows: Iterable[Row],
    folder: Path,
    places: Mapping[str, str],
    reader: ObjectReader,
    *,
    max_bytes: int,
) -> int:
    """Put the objects beside the index: links to files, copies of archive members and remote ones.

    Parameters
    ----------
    rows : iterable of Row
        As given to `write_folders`.
    folder : Path
        As given to `write_folders`.
    places : mapping
        URIs by file key; what is not in it is left out.
    reader : ObjectReader
        Reads what cannot be linked.
    max_bytes : int
        Larger objects are left out.

    Returns
    -------
    int
        Objects that are there.
    """
    (folder / "README-IDENTIFYING.md").write_text(_IDENTIFYING + "\n", encoding="utf-8")
    done = 0
    for row in rows:
        key = str(row["file_key"])
        uri = places.get(key)
        target = folder / str(row["reason_code"]) / OBJECTS
        target.mkdir(mode=0o700, exist_ok=True)
        if uri is not None and _put(uri, target / f"{key}.dcm", reader, max_bytes):
            done += 1
    return done


def _put(uri: str, target: Path, reader: ObjectReader, max_bytes: int) -> bool:
    if scheme_of(uri) == FILE:
        path = parse_uri(uri).path
        if path.exists():
            target.symlink_to(path)
            return True
        return False
    try:
        data = reader.read(uri, max_bytes)
    except RejectedObjectError:
        return False
    handle = os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
    return True
