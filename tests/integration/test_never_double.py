"""The same object again, other content under the same UID, files that are still being written."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import RLELossless

import lake
from flows.cluster import open_cluster
from flows.ingest import ingest
from lake.verify import verify
from schemas.errors import AccountingError
from schemas.records import ScannedObject
from tests.instances import ct_instance

pytestmark = [pytest.mark.xdist_group("prefect"), pytest.mark.usefixtures("prefect_server")]

N = 6
#: One cluster for all runs of this module: starting workers takes longer than the runs.
Take = Callable[..., dict[str, int]]


@pytest.fixture(scope="module")
def dask_address() -> Iterator[str]:
    with open_cluster(workers=1) as client:
        yield str(client.scheduler.address)


@pytest.fixture
def take(location: Path, dask_address: str) -> Take:
    """Ingest; the counts must add up, the lake must be whole."""

    def run(*sources: Path) -> dict[str, int]:
        counts = ingest(str(location), [str(s) for s in sources], dask_address=dask_address)
        ended = ("n_unchanged", "n_ingested", "n_duplicate", "n_quarantined", "n_ignored")
        assert counts["n_files"] == sum(counts[name] for name in ended)
        with lake.open(location, read_only=True) as lk:
            assert verify(lk) == []
        return {name: counts[name] for name in (*ended, "n_written") if counts[name]}

    return run


@pytest.fixture
def location(tmp_path: Path) -> Path:
    lake.create(tmp_path / "lake", settings={"settle_s": 0.3}).close()
    return tmp_path / "lake"


def _series(folder: Path, numbers: range = range(1, N + 1), *, series: int = 1) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        (folder / f"{series}-{number:02}.dcm").write_bytes(ct_instance(1, series, number))
    return folder


def _ask(location: Path, query: str) -> list[tuple[object, ...]]:
    with lake.open(location, read_only=True) as lk:
        return lk.sql(query).fetchall()


def _volumes(location: Path) -> list[tuple[object, ...]]:
    return _ask(location, "SELECT volume_id, shape_z FROM volumes ORDER BY ALL")


def _outcomes(location: Path) -> dict[object, object]:
    query = "SELECT coalesce(reason_code, outcome), count(*) FROM files GROUP BY ALL"
    return dict(_ask(location, query))  # type: ignore[arg-type]


def _change(path: Path) -> None:
    """Other content under the same SOP Instance UID, one second later."""
    ds = dcmread(path)
    ds.RescaleIntercept = "-1000"
    later = path.stat().st_mtime_ns + 1_000_000_000
    ds.save_as(path)
    os.utime(path, ns=(later, later))


@pytest.mark.parametrize("name", ["a_before", "z_after"])
def test_a_second_copy_is_a_duplicate_wherever_it_sorts(
    take: Take, location: Path, tmp_path: Path, name: str
) -> None:
    first = _series(tmp_path / "m_first")
    assert take(first) == {"n_ingested": N, "n_written": 1}
    before = _volumes(location)
    copy = Path(shutil.copytree(first, tmp_path / name))
    assert take(first, copy) == {"n_unchanged": N, "n_duplicate": N}
    assert take(copy, first) == {"n_unchanged": 2 * N}
    assert _volumes(location) == before
    shutil.rmtree(first)  # what the volume came from may go: the copy adds nothing
    with zipfile.ZipFile(tmp_path / "third.zip", "w") as archive:
        for path in copy.iterdir():
            archive.write(path, path.name)
    assert take(tmp_path / "third.zip") == {"n_duplicate": N}
    assert _volumes(location) == before


def test_copies_in_one_run_give_one_volume(take: Take, location: Path, tmp_path: Path) -> None:
    first = _series(tmp_path / "first")
    copy = Path(shutil.copytree(first, tmp_path / "second"))
    found = take(copy, first)
    assert found == {"n_ingested": N, "n_duplicate": N, "n_written": 1}
    assert [shape for _, shape in _volumes(location)] == [N]


def test_an_archive_that_writes_its_own_file_meta_sends_duplicates(
    take: Take, location: Path, tmp_path: Path
) -> None:
    first = _series(tmp_path / "first")
    take(first)
    other = tmp_path / "other"
    other.mkdir()
    for path in first.iterdir():
        ds = dcmread(path)
        ds.file_meta.SourceApplicationEntityTitle = "ARCHIVE"
        ds.save_as(other / path.name)
        assert (other / path.name).read_bytes() != path.read_bytes()
    assert take(other) == {"n_duplicate": N}


def test_a_copy_in_another_transfer_syntax_is_a_duplicate(
    take: Take, location: Path, tmp_path: Path
) -> None:
    first = _series(tmp_path / "first")
    take(first)
    before = _volumes(location)
    packed = tmp_path / "packed"
    packed.mkdir()
    for path in first.iterdir():
        ds = dcmread(path)
        ds.compress(RLELossless, generate_instance_uid=False)
        ds.save_as(packed / path.name)
    ds = dcmread(first / "1-02.dcm")
    ds.PixelData = bytes(len(ds.PixelData))
    ds.compress(RLELossless, generate_instance_uid=False)
    ds.save_as(packed / "other.dcm")
    assert take(packed) == {"n_duplicate": N, "n_quarantined": 1}
    assert _volumes(location) == before
    # the originals are gone, the series grows: the copies stand for them
    shutil.rmtree(first)
    (packed / "other.dcm").unlink()
    _series(packed / "more", range(N + 1, N + 2))
    assert take(packed) == {"n_unchanged": N, "n_ingested": 1, "n_written": 1}
    assert [shape for _, shape in _volumes(location)] == [N + 1]


def test_the_same_instances_in_two_series_are_used_and_noticed(
    take: Take, location: Path, tmp_path: Path
) -> None:
    first = _series(tmp_path / "first")
    take(first)
    regrouped = tmp_path / "regrouped"
    regrouped.mkdir()
    for path in sorted(first.iterdir())[:4]:
        ds = dcmread(path)
        ds.SeriesInstanceUID = "2.25.91.7"
        ds.save_as(regrouped / path.name)
    assert take(regrouped) == {"n_ingested": 4, "n_written": 1}
    assert sorted(str(n) for _, n in _volumes(location)) == ["4", str(N)]
    query = (
        "SELECT s.n_instances, f.severity, f.observed_value, o.series_instance_uid IS NOT NULL "
        "FROM findings f JOIN series s ON f.subject_id = s.series_instance_uid "
        "JOIN series o ON contains(f.message, '4 with ' || o.series_instance_uid) "
        "WHERE rule_id = 'ingest.shared_instances' ORDER BY ALL"
    )
    assert _ask(location, query) == [(4, "warn", 4.0, True), (N, "warn", 4.0, True)]
    # one more slice: the finding stays, on both
    _series(first, range(N + 1, N + 2))
    take(first, regrouped)
    assert [row[0] for row in _ask(location, query)] == [4, N + 1]


def test_a_copy_together_with_new_slices_grows_the_series_once(
    take: Take, location: Path, tmp_path: Path
) -> None:
    first = _series(tmp_path / "m_first", range(1, 5))
    take(first)
    more = _series(tmp_path / "a_more", range(3, N + 1))
    assert take(first, more) == {
        "n_unchanged": 4, "n_duplicate": 2, "n_ingested": 2, "n_written": 1,
    }  # fmt: skip
    assert [shape for _, shape in _volumes(location)] == [N]
    assert _outcomes(location) == {"ingested": N, "duplicate": 2}


@pytest.mark.parametrize("name", ["a_before", "z_after"])
def test_other_content_under_a_known_uid_is_kept_apart_and_flagged(
    take: Take, location: Path, tmp_path: Path, name: str
) -> None:
    first = _series(tmp_path / "m_first")
    take(first)
    before = _volumes(location)
    copy = Path(shutil.copytree(first, tmp_path / name))
    _change(copy / "1-02.dcm")
    found = take(first, copy)
    assert found == {
        "n_unchanged": N, "n_duplicate": N - 1, "n_quarantined": 1,
    }  # fmt: skip
    assert _volumes(location) == before
    assert _outcomes(location)["conflicting_duplicate"] == 1
    query = "SELECT rule_id, severity, observed_value FROM findings WHERE rule_id LIKE 'ingest.%'"
    assert _ask(location, query) == [("ingest.conflicting_duplicate", "warn", 1.0)]
    # the series grows: what was used first is used still, and the finding stays
    _series(first, range(N + 1, N + 3))
    assert take(first, copy)["n_ingested"] == 2
    assert [shape for _, shape in _volumes(location)] == [N + 2]
    assert _ask(location, query) == [("ingest.conflicting_duplicate", "warn", 1.0)]
    with lake.open(location, read_only=True) as lk:
        slope = lk.volume(str(_ask(location, "SELECT series_instance_uid FROM series")[0][0]))
        assert float(slope.min()) == -1023.0  # slice 1 of value 1, intercept -1024: not -999


def test_a_file_that_is_replaced_in_its_place_takes_nothing_away(
    take: Take, location: Path, tmp_path: Path
) -> None:
    first = _series(tmp_path / "first")
    take(first)
    before, original = _volumes(location), (first / "1-02.dcm").read_bytes()
    _change(first / "1-02.dcm")
    assert take(first) == {
        "n_unchanged": N - 1, "n_quarantined": 1,
    }  # fmt: skip
    assert _volumes(location) == before
    assert _outcomes(location) == {"ingested": N, "conflicting_duplicate": 1}
    # more slices come: without the content that is gone the series cannot be made again
    _series(first, range(N + 1, N + 3))
    assert take(first)["n_quarantined"] == 2
    assert _volumes(location) == before
    # the original comes back: everything is well
    (first / "1-02.dcm").write_bytes(original)
    os.utime(first / "1-02.dcm", ns=(1, 1))
    assert take(first)["n_ingested"] == 3
    assert _outcomes(location) == {"ingested": N + 2}
    assert [shape for _, shape in _volumes(location)] == [N + 2]
    assert _ask(location, "SELECT rule_id FROM findings WHERE rule_id LIKE 'ingest.%'") == []


@pytest.mark.parametrize("spoil", [lambda p: p.write_bytes(b"no DICOM any more"), Path.unlink])
def test_a_used_file_that_is_spoilt_or_gone_stays_in_the_volume(
    take: Take, location: Path, tmp_path: Path, spoil: Callable[[Path], object]
) -> None:
    first = _series(tmp_path / "first")
    take(first)
    before = _volumes(location)
    spoil(first / f"1-{N:02}.dcm")
    take(first)
    _series(first, range(N + 1, N + 2))
    assert take(first)["n_quarantined"] == 1
    assert _volumes(location) == before
    _series(first, range(N, N + 1))
    take(first)
    assert [shape for _, shape in _volumes(location)] == [N + 1]


def test_a_touched_file_is_what_it_was(take: Take, location: Path, tmp_path: Path) -> None:
    first = _series(tmp_path / "first")
    take(first)
    os.utime(first / "1-03.dcm", ns=(5, 5))
    assert take(first) == {"n_unchanged": N - 1, "n_ingested": 1}
    assert take(first) == {"n_unchanged": N}


WRITER = """
import sys, time
data, path = open(sys.argv[1], "rb").read(), sys.argv[2]
with open(path, "wb", buffering=0) as out:
    out.write(data[:700])
    print("begun", flush=True)
    for i in range(700, len(data), 4):
        time.sleep(0.02)
        out.write(data[i:i + 4])
    if sys.stdin.readline():
        raise SystemExit
