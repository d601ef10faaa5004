"""`tracerlake explain`: every number between stored value and SUV, from a lake of small series."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset
from typer.testing import CliRunner

import lake
from flows.cli.main import app
from flows.explain import explain_series
from flows.explain_text import explanation_lines
from lake import Lake
from schemas.errors import InvalidInputError, NotFoundInLakeError
from tasks.simulate.dicom_reference import reference_object
from tests.support.dicom_objects import nm_tomogram, pet_series
from tests.support.taken_in import take_in

#: Objects and what is special about them.
NAMES = ("DRO_0_0", "DRO_3_2_1", "DRO_3_4_0", "DRO_error_4_0")


@pytest.fixture(scope="module")
def location(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Reference objects, a CT and a SPECT, as ingestion makes them."""
    path = tmp_path_factory.mktemp("explain") / "lake"
    objects = [ds for name in NAMES for ds in reference_object(name)]
    objects += [_ct(ds) for ds in pet_series(series="1.2.3")]
    spect = nm_tomogram(np.arange(24, dtype=np.uint16).reshape(4, 3, 2))
    spect.SeriesInstanceUID, spect.SOPInstanceUID = "1.2.4", "1.2.4.1"
    with lake.create(path) as lk:
        take_in(lk, [*objects, spect])
    return path


def _ct(ds: Dataset) -> Dataset:
    ds.Modality, ds.SOPClassUID = "CT", "1.2.840.10008.5.1.4.1.1.2"
    ds.RescaleIntercept, ds.RescaleSlope = "-1024", "1"
    return ds


@pytest.fixture
def lk(location: Path) -> Iterator[Lake]:
    with lake.open(location, read_only=True) as opened:
        yield opened


def uid_of(lk: Lake, condition: str) -> str:
    ((uid,),) = lk.sql(f"SELECT series_instance_uid FROM series WHERE {condition}").fetchall()
    return str(uid)


def text_of(lk: Lake, condition: str) -> str:
    return "\n".join(explanation_lines(explain_series(lk, uid_of(lk, condition))))


def number_after(text: str, words: str) -> float:
    found = re.search(re.escape(words) + r"\s*([-+0-9.e]+)", text)
    assert found is not None, f"{words!r} not in\n{text}"
    return float(found.group(1))


def test_a_pocket_calculator_gets_the_same(lk: Lake) -> None:
    """Everything is computed again from the numbers printed, and from nothing else."""
    text = text_of(lk, "suv_rule = 'BQML/START/series_time'")
    dose = number_after(text, "Radionuclide Total Dose (0018,1074) =")
    half_life = number_after(text, "Radionuclide Half Life (0018,1075) =")
    elapsed = number_after(text, "reference - t_adm =")
    weight = number_after(text, "Patient's Weight (0010,1030) =")
    factor = weight * 1000 / (dose * math.exp(-math.log(2) * elapsed / half_life))
    assert number_after(text, "factor = W / D =") == pytest.approx(factor, rel=1e-8)
    by_hand = re.search(r"value = (\S+) x (\S+) = \S+ Bq/ml\n  SUVbw = \S+ x (\S+) = (\S+)", text)
    assert by_hand is not None
    stored, slope, shown, suv = (float(v) for v in by_hand.groups())
    assert shown == pytest.approx(factor, rel=1e-8)
    assert stored * slope * factor == pytest.approx(suv, rel=1e-5)
    assert suv == pytest.approx(4.0, rel=1e-3)  # the hot sphere


def test_kinds_of_suv_can_be_followed(lk: Lake) -> None:
    """70 kg, 1.75 m, sex O: the mean of both formulas of Janmahasatian is 50.527 kg."""
    text = text_of(lk, "suv_rule = 'BQML/START/series_time'")
    assert "mean of (9270 W / (6680 + 216 BMI)) and (9270 W / (8780 + 244 BMI)) kg / W" in " ".join(
        text.split()
    )
    assert re.search(r"suv_lbm_janma\s+0\.721815\s+g/ml\s+50\.5271 kg", text)
    assert "W = 70.0 kg, H = 1.75 m, sex = O" in text


def test_candidates_with_their_difference(lk: Lake) -> None:
    """Series Time 12:30 for an acquisition at 11:00: 5400 s are 76.5 % of SUV."""
    text = text_of(lk, "suv_rule = 'BQML/START/frame_reference_time'")
    assert re.search(r"frame_reference_time\s+3600\.0 s .*chosen", text)
    assert re.search(r"series_time\s+9000\.0 s\s+\S+\s+\+76\.5 %\s+compared only", text)


def test_factor_of_each_slice(lk: Lake) -> None:
    text = text_of(lk, "suv_rule = 'BQML/NONE/per_slice'")
    assert "value x a factor of each slice" in text
    assert re.search(r"own_frame\s+3600\.0 to 3900\.0 s", text)


def test_refusal_with_what_to_do(lk: Lake) -> None:
    text = text_of(lk, "suv_status = 'refused'")
    assert "SUV refused: suv_injection_time_missing" in text
    assert "What to do: Enter date and time of the injection in (0018,1078)" in text
    assert "Kinds of SUV" not in text


@pytest.mark.parametrize(
    ("modality", "said"), [("CT", "values are Hounsfield units"), ("NM", "values are counts")]
)
def test_why_suv_does_not_apply(lk: Lake, modality: str, said: str) -> None:
    text = text_of(lk, f"modality = '{modality}'")
    assert f"SUV does not apply: {said}" in text


def test_nothing_but_relative_times(lk: Lake) -> None:
    for (uid,) in lk.sql("SELECT series_instance_uid FROM series").fetchall():
        found = explain_series(lk, uid)
        text = json.dumps(found.as_dict(), default=str) + "\n".join(explanation_lines(found))
        assert re.search(r"\b(19|20)\d\d[-/.]?[01]\d[-/.]?[0-3]\d\b", text) is None
        assert "PETDRO" not in text
        assert "Mustermann" not in text


def test_by_the_beginning_of_a_series_or_volume(lk: Lake) -> None:
    uid = uid_of(lk, "modality = 'CT'")
    ((volume,),) = lk.sql(
        "SELECT volume_id FROM volumes WHERE series_instance_uid = $uid", {"uid": uid}
    ).fetchall()
    for name in (uid, uid[:20], f" {uid} ", volume, volume[:12]):
        assert explain_series(lk, name).series["series_instance_uid"] == uid
    with pytest.raises(InvalidInputError, match=r"several series begin so: 2\.25.* and 1 more"):
        explain_series(lk, "2.25.")
    with pytest.raises(NotFoundInLakeError, match="no series or volume begins with 'zz'"):
        explain_series(lk, "zz")
    with pytest.raises(InvalidInputError, match="name a series"):
        explain_series(lk, " ")


def test_command(location: Path, lk: Lake) -> None:
    uid = uid_of(lk, "suv_rule = 'BQML/START/series_time'")
    run = CliRunner()
    shown = run.invoke(app, ["explain", str(location), uid])
    assert shown.exit_code == 0
    assert "factor = W / D" in shown.output
    answer = run.invoke(app, ["explain", str(location), uid, "--format", "json"])
    found = json.loads(answer.output)
    assert found["series"]["suv_rule"] == "BQML/START/series_time"
    assert next(k["normalisation"] for k in found["kinds"]) == "suv_bw"
    assert found["voxel"]["suvbw"] == pytest.approx(4.0, rel=1e-3)
