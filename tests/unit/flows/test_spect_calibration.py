"""SPECT in counts becomes Bq/ml and SUV by the site's table, and counts again without it.

The simulated SPECT centre has a known sensitivity, so that a calibrated lake must give back the
activity concentration and SUV that were painted.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset
from typer.testing import CliRunner

import lake
from flows.calibrate import spect_table
from flows.cli.main import app
from flows.cluster import ClusterOnDemand
from flows.explain import explain_series
from flows.explain_text import explanation_lines
from flows.runs import RunLog
from flows.spect_calibration import calibrate_spect, real_day
from lake import Lake, LakeSettings
from schemas.errors import InvalidInputError
from schemas.records import Row
from schemas.spect_calibrations import SpectCalibration, parse_spect_calibrations
from tasks.deidentify.pseudonyms import Pseudonymiser
from tasks.quantify.calibration import Choice, choose_calibration
from tasks.simulate.dicom_nm import SpectScan, nm_dataset
from tasks.simulate.patient import Patient, draw_patient
from tasks.simulate.phantom import measured_counts, spect_bqml_per_unit, spect_grid
from tasks.simulate.scanner import LIVER_BQML_PER_BQ, SpectProfile
from tests.support.enhanced_objects import group, mapping
from tests.support.taken_in import take_in

PROFILE = SpectProfile()
ROW = {
    "id": "S-MELP",
    "model": "Symbia Intevo",
    "nuclide": "Lu-177",
    "collimator": "MELP",
    "cps_per_mbq": 9.2,
    "source": "simulated sensitivity",
}


def row(**changes: object) -> SpectCalibration:
    return SpectCalibration.model_validate(ROW | changes)


class Study:
    """One simulated patient after Lu-177 therapy: images without resolution and noise."""

    def __init__(self) -> None:
        self.patient: Patient = draw_patient(
            7, "S", 1, "II", activity_mbq=PROFILE.activity_mbq, delay_h=PROFILE.delay_h
        )
        self.start = self.patient.injection + timedelta(hours=PROFILE.delay_h)
        self.grid = spect_grid(self.patient, PROFILE, 3.0)
        self.counts = measured_counts(7, self.patient, PROFILE, self.grid, ideal=True)

    def dataset(self) -> Dataset:
        scan = SpectScan(7, PROFILE, self.patient, self.start, self.grid, self.counts)
        return nm_dataset(scan)


@pytest.fixture(scope="module")
def study() -> Study:
    return Study()


@pytest.fixture(scope="module")
def counts_lake(tmp_path_factory: pytest.TempPathFactory, study: Study) -> Path:
    """A lake with the tomogram, as ingestion makes it. Never write to it."""
    location = tmp_path_factory.mktemp("spect") / "lake"
    with lake.create(location) as opened:
        take_in(opened, [study.dataset()])
    return location


@pytest.fixture
def lk(counts_lake: Path, tmp_path: Path) -> Iterator[Lake]:
    """A copy of it to write to."""
    shutil.copytree(counts_lake, tmp_path / "lake")
    with lake.open(tmp_path / "lake") as opened:
        yield opened


@pytest.fixture(scope="module")
def rows(counts_lake: Path) -> tuple[Row, Row]:
    """Rows of the series and of its acquisition."""
    with lake.open(counts_lake, read_only=True) as opened:
        (acquisition,) = opened.sql("FROM spect_acquisitions").to_arrow_table().to_pylist()
        return series(opened), dict(acquisition)


def applied(lk: Lake, *table: SpectCalibration) -> tuple[int, int]:
    with ClusterOnDemand() as cluster:
        return calibrate_spect(lk, RunLog("r", "calibrate"), cluster, table)


def series(lk: Lake) -> Row:
    (found,) = (
        lk.sql(
            "SELECT s.*, v.volume_id, v.value_unit, v.value_max FROM series s "
            "JOIN volumes v USING (series_instance_uid)"
        )
        .to_arrow_table()
        .to_pylist()
    )
    return dict(found)


def findings(lk: Lake) -> dict[str, str]:
    found = lk.sql("SELECT rule_id, message FROM findings WHERE rule_id LIKE 'spect.%'").fetchall()
    return {str(rule): str(message) for rule, message in found}


def test_counts_are_never_suv(lk: Lake) -> None:
    found = series(lk)
    assert (found["suv_status"], found["value_unit"], found["suv_factor"]) == (
        "not_applicable", "CNTS", None,
    )  # fmt: skip
    uid = str(found["series_instance_uid"])
    assert lk.volume(uid).attrs["units"] == "CNTS"
    with pytest.raises(InvalidInputError, match="no SUV of any kind"):
        lk.volume(uid, quantity="suv_bw")
    assert applied(lk) == (0, 0)


def test_the_painted_activity_and_suv_come_back(lk: Lake, study: Study) -> None:
    """Every voxel, to the rounding of counts; liver (uptake 1): 3.5e-5 of the injected activity."""
    assert applied(lk, row()) == (1, 1)
    found = series(lk)
    uid = str(found["series_instance_uid"])
    native, suv = lk.volume(uid, quantity="native"), lk.volume(uid)
    assert (native.attrs["units"], suv.attrs["units"]) == ("Bq/ml", "SUVbw")
    per_count = 1e6 / (120 * 15.0 * study.grid.voxel_volume_ml * 9.2)
    truth = study.counts * per_count
    unsaturated = study.counts < 65535
    error = np.abs(native.values - truth)[unsaturated]
    assert error.max() <= 0.5001 * per_count
    patient = study.patient
    liver_bqml = LIVER_BQML_PER_BQ * patient.injected_activity_bq
    assert liver_bqml == pytest.approx(spect_bqml_per_unit(patient))
    liver = np.isclose(truth, liver_bqml, rtol=1e-5)  # voxels that are all liver
    assert liver.sum() > 50
    assert native.values[liver].mean() == pytest.approx(liver_bqml, rel=1e-3)
    left = math.exp(-math.log(2) * 24 * 3600 / 574_300)
    expected = LIVER_BQML_PER_BQ * patient.weight_kg * 1000 / left
    assert suv.values[liver].mean() == pytest.approx(expected, rel=1e-3)


def test_all_that_depends_on_it_is_in_the_lake(lk: Lake, study: Study) -> None:
    applied(lk, row())
    found = series(lk)
    assert (found["suv_status"], found["suv_rule"]) == ("suv", "calibration/acquisition_start")
    assert found["injected_activity_bq"] == pytest.approx(study.patient.injected_activity_bq)
    assert found["uptake_time_s"] == 24 * 3600
    per_stored = lk.sql("SELECT calibrated_bqml_per_count FROM spect_acquisitions").fetchall()
    assert found["suv_per_stored_max"] == pytest.approx(
        float(str(found["suv_factor"])) * per_stored[0][0]
    )
    kinds = lk.sql("SELECT count(*) FROM suv_factors WHERE normalisation_status = 'suv'")
    assert kinds.fetchall() == [(6,)]
    times = lk.sql("SELECT candidate_rule, is_chosen FROM decay_references ORDER BY ALL").fetchall()
    assert times == [("acquisition_mean", False), ("acquisition_start", True)]
    assert set(findings(lk)) == {"spect.decay_reference_assumed"}
    text = "\n".join(explanation_lines(explain_series(lk, str(found["series_instance_uid"]))))
    assert "calibration S-MELP: CF = 9.2 counts per s and MBq" in text
    assert "= 15 s x 120 = 1800 s" in text


def test_a_changed_table_needs_no_dicom_and_gone_is_gone(lk: Lake) -> None:
    before = series(lk)
    applied(lk, row())
    first = series(lk)
    snapshot = lk.snapshot
    assert applied(lk, row()) == (0, 1), "the same again writes nothing"
    assert lk.snapshot == snapshot
    assert applied(lk, row(source="another text")) == (0, 1), "the text changes no number"
    assert lk.snapshot == snapshot
    applied(lk, row(cps_per_mbq=4.6))
    second = series(lk)
    assert float(str(second["value_max"])) == pytest.approx(2 * float(str(first["value_max"])))
    uid = str(first["series_instance_uid"])
    old = lk.at(snapshot=snapshot).volume(uid, quantity="native").values
    np.testing.assert_allclose(lk.volume(uid, quantity="native").values, 2 * old, rtol=1e-6)
    assert applied(lk) == (1, 0)
    after = series(lk)
    assert {k: v for k, v in after.items() if k != "run_id"} == {
        k: v for k, v in before.items() if k != "run_id"
    }
    assert lk.sql("SELECT count(*) FROM suv_factors").fetchall() == [(0,)]


def test_many_volumes_are_written_by_workers(lk: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real worker writes what this process would."""
    applied(lk, row())
    here = series(lk)
    applied(lk)
    monkeypatch.setattr("flows.spect_calibration._FEW", 0)
    with ClusterOnDemand(workers=1) as cluster:
        assert calibrate_spect(lk, RunLog("r", "calibrate"), cluster, [row()]) == (1, 1)
    assert series(lk)["volume_id"] == here["volume_id"]


