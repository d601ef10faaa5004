"""A run that is asked for a part takes that part, and hides nothing from a later one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import lake
from flows.cluster import open_cluster
from flows.ingest import ingest
from tests.instances import ct_instance

pytestmark = [pytest.mark.xdist_group("prefect"), pytest.mark.usefixtures("prefect_server")]

#: Study, description, date of three slices each; all of modality CT but the third.
_SERIES = (
    (1, "CT", "CT low dose", "20240110"),
    (2, "CT", "Topogram lung", "20240120"),
    (3, "MR", "T1 low dose", "20240120"),
    (4, "CT", "Low Dose 5 mm", "20240131"),
    (5, "CT", "CT low dose", ""),
)


@pytest.fixture(scope="module")
def dask() -> Iterator[str]:
    with open_cluster(workers=1) as client:
        yield str(client.scheduler.address)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inbox = tmp_path / "in"
    inbox.mkdir()
    for study, modality, text, day in _SERIES:
        for number in range(3):
            data = ct_instance(study, 1, number, modality=modality, description=text, date=day)
            (inbox / f"{study}-{number}.dcm").write_bytes(data)
    (inbox / "notes.txt").write_text("no DICOM\n" * 20)
    return inbox


def _outcomes(location: Path) -> dict[str, int]:
    with lake.open(location, read_only=True) as lk:
        query = "SELECT coalesce(reason_code, outcome), count(*) FROM files GROUP BY ALL"
        return dict(lk.sql(query).fetchall())


def test_what_was_left_out_is_looked_at_again_only_by_a_run_that_asks_for_more(
    folder: Path, dask: str, tmp_path: Path
) -> None:
    location = tmp_path / "lake"
    lake.create(location).close()
    narrow: dict[str, object] = {
        "since": "2024-01-05", "until": "2024-01-31", "modalities": ["CT"],
        "descriptions": ["*low dose*"],
    }  # fmt: skip

    def night(selection: dict[str, object] | None) -> tuple[int, int, int, int]:
        counts = ingest(str(location), [str(folder)], dask_address=dask, selection=selection)
        assert counts["n_files"] == 16
        assert counts["n_files"] == sum(
            counts[f"n_{o}"]
            for o in ("unchanged", "ingested", "duplicate", "quarantined", "ignored")
        )
        return tuple(counts[f"n_{o}"] for o in ("unchanged", "ingested", "ignored", "written"))  # type: ignore[return-value]

    assert night(narrow) == (0, 6, 10, 2)
    assert _outcomes(location) == {"ingested": 6, "outside_selection": 9, "not_dicom": 1}
    # the same question again costs nothing: no header is read twice
    assert night(narrow) == (16, 0, 0, 0)
    # another one looks at what the first left out, and only at that
    assert night({"modalities": ["MR"]}) == (7, 3, 6, 1)
    # everything: what is left comes in
    assert night(None) == (10, 6, 0, 2)
    assert _outcomes(location) == {"ingested": 15, "not_dicom": 1}
    # and stays in, whatever is asked for later, even if its file gets another time
    os.utime(folder / "3-0.dcm", ns=(1, 1))
    unchanged, _, ignored, _ = night(narrow)
    assert (unchanged, ignored) == (15, 0)
    assert _outcomes(location) == {"ingested": 15, "not_dicom": 1}
    with lake.open(location, read_only=True) as lk:
        assert lk.sql("SELECT count(*) FROM volumes").fetchall() == [(5,)]
        words = lk.sql("SELECT string_agg(parameters_json) FROM runs").fetchall()[0][0]
    assert "2024-01-05" in words


def test_last_days_count_back_from_today(folder: Path, dask: str, tmp_path: Path) -> None:
    location = tmp_path / "lake"
    lake.create(location).close()
    counts = ingest(str(location), [str(folder)], dask_address=dask, selection={"last_days": 7})
    assert (counts["n_ingested"], counts["n_ignored"]) == (0, 16)
