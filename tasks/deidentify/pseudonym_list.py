"""A site's own list of pseudonyms: CSV, or what the pseudonym manager gPAS writes.

Messages name lines and counts, never an identifier.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple
from xml.etree import ElementTree as ET

from schemas.errors import InvalidInputError
from tasks.deidentify.pseudonyms import clean_identifier

#: What may be a patient key: safe in SQL, paths and on command lines.
_SAFE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
#: What our own keys look like; a list may not claim one.
_OWN_KEY: Final = re.compile(r"P-[0-9a-f]{16}")
#: Names of columns and elements, lower case without blanks and signs.
_ID: Final = frozenset({"patientid", "originalvalue", "originalwert", "original", "key"})
_PSEUDONYM: Final = frozenset({"pseudonym", "psn", "value", "patientkey"})
_ISSUER: Final = frozenset({"issuer", "issuerofpatientid"})
_DOMAIN: Final = frozenset({"domain", "domainname", "target", "pseudonymdomain", "domaene"})

#: Pseudonym by (patient ID, issuer); an empty issuer stands for any.
Listed = Mapping[tuple[str, str], str]


class _Entry(NamedTuple):
    place: str
    patient_id: str
    issuer: str
    pseudonym: str
    domain: str


def read_pseudonym_list(data: bytes, *, issuer: str = "", domain: str = "") -> dict[
    tuple[str, str], str
]:  # fmt: skip
    """Read a list of pseudonyms; the form is told by its content.

    Parameters
    ----------
    data : bytes
        CSV (comma, semicolon or tab) with the columns ``patient_id``, ``pseudonym`` and optionally
        ``issuer``; or an export of gPAS: CSV (original value, pseudonym, domain), XML, or the FHIR
        Parameters (JSON) of its gateway.
    issuer : str
        Issuer of all entries that name none; empty: they stand for patients of any issuer.
    domain : str
        Domain of gPAS to take where the export has several.

    Returns
    -------
    dict
        Pseudonym by (patient ID, issuer).

    Raises
    ------
    InvalidInputError
        If the form is unknown, an entry is incomplete, a pseudonym is unsafe, not unique or an
        original identifier, or a patient has two.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInputError("pseudonym list: the file is not UTF-8") from error
    entries = [e for e in _entries(text) if not domain or e.domain == domain]
    if not entries:
        where = f" of domain {domain!r}" if domain else ""
        raise InvalidInputError(f"pseudonym list: there are no entries{where}")
    if len({e.domain for e in entries}) > 1:
        raise InvalidInputError("pseudonym list: it has several domains; set pseudonyms.domain")
    return _checked(entries, clean_identifier(issuer))


def _entries(text: str) -> Iterator[_Entry]:
    start = text.lstrip()[:1]
    if start == "<":
        return _from_xml(text)
    if start in {"{", "["}:
        return _from_json(text)
    return _from_csv(text)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.rpartition("}")[2].lower())


def _entry(place: str, cells: Iterable[tuple[str, str]]) -> _Entry:
    named = [(_plain(name), (value or "").strip()) for name, value in cells]

    def first(names: frozenset[str]) -> str:
        return next((value for name, value in named if name in names), "")

    return _Entry(
        place, clean_identifier(first(_ID)), clean_identifier(first(_ISSUER)), first(_PSEUDONYM),
        first(_DOMAIN),
    )  # fmt: skip


def _from_csv(text: str) -> Iterator[_Entry]:
    header = text.partition("\n")[0]
    delimiter = max(",;\t", key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        names = [_plain(name) for name in next(reader, [])]
        if not (_ID & set(names) and _PSEUDONYM & set(names)):
            raise InvalidInputError(
                "pseudonym list: expected a header line with patient_id and pseudonym"
            )
        for cells in reader:
            if any(cells):
                yield _entry(f"line {reader.line_num}", zip(names, cells, strict=False))
    except csv.Error as error:
        raise InvalidInputError(f"pseudonym list: damaged near line {reader.line_num}") from error


def _from_xml(text: str) -> Iterator[_Entry]:
    if re.search(r"<!(?:DOCTYPE|ENTITY)", text, re.IGNORECASE):
        raise InvalidInputError("pseudonym list: XML with a document type is not read")
    try:
        root = ET.fromstring(text)  # noqa: S314 - without entities it cannot explode
    except ET.ParseError as error:
        raise InvalidInputError(f"pseudonym list: {error}") from error
    number = 0
    for element in root.iter():
        leaves = [(child.tag, child.text or "") for child in element if not len(child)]
        names = {_plain(tag) for tag, _ in leaves}
        if names & _ID and names & _PSEUDONYM:
            number += 1
            yield _entry(f"entry {number}", leaves)


def _from_json(text: str) -> Iterator[_Entry]:
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidInputError(f"pseudonym list: line {error.lineno} is no JSON") from error
    rows = found if isinstance(found, list) else found.get("parameter", [])
    for number, row in enumerate(rows if isinstance(rows, list) else [], start=1):
        if isinstance(row, dict) and ("part" in row or "pseudonym" in row):
            cells = _fhir_parts(row) if "part" in row else [(k, str(v)) for k, v in row.items()]
            yield _entry(f"entry {number}", cells)


def _fhir_parts(parameter: Mapping[str, object]) -> list[tuple[str, str]]:
    """Parts ``original``, ``target`` and ``pseudonym``, as a string or an Identifier."""
    parts = parameter.get("part")
    found = []
    for part in parts if isinstance(parts, list) else []:
        identifier = part.get("valueIdentifier") or {}
        value = part.get("valueString") or identifier.get("value") or ""
        found.append((str(part.get("name", "")), str(value)))
    return found


def _checked(entries: list[_Entry], issuer: str) -> dict[tuple[str, str], str]:
    listed: dict[tuple[str, str], str] = {}
    owner: dict[str, tuple[str, str]] = {}
    originals = {entry.patient_id.casefold() for entry in entries}
    for entry in entries:
        _check(entry, originals)
        patient = (entry.patient_id, entry.issuer or issuer)
        if listed.setdefault(patient, entry.pseudonym) != entry.pseudonym:
            raise _wrong(entry, "the patient has another pseudonym further up")
        if owner.setdefault(entry.pseudonym.casefold(), patient) != patient:
            raise _wrong(entry, "the pseudonym belongs to another patient further up")
    return listed


def _check(entry: _Entry, originals: set[str]) -> None:
    if not entry.patient_id or not entry.pseudonym:
        raise _wrong(entry, "patient ID or pseudonym is empty")
    if not _SAFE.fullmatch(entry.pseudonym):
        raise _wrong(
            entry,
            "the pseudonym may have 1 to 64 letters, digits, '.', '_' and '-', first a letter or "
            "digit",
        )
    if _OWN_KEY.fullmatch(entry.pseudonym):
        raise _wrong(entry, "the pseudonym has the form of tracerlake's own keys")
    if entry.pseudonym.casefold() in originals:
        raise _wrong(entry, "the pseudonym is the patient ID of an entry")


def _wrong(entry: _Entry, text: str) -> InvalidInputError:
    return InvalidInputError(f"pseudonym list, {entry.place}: {text}")
