"""Series that grow, move or lose their files between two nights."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import lake
from flows.ingest import ingest
from tests.cohorts import CENTRES, Cohort

pytestmark = [pytest.mark.xdist_group("prefect"), pytest.mark.usefixtures("prefect_server")]


@pytest.fixture
def ct_files(tiny_cohort: Cohort) -> list[Path]:
    """One CT series, slice by slice."""
    return sorted(next(tiny_cohort.dicom.glob("A/*/CT")).glob("*.dcm"))


@pytest.fixture
def location(tmp_path: Path) -> Path:
    lake.create(tmp_path / "lake", settings={"centres": CENTRES}).close()
    return tmp_path / "lake"


def _slices(location: Path) -> list[int]:
    with lake.open(location, read_only=True) as lk:
        return [n for (n,) in lk.sql("SELECT shape_z FROM volumes").fetchall()]


def _objects_by_first_run(location: Path) -> list[int]:
    with lake.open(location, read_only=True) as lk:
        query = (
            "SELECT count(*) FROM files f JOIN runs r ON r.run_id = f.first_run_id "
            "GROUP BY r.run_id, r.started_at ORDER BY r.started_at"
        )
        return [n for (n,) in lk.sql(query).fetchall()]


def _reasons(location: Path) -> dict[str, int]:
    with lake.open(location, read_only=True) as lk:
        query = "SELECT coalesce(reason_code, outcome), count(*) FROM files GROUP BY ALL"
        return dict(lk.sql(query).fetchall())


def test_a_series_that_grows_becomes_one_longer_volume_and_the_old_one_stays_reachable(
    location: Path, ct_files: list[Path], tmp_path: Path
) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    for path in ct_files[:-5]:
        shutil.copy2(path, inbox)
    ingest(str(location), [str(inbox)], workers=1)
    with lake.open(location, read_only=True) as lk:
        before = lk.snapshot
    for path in ct_files[-5:]:
        shutil.copy2(path, inbox)
    counts = ingest(str(location), [str(inbox)], workers=1)
    assert _objects_by_first_run(location) == [len(ct_files) - 5, 5]
    n = len(ct_files)
    assert (counts["n_unchanged"], counts["n_ingested"]) == (n - 5, 5)
    assert _slices(location) == [n]
    with lake.open(location, read_only=True) as lk:
        assert lk.at(snapshot=before).sql("SELECT shape_z FROM volumes").fetchall() == [(n - 5,)]


def test_new_slices_without_the_old_ones_wait_and_take_nothing_away(
    location: Path, ct_files: list[Path], tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    for path in ct_files[:-5]:
        shutil.copy2(path, first)
    ingest(str(location), [str(first)], workers=1)
    shutil.move(first, tmp_path / "elsewhere")
    for path in ct_files[-5:]:
        shutil.copy2(path, second)
    ingest(str(location), [str(second)], workers=1)
    n = len(ct_files)
    assert _slices(location) == [n - 5]
    assert _reasons(location) == {"ingested": n - 5, "series_incomplete": 5}
    shutil.move(tmp_path / "elsewhere", first)  # back again: the waiting ones are taken in
    counts = ingest(str(location), [str(first), str(second)], workers=1)
    assert counts["n_ingested"] == 5
    assert _slices(location) == [n]
    assert _reasons(location) == {"ingested": n}


def test_a_series_that_was_moved_is_the_same_volume(
    location: Path, ct_files: list[Path], tmp_path: Path
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    for path in ct_files:
        shutil.copy2(path, here)
    ingest(str(location), [str(here)], workers=1)
    with lake.open(location, read_only=True) as lk:
        before = lk.sql("SELECT volume_id FROM volumes").fetchall()
    shutil.move(here, there)
    counts = ingest(str(location), [str(there)], workers=1)
    assert counts["n_quarantined"] == 0
    with lake.open(location, read_only=True) as lk:
        assert lk.sql("SELECT volume_id FROM volumes").fetchall() == before