"""


def test_a_file_that_is_still_being_written_waits_with_its_series(
    take: Take, location: Path, tmp_path: Path
) -> None:
    whole, inbox = _series(tmp_path / "whole"), _series(tmp_path / "inbox", range(1, N))
    last, other = f"1-{N:02}.dcm", _series(tmp_path / "inbox" / "other", series=2)
    large = tmp_path / "large.dcm"
    large.write_bytes(ct_instance(1, 1, N, edge=64))  # 8 KiB of pixels: half a minute to write
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(large), str(inbox / last)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert writer.stdout is not None
    writer.stdout.readline()
    try:
        found = take(inbox)
    finally:
        writer.kill()
        writer.communicate()
    assert found == {"n_ingested": N, "n_quarantined": N, "n_written": 1}
    assert _outcomes(location) == {
        "ingested": N, "still_being_written": 1, "series_incomplete": N - 1,
    }  # fmt: skip
    shutil.copyfile(whole / last, inbox / last)  # the writer finished
    assert take(inbox)["n_ingested"] == N
    assert _outcomes(location) == {"ingested": 2 * N}
    assert other.is_dir()


def test_a_run_whose_numbers_do_not_add_up_fails_and_says_so(
    take: Take, location: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forgetful(scanned: list[ScannedObject]) -> list[ScannedObject]:
        return [s for s in scanned if s.outcome is None][1:]

    monkeypatch.setattr("flows.ingest.to_convert", forgetful)
    with pytest.raises(AccountingError, match="6 objects were listed, 5 outcomes"):
        take(_series(tmp_path / "first"))
    assert _ask(location, "SELECT run_state FROM runs") == [("failed",)]
    query = "SELECT rule_id, severity, subject_kind FROM findings WHERE severity = 'fail'"
    assert _ask(location, query) == [("ingest.accounts", "fail", "run")]
    monkeypatch.undo()
    assert take(tmp_path / "first")["n_ingested"] == 1
