"""Pictures of phantom scans in the report: the current scan of each reconstruction."""

from __future__ import annotations

from typing import Final

from flows.phantom_files import phantom_folder
from flows.report.page import data_url
from lake import Lake

#: Current scans shown with pictures; a lake of more scanners shows the first ones.
_MOST_SHOWN: Final = 24
_CURRENT: Final = """
SELECT phantom_scan_id, centre, phantom_kind, reconstruction_key, measured_on, valid_until_day,
       phantom_verdict, standards_met, limit_status, calibration_factor
FROM phantom_scans WHERE NOT is_superseded
ORDER BY centre, phantom_kind DESC, phantom_scan_id LIMIT $most
"""
_ORDER: Final = ("spheres", "recovery", "uniformity")


def phantom_figures(lk: Lake) -> list[tuple[str, list[str]]]:
    """Caption and pictures of each current phantom scan that has pictures."""
    shown = []
    for row in lk.sql(_CURRENT, {"most": _MOST_SHOWN}).to_arrow_table().to_pylist():
        folder = phantom_folder(lk.folder.reports, str(row["phantom_scan_id"]))
        files = [folder / f"{name}.png" for name in _ORDER]
        pictures = [data_url(path.read_bytes()) for path in files if path.is_file()]
        if pictures:
            shown.append((_caption(row), pictures))
    return shown


def _caption(row: dict[str, object]) -> str:
    kind = "image quality phantom" if row["phantom_kind"] == "iq" else "cylinder"
    met = row["standards_met"]
    band = f" in the band of {', '.join(map(str, met))}" if isinstance(met, list) and met else ""
    unverified = " (limits unverified)" if row["limit_status"] == "recalled" else ""
    until = row["valid_until_day"]
    valid = f", valid until {until}" if until else ", day unknown"
    return (
        f"{row['centre'] or ''} {kind}: {row['phantom_verdict']}{band}{unverified}{valid}".strip()
    )
