"""The benchmarks run, at a size that proves nothing but that; their arithmetic is right."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pydicom
import pytest

from benchmarks.__main__ import TINY, main
from benchmarks.image_series import write_ct_series, write_pet_series
from benchmarks.report import page
from benchmarks.rounds import Comparison, compare, run_rounds


@pytest.mark.parametrize("name", sorted(TINY.keys() - {"scale"}))
def test_row_runs(name: str) -> None:
    _assert_runs(name)


@pytest.mark.xdist_group("prefect")
def test_scale_runs(prefect_server: None) -> None:
    _assert_runs("scale")


def _assert_runs(name: str) -> None:
    found = TINY[name]()
    assert found
    assert all(c.ratio > 0 and c.rounds >= 1 for c in found)


def test_ratio_is_the_median_of_the_rounds() -> None:
    (found,) = compare("row", {"us": [1.0, 2.0, 9.0], "them": [2.0, 2.0, 3.0]}, "us")
    assert (found.ours, found.theirs, found.ratio) == (2.0, 2.0, 1.0)
    assert (found.lowest, found.highest, found.rounds) == (0.5, 3.0, 3)


def test_rounds_are_interleaved_after_one_warm_up() -> None:
    calls: list[str] = []
    seconds = run_rounds({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, 2)
    assert sorted(calls[:2]) == ["a", "b"]
    assert calls[2:] == ["a", "b", "b", "a"]
    assert [len(v) for v in seconds.values()] == [2, 2]


def test_time_stated_by_the_contestant_counts() -> None:
    assert run_rounds({"a": lambda: 5.0}, 2) == {"a": [5.0, 5.0]}


def test_page_holds_no_name_of_the_machine() -> None:
    when = datetime(2026, 1, 2, tzinfo=UTC)
    text = page([Comparison("row", "peer", "s", 0.01, 0.02, 0.5, 0.4, 0.6, 7)], "cmd", when)
    assert "| row | peer | 10.0 ms | 20.0 ms | **0.50** | 0.40 to 0.60 | 7 |" in text
    assert "Date: 2026-01-02" in text
    assert str(Path.cwd()) not in text


def test_series_has_a_slope_of_its_own_in_each_slice(tmp_path: Path) -> None:
    stored = write_pet_series(tmp_path, slices=3, size=16)
    headers = _ascending(tmp_path)
    assert len({float(ds.RescaleSlope) for ds in headers}) == 3
    for ds, plane in zip(headers, stored, strict=True):
        np.testing.assert_array_equal(ds.pixel_array, plane)


def test_ct_has_twelve_bits_of_a_patient_in_air(tmp_path: Path) -> None:
    stored = write_ct_series(tmp_path, slices=55, size=16)
    for ds, plane in zip(_ascending(tmp_path), stored, strict=True):
        np.testing.assert_array_equal(ds.pixel_array, plane)
    # air is -1000 HU, stored with 1024 more; soft tissue is near 0 HU
    assert abs(float(np.median(stored[:, 0])) - 24) < 5
    assert 900 < float(np.percentile(stored, 99)) < 1500
    assert stored.max() < 2**12


def _ascending(folder: Path) -> list[pydicom.Dataset]:
    headers = [pydicom.dcmread(path) for path in folder.iterdir()]
    return sorted(headers, key=lambda ds: float(ds.ImagePositionPatient[2]))


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "results.md"
    main(["query", "--tiny", "--output", str(target)])
    assert target.read_text() == capsys.readouterr().out.removesuffix("\n")
    assert "python -m benchmarks query --tiny" in target.read_text()
    with pytest.raises(SystemExit):
        main(["nothing"])
