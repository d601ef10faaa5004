"""Nightly runs against a real PACS: only what is new is asked for, nothing is lost or doubled."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import lake
from flows.cluster import open_cluster
from flows.ingest import ingest
from flows.receiving import receive
from flows.sources import resolve_places
from lake.verify import verify
from schemas.errors import InvalidInputError, SourceUnavailableError
from tasks.sources import Connections, open_declared
from tasks.sources.dimse import DimseSource
from tests.instances import ct_instance
from tests.orthanc import Orthanc, orthanc_server

pytestmark = [pytest.mark.services, pytest.mark.xdist_group("prefect")]

KINDS = ("dicomweb", "dimse")


@pytest.fixture(scope="module")
def server() -> Iterator[Orthanc]:
    with orthanc_server() as orthanc:
        yield orthanc


@pytest.fixture
def orthanc(server: Orthanc) -> Orthanc:
    server.clear()
    return server


@pytest.fixture(scope="module")
def dask(server: Orthanc) -> Iterator[str]:
    with open_cluster(workers=1) as client:  # after the server: workers inherit its secret
        yield str(client.scheduler.address)


def _lake(tmp_path: Path, orthanc: Orthanc, kind: str, **changes: object) -> Path:
    settings = orthanc.dicomweb(**changes) if kind == "dicomweb" else orthanc.dimse(**changes)
    declared = settings.model_dump(mode="json", exclude_defaults=True)
    values = {"sources": {"pacs": declared}, "retrieval_dir": str(tmp_path / "retrieved")}
    lake.create(tmp_path / "lake", settings=values).close()
    return tmp_path / "lake"


def _store_series(orthanc: Orthanc, study: int, series: int, numbers: range) -> None:
    for number in numbers:
        orthanc.store(ct_instance(study, series, number))


def _volumes(location: Path) -> list[tuple[str, int]]:
    with lake.open(location, read_only=True) as lk:
        assert verify(lk) == []
        return sorted(lk.sql("SELECT volume_id, shape_z FROM volumes").fetchall())


def _left(tmp_path: Path) -> list[Path]:
    return [p for p in (tmp_path / "retrieved").rglob("*") if p.is_file()]


@pytest.mark.parametrize("kind", KINDS)
def test_second_night_takes_only_the_newly_stored_study(
    kind: str, orthanc: Orthanc, dask: str, prefect_server: None, tmp_path: Path
) -> None:
    location = _lake(tmp_path, orthanc, kind)
    _store_series(orthanc, 1, 1, range(4))
    _store_series(orthanc, 1, 2, range(1))
    first = ingest(str(location), ["pacs"], dask_address=dask)
    assert (first["n_files"], first["n_unchanged"], first["n_written"]) == (5, 0, 1)

    _store_series(orthanc, 2, 1, range(3))
    before = orthanc.served()
    second = ingest(str(location), ["pacs"], dask_address=dask)
    assert (second["n_files"], second["n_unchanged"], second["n_ingested"]) == (8, 5, 3)
    assert second["n_written"] == 1
    fetched = sorted(set(orthanc.served()[len(before) :]))
    new = [f"2.25.92.1.{number}" for number in range(3)]
    assert fetched == (new if kind == "dicomweb" else ["series"])
    assert sorted(z for _, z in _volumes(location)) == [3, 4]

    assert _left(tmp_path) == []

    # a series that grew overnight is converted again as a whole
    _store_series(orthanc, 2, 1, range(3, 5))
    third = ingest(str(location), ["pacs"], dask_address=dask)
    assert (third["n_unchanged"], third["n_ingested"], third["n_quarantined"]) == (8, 2, 0)
    assert max(z for _, z in _volumes(location)) == 5
    assert _left(tmp_path) == []


def test_window_modality_and_description_are_held_against_what_the_pacs_has(
    orthanc: Orthanc, tmp_path: Path
) -> None:
    for study, (modality, text, day) in enumerate(
        [
            ("CT", "CT low dose", "20240101"),
            ("CT", "Topogram", "20240115"),
            ("MR", "low dose T1", "20240115"),
            ("CT", "Low Dose 5 mm", "20240131"),
            ("CT", "CT low dose", "20240201"),
        ],
        start=1,
    ):
        orthanc.store(ct_instance(study, 1, 1, modality=modality, description=text, date=day))
    selection = {
        "since": "2024-01-02", "until": "2024-01-31", "modalities": ["CT"],
        "descriptions": ["*low dose*"],
    }  # fmt: skip
    for settings in (orthanc.dicomweb(**selection), orthanc.dimse(**selection)):
        reached = Connections({"pacs": settings}, tmp_path / "retrieved")
        refs = list(open_declared("pacs", reached).objects())
        expected = f"{settings.kind}://pacs/studies/2.25.94/series/2.25.94.1/instances/2.25.94.1.1"
        assert [ref.uri for ref in refs] == [expected]


def test_what_the_pacs_could_not_deliver_is_asked_for_again(
    orthanc: Orthanc, dask: str, prefect_server: None, tmp_path: Path
) -> None:
    location = _lake(tmp_path, orthanc, "dimse")
    _store_series(orthanc, 5, 1, range(3))
    with orthanc.delivering_to(port=9), pytest.raises(SourceUnavailableError, match="TRACERLAKE"):
        ingest(str(location), ["pacs"], dask_address=dask)
    with lake.open(location, read_only=True) as lk:
        reasons = lk.sql("SELECT reason_code, count(*) FROM files GROUP BY ALL").fetchall()
    assert reasons == [("source_unavailable", 3)]
    again = ingest(str(location), ["pacs"], dask_address=dask)
    assert (again["n_files"], again["n_ingested"], again["n_quarantined"]) == (3, 3, 0)

    # more of the series comes from elsewhere while the archive delivers nothing
    for number in (3, 4):
        (tmp_path / "more").mkdir(exist_ok=True)
        (tmp_path / "more" / f"{number}.dcm").write_bytes(ct_instance(5, 1, number))
    with orthanc.delivering_to(port=9), pytest.raises(SourceUnavailableError, match="TRACERLAKE"):
        ingest(str(location), [str(tmp_path / "more")], dask_address=dask)
    assert [z for _, z in _volumes(location)] == [3]
    grown = ingest(str(location), [str(tmp_path / "more")], dask_address=dask)
    assert (grown["n_files"], grown["n_ingested"]) == (2, 2)
    assert max(z for _, z in _volumes(location)) == 5
    assert _left(tmp_path) == []


def test_an_unknown_move_destination_is_named(orthanc: Orthanc, tmp_path: Path) -> None:
    settings = orthanc.dimse(own_ae_title="NOBODY")
    source = DimseSource(settings, "pacs", Connections({"pacs": settings}, tmp_path))
    _store_series(orthanc, 6, 1, range(2))
    with pytest.raises(SourceUnavailableError, match="NOBODY"):
        source.retrieve(list(source.objects()), lambda _: None)


def test_a_source_that_fails_does_not_keep_the_others_from_being_taken_in(
    orthanc: Orthanc,
    dask: str,
    prefect_server: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    location = _lake(tmp_path, orthanc, "dicomweb", secret_env="WRONG")
    monkeypatch.setenv("WRONG", "lake:wrong")
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.dcm").write_bytes(ct_instance(7, 1, number))
    with pytest.raises(SourceUnavailableError, match=r"401.*secret"):
        ingest(str(location), ["pacs", str(folder)], dask_address=dask)
    with lake.open(location, read_only=True) as lk:
        outcomes = lk.sql("SELECT outcome, count(*) FROM files GROUP BY ALL").fetchall()
        states = lk.sql("SELECT run_state FROM runs").fetchall()
        secrets = lk.sql("SELECT count(*) FROM runs WHERE parameters_json LIKE '%wrong%'")
        assert secrets.fetchall() == [(0,)]
    assert outcomes == [("ingested", 3)]
    assert states == [("failed",)]


def test_names_come_before_paths_and_mistakes_show_at_once(
    orthanc: Orthanc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    location = _lake(tmp_path, orthanc, "dicomweb")
    monkeypatch.chdir(tmp_path)
    for name in ("pacs", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.dcm").write_bytes(b"x")
    assert resolve_places(location, ["pacs", Path("other")]) == ["pacs", str(tmp_path / "other")]
    with pytest.raises(InvalidInputError, match="does not exist"):
        resolve_places(location, ["nothing"])


def test_retrieved_objects_must_not_lie_in_the_lake(orthanc: Orthanc, tmp_path: Path) -> None:
    values = {"retrieval_dir": str(tmp_path / "lake" / "retrieved")}
    lake.create(tmp_path / "lake", settings=values).close()
    with pytest.raises(InvalidInputError, match="inside the lake"):
        resolve_places(tmp_path / "lake", [])


def test_what_the_pacs_pushes_is_spooled_and_taken_in(
    orthanc: Orthanc, dask: str, prefect_server: None, tmp_path: Path
) -> None:
    spool = tmp_path / "spool"
    declared = {"scanner": {"kind": "spool", "path": str(spool)}}
    lake.create(tmp_path / "lake", settings={"sources": declared}).close()
    _store_series(orthanc, 8, 1, range(4))
    with _receiving(spool, orthanc.own_port):
        orthanc.client.post(
            "/modalities/lake/store", json={"Resources": orthanc.client.get("/series").json()}
        ).raise_for_status()
    counts = ingest(str(tmp_path / "lake"), ["scanner"], dask_address=dask)
    assert (counts["n_files"], counts["n_ingested"], counts["n_written"]) == (4, 4, 1)
    with lake.open(tmp_path / "lake", read_only=True) as lk:
        assert lk.sql("SELECT DISTINCT source_name FROM files").fetchall() == [("scanner",)]


@contextmanager
def _receiving(spool: Path, port: int) -> Iterator[None]:
    ready, stop = threading.Event(), threading.Event()
    thread = threading.Thread(
        target=receive,
        args=(spool,),
        kwargs={
            "ae_title": "TRACERLAKE", "host": "127.0.0.1", "port": port,
            "say": lambda _: ready.set(), "stop": stop,
        },
    )  # fmt: skip
    thread.start()
    try:
        assert ready.wait(20)
        yield
    finally:
        stop.set()
        thread.join()


def test_real_series_come_out_as_from_a_folder(
    orthanc: Orthanc,
    dask: str,
    prefect_server: None,
    tmp_path: Path,
    reference_data: Callable[[str], Path],
) -> None:
    folder = reference_data("pet-siemens-qinhn0024")
    sent = 0
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        answer = orthanc.client.post("/instances", content=path.read_bytes())
        sent += answer.status_code == 200
    assert sent
    location = _lake(tmp_path, orthanc, "dicomweb", page_size=100)
    counts = ingest(str(location), ["pacs"], dask_address=dask)
    volumes = _volumes(location)
    again = ingest(str(location), [str(folder)], dask_address=dask)
    assert (counts["n_files"], counts["n_quarantined"]) == (sent, 0)
    assert again["n_duplicate"] == sent
    assert _volumes(location) == volumes != []
