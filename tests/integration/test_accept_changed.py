"""A person accepts a changed object: it is used, what was used stays reachable, all is counted."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydicom import dcmread
from typer.testing import CliRunner

import lake
from flows.cli.main import app
from flows.cluster import open_cluster
from flows.ingest import ingest
from lake.verify import verify
from schemas.errors import InvalidInputError, NotFoundInLakeError
from tests.instances import ct_instance

pytestmark = [pytest.mark.xdist_group("prefect"), pytest.mark.usefixtures("prefect_server")]

N = 5
#: Rescale intercepts of the original and of the changed slice, whose stored value is its number.
OLD, NEW = -1024.0, -1000.0


@pytest.fixture(scope="module")
def dask_address() -> Iterator[str]:
    with open_cluster(workers=1) as client:
        yield str(client.scheduler.address)


@pytest.fixture
def location(tmp_path: Path) -> Path:
    lake.create(tmp_path / "lake", settings={"settle_s": 0.0}).close()
    return tmp_path / "lake"


@pytest.fixture
def take(location: Path, dask_address: str) -> Callable[..., dict[str, int]]:
    def run(*sources: Path) -> dict[str, int]:
        return ingest(str(location), [str(s) for s in sources], dask_address=dask_address)

    return run


@pytest.fixture
def accept(location: Path, dask_address: str) -> Callable[..., str]:
    """`tracerlake quarantine retry --accept-changed`; the lake must be whole afterwards."""

    def run(*options: str) -> str:
        words = ["quarantine", "retry", str(location), "--dask", dask_address, *options]
        done = CliRunner().invoke(app, [*words, "--accept-changed"])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == 0, done.output
        with lake.open(location, read_only=True) as lk:
            assert verify(lk) == []
        return done.output

    return run


def _series(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for number in range(1, N + 1):
        (folder / f"{number}.dcm").write_bytes(ct_instance(1, 1, number))
    return folder


def _change(path: Path, intercept: float = NEW) -> bytes:
    """Other content under the same SOP Instance UID, a second later; return what it was."""
    before = path.read_bytes()
    ds = dcmread(path)
    ds.RescaleIntercept = str(intercept)
    ds.InstanceNumber = 99  # sorts elsewhere
    later = path.stat().st_mtime_ns + 1_000_000_000
    ds.save_as(path)
    os.utime(path, ns=(later, later))
    return before


def _ask(location: Path, query: str) -> list[tuple[object, ...]]:
    with lake.open(location, read_only=True) as lk:
        return lk.sql(query).fetchall()


def _endings(location: Path) -> dict[object, object]:
    query = "SELECT coalesce(reason_code, outcome), count(*) FROM files GROUP BY ALL"
    return dict(_ask(location, query))  # type: ignore[arg-type]


def _hu(location: Path, snapshot: int | None = None) -> list[float]:
    """HU of each slice less its number: the intercept it was made with."""
    with lake.open(location, read_only=True) as opened:
        lk = opened if snapshot is None else opened.at(snapshot=snapshot)
        ((uid,),) = lk.sql("SELECT series_instance_uid FROM series").fetchall()
        values = lk.volume(uid).to_numpy()
    stored = values[:, 0, 0] - OLD
    return [OLD if round(float(s)) <= N else NEW for s in stored]


def _conflict_key(location: Path) -> str:
    query = "SELECT file_key FROM files WHERE reason_code = 'conflicting_duplicate'"
    return str(_ask(location, query)[0][0])


def test_what_changed_in_its_place_is_accepted(
    take: Callable[..., dict[str, int]], accept: Callable[..., str], location: Path, tmp_path: Path
) -> None:
    inbox = _series(tmp_path / "in")
    take(inbox)
    (before,) = _ask(location, "SELECT volume_path FROM volumes")
    original = _change(inbox / "2.dcm")
    take(inbox)
    with lake.open(location, read_only=True) as lk:
        then = lk.snapshot
    assert _hu(location) == [OLD] * N
    assert _endings(location) == {"ingested": N, "conflicting_duplicate": 1}

    told = accept("--object", _conflict_key(location)[:10])
    assert "conflicting_duplicate" in told
    assert "ingested" in told
    assert sorted(_hu(location)) == sorted([NEW, *[OLD] * (N - 1)])
    assert _hu(location, then) == [OLD] * N  # the former volume is in the former snapshot
    assert _endings(location) == {"ingested": N, "superseded": 1}
    (after,) = _ask(location, "SELECT volume_path FROM volumes")
    assert after != before
    rules = "SELECT rule_id, severity, observed_value FROM findings WHERE rule_id LIKE 'ingest.%'"
    assert _ask(location, rules) == [("ingest.superseded", "info", 1.0)]
    outcomes = (
        "SELECT o.outcome, o.n_objects, r.n_files FROM run_outcomes o JOIN runs r USING (run_id) "
        "WHERE r.parameters_json LIKE '%accept_changed%'"
    )
    assert _ask(location, outcomes) == [("ingested", 1, 1)]
    with lake.open(location, read_only=True) as lk:
        commit = next(
            s for s in lk.snapshots() if "1 changed objects accepted" in (s.message or "")
        )
        assert commit.author

    # the original back in its place is known as what it is, and can be taken back
    (inbox / "2.dcm").write_bytes(original)
    os.utime(inbox / "2.dcm", ns=(1, 1))
    assert take(inbox)["n_quarantined"] == 1
    assert _endings(location) == {"ingested": N, "superseded": 2}
    key = _ask(location, "SELECT file_key FROM files WHERE reason_code = 'superseded' "
                         "AND NOT contains(file_key, '@')")  # fmt: skip
    accept("--object", str(key[0][0]))
    assert _hu(location) == [OLD] * N


def test_a_changed_copy_elsewhere_is_accepted_and_the_series_grows_on(
    take: Callable[..., dict[str, int]], accept: Callable[..., str], location: Path, tmp_path: Path
) -> None:
    first = _series(tmp_path / "first")
    take(first)
    copy = Path(shutil.copytree(first, tmp_path / "copy"))
    _change(copy / "3.dcm")
    take(first, copy)
    ((series,),) = _ask(location, "SELECT series_instance_uid FROM series")
    told = accept("--series", str(series))
    assert "conflicting_duplicate" in told
    assert sorted(_hu(location)) == sorted([NEW, *[OLD] * (N - 1)])
    assert _endings(location) == {"ingested": N, "duplicate": N - 1, "superseded": 1}

    # one more slice: the accepted one stays in use, and another copy of the former is superseded
    (first / "6.dcm").write_bytes(ct_instance(1, 1, 6))
    (first / "again.dcm").write_bytes((first / "3.dcm").read_bytes())
    take(first, copy)
    assert _endings(location) == {"ingested": N + 1, "duplicate": N - 1, "superseded": 2}
    assert _ask(location, "SELECT shape_z FROM volumes") == [(N + 1,)]


def test_what_is_not_clear_is_refused_and_changes_nothing(
    take: Callable[..., dict[str, int]], accept: Callable[..., str], location: Path, tmp_path: Path
) -> None:
    first = _series(tmp_path / "first")
    take(first)
    for name, intercept in (("one", -900.0), ("two", -800.0)):
        shutil.copyfile(first / "3.dcm", first / f"{name}.dcm")
        _change(first / f"{name}.dcm", intercept)
    take(first)
    before = _endings(location)
    ((series,),) = _ask(location, "SELECT series_instance_uid FROM series")
    with pytest.raises(InvalidInputError, match="--series or --object"):
        accept()
    with pytest.raises(InvalidInputError, match="different content under one SOP Instance UID"):
        accept("--series", str(series))
    with pytest.raises(NotFoundInLakeError, match="nothing in quarantine"):
        accept("--object", "ffffffffffff")
    assert _endings(location) == before
    assert _hu(location) == [OLD] * N
