"""Resolutions that a site gives in a file."""

from __future__ import annotations

import csv
import io
import math
from typing import Final

from schemas.errors import InvalidInputError
from tasks.standardise.matching import Resolution

_COLUMNS: Final = ("scanner_key", "reconstruction_key", "fwhm_z_mm", "fwhm_y_mm", "fwhm_x_mm")


def read_given(text: str) -> dict[tuple[str | None, str | None], Resolution]:
    """Read a CSV with a line for each scanner and reconstruction.

    Parameters
    ----------
    text : str
        Columns ``scanner_key``, ``reconstruction_key`` (as in table `series`; empty: unknown),
        ``fwhm_z_mm``, ``fwhm_y_mm``, ``fwhm_x_mm``: the Gaussian point spread function, without
        the averaging over voxels.

    Raises
    ------
    InvalidInputError
        Naming the line and what was expected.

    Examples
    --------
    >>> lines = "scanner_key,reconstruction_key,fwhm_z_mm,fwhm_y_mm,fwhm_x_mm"
    >>> read_given(lines + chr(10) + "SC-1,OSEM,5,4.5,4.5")["SC-1", "OSEM"].fwhm_mm
    (5.0, 4.5, 4.5)
    """
    rows = csv.DictReader(io.StringIO(text))
    if tuple(rows.fieldnames or ()) != _COLUMNS:
        raise InvalidInputError(
            f"resolution file: expected the columns {', '.join(_COLUMNS)}, got "
            f"{', '.join(rows.fieldnames or ()) or 'none'}"
        )
    found: dict[tuple[str | None, str | None], Resolution] = {}
    for row in rows:
        device = row["scanner_key"] or None, row["reconstruction_key"] or None
        if device in found:
            raise InvalidInputError(f"resolution file, line {rows.line_num}: second line for one")
        z, y, x = (_width(row[name], name, rows.line_num) for name in _COLUMNS[2:])
        found[device] = Resolution("given", (z, y, x))
    return found


def _width(text: str | None, name: str, line: int) -> float:
    try:
        width = float(text or "")
    except ValueError:
        width = math.nan
    if not 0.0 < width < 50.0:
        raise InvalidInputError(
            f"resolution file, line {line}: {name}: expected mm above 0 and below 50, got {text!r}"
        )
    return width
