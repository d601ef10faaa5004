"""What a run records of itself: times that add up, outcomes, sources, rates."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

import lake
from flows.discovery import discover, told
from flows.known_files import KnownFiles
from flows.runs import RunLog, SourceTally, run_record
from flows.stage_clock import StageClock
from schemas.errors import InvalidInputError, SourceUnavailableError
from schemas.records import ObjectRef


class Steps:
    """A clock that moves on by what a test says."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_stage_inside_another_one_is_counted_once() -> None:
    steps = Steps()
    clock = StageClock(steps)
    with clock.measuring("scan"):
        steps.now += 3
        with clock.measuring("commit"):
            steps.now += 1
        steps.now += 2
    steps.now += 50  # between stages: nobody's
    with clock.measuring("convert"):
        steps.now += 4
        with suppress(ValueError), clock.measuring("commit"):
            steps.now += 2
            raise ValueError
    assert clock.seconds == {"scan": 5.0, "commit": 3.0, "convert": 4.0}


def test_rates_are_per_second_of_the_whole_run() -> None:
    steps = Steps()
    log = RunLog("r", "ingest", clock=StageClock(steps))
    assert log.measures() == {}  # a flow without timed stages has no rates
    with log.clock.measuring("convert"):
        steps.now += 8
    steps.now += 2
    log.count("n_files", 50)
    log.count("n_unchanged", 10)
    log.n_series, log.input_bytes = 5, 30_000_000
    measures = log.measures()
    assert (measures["elapsed_s"], measures["convert_s"], measures["scan_s"]) == (10.0, 8.0, 0.0)
    assert (measures["objects_per_s"], measures["series_per_s"]) == (4.0, 0.5)
    assert measures["megabytes_per_s"] == pytest.approx(3.0)


def test_the_record_of_a_run_says_where_everything_ended(tmp_path: Path) -> None:
    with lake.create(tmp_path / "lake") as lk:
        with run_record(lk, "ingest", {}) as log:
            for outcome, reason in (
                ("ingested", None), ("ingested", None), ("quarantined", "truncated"),
            ):  # fmt: skip
                log.count_outcome(outcome, reason)
            log.sources = [SourceTally("pacs", 2, 5), SourceTally("folder", 1, error="Off.")]
        with suppress(ValueError), run_record(lk, "ingest", {}) as failed:
            failed.count_outcome("ignored", "not_dicom")
            raise ValueError
        query = "SELECT outcome, reason_code, n_objects FROM run_outcomes WHERE run_id = $run"
        assert lk.sql(f"{query} ORDER BY ALL", {"run": log.run_id}).fetchall() == [
            ("ingested", "", 2), ("quarantined", "truncated", 1),
        ]  # fmt: skip
        assert lk.sql(query, {"run": failed.run_id}).fetchall() == [("ignored", "not_dicom", 1)]
        sources = lk.sql(
            "SELECT source_number, source_name, n_files, n_changed, n_unchanged, source_error "
            "FROM run_sources ORDER BY 1"
        ).fetchall()
        assert sources == [(1, "pacs", 7, 2, 5, None), (2, "folder", 1, 1, 0, "Off.")]


class Listing:
    """A source that lists some objects and then fails."""

    def __init__(self, name: str, uris: list[str], error: Exception | None = None) -> None:
        self.name, self._uris, self._error = name, uris, error

    def objects(self):  # type: ignore[no-untyped-def]
        for uri in self._uris:
            yield ObjectRef(uri, 1, 1)
        if self._error is not None:
            raise self._error


def test_what_each_source_had_adds_up_to_all_objects() -> None:
    first = Listing("a", ["x", "y"], SourceUnavailableError("a at host:1: it does not answer"))
    second = Listing("b", ["y", "z"], InvalidInputError("/home/jane doe/secret is not there"))
    found = discover([first, second], KnownFiles(["x"], [1], [1]), lambda uri: uri, lambda _: None)
    shown = [(t.name, t.n_changed, t.n_unchanged, t.error) for t in found.tallies]
    assert shown == [
        ("a", 1, 1, "a at host:1: it does not answer"),
        ("b", 1, 0, told(InvalidInputError("anything"))),
    ]
    assert sum(t.n_changed + t.n_unchanged for t in found.tallies) == found.n_files == 3
    assert "jane" not in str(shown)
