"""The cohort as a whole: files, outcomes, clinical data, reproducibility, errors."""

from __future__ import annotations

import csv
import hashlib
import json
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pydicom
import pytest
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import dcmwrite

from schemas.errors import InvalidInputError
from tasks.simulate.clinical import REDCAP_COLUMNS, clinical_record, fhir_resources
from tasks.simulate.cohort import simulate_cohort
from tasks.simulate.patient import draw_patient, stages_of_centre


def _digests(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def _table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_same_arguments_give_the_same_bytes_on_any_number_of_workers(
    small_cohort: Path, tmp_path: Path
) -> None:
    simulate_cohort(
        tmp_path / "again", centres=2, patients_per_centre=2, spect_patients=2, voxel_scale=2.0,
        workers=2,
    )  # fmt: skip
    assert _digests(tmp_path / "again") == _digests(small_cohort)


def test_another_seed_gives_another_cohort(tmp_path: Path) -> None:
    roots = [tmp_path / "one", tmp_path / "two"]
    for seed, root in enumerate(roots):
        simulate_cohort(
            root, centres=1, patients_per_centre=1, spect_patients=0, voxel_scale=4.0, seed=seed,
            dirt=False,
        )  # fmt: skip
    one, two = (_digests(root / "dicom") for root in roots)
    assert set(one.values()).isdisjoint(two.values())


def test_progress_and_summary_count_what_was_written(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    summary = simulate_cohort(
        tmp_path / "c", centres=1, patients_per_centre=2, spect_patients=1, voxel_scale=4.0,
        progress=lambda done, total: calls.append((done, total)),
    )  # fmt: skip
    assert calls == [(0, 3), (1, 3), (2, 3), (3, 3)]
    files = [path for path in summary.dicom.rglob("*") if path.is_file()]
    assert summary.n_files == len(files)
    assert summary.n_bytes == sum(path.stat().st_size for path in files)
    assert summary.centres == ("A", "S")
    assert (summary.n_patients, summary.n_series) == (3, 9)
    assert summary.n_lesions == len(_table(summary.truth / "truth.csv"))
    assert "SIMULATED" in (tmp_path / "c" / "README.txt").read_text()


def test_every_file_has_exactly_one_expected_outcome(small_cohort: Path) -> None:
    rows = _table(small_cohort / "truth/expected_outcomes.csv")
    written = {p.relative_to(small_cohort / "dicom").as_posix()
               for p in (small_cohort / "dicom").rglob("*") if p.is_file()}  # fmt: skip
    assert sorted(row["path"] for row in rows) == sorted(written)
    reasons = Counter(row["reason_code"] for row in rows if row["outcome"] != "ingested")
    assert reasons == {
        "not_dicom": 1, "empty_file": 1, "secondary_capture": 1, "truncated": 1, "": 1,
        "missing_slices": 8,
    }  # fmt: skip
    assert {row["suv_reason_code"] for row in rows if row["path"].startswith("dirt")} == {
        "", "suv_units_missing", "suv_dose_missing",
    }  # fmt: skip


def test_dirt_is_what_it_claims_to_be(small_cohort: Path) -> None:
    dirt = small_cohort / "dicom/dirt"
    assert (dirt / "empty.dcm").stat().st_size == 0
    (truncated,) = (dirt / "truncated").iterdir()
    ds = pydicom.dcmread(truncated, stop_before_pixels=True)
    assert truncated.stat().st_size < ds.Rows * ds.Columns * 2
    copy = pydicom.dcmread(dirt / "copy-of-a-slice/image.dcm", stop_before_pixels=True)
    originals = [
        pydicom.dcmread(p, stop_before_pixels=True).SOPInstanceUID
        for p in (small_cohort / "dicom" / copy.PatientID[4] / copy.PatientID / "PT").iterdir()
    ]
    assert originals.count(copy.SOPInstanceUID) == 1
    z = sorted(
        float(pydicom.dcmread(p, stop_before_pixels=True).ImagePositionPatient[2])
        for p in (dirt / "missing-slice").iterdir()
    )
    steps = {round(b - a, 3) for a, b in pairwise(z)}
    assert len(steps) == 2
    assert max(steps) == pytest.approx(2 * min(steps))
    for path in (dirt / "no-units").iterdir():
        assert "Units" not in pydicom.dcmread(path, stop_before_pixels=True)
    for path in (dirt / "no-dose").iterdir():
        item = pydicom.dcmread(path).RadiopharmaceuticalInformationSequence[0]
        assert "RadionuclideTotalDose" not in item
        assert "RadionuclideHalfLife" in item


def test_every_regular_file_is_read_by_pydicom_and_unique(small_cohort: Path) -> None:
    seen: Counter[str] = Counter()
    for path in (small_cohort / "dicom").glob("[A-Z]/*/*/*.dcm"):
        ds = pydicom.dcmread(path)
        seen[ds.SOPInstanceUID] += 1
        if "PixelData" in ds:
            assert ds.pixel_array.shape[-2:] == (ds.Rows, ds.Columns)
    assert set(seen.values()) == {1}


def test_files_are_what_pydicom_would_write(small_cohort: Path) -> None:
    for centre in ("A", "B"):
        for modality in ("PT", "CT"):
            folder = small_cohort / f"dicom/{centre}/SIM-{centre}-001/{modality}"
            path = max(folder.iterdir())
            ds = pydicom.dcmread(path)
            for _ in ds.iterall():
                pass  # decode everything, so that nothing is copied as raw bytes
            buffer = DicomBytesIO()
            dcmwrite(buffer, ds, enforce_file_format=True)
            assert bytes(buffer.getvalue()) == path.read_bytes()


def test_images_of_a_patient_share_the_frame_of_reference(small_cohort: Path) -> None:
    for patient in (small_cohort / "dicom").glob("[A-Z]/*"):
        heads = [
            pydicom.dcmread(min(folder.iterdir()), stop_before_pixels=True)
            for folder in patient.iterdir()
        ]
        assert len({ds.FrameOfReferenceUID for ds in heads}) == 1
        assert len({ds.StudyInstanceUID for ds in heads}) == 1
        assert len({ds.SeriesInstanceUID for ds in heads}) == 3


def test_clinical_data_match_the_images(small_cohort: Path) -> None:
    rows = _table(small_cohort / "clinical/redcap.csv")
    assert tuple(rows[0]) == REDCAP_COLUMNS
    ids = {row["patient_id"] for row in rows}
    lines = (small_cohort / "clinical/fhir.ndjson").read_text().splitlines()
    patients = [r for r in map(json.loads, lines) if r["resourceType"] == "Patient"]
    fhir = {p["identifier"][0]["value"] for p in patients}
    assert ids.isdisjoint(fhir)
    imaged = {p.name for p in (small_cohort / "dicom").glob("[A-Z]/*")}
    assert ids | fhir == imaged
    for row in rows:
        path = next((small_cohort / "dicom" / row["centre"] / row["patient_id"] / "PT").iterdir())
        ds = pydicom.dcmread(path, stop_before_pixels=True)
        assert ds.PatientAge == f"{int(row['age']):03d}Y"
        assert ds.PatientSex == row["sex"]
        assert ds.StudyDate == row["study_date"].replace("-", "")


def test_fhir_has_gaps_refusals_and_two_glucose_units() -> None:
    records = [
        clinical_record(draw_patient(0, "B", n, "II", activity_mbq_per_kg=4.0))
        for n in range(1, 13)
    ]
    resources = [r for record in records for r in fhir_resources(record)]
    ids = [(r["resourceType"], r["id"]) for r in resources]
    assert len(set(ids)) == len(ids)
    text = json.dumps(resources)
    assert text.count('"2345-7"') >= 3
    assert text.count('"14749-6"') >= 3
    assert 1 <= sum(not record.consents for record in records) <= 3
    assert 1 <= sum(record.glucose_mgdl is None for record in records) <= 4
    assert any(record.stage is None for record in records)
    assert any(record.outcome_event is None for record in records)
    denied = [
        r for r in resources if r["resourceType"] == "Consent" and '"permit"' not in json.dumps(r)
    ]
    assert len(denied) == sum(not record.consents for record in records)


def test_stage_is_not_confounded_with_the_centre() -> None:
    for centre in "ABC":
        assert Counter(stages_of_centre(0, centre, 12)) == {"I": 3, "II": 3, "III": 3, "IV": 3}


def test_truth_holds_the_effects_of_centre_and_biology(small_cohort: Path) -> None:
    truth = json.loads((small_cohort / "truth/truth.json").read_text())
    assert truth["centres"]["B"]["calibration_factor"] == 0.88
    assert truth["centres"]["A"]["dialect"] == "siemens_start"
    assert truth["biology"]["stage_effect_per_stage"] == 0.25
    assert truth["parameters"]["voxel_scale"] == 2.0
    assert len(truth["lesions"]) == len(_table(small_cohort / "truth/truth.csv"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"centres": 0},
        {"centres": 99},
        {"patients_per_centre": 0},
        {"spect_patients": -1},
        {"voxel_scale": 0.1},
        {"workers": 0},
    ],
)
def test_numbers_out_of_range_are_refused(tmp_path: Path, wrong: dict[str, int]) -> None:
    with pytest.raises(InvalidInputError, match="expected"):
        simulate_cohort(tmp_path / "c", **wrong)  # type: ignore[arg-type]
    assert not (tmp_path / "c").exists()


def test_a_used_folder_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(InvalidInputError, match="not empty"):
        simulate_cohort(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_a_file_instead_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InvalidInputError, match="not a folder"):
        simulate_cohort(tmp_path / "file")
