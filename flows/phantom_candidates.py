"""Which series of a lake are examined as phantoms, and what is known of each."""

from __future__ import annotations

import json
import logging
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from flows.derive import input_digest
from flows.identities import pseudonymiser
from flows.work.phantoms import PhantomJob
from lake import Lake
from schemas.errors import InvalidInputError, TracerlakeError
from schemas.records import Row
from tasks.deidentify.pseudonyms import Pseudonyms
from tasks.phantom.fill import Fill, HeaderFacts, fill_of
from tasks.phantom.limits import Limit, for_nuclide

logger = logging.getLogger(__name__)

#: Changes of the algorithm itself; part of every input digest.
_ALGORITHM: Final = "phantom/1"

_NAMED: Final = """regexp_matches(lower(coalesce(s.series_description_words::VARCHAR, '')),
                                  'phantom|nema|cylinder')"""
#: One row if there is any phantom.
HAS_PHANTOMS: Final = f"""
SELECT 1 FROM series s WHERE s.modality IN ('PT', 'NM') AND {_NAMED}
UNION ALL SELECT 1 FROM phantom_scans LIMIT 1
"""  # noqa: S608  no value of a user

#: Series that can be a phantom's, with what the words of their description say.
_SERIES: Final = f"""
SELECT s.series_instance_uid, s.patient_key, s.centre, s.scanner_key, s.reconstruction_key,
       s.manufacturer_model_name, s.study_datetime, s.series_datetime, s.patient_weight_kg,
       s.injected_activity_bq, s.injection_datetime, s.half_life_s, s.radionuclide,
       v.volume_id, v.volume_path, p.fill_json, p.declared_standard, p.measured_on,
       p.phantom_scan_id IS NOT NULL AS is_known,
       {_NAMED} AS is_named
FROM series s
JOIN volumes v ON v.series_instance_uid = s.series_instance_uid AND v.zone = 'raw'
 AND coalesce(v.part_index, 1) = 1 AND v.shape_t IS NULL
LEFT JOIN phantom_scans p ON p.series_instance_uid = s.series_instance_uid
WHERE s.series_kind = 'image' AND s.modality IN ('PT', 'NM')
ORDER BY s.series_instance_uid
"""  # noqa: S608


@dataclass(frozen=True)
class Request:
    """What is asked for in one run.

    Parameters
    ----------
    series : tuple of str
        UIDs in the lake, or as they came; empty for those that are known or named as phantoms.
    fills : dict of str to Fill
        By series UID, from the user's file.
    fill : Fill or None
        For all other series; None for what was said before.
    declared : str or None
        Standard; None for what was said before.
    limits : tuple of Limit
        To hold against.
    everything : bool
        Examine every PET and SPECT series.
    """

    series: tuple[str, ...]
    fills: Mapping[str, Fill]
    fill: Fill | None
    declared: str | None
    limits: tuple[Limit, ...]
    everything: bool = False


def read_fills(path: Path) -> dict[str, Fill]:
    """Read ``[[phantom]]`` entries of a TOML file by their series.

    Raises
    ------
    InvalidInputError
        The file is no TOML or an entry is wrong.
    """
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8")).get("phantom", [])
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidInputError(f"{path.name}: cannot be read ({type(error).__name__})") from error
    if not isinstance(entries, list) or not all("series" in entry for entry in entries):
        raise InvalidInputError(f"{path.name}: expected [[phantom]] entries, each with its series")
    return {
        str(entry["series"]): fill_of({k: v for k, v in entry.items() if k != "series"})
        for entry in entries
    }


def phantom_jobs(lk: Lake, request: Request) -> list[PhantomJob]:
    """Jobs for the series asked for.

    Raises
    ------
    InvalidInputError
        A series that was named is not in the lake or has no single volume.
    """
    pseudonyms = _pseudonyms(lk)
    rows = {str(r["series_instance_uid"]): r for r in _rows(lk)}
    fills = {_in_lake(uid, rows, pseudonyms): fill for uid, fill in request.fills.items()}
    asked = [_in_lake(uid, rows, pseudonyms) for uid in request.series]
    missing = [uid for uid in asked if uid not in rows]
    if missing:
        raise InvalidInputError(
            f"{len(missing)} of the series named are no PET or SPECT volumes of this lake"
        )
    chosen = asked or [
        uid
        for uid, row in rows.items()
        if request.everything or row["is_known"] or row["is_named"] or uid in fills
    ]
    named = {*asked, *(uid for uid in fills if uid in rows)}
    return [
        _job(rows[uid], fills.get(uid), request, pseudonyms, is_asked_for=uid in named)
        for uid in dict.fromkeys(chosen)
    ]