def test_days_of_validity_are_real_ones(lk: Lake, study: Study) -> None:
    """The lake's dates are shifted by years; the table's are the site's own."""
    day = study.start.date()
    shifted = series(lk)["acquisition_datetime"]
    assert shifted != study.start
    names = Pseudonymiser(lk.keys().secret)
    assert real_day(series(lk), names) == day
    valid = row(valid_from=day, valid_until=day)
    assert applied(lk, valid)[0] == 1
    late = row(valid_from=day + timedelta(days=1))
    assert applied(lk, late)[0] == 1
    assert series(lk)["value_unit"] == "CNTS"
    message = findings(lk)["spect.calibration_not_valid"]
    assert "S-MELP" in message
    assert str(day.year) not in message


def test_no_date_of_the_table_is_in_the_lake(lk: Lake, study: Study, tmp_path: Path) -> None:
    day = study.start.date()
    applied(lk, row(valid_from=day, valid_until=day + timedelta(days=3), source="Fantom 4711"))
    wanted = [text.encode() for text in (day.isoformat(), f"{day:%Y%m%d}", "Fantom 4711")]
    for path in (tmp_path / "lake").rglob("*.json"):
        assert not any(w in path.read_bytes() for w in wanted), path
    rows = [
        str(lk.sql(f"SELECT * FROM {t.name}").fetchall())
        for t in lk.tables()
        if t.name in ("series", "volumes", "findings", "spect_acquisitions", "suv_factors")
    ]
    assert not any(w.decode() in text for w in wanted for text in rows)


