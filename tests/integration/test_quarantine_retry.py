"""Quarantined objects are tried again where they lie, once what was wrong is right."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import lake
from flows.cli.main import app
from flows.ingest import ingest
from tests.support.dicom_objects import pet_series, to_bytes

pytestmark = [pytest.mark.xdist_group("prefect"), pytest.mark.usefixtures("prefect_server")]


def retry(location: Path, *options: str) -> Result:
    words = ["quarantine", "retry", str(location), "--workers", "1", *options]
    return CliRunner().invoke(app, words)


def endings(location: Path) -> dict[str, int]:
    with lake.open(location, read_only=True) as lk:
        query = "SELECT coalesce(reason_code, outcome), count(*) FROM files GROUP BY ALL"
        return dict(lk.sql(query).fetchall())


def test_retry_takes_in_what_has_become_usable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    location, inbox = tmp_path / "lake", tmp_path / "inbox"
    lake.create(location).close()
    inbox.mkdir()
    contents = [to_bytes(ds) for ds in pet_series(4)]
    for number, content in enumerate(contents):
        (inbox / f"{number}.dcm").write_bytes(content[:-10] if number == 2 else content)
    (inbox / "broken.dcm").write_bytes(bytes(128) + b"DICM" + b"\xff" * 300)
    ingest(str(location), [str(inbox)], workers=1)
    before = endings(location)
    assert before["truncated"] == 1

    # The slice has come whole, but another object is asked for, which has not changed.
    (inbox / "2.dcm").write_bytes(contents[2])
    other = retry(location, "--reason", "missing_attribute")
    assert other.exit_code == 0, other.output
    assert endings(location) == before

    # Only the series that it belongs to is read again.
    repaired = retry(location, "--reason", "truncated")
    assert repaired.exit_code == 0, repaired.output
    assert "ingested" in repaired.output
    assert endings(location) == {"ingested": 4, "missing_attribute": 1}
    with lake.open(location, read_only=True) as lk:
        assert lk.sql("SELECT shape_z FROM volumes").fetchall() == [(4,)]

    # What is gone keeps its row and its reason.
    (inbox / "broken.dcm").unlink()
    gone = retry(location)
    assert gone.exit_code == 0, gone.output
    assert endings(location) == {"ingested": 4, "missing_attribute": 1}
