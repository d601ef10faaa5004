"""Blood samples as the Brain Imaging Data Structure (BIDS) keeps them: TSV, with JSON beside it."""

from __future__ import annotations

import csv
import io
import json
from typing import Final

import numpy as np

from schemas.errors import InvalidInputError
from tasks.kinetics.input_function import BloodSamples, samples_of_rows

#: Factors to s and to Bq/ml, by unit in lower case.
_SECONDS: Final = {"s": 1.0, "sec": 1.0, "seconds": 1.0, "min": 60.0}
_BQ_PER_ML: Final = {"bq/ml": 1.0, "kbq/ml": 1e3, "mbq/ml": 1e6}
_MISSING: Final = "n/a"


def read_bids_blood(tsv: str, sidecar: str) -> BloodSamples:
    r"""Blood samples of a BIDS recording.

    Plasma is taken where the recording has it, otherwise whole blood.

    Parameters
    ----------
    tsv : str
        Columns ``time``, ``plasma_radioactivity`` or ``whole_blood_radioactivity``, and perhaps
        ``metabolite_parent_fraction``; ``n/a`` is missing. Rows without activity are left out.
    sidecar : str
        JSON with the units of the columns.

    Returns
    -------
    BloodSamples
        In Bq/ml. Time counts from the recording's time zero, which has to be the injection.

    Raises
    ------
    InvalidInputError
        Naming the column or row, what was expected and what came.

    References
    ----------
    BIDS specification 1.10, "Positron Emission Tomography", blood recording data: activities are
    decay corrected to TimeZero.

    Examples
    --------
    >>> units = '{"time": {"Units": "min"}, "plasma_radioactivity": {"Units": "kBq/mL"}}'
    >>> found = read_bids_blood("time\tplasma_radioactivity\n0\t0\n1\tn/a\n2\t1.5\n", units)
    >>> found.time_s, found.plasma
    (array([  0., 120.]), array([   0., 1500.]))
    """
    rows = list(csv.DictReader(io.StringIO(tsv), delimiter="\t"))
    names = set(rows[0]) if rows else set()
    about = _sidecar(sidecar)
    activity = next(
        (n for n in ("plasma_radioactivity", "whole_blood_radioactivity") if n in names), None
    )
    if "time" not in names or activity is None:
        raise InvalidInputError(
            "blood recording: expected columns time and plasma_radioactivity or "
            "whole_blood_radioactivity"
        )
    seconds = _factor(about, "time", _SECONDS)
    bq_per_ml = _factor(about, activity, _BQ_PER_ML)
    found = []
    for number, row in enumerate(rows, start=2):
        time, value = (_number(number, name, row) for name in ("time", activity))
        if not np.isnan(value):
            fraction = _number(number, "metabolite_parent_fraction", row)
            found.append((time * seconds, value * bq_per_ml, fraction))
    return samples_of_rows(found)


def _sidecar(text: str) -> dict[str, object]:
    try:
        about = json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidInputError(f"blood recording: its JSON is not valid: {error}") from error
    if not isinstance(about, dict):
        raise InvalidInputError("blood recording: its JSON is no object")
    return about


def _factor(about: dict[str, object], column: str, units: dict[str, float]) -> float:
    described = about.get(column)
    unit = described.get("Units") if isinstance(described, dict) else None
    if not isinstance(unit, str) or unit.lower() not in units:
        raise InvalidInputError(
            f"blood recording: expected the unit of {column} in its JSON, one of "
            f"{', '.join(units)}, got {unit!r}"
        )
    return units[unit.lower()]


def _number(number: int, name: str, row: dict[str, str]) -> float:
    text = (row.get(name) or "").strip()
    if text in {"", _MISSING}:
        return float("nan")
    try:
        return float(text)
    except ValueError:
        raise InvalidInputError(f"blood recording, row {number}: {name} is not a number") from None