def test_several_rows_none_is_taken(lk: Lake) -> None:
    assert applied(lk, row(), row(id="S-MELP-2", cps_per_mbq=9.3)) == (0, 1)
    assert "S-MELP, S-MELP-2" in findings(lk)["spect.calibration_ambiguous"]


@pytest.mark.parametrize(
    "change",
    [
        {"nuclide": "Tc-99m"},
        {"collimator": "LEHR"},
        {"model": "Discovery 670"},
        {"centre": "Z"},
        {"scanner_key": "SC-0000000000000000"},
        {"reconstruction_key": "OSEM 8i8s"},
        {"energy_window_kev": (101.7, 124.3)},
    ],
)
def test_rows_of_others_say_nothing(rows: tuple[Row, Row], change: dict[str, object]) -> None:
    assert choose_calibration([row(**change)], *rows, None) == Choice()


def test_everything_that_a_row_may_name(rows: tuple[Row, Row]) -> None:
    found, _ = rows
    narrow = row(
        centre=found["centre"], scanner_key=found["scanner_key"], energy_window_kev=(187.2, 228.8),
        reconstruction_key=found["reconstruction_key"], collimator="melp",
    )  # fmt: skip
    assert choose_calibration([narrow], *rows, None).calibration == narrow


def test_mean_of_the_acquisition(lk: Lake) -> None:
    """T = 1800 s, x = 2.1725e-3: T_ave = 899.84 s, SUV exp(lambda T_ave) = 1.001087 higher."""
    applied(lk, row(decay_reference="start"))
    start = series(lk)
    assert findings(lk) == {}
    applied(lk, row(decay_reference="mean"))
    mean = series(lk)
    assert mean["suv_rule"] == "calibration/acquisition_mean"
    ratio = float(str(mean["suv_factor"])) / float(str(start["suv_factor"]))
    assert ratio == pytest.approx(1.001087, abs=2e-6)


def test_factor_per_count_and_heads(rows: tuple[Row, Row], study: Study) -> None:
    """Two heads see a view each: 60 stops of 15 s."""
    as_given = choose_calibration([row(cps_per_mbq=None, bqml_per_count=25.0)], *rows, None)
    assert as_given.bqml_per_count == 25.0
    per_count = 1e6 / (900 * study.grid.voxel_volume_ml * 9.2)
    assert choose_calibration([row(heads=2)], *rows, None).bqml_per_count == pytest.approx(
        per_count
    )


def mapped(study: Study, slope: float) -> Dataset:
    ds = study.dataset()
    ds.RealWorldValueMappingSequence = group(mapping("Bq/ml", slope))
    return ds


