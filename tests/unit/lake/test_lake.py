"""Questions to an open lake: SQL and its mistakes, volumes, snapshots, verification, vacuum."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from lake import Lake
from lake.snapshots import pin, pins, unpin
from lake.vacuum import vacuum
from lake.verify import verify
from lake.volumes import stores, write_mask, write_raw, write_standard
from schemas.errors import ConflictError, InvalidInputError, NotFoundInLakeError
from schemas.geometry import Geometry
from schemas.records import Row
from schemas.tables import STORED, TABLES
from schemas.volume import ImageVolume, MaskVolume, RawVolume

GRID = Geometry((3, 4, 5), np.diag([2.0, 2.0, 3.0, 1.0]))


def raw(seed: int = 0) -> RawVolume:
    stored = np.random.default_rng(seed).integers(0, 100, GRID.shape).astype(np.int16)
    return RawVolume(stored, np.ones(3), np.zeros(3), GRID, "Bq/ml", np.full(3, 2.0))


def add_raw(lk: Lake, uid: str, seed: int = 0) -> Row:
    row = write_raw(lk.volumes_root, uid, raw(seed))
    lk.commit(
        lambda tx: tx.replace("volumes", [row], scope=["series_instance_uid", "zone"]), message="m"
    )
    return row


def age(lk: Lake, path: object, hours: float) -> None:
    old = time.time() - hours * 3600
    os.utime(Path(lk.volumes_root) / str(path), (old, old))


def test_sql_takes_parameters(lk: Lake) -> None:
    assert lk.sql("SELECT ? + 1", [2]).fetchall() == [(3,)]
    assert lk.sql("SELECT $a || 'x' AS b", {"a": "y"}).fetchall() == [("yx",)]
    assert lk.sql("SET threads = 2").fetchall() == [(True,)]


def test_mistakes_in_sql_show_where_and_what_was_meant(lk: Lake) -> None:
    with pytest.raises(InvalidInputError) as caught:
        lk.sql("SELECT centre,\n  suv_maxx FROM cohort")
    message = str(caught.value)
    assert '"suv_maxx" not found' in message
    assert "suv_max" in message.split("Candidate bindings")[1]
    assert "LINE 2:" in message
    assert "^" in message
    with pytest.raises(InvalidInputError, match='Did you mean "series"'):
        lk.sql("FROM serie")
    with pytest.raises(InvalidInputError, match=r"LINE 1: SELCT"):
        lk.sql("SELCT 1")


def test_sql_never_changes_the_lake(lk: Lake) -> None:
    for statement in ("DROP TABLE files", "DELETE FROM files", "CREATE TABLE mine (a INT)"):
        with pytest.raises(InvalidInputError, match="read-only"):
            lk.sql(statement)


def test_sql_does_not_look_into_python_variables(lk: Lake) -> None:
    query = [1]  # noqa: F841 - would be found by DuckDB's replacement scans
    with pytest.raises(InvalidInputError, match="query does not exist"):
        lk.sql("FROM query")


def test_tables_and_describe(lk: Lake) -> None:
    add_raw(lk, "1.2")
    found = {t.name: t for t in lk.tables()}
    assert list(found) == list(TABLES)
    assert (found["volumes"].rows, found["files"].rows) == (1, 0)
    assert found["cohort"].is_view
    column = {c.name: c for c in lk.describe("rois")}["roi_volume_ml"]
    assert (column.type, column.unit, column.is_key) == ("float", "ml", False)
    with pytest.raises(NotFoundInLakeError, match="there are: runs, run_sources"):
        lk.describe("nope")


def test_volume_by_series(lk: Lake) -> None:
    add_raw(lk, "1.2")
    array = lk.volume("1.2")
    np.testing.assert_array_equal(array.values, raw().quantified().values)
    assert array.attrs["units"] == "SUVbw"
    assert lk.volume("1.2", quantity="native").attrs["units"] == "Bq/ml"
    with pytest.raises(NotFoundInLakeError, match=r"no standard volume of series 1\.2"):
        lk.volume("1.2", zone="standard")


def test_several_profiles_need_a_name(lk: Lake) -> None:
    image = ImageVolume(np.ones(GRID.shape, np.float32), GRID, "SUVbw")
    rows = [
        write_standard(
            lk.volumes_root, "1.2", image, profile_id=p, profile_digest=p, parent_volume_id="x"
        )
        for p in ("2mm", "4mm")
    ]
    lk.commit(lambda tx: tx.insert("volumes", rows), message="m")
    with pytest.raises(InvalidInputError, match=r"(?=.*2mm)(?=.*4mm).*name a profile"):
        lk.volume("1.2", zone="standard")
    assert lk.volume("1.2", zone="standard", profile="2mm").shape == GRID.shape


def test_volumes_travel_in_time_with_the_tables(lk: Lake) -> None:
    add_raw(lk, "1.2", seed=1)
    then = lk.snapshot
    add_raw(lk, "1.2", seed=2)
    with lk.at(then) as old:
        np.testing.assert_array_equal(old.volume("1.2").values, raw(1).quantified().values)
    np.testing.assert_array_equal(lk.volume("1.2").values, raw(2).quantified().values)


def test_wrong_moments(lk: Lake) -> None:
    with pytest.raises(NotFoundInLakeError, match="there is no snapshot 999; there are 0"):
        lk.at(999)
    with pytest.raises(NotFoundInLakeError, match="no snapshot 1999"):
        lk.at(timestamp="1999-12-31")
    with pytest.raises(InvalidInputError, match="either a snapshot or a timestamp"):
        lk.at()
    with pytest.raises(InvalidInputError, match="is not like"):
        lk.at(timestamp="yesterday")
    with lk.at(timestamp=datetime.now(UTC)) as now:
        assert now.snapshot == lk.snapshot


def test_pins(lk: Lake) -> None:
    first = pin(lk, "release-1", note="for the paper")
    assert pin(lk, "release-1", first.snapshot_id) == first
    with pytest.raises(ConflictError, match=f"already names snapshot {first.snapshot_id}"):
        pin(lk, "release-1", lk.snapshot)
    with pytest.raises(InvalidInputError, match="letters, digits"):
        pin(lk, "a b")
    with pytest.raises(NotFoundInLakeError):
        pin(lk, "x", 999)
    assert [(p.name, p.note) for p in pins(lk)] == [("release-1", "for the paper")]
    unpin(lk, "release-1")
    assert pins(lk) == []
    with pytest.raises(NotFoundInLakeError):
        unpin(lk, "release-1")


def test_verify_finds_what_is_wrong(lk: Lake) -> None:
    good, gone, broken, changed = (add_raw(lk, f"1.{i}", seed=i) for i in range(4))
    assert verify(lk) == []
    root = Path(lk.volumes_root)
    stores.discard(str(root), str(gone["volume_path"]))
    (root / str(broken["volume_path"]) / "zarr.json").write_text("{")
    slopes = root / str(changed["volume_path"]) / "rescale_slope" / "c" / "0"
    slopes.write_bytes(np.full(3, 2.0).tobytes())
    orphan = write_mask(str(root), "1.9", MaskVolume(np.ones(GRID.shape, np.uint8), GRID))
    (root / "raw" / "1.0" / "x.zarr.unfinished-1-ab").mkdir()
    found = {(p.kind, p.subject) for p in verify(lk)}
    assert found == {
        ("missing_volume", gone["volume_path"]),
        ("damaged_volume", broken["volume_path"]),
        ("digest_mismatch", changed["volume_path"]),
        ("orphan_volume", orphan["volume_path"]),
        ("unfinished_volume", "raw/1.0/x.zarr.unfinished-1-ab"),
    }
    assert ("digest_mismatch", changed["volume_path"]) not in {
        (p.kind, p.subject) for p in verify(lk, deep=False)
    }
    assert good["volume_path"] not in {p.subject for p in verify(lk)}


def test_verify_finds_lost_table_files(lk: Lake) -> None:
    add_raw(lk, "1.2")
    (file,) = (lk.location / "tables" / "main" / "volumes").glob("*.parquet")
    content = file.read_bytes()
    lk_rows = file.with_suffix(".bak")
    file.rename(lk_rows)
    with pytest.raises(Exception, match="parquet"):
        lk.sql("FROM volumes").fetchall()
    lk_rows.rename(file)
    assert verify(lk) == []
    assert file.read_bytes() == content


def test_vacuum_removes_only_what_no_snapshot_knows(lk: Lake) -> None:
    old = add_raw(lk, "1.2", seed=1)
    add_raw(lk, "1.2", seed=2)
    orphan = write_raw(lk.volumes_root, "1.3", raw(3))
    young = write_raw(lk.volumes_root, "1.4", raw(4))
    (Path(lk.volumes_root) / "raw" / "1.3" / "x.zarr.unfinished-1-ab").mkdir()
    for path in (old["volume_path"], orphan["volume_path"], "raw/1.3/x.zarr.unfinished-1-ab"):
        age(lk, path, 30)
    removed = vacuum(lk, grace=timedelta(hours=24)).volumes
    assert set(removed) == {orphan["volume_path"], "raw/1.3/x.zarr.unfinished-1-ab"}
    left = {path for path, _, _ in stores.list_volumes(lk.volumes_root)}
    assert {old["volume_path"], young["volume_path"]} <= left
    assert [p.kind for p in verify(lk)] == ["orphan_volume"]


def test_a_volume_that_is_written_again_gets_a_new_period_of_grace(lk: Lake) -> None:
    row = write_raw(lk.volumes_root, "1.2", raw())
    age(lk, row["volume_path"], 30)
    write_raw(lk.volumes_root, "1.2", raw())
    assert vacuum(lk, grace=timedelta(hours=24)).volumes == ()


def test_digests_cover_every_stored_table(lk: Lake) -> None:
    assert set(lk.content_digest()) == {
        t.name for t in STORED if t.name not in {"runs", "run_sources", "run_outcomes"}
    }