def _rows(lk: Lake) -> list[Row]:
    found: list[Row] = lk.sql(_SERIES).to_arrow_table().to_pylist()
    return found


def _pseudonyms(lk: Lake) -> Pseudonyms | None:
    """Pseudonyms by the lake's key; None where it is not at hand."""
    try:
        return pseudonymiser(lk.settings, lk.keys())
    except TracerlakeError as error:
        logger.warning(
            "the lake's key is not at hand, days of phantom scans stay unknown: %s", error
        )
        return None


def _in_lake(uid: str, rows: Mapping[str, Row], pseudonyms: Pseudonyms | None) -> str:
    """UID of a series in the lake, also if it was given as it came."""
    if uid in rows or pseudonyms is None:
        return uid
    return pseudonyms.uid(uid)


def _job(
    row: Row,
    own: Fill | None,
    request: Request,
    pseudonyms: Pseudonyms | None,
    *,
    is_asked_for: bool,
) -> PhantomJob:
    fill = own or request.fill or _remembered(row["fill_json"])
    declared = request.declared or _text(row["declared_standard"])
    said = json.dumps(_said(fill), sort_keys=True)
    limits = for_nuclide(request.limits, _text(row["radionuclide"]))
    digest = input_digest(_ALGORITHM, row["volume_id"], said, declared, repr(limits))
    day = fill.measured_on or row["measured_on"]
    if day is None and (is_asked_for or row["is_named"]):
        # never by shape alone: the real day of a patient taken for a phantom must not be kept
        day = _real_day(row, pseudonyms)
    scanner, reconstruction = _text(row["scanner_key"]), _text(row["reconstruction_key"])
    identity: Row = {
        "series_instance_uid": row["series_instance_uid"],
        "centre": row["centre"],
        "scanner_key": scanner,
        "reconstruction_key": reconstruction,
        "measured_on": day,
        "fill_json": said,
        "input_digest": digest,
    }
    model = _text(row["manufacturer_model_name"])
    title = ", ".join(t for t in (_text(row["centre"]), model, reconstruction) if t)
    return PhantomJob(
        identity, str(row["volume_path"]), title, fill, _header(row), limits, declared,
        is_asked_for,
    )  # fmt: skip


def _remembered(text: object) -> Fill:
    return fill_of(json.loads(str(text))) if text else Fill()


def _said(fill: Fill) -> dict[str, Any]:
    """Return what differs from nothing said, as JSON holds it."""
    plain = Fill()
    values = {f.name: getattr(fill, f.name) for f in fields(Fill)}
    return {
        name: value if isinstance(value, (float, str)) else value.isoformat()
        for name, value in values.items()
        if value != getattr(plain, name)
    }


def _header(row: Row) -> HeaderFacts:
    injection = row["injection_datetime"]
    return HeaderFacts(
        _number(row["patient_weight_kg"]),
        _number(row["injected_activity_bq"]),
        injection if isinstance(injection, datetime) else None,
        _number(row["half_life_s"]),
    )


def _real_day(row: Row, pseudonyms: Pseudonyms | None) -> date | None:
    """Return the day of the scan, shifted back: a phantom is no patient."""
    shifted = row["study_datetime"] or row["series_datetime"]
    if not isinstance(shifted, datetime) or pseudonyms is None:
        return None
    return (shifted - timedelta(days=pseudonyms.shift_days(str(row["patient_key"])))).date()


def _number(value: object) -> float | None:
    return None if value is None else float(str(value))


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def known_digests(lk: Lake) -> dict[str, str]:
    """Input digests of the scans that the lake has, by series."""
    rows: Sequence[tuple[str, str]] = lk.sql(
        "SELECT series_instance_uid, input_digest FROM phantom_scans"
    ).fetchall()
    return dict(rows)
