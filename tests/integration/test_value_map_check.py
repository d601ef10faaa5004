"""SUV of a Real World Value Mapping against the SUV derived here, in a real lake."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

import lake
from flows.ingest import ingest
from flows.runs import run_record
from flows.value_maps import check_value_maps
from lake import Transaction
from schemas.tables import STORED
from tests.support.dicom_objects import SERIES, pet_slice, to_bytes
from tests.support.reports import TRACKING_UID, measurement, report, value_map, volumetric_group

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
    slope = pytest.approx(SUV_PER_STORED * 1.03)
    assert joined == [(1.5, "PT", slope), (2.5, "PT", slope)]
    assert_nobody_is_named(location)
    with lake.open(location) as lk, run_record(lk, "ingest", {}) as log:
        (row,) = lk.sql("FROM real_world_values").to_arrow_table().to_pylist()
        mended = [row | {"real_world_slope": SUV_PER_STORED * 1.005}]
        lk.commit(
            lambda tx: tx.replace("real_world_values", mended, scope=("mapping_series_uid",)),
            message="mended",
        )
        assert check_value_maps(lk, log) == 0
    assert findings(location) == []


def assert_nobody_is_named(location: Path) -> None:
    """No name, number, original UID or free text of the objects is in any table."""
    with lake.open(location, read_only=True) as lk:
        everything = str([lk.sql(f"FROM {t.name}").to_arrow_table().to_pylist() for t in STORED])
    for word in (
        "mustermann",
        "'4711'",
        "reader",
        "rita",
        "acc99",
        "free text",
        SERIES,
        TRACKING_UID,
    ):
        assert word not in everything.casefold()


#: SUV of a stored unit in a PET of three images, slope of a mapping, images it is for, and by how
#: many percent it differs.
CASES = (
    ((0.5, 0.5), 0.503, 3, None),  # rounding
    ((0.5, 0.5), 0.52, 3, 4.0),
    ((0.5, 0.6), 0.55, 3, 10.0),  # one slope for all images, which have different ones
    ((0.5, 0.6), 0.55, 1, None),  # of one image, it may be the right one
    ((0.5, 0.6), 0.66, 1, 10.0),
)


def test_what_counts_as_differing(tmp_path: Path) -> None:
    lake.create(tmp_path / "lake").close()
    series, maps = [], []
    for number, ((lowest, highest), slope, n_mapped, _) in enumerate(CASES):
        image = {"series_instance_uid": f"1.{number}", "patient_key": "P", "centre": "A"}
        suv = {"suv_per_stored_min": lowest, "suv_per_stored_max": highest, "n_instances": 3}
        series.append(image | suv)
        maps.append(
            {
                "mapping_series_uid": f"2.{number}", "mapping_index": 1, "patient_key": "P",
                "mapped_series_uid": f"1.{number}", "real_world_slope": slope,
                "n_mapped_instances": n_mapped, "unit_code": "{SUVbw}g/ml",
            }
        )  # fmt: skip

    def publish(tx: Transaction) -> None:
        tx.insert("series", series)
        tx.insert("real_world_values", maps)

    expected = {
        f"2.{number}": pytest.approx(percent)
        for number, (*_, percent) in enumerate(CASES)
        if percent is not None
    }
    with lake.open(tmp_path / "lake") as lk:
        lk.commit(publish, message="by hand")
        with run_record(lk, "ingest", {}) as log:
            assert check_value_maps(lk, log) == len(expected)
            before = lk.snapshot
            check_value_maps(lk, log)
            assert lk.snapshot == before  # the same findings are not written again
        found = lk.sql("SELECT subject_id, observed_value FROM findings").fetchall()
    assert dict(found) == expected
