"""Reading FHIR R4 resources from NDJSON files and Bundles, and walking inside them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, cast

from schemas.errors import InvalidInputError

#: A JSON object.
Json = dict[str, object]
FhirInput = str | Path | Sequence[str | Path]


class Located(NamedTuple):
    """A resource, or None where the line is not one, with its place in the input."""

    place: str
    resource: Json | None
    full_url: str = ""


def resources(source: FhirInput) -> Iterator[Located]:
    """Every resource of NDJSON text, files or folders; Bundles are opened.

    Parameters
    ----------
    source : str, Path or a sequence of them
        NDJSON or JSON text (a string that starts with ``{``), a file, or a folder, of which the
        ``*.ndjson`` and ``*.json`` files are read.

    Raises
    ------
    InvalidInputError
        If a file cannot be read or a folder holds none.
    """
    if isinstance(source, str | Path):
        yield from _of_one(source)
        return
    for one in source:
        yield from _of_one(one)


def _of_one(source: str | Path) -> Iterator[Located]:
    if isinstance(source, str) and source.lstrip("\ufeff \t\r\n").startswith("{"):
        yield from _of_text(source, "")
        return
    path = Path(source)
    if path.is_dir():
        found = sorted(p for p in path.iterdir() if p.suffix.lower() in {".ndjson", ".json"})
        if not found:
            raise InvalidInputError(f"{path} holds no .ndjson or .json file")
    else:
        found = [path]
    for number, file in enumerate(found, start=1):
        yield from _of_file(file, f"file {number}, " if len(found) > 1 else "")


def _of_file(path: Path, prefix: str) -> Iterator[Located]:
    try:
        if path.suffix.lower() == ".ndjson":
            with path.open(encoding="utf-8-sig") as stream:
                for number, line in enumerate(stream, start=1):
                    yield from _of_line(line, f"{prefix}line {number}")
        else:
            yield from _of_text(path.read_text(encoding="utf-8-sig"), prefix)
    except OSError as error:
        raise InvalidInputError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"{path} is not UTF-8, as FHIR JSON must be") from error


def _of_text(text: str, prefix: str) -> Iterator[Located]:
    try:
        whole = json.loads(text)
    except ValueError:
        for number, line in enumerate(text.splitlines(), start=1):
            yield from _of_line(line, f"{prefix}line {number}")
    else:
        yield from _opened(whole, f"{prefix}resource")


def _of_line(line: str, place: str) -> Iterator[Located]:
    if not line.strip():
        return
    try:
        value = json.loads(line)
    except ValueError:
        yield Located(place, None)
    else:
        yield from _opened(value, place)


def _opened(value: object, place: str, full_url: str = "") -> Iterator[Located]:
    if not isinstance(value, dict) or not isinstance(value.get("resourceType"), str):
        yield Located(place, None)
    elif value["resourceType"] != "Bundle":
        yield Located(place, value, full_url)
    else:
        for number, entry in enumerate(objects(value, "entry")):
            if entry.get("resource") is not None:
                inner = f"{place}, entry {number}"
                yield from _opened(entry["resource"], inner, text(entry, "fullUrl"))


def text(json_object: Json, *path: str) -> str:
    """Text at a path of keys; empty if anything on the way is missing or not text."""
    value: object = json_object
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, str) else ""


def child(json_object: Json, key: str) -> Json:
    """Object below a key; empty if there is none."""
    value = json_object.get(key)
    return cast("Json", value) if isinstance(value, dict) else {}


def objects(json_object: Json, key: str) -> list[Json]:
    """Objects of the list below a key, or the one object there."""
    value = json_object.get(key)
    if isinstance(value, dict):
        return [value]
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []


def codes(concept: Json) -> list[str]:
    """Codings of a CodeableConcept as ``system|code``."""
    return [f"{text(c, 'system')}|{text(c, 'code')}" for c in objects(concept, "coding")]


def number(json_object: Json, key: str) -> float | None:
    """Return the number below a key; None if there is none."""
    value = json_object.get(key)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(cast("float", value)) if is_number else None
