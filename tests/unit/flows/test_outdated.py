"""Series that went through another allow-list are taken up again, but only as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import lake
from flows.discovery import Discovery
from flows.known_files import KnownFiles, UnchangedObjects
from flows.outdated import reopen_outdated
from flows.runs import SourceTally
from schemas.records import ObjectRef, Row


def _file(key: str, series: str, outcome: str = "ingested") -> Row:
    return {
        "file_key": key, "source_name": "pacs", "size_bytes": 1, "modified_ns": 1,
        "series_instance_uid": series, "outcome": outcome,
    }  # fmt: skip


@pytest.fixture
def lk(tmp_path: Path) -> Iterator[lake.Lake]:
    made = lake.create(tmp_path / "lake")
    series: list[Row] = [
        {"series_instance_uid": "2.25.1", "deidentification_version": "1-old"},
        {"series_instance_uid": "2.25.2", "deidentification_version": "2-now"},
        {"series_instance_uid": "2.25.3"},  # of a lake older than the column
    ]
    files = [
        _file("a", "2.25.1"), _file("b", "2.25.1"), _file("c", "2.25.1", "duplicate"),
        _file("d", "2.25.2"), _file("e", "2.25.3"),
    ]  # fmt: skip
    with made.transaction(message="test") as tx:
        tx.replace("series", series, scope=("series_instance_uid",))
        tx.replace("files", files, scope=("file_key",))
    yield made
    made.close()


def _listed(*keys: str) -> Discovery:
    known = KnownFiles(keys, [1] * len(keys), [1] * len(keys))
    found = Discovery(UnchangedObjects(known), tallies=[SourceTally("pacs")])
    refs = [ObjectRef(f"file:///{key}", 1, 1) for key in keys]
    assert found.add(keys, refs, found.tallies[0]) == len(keys)
    return found


def test_whole_series_are_taken_up_again(lk: lake.Lake) -> None:
    found = _listed("a", "b", "c", "d", "e")
    assert reopen_outdated(lk, found, "2-now") == 2
    assert set(found.unchanged) == {"d"}
    assert sorted(ref.uri[-1] for ref in found.changed) == ["a", "b", "c", "e"]
    assert set(found.source_names.values()) == {"pacs"}
    assert found.n_files == 5
    assert (found.tallies[0].n_changed, found.tallies[0].n_unchanged) == (4, 1)


def test_a_series_of_which_an_object_is_not_listed_stays(lk: lake.Lake) -> None:
    found = _listed("a", "c", "d")
    assert reopen_outdated(lk, found, "2-now") == 0
    assert set(found.unchanged) == {"a", "c", "d"}
    assert not found.changed


def test_nothing_listed_nothing_done(lk: lake.Lake) -> None:
    assert reopen_outdated(lk, Discovery(UnchangedObjects(KnownFiles([], [], []))), "3-next") == 0
