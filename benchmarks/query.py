"""SQL over feature rows in a lake, against the same query on one plain Parquet file."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

import lake
from benchmarks.rounds import Comparison, compare, run_rounds
from lake import Lake

OURS = "tracerlake"
_FEATURES = 100
_CENTRES = 8
_COMMITS = 4

_QUERY = """
    SELECT centre, feature, count(*) AS n, avg(value) AS mean, stddev_samp(value) AS sd
    FROM {rows}
    WHERE modality = 'PT' AND value > 0
    GROUP BY centre, feature ORDER BY centre, feature
"""


def feature_rows(n_rois: int, seed: int = 0) -> pa.Table:
    """Return rows of table ``features``: `n_rois` ROIs with 100 features each."""
    rng = np.random.default_rng(seed)
    roi = np.repeat(np.arange(n_rois), _FEATURES)
    feature = np.tile(np.arange(_FEATURES), n_rois)
    patient = roi // 3
    return pa.table(
        {
            "roi_id": _labels("roi-{:032x}", np.arange(n_rois) * 7919, roi),
            "feature": _labels("family_feature_{:03d}", np.arange(_FEATURES), feature),
            "value": rng.normal(1, 1, len(roi)),
            "unit": _labels("unit{}", np.arange(4), feature % 4),
            "feature_profile": pa.array(["ibsi-1"] * len(roi)),
            "patient_key": _labels("P-{:016x}", np.arange(n_rois // 3 + 1) * 104729, patient),
            "centre": _labels("centre {}", np.arange(_CENTRES), patient % _CENTRES),
            "series_instance_uid": _labels("2.25.{:030d}", np.arange(n_rois // 3 + 1), patient),
            "modality": _labels("{}", np.array(["PT", "NM"]), (patient % 10 == 0).astype(int)),
        }
    )


def query_row(*, rows: int = 1_000_000, rounds: int = 15) -> list[Comparison]:
    """Compare mean and SD per centre and feature with a filter; both connections are open."""
    table = feature_rows(rows // _FEATURES)
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        place = Path(name)
        parquet = _write_parquet(table, place / "features.parquet")
        opened, plain = _fill_lake(table, place / "lake"), duckdb.connect()
        threads = opened.sql("SELECT current_setting('threads')").fetchall()[0][0]
        plain.execute(f"SET threads = {int(threads)}")
        in_lake, in_file = _QUERY.format(rows="features"), _QUERY.format(rows=f"'{parquet}'")
        if not _same(opened.sql(in_lake).to_arrow_table(), plain.sql(in_file).to_arrow_table()):
            raise RuntimeError("lake and Parquet file give different answers")
        measured = run_rounds(
            {
                OURS: lambda: _ask(lambda: opened.sql(in_lake)),
                "DuckDB on one Parquet file": lambda: _ask(lambda: plain.sql(in_file)),
            },
            rounds,
        )
        plain.close()
        opened.close()
    return compare(f"SQL aggregate over {table.num_rows:,} feature rows", measured, OURS)


def _ask(query: Callable[[], duckdb.DuckDBPyRelation]) -> None:
    query().to_arrow_table()


def _labels(
    pattern: str, values: np.ndarray[tuple[int, ...], np.dtype[np.generic]], index: object
) -> pa.Array:
    """Text column from few distinct labels."""
    names = pa.array([pattern.format(v) for v in values.tolist()])
    return names.take(pa.array(index))


def _write_parquet(table: pa.Table, path: Path) -> Path:
    """Let DuckDB write the file, as it does for the lake."""
    with duckdb.connect() as connection:
        connection.register("offered", table)
        connection.execute(f"COPY offered TO '{path}' (FORMAT parquet)")
    return path


def _fill_lake(table: pa.Table, place: Path) -> Lake:
    """Several commits, as a lake that grows has."""
    opened = lake.create(place)
    step = -(-table.num_rows // _COMMITS)
    for start in range(0, table.num_rows, step):
        with opened.transaction(message="benchmark") as transaction:
            transaction.insert("features", table.slice(start, step))
    return opened


def _same(first: pa.Table, second: pa.Table) -> bool:
    if first.num_rows != second.num_rows or first.num_rows == 0:
        return False
    for name in first.column_names:
        a, b = first.column(name), second.column(name)
        if pa.types.is_floating(a.type):
            if not np.allclose(a.to_numpy(), b.to_numpy(), rtol=1e-9, equal_nan=True):
                return False
        elif a.to_pylist() != b.to_pylist():
            return False
    return True
