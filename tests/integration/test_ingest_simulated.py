"""A simulated cohort: every object ends where the simulator says it should."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from schemas.records import ConvertedSeries
from tasks.deidentify.pseudonyms import Pseudonymiser
from tasks.dicom.grouping import group_series
from tasks.dicom.scan import scan_object
from tasks.ingest.convert import Limits, convert_series
from tasks.ingest.outcomes import scanned_row
from tasks.simulate.cohort import simulate_cohort
from tasks.sources.folder import FolderSource
from tasks.sources.reading import ObjectReader

PSEUDONYMISER = Pseudonymiser(bytes(32))


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("cohort")
    simulate_cohort(
        root, centres=3, patients_per_centre=1, spect_patients=1, voxel_scale=4.0, workers=1
    )
    return root


@pytest.fixture(scope="module")
def ingested(cohort: Path) -> tuple[dict[str, dict[str, object]], list[ConvertedSeries]]:
    """Row of each object by its key, and everything converted."""
    with ObjectReader() as reader:
        refs = list(FolderSource(cohort / "dicom").objects())
        scanned = [scan_object(ref, reader) for ref in refs]
        rows = [scanned_row(s, PSEUDONYMISER) for s in scanned if s.outcome is not None]
        converted = [
            convert_series(group, reader=reader, pseudonymiser=PSEUDONYMISER, limits=Limits())
            for group in group_series(scanned)
        ]
    rows += [row for series in converted for row in series.rows["files"]]
    return {str(row["file_key"]): row for row in rows}, converted


def test_every_object_ends_as_expected(
    cohort: Path, ingested: tuple[dict[str, dict[str, object]], list[ConvertedSeries]]
) -> None:
    by_key, converted = ingested
    suv = {
        str(row["series_instance_uid"]): row["suv_reason_code"]
        for series in converted
        for row in series.rows.get("series", [])
        if row["modality"] == "PT"
    }
    with (cohort / "truth" / "expected_outcomes.csv").open(encoding="utf-8") as stream:
        expected = list(csv.DictReader(stream))
    assert len(expected) == len(by_key)
    for line in expected:
        place = (cohort / "dicom" / line["path"]).resolve().as_uri()
        row = by_key[PSEUDONYMISER.file_key(place)]
        assert row["outcome"] == line["outcome"], line["path"]
        assert (row["reason_code"] or "") == line["reason_code"], line["path"]
        if line["suv_reason_code"] and line["suv_reason_code"] in suv.values():
            assert suv[str(row["series_instance_uid"])] == line["suv_reason_code"], line["path"]


def test_each_centre_has_its_images_and_regions(
    ingested: tuple[dict[str, dict[str, object]], list[ConvertedSeries]],
) -> None:
    rows = [row for series in ingested[1] for row in series.rows.get("series", [])]
    kinds = {(row["manufacturer"], row["modality"]) for row in rows if row["manufacturer"]}
    for vendor in ("SIEMENS", "GE MEDICAL SYSTEMS", "Philips Medical Systems"):
        assert {(vendor, "PT"), (vendor, "CT")} <= kinds
    assert ("SIEMENS NM", "NM") in kinds
    images = {row["series_instance_uid"] for row in rows if row["series_kind"] == "image"}
    drawn = [row for row in rows if row["series_kind"] != "image"]
    assert len(drawn) == 4
    assert {row["referenced_series_uid"] for row in drawn} <= images