@pytest.mark.parametrize(
    ("off", "rules"), [(1.05, set()), (1.2, {"spect.calibration_mapping_differs"})]
)
def test_mapping_wins_and_is_held_against_the_table(
    tmp_path: Path, study: Study, off: float, rules: set[str]
) -> None:
    slope = off * 1e6 / (1800 * study.grid.voxel_volume_ml * 9.2)
    with lake.create(tmp_path / "mapped") as lk:
        take_in(lk, [mapped(study, slope)])
        found = series(lk)
        assert (found["value_unit"], found["suv_status"]) == ("Bq/ml", "suv")
        assert found["suv_rule"] == "mapping/acquisition_start"
        assert applied(lk, row(decay_reference="start"))[0] == 0
        assert set(findings(lk)) == rules
        if rules:
            assert "+20.0 %" in findings(lk)["spect.calibration_mapping_differs"]
        assert series(lk)["volume_id"] == found["volume_id"]
        assert applied(lk)[0] == 0
        assert set(findings(lk)) == {"spect.decay_reference_assumed"}


def test_activity_without_suv(tmp_path: Path, study: Study) -> None:
    """No weight: Bq/ml all the same, SUV refused by name."""
    ds = study.dataset()
    del ds.PatientWeight
    with lake.create(tmp_path / "light") as lk:
        take_in(lk, [ds])
        applied(lk, row())
        found = series(lk)
        assert (found["value_unit"], found["suv_status"]) == ("Bq/ml", "refused")
        assert found["suv_reason_code"] == "suv_weight_missing"
        uid = str(found["series_instance_uid"])
        assert lk.volume(uid).attrs["units"] == "Bq/ml"
        with pytest.raises(InvalidInputError, match=r"suv_bsa .* was refused"):
            lk.volume(uid, quantity="suv_bsa")


def test_without_time_of_views_a_rate_says_nothing(tmp_path: Path, study: Study) -> None:
    ds = study.dataset()
    del ds.RotationInformationSequence
    with lake.create(tmp_path / "timeless") as lk:
        take_in(lk, [ds])
        assert applied(lk, row())[0] == 0
        assert "S-MELP" in findings(lk)["spect.acquisition_time_missing"]
        assert applied(lk, row(cps_per_mbq=None, bqml_per_count=25.0))[0] == 1


TABLE = """
[[calibration]]
id = "A"
model = "Symbia Intevo"
nuclide = "Lu-177"
collimator = "MELP"
cps_per_mbq = 9.2
valid_from = 2024-01-01
source = "cylinder"
"""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (TABLE.replace("9.2", "-1"), "calibration 1 cps_per_mbq: Input should be greater than 0"),
        (TABLE + "bqml_per_count = 2.0\n", "either cps_per_mbq or bqml_per_count"),
        (TABLE.replace('model = "Symbia Intevo"', ""), "centre, scanner_key or model"),
        (TABLE.replace("Lu-177", "177Lu"), "calibration 1 nuclide"),
        (TABLE + "valid_until = 2023-01-01\n", "valid_from is after valid_until"),
        (TABLE + TABLE, "id given twice: A"),
        (TABLE + "colimator = 'x'\n", "colimator"),
        (TABLE.replace('source = "cylinder"', ""), "calibration 1 source"),
        ("calibration = [", "is not valid TOML"),
    ],
)
def test_a_wrong_table_is_refused_by_name(text: str, said: str) -> None:
    with pytest.raises(InvalidInputError, match=said):
        parse_spect_calibrations(text, "table")


def test_the_table_of_the_settings(tmp_path: Path) -> None:
    path = tmp_path / "spect.toml"
    settings = LakeSettings(lake_id="0123456789abcdef", spect_calibrations=path)
    with pytest.raises(InvalidInputError, match="No such file"):
        spect_table(settings)
    path.write_text(TABLE, encoding="utf-8")
    assert [c.id for c in spect_table(settings)] == ["A"]
    with lake.create(tmp_path / "lake") as lk:
        inside = lk.location / "spect.toml"
        inside.write_text(TABLE, encoding="utf-8")
        with pytest.raises(InvalidInputError, match="lies inside a lake"):
            spect_table(settings.model_copy(update={"spect_calibrations": inside}))
    assert spect_table(LakeSettings(lake_id="0123456789abcdef")) == ()
    with pytest.raises(InvalidInputError, match="absolute path"):
        lake.create(tmp_path / "other", settings={"spect_calibrations": "spect.toml"})


def test_explain_of_counts(counts_lake: Path, rows: tuple[Row, Row]) -> None:
    uid = str(rows[0]["series_instance_uid"])
    shown = CliRunner().invoke(app, ["explain", str(counts_lake), uid])
    assert "SUV does not apply: values are counts" in shown.output
    assert "120 views of 15 s" in shown.output
