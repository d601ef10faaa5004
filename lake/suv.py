"""Kinds of SUV other than SUVbw: what a series is multiplied by, or why it has none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from schemas.errors import InvalidInputError

if TYPE_CHECKING:
    from lake.volumes.lazy import Scale


def suv_scale(connection: duckdb.DuckDBPyConnection, series_uid: str, normalisation: str) -> Scale:
    """Look a kind of SUV up in table ``suv_factors``.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        With the lake as its default database.
    series_uid : str
        ``series_instance_uid`` in the lake.
    normalisation : str
        Such as ``suv_lbm_janma``.

    Raises
    ------
    InvalidInputError
        If it is unknown, does not apply to the series, or was refused; with the reason.
    """
    from lake.volumes.lazy import Scale

    rows = connection.execute(
        "SELECT normalisation, per_suvbw, suv_unit, normalisation_reason_text FROM suv_factors "
        "WHERE series_instance_uid = $uid ORDER BY normalisation",
        {"uid": series_uid},
    ).fetchall()
    if not rows:
        raise InvalidInputError(
            f"series {series_uid} has no SUV of any kind: see suv_status in table 'series'"
        )
    found = {str(name): (per, unit, reason) for name, per, unit, reason in rows}
    if normalisation not in found:
        raise InvalidInputError(
            f"quantity {normalisation!r} is not one of suv, native, stored, {', '.join(found)}"
        )
    per_suvbw, unit, reason = found[normalisation]
    if per_suvbw is None:
        raise InvalidInputError(f"{normalisation} of series {series_uid} was refused: {reason}")
    return Scale(normalisation, float(per_suvbw), str(unit))
