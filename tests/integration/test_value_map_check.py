"""SUV of a Real World Value Mapping against the SUV derived here, in a real lake."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

import lake
from flows.ingest import ingest
from tests.support.dicom_objects import pet_slice, to_bytes
from tests.support.reports import measurement, report, value_map, volumetric_group

pytestmark = [pytest.mark.xdist_group("prefect"), pytest.mark.usefixtures("prefect_server")]

#: 70 kg, 100 MBq one hour before the scan, rescale slope 2.
SUV_PER_STORED = 2 * 70_000 / (100e6 * 2 ** (-3600 / 6586.2))


def slices(n: int = 3) -> list[Dataset]:
    """PET slices that share one slope."""
    stored = np.arange(24, dtype=np.int16).reshape(6, 4)
    return [pet_slice(i + 1, stored + np.int16(i), (0, 0, 3.0 * i)) for i in range(n)]


def write(folder: Path, objects: dict[str, Dataset]) -> None:
    """Write objects; a second version of a file is newer than the first."""
    folder.mkdir(exist_ok=True)
    for name, ds in objects.items():
        path = folder / name
        newer = path.stat().st_mtime_ns + 10**9 if path.exists() else None
        path.write_bytes(to_bytes(ds))
        if newer:
            os.utime(path, ns=(newer, newer))


def findings(location: Path) -> list[tuple[str, float]]:
    """Severity and difference in percent."""
    with lake.open(location, read_only=True) as lk:
        return lk.sql(
            "SELECT severity, observed_value FROM findings "
            "WHERE rule_id = 'ingest.suv_mapping_differs'"
        ).fetchall()


def test_differing_suv_is_found_whatever_comes_first_and_goes_when_mended(tmp_path: Path) -> None:
    location, inbox = tmp_path / "lake", tmp_path / "in"
    lake.create(location).close()
    pet = slices()
    write(inbox, {"map.dcm": value_map(SUV_PER_STORED * 1.03, images=pet)})
    ingest(str(location), [str(inbox)], workers=1)
    assert findings(location) == []  # the image is not there yet
    reports = report([volumetric_group([measurement(1.5), measurement(2.5)])])
    write(inbox, {f"{i}.dcm": ds for i, ds in enumerate(pet)} | {"sr.dcm": reports})
    counts = ingest(str(location), [str(inbox)], workers=1)
    assert (counts["n_ingested"], counts["n_unchanged"]) == (4, 1)
    ((severity, percent),) = findings(location)
    assert severity == "warn"
    assert percent == pytest.approx(3.0, abs=0.01)
    with lake.open(location, read_only=True) as lk:
        joined = lk.sql(
            "SELECT m.value, s.modality, r.real_world_slope FROM measurements m "
            "JOIN series s ON s.series_instance_uid = m.measured_series_uid "
            "JOIN real_world_values r USING (mapping_series_uid) ORDER BY m.value"
        ).fetchall()
        before = lk.snapshot
    slope = pytest.approx(SUV_PER_STORED * 1.03)
    assert joined == [(1.5, "PT", slope), (2.5, "PT", slope)]
    ingest(str(location), [str(inbox)], workers=1)  # nothing new: the findings are left alone
    with lake.open(location, read_only=True) as lk:
        written = lk.sql("SELECT DISTINCT run_id FROM findings").fetchall()
        assert lk.at(snapshot=before).sql("SELECT DISTINCT run_id FROM findings").fetchall() == (
            written
        )
    write(inbox, {"map.dcm": value_map(SUV_PER_STORED * 1.005, images=pet)})
    ingest(str(location), [str(inbox)], workers=1)
    assert findings(location) == []
