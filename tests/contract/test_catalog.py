"""What every catalog must do, held against SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

import lake
from lake import Lake, Transaction
from lake.snapshots import pin
from lake.vacuum import compact, expire, vacuum
from lake.verify import verify
from schemas.errors import SchemaViolationError
from schemas.records import Row
from schemas.tables import TABLES

_TYPES = {
    "string": "VARCHAR", "int": "BIGINT", "float": "DOUBLE", "bool": "BOOLEAN", "date": "DATE",
    "timestamp": "TIMESTAMP", "list<string>": "VARCHAR[]", "list<float>": "DOUBLE[]",
    "list<int>": "BIGINT[]",
}  # fmt: skip


@pytest.fixture(
    scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.services)]
)
def made(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lake]:
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else None
    with lake.create(tmp_path_factory.mktemp("contract") / "lake", catalog=url) as new:
        yield new


@pytest.fixture
def lk(made: Lake) -> Lake:
    """Return a lake without rows (making one per test would take longer than the tests)."""
    with made.transaction(message="emptied") as tx:
        for table in ("files", "series", "volumes"):
            key = TABLES[table].key[0]
            taken = [row[0] for row in made.sql(f"SELECT {key} FROM {table}").fetchall()]
            if taken:
                tx.delete(table, {key: taken})
    return made


def files(*keys: str, **values: object) -> list[Row]:
    return [{"file_key": key, "outcome": "ingested", **values} for key in keys]


def keys(lk: Lake) -> list[str]:
    return [row[0] for row in lk.sql("SELECT file_key FROM files ORDER BY 1").fetchall()]


def write(lk: Lake, change: Callable[[Transaction], object]) -> None:
    lk.commit(change, message="test")


def test_has_every_declared_table_and_view_with_its_columns_and_types(lk: Lake) -> None:
    for table in TABLES.values():
        found = [row[:2] for row in lk.sql(f"DESCRIBE {table.name}").fetchall()]
        assert found == [(c.name, _TYPES[c.type]) for c in table.fields], table.name


def test_comments_of_tables_and_columns_can_be_read_in_sql(lk: Lake) -> None:
    comment = "SELECT comment FROM duckdb_{}() WHERE database_name = 'lake' AND "
    assert lk.sql(comment.format("tables") + "table_name = 'series'").fetchall() == [
        ("One row per DICOM series in the lake.",)
    ]
    column = comment.format("columns") + "table_name = 'rois' AND column_name = 'roi_volume_ml'"
    assert lk.sql(column).fetchall() == [("Voxels times voxel volume. [ml] Source: derived.",)]
    assert lk.sql(comment.format("views") + "view_name = 'cohort'").fetchone() is not None
    described = lk.sql(
        "SELECT unit FROM tracerlake.columns WHERE table_name='cohort' AND column_name='mtv_ml'"
    )
    assert described.fetchall() == [("ml",)]


def test_values_come_back_as_they_went_in(lk: Lake) -> None:
    row: Row = {
        "volume_id": "v", "series_instance_uid": "1.2", "shape_z": 2**40,
        "value_min": float("-inf"),
        "value_max": 0.1 + 0.2, "affine_lps": [0.1, None, 3.0], "zone": "Ω 'quoted'",
    }  # fmt: skip
    write(lk, lambda tx: tx.insert("volumes", [row]))
    found = lk.sql(f"SELECT {', '.join(row)} FROM volumes").fetchall()
    assert found == [tuple(row.values())]


def test_a_transaction_is_one_snapshot_over_all_tables(lk: Lake) -> None:
    before = lk.snapshot
    with lk.transaction(message="two tables", author="someone", extra={"run": 7}) as tx:
        tx.insert("files", files("a"))
        tx.insert("series", [{"series_instance_uid": "1"}])
    newest = lk.snapshots()[-1]
    assert (newest.snapshot_id, tx.snapshot, lk.snapshot) == (before + 1,) * 3
    assert (newest.author, newest.message, newest.extra) == ("someone", "two tables", '{"run": 7}')


def test_an_error_inside_leaves_nothing_behind(lk: Lake) -> None:
    def change(tx: Transaction) -> None:
        tx.insert("files", files("a"))
        raise RuntimeError("crash")

    with pytest.raises(RuntimeError, match="crash"):
        lk.commit(change, message="doomed")
    assert keys(lk) == []
    assert [s.message for s in lk.snapshots()][-1] != "doomed"


def test_others_see_nothing_before_the_commit(lk: Lake) -> None:
    with lk.transaction(message="m") as tx:
        tx.insert("files", files("a"))
        assert keys(lk) == []
        assert tx.sql("SELECT count(*) AS n FROM files").to_pylist() == [{"n": 1}]
    assert keys(lk) == ["a"]


def test_replace_takes_away_what_shares_the_scope(lk: Lake) -> None:
    write(lk, lambda tx: tx.insert("files", files("a", "b", series_instance_uid="1")))
    write(lk, lambda tx: tx.insert("files", files("c", series_instance_uid="2")))
    write(
        lk,
        lambda tx: tx.replace(
            "files", files("d", series_instance_uid="1"), scope=["series_instance_uid"]
        ),
    )
    assert keys(lk) == ["c", "d"]


def test_replace_with_null_scope_matches_null(lk: Lake) -> None:
    write(lk, lambda tx: tx.insert("files", files("a", "b")))
    write(lk, lambda tx: tx.replace("files", files("c"), scope=["series_instance_uid"]))
    assert keys(lk) == ["c"]


def test_replacing_by_equal_rows_changes_nothing(lk: Lake) -> None:
    write(lk, lambda tx: tx.insert("files", files("a", "b", run_id="first", size_bytes=1)))
    before = lk.snapshot
    again = files("a", run_id="second", size_bytes=1) + files("b", run_id="second", size_bytes=2)
    write(lk, lambda tx: tx.replace("files", again[:1], scope=["file_key"]))
    assert lk.snapshot == before
    write(lk, lambda tx: tx.replace("files", again, scope=["file_key"]))
    rows = lk.sql("SELECT file_key, run_id, size_bytes FROM files ORDER BY 1").fetchall()
    assert rows == [("a", "first", 1), ("b", "second", 2)]
    write(lk, lambda tx: tx.replace("files", again[:1], scope=["file_key"], skip_unchanged=False))
    assert lk.sql("SELECT run_id FROM files WHERE file_key = 'a'").fetchall() == [("second",)]


def test_a_taken_key_is_refused(lk: Lake) -> None:
    write(lk, lambda tx: tx.insert("files", files("a", series_instance_uid="1")))
    with pytest.raises(SchemaViolationError, match=r"files: key \(file_key\).*file_key='a'"):
        write(lk, lambda tx: tx.insert("files", files("a")))
    with pytest.raises(SchemaViolationError, match="in the table already"):
        write(
            lk,
            lambda tx: tx.replace(
                "files", files("a", series_instance_uid="2"), scope=["series_instance_uid"]
            ),
        )


def test_delete_by_values(lk: Lake) -> None:
    write(lk, lambda tx: tx.insert("files", files("a", "b", "c", source_name="x") + files("d")))
    write(lk, lambda tx: tx.delete("files", {"file_key": ["a", "b", "d"], "source_name": ["x"]}))
    assert keys(lk) == ["c", "d"]
    write(lk, lambda tx: tx.delete("files", {"source_name": [None]}))
    assert keys(lk) == ["c"]


def test_time_travel_shows_the_whole_lake_as_it_was(lk: Lake) -> None:
    bad: Row = {"file_key": "q", "outcome": "quarantined"}
    write(lk, lambda tx: tx.insert("files", [*files("a"), bad]))
    then = lk.snapshot
    moment = lk.snapshots()[-1].time
    write(lk, lambda tx: tx.delete("files", {"file_key": ["a", "q"]}))
    for old in (lk.at(snapshot=then), lk.at(timestamp=moment)):
        with old:
            assert keys(old) == ["a", "q"]
            assert old.sql("SELECT count(*) FROM quarantine").fetchone() == (1,)
    assert keys(lk) == []


def test_content_digest_depends_on_data_only(lk: Lake) -> None:
    rows = files("a", "b", run_id="1")
    write(lk, lambda tx: tx.insert("files", rows))
    first = lk.content_digest()
    write(lk, lambda tx: tx.delete("files", {"file_key": ["a", "b"]}))
    assert lk.content_digest()["files"] != first["files"]
    other_order = [{**row, "run_id": "2"} for row in reversed(rows)]
    write(lk, lambda tx: tx.insert("files", other_order))
    assert lk.content_digest() == first
    assert "runs" not in first


def test_maintenance_keeps_the_present_and_pinned_snapshots(lk: Lake) -> None:
    for number in range(4):
        write(
            lk,
            lambda tx, n=number: tx.replace(  # type: ignore[misc]
                "files", files("a", f"k{n}", size_bytes=n), scope=["file_key"]
            ),
        )
    middle = lk.snapshots()[-2].snapshot_id
    pin(lk, "release", middle)
    with lk.at(middle) as old:
        then = sorted(old.sql("FROM files").fetchall())
    now = sorted(lk.sql("FROM files").fetchall())
    assert expire(lk, older_than=timedelta(0))
    assert compact(lk) > 0
    expire(lk, older_than=timedelta(0))
    assert vacuum(lk, grace=timedelta(0)).files
    assert [s.snapshot_id for s in lk.snapshots()] == [middle, lk.snapshot]
    assert sorted(lk.sql("FROM files").fetchall()) == now
    with lk.at(middle) as old:
        assert sorted(old.sql("FROM files").fetchall()) == then
    assert verify(lk) == []
