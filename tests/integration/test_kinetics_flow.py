"""A dynamic PET with known rate constants: from DICOM to curves, parameters and images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import zarr

import lake
from flows.cluster import open_cluster
from flows.curve_picture import curve_picture
from flows.ingest import ingest
from flows.kinetic_jobs import KineticsRequest, missing_jobs, profile_of, text_of
from flows.kinetics import kinetics
from flows.show import Subject, show
from flows.work.scene import Look
from lake.verify import verify
from schemas.errors import InvalidInputError, NotFoundInLakeError
from schemas.geometry import FloatArray
from schemas.kinetics import KINETIC_PROFILES
from tasks.kinetics.compartments import TwoTissue
from tasks.kinetics.frames import frame_weights
from tasks.kinetics.input_function import BloodSamples, input_of_curve
from tasks.kinetics.models import Supply
from tasks.kinetics.voxelwise import voxel_model
from tasks.simulate.dicom_kinetics import write_kinetic_pet
from tasks.simulate.kinetic_phantom import TISSUES, blood_input, kinetic_times
from tasks.simulate.scanner import centre_profile

pytestmark = [pytest.mark.xdist_group("prefect"), pytest.mark.usefixtures("prefect_server")]

TRUTH = {t.name.casefold().replace(" ", "_"): t for t in TISSUES}
#: Every model that the lake is analysed with.
RUNS = ("patlak", "logan", "srtm")


@dataclass(frozen=True)
class Study:
    """A lake with a dynamic series, analysed; `counts` of each run and of one more.

    `values` by ROI, parameter and profile; `curves` (t, 4) by ROI: start, duration, mean, sd.
    """

    location: Path
    address: str
    uid: str
    counts: dict[str, dict[str, int]]
    again: dict[str, int]
    values: dict[tuple[str, str, str], float]
    curves: dict[str, FloatArray]

    def rows(self, query: str) -> list[Sequence[object]]:
        with lake.open(self.location, read_only=True) as lk:
            return list(lk.sql(query).fetchall())

    def run(
        self, model: str, input_roi: str = "aorta", rois: list[str] | None = None
    ) -> dict[str, int]:
        """Run again without images."""
        return kinetics(
            str(self.location), model=model, input_roi=input_roi, rois=rois, with_maps=False,
            dask_address=self.address,
        )  # fmt: skip


@pytest.fixture(scope="module")
def study(prefect_server: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Study]:
    root = tmp_path_factory.mktemp("kinetics")
    write_kinetic_pet(root / "made", centre_profile(0))
    location = root / "lake"
    lake.create(location).close()
    with open_cluster(workers=1) as client:
        address = str(client.scheduler.address)
        ingest(str(location), [str(root / "made")], dask_address=address)
        counts = {
            m: kinetics(str(location), model=m, dask_address=address, with_maps=m != "logan")
            for m in RUNS
        }
        again = kinetics(str(location), dask_address=address)
        with lake.open(location, read_only=True) as lk:
            ((uid,),) = lk.sql(
                "SELECT DISTINCT series_instance_uid FROM kinetic_analyses"
            ).fetchall()
            values = lk.sql(
                "SELECT roi_label, parameter_name, profile_id, value FROM kinetic_parameters"
            ).fetchall()
            curves = {
                roi: np.array(
                    lk.sql(
                        "SELECT frame_start_s, frame_duration_s, activity_mean, activity_sd "
                        "FROM time_activity_curves WHERE roi_label = $roi ORDER BY frame_number",
                        {"roi": roi},
                    ).fetchall(),
                    dtype=np.float64,
                )
                for roi in TRUTH
            }
        by_name = {(roi, name, profile): value for roi, name, profile, value in values}
        yield Study(location, address, uid, counts, again, by_name, curves)


def model_of(roi: str) -> TwoTissue:
    model = TRUTH[roi].model
    assert model is not None
    return model


def test_every_model_was_applied_once(study: Study) -> None:
    done = {"n_written": 1, "n_refused": 0, "n_failed": 0}
    assert study.counts == dict.fromkeys(RUNS, done)
    assert study.again == {"n_written": 0, "n_refused": 0, "n_failed": 0}
    states = study.rows(
        "SELECT DISTINCT analysis_status, value_unit, n_frames FROM kinetic_analyses"
    )
    assert states == [("done", "SUVbw", 31)]
    assert study.rows("SELECT * FROM findings WHERE rule_id LIKE 'kinetics%'") == []
    with lake.open(study.location, read_only=True) as lk:
        assert verify(lk) == []


@pytest.mark.parametrize("roi", list(TRUTH))
def test_curves_are_those_of_the_phantom(study: Study, roi: str) -> None:
    found = study.curves[roi]
    times = kinetic_times()
    np.testing.assert_allclose(found[:, 0], times.start_s, atol=1e-3)
    np.testing.assert_allclose(found[:, 1], times.duration_s, atol=1e-3)
    exact = TRUTH[roi].curve(blood_input()).frame_means(times)
    # whole numbers up to 32760 for the highest value of a slice
    np.testing.assert_allclose(found[:, 2], exact, atol=25 / 32760)
    assert found[:, 3].max() < 25 / 32760  # no voxel of the ROI has other tissue in it


@pytest.mark.parametrize(("roi", "low"), [("tumour_1", -0.02), ("tumour_2", -0.005)])
def test_ki_of_the_tumours(study: Study, roi: str, low: float) -> None:
    """Patlak takes reversible tracer for balanced: 1.7 % and 0.2 % low at 20 min, never high."""
    model = model_of(roi)
    truth = (1 - model.blood_fraction) * model.ki
    assert low < study.values[roi, "ki", "patlak/1"] / truth - 1 < 0.001


@pytest.mark.parametrize("roi", ["liver", "cerebellum", "striatum"])
def test_volumes_of_distribution(study: Study, roi: str) -> None:
    assert study.values[roi, "vt", "logan/1"] == pytest.approx(model_of(roi).vt, rel=2e-3)


def test_binding_in_the_striatum(study: Study) -> None:
    """Two tissues in quick exchange are nearly the one that SRTM assumes: 1.3 % high."""
    assert study.values["striatum", "bpnd", "srtm/1"] == pytest.approx(2.0, rel=0.02)
    # the liver is one tissue: exact, with more delivery and less volume than the cerebellum
    assert study.values["liver", "r1", "srtm/1"] == pytest.approx(5.0, rel=2e-3)
    assert study.values["liver", "bpnd", "srtm/1"] == pytest.approx(0.5 / 0.6 - 1, rel=2e-3)


def test_images_hold_what_the_whole_series_gives_at_once(study: Study) -> None:
    with lake.open(study.location, read_only=True) as lk:
        ((path,),) = lk.sql(
            "SELECT volume_path FROM volumes WHERE parameter_name = 'ki'"
        ).fetchall()
        ki = lk.volume(study.uid, "parametric", parameter="ki")
        series = lk.volume(study.uid).to_numpy()
        plain = zarr.open_group(f"{lk.volumes_root}/{path}", mode="r")
    assert (ki.attrs["units"], ki.attrs["kinetic_model"]) == ("ml/cm3/min", "patlak")
    assert (ki.attrs["input_source"], ki.attrs["input_roi_label"]) == ("roi mean", "aorta")
    np.testing.assert_array_equal(ki.to_numpy(), np.asarray(plain["0"][:]))
    times = kinetic_times()
    blood = np.array(ki.attrs["input_mean"])
    supply = Supply(times, frame_weights(times, "duration", None), input_of_curve(times, blood))
    model = voxel_model(KINETIC_PROFILES["patlak/1"], supply)
    expected = model(np.ascontiguousarray(series[model.frames].reshape(8, -1)))[0]
    np.testing.assert_allclose(ki.to_numpy().ravel(), expected, rtol=1e-4, atol=1e-7)


def test_voxels_of_a_tumour_have_its_ki(study: Study) -> None:
    with lake.open(study.location, read_only=True) as lk:
        maps = {
            name: lk.volume(study.uid, "parametric", profile, parameter=name)
            for name, profile in (("ki", "patlak/1"), ("bpnd", "srtm/1"))
        }
        for roi, name, profile, rel in (
            ("tumour_1", "ki", "patlak/1", 1e-3),
            ("striatum", "bpnd", "srtm/1", 0.01),
        ):
            x, y, z = TRUTH[roi].centre_mm
            voxel = maps[name].sel(x=x, y=y, z=z, method="nearest")
            assert float(voxel) == pytest.approx(study.values[roi, name, profile], rel=rel)


def test_the_curves_can_be_drawn(study: Study) -> None:
    with lake.open(study.location, read_only=True) as lk:
        assert curve_picture(lk, study.uid, "patlak/1").startswith(b"\x89PNG")
        with pytest.raises(InvalidInputError, match="several analyses"):
            curve_picture(lk, study.uid)
        with pytest.raises(NotFoundInLakeError, match="no kinetic analysis"):
            curve_picture(lk, study.uid, "mine/1")
        subject = Subject(study.uid, zone="parametric", profile="srtm/1", parameter="bpnd")
        drawn = show(lk, subject, Look(("planes",), (0.0, 4.0)))
        assert drawn.pictures["planes"].startswith(b"\x89PNG")
        with pytest.raises(InvalidInputError, match="srtm/1 bpnd"):
            show(lk, Subject(study.uid, zone="parametric", profile="srtm/1"))


def test_blood_samples_instead_of_the_aorta(study: Study, tmp_path: Path) -> None:
    """Samples in Bq/ml, as a laboratory counts them, give what the exact input gives."""
    ((activity, weight),) = study.rows(
        "SELECT injected_activity_bq, patient_weight_kg FROM series WHERE modality = 'PT'"
    )
    seconds = np.concatenate([np.arange(0, 180, 2.0), np.arange(180, 3700, 20.0)])
    suv = np.maximum(blood_input().at(seconds / 60), 0)
    bqml = suv * float(str(activity)) / (float(str(weight)) * 1000)
    table = tmp_path / "samples.csv"
    lines = [f"{t:g},{v:.6g}" for t, v in zip(seconds, bqml, strict=True)]
    table.write_text("\n".join(["time_s,plasma_bq_per_ml", *lines]) + "\n")
    counts = kinetics(
        str(study.location), model="patlak-auto/1", series=[study.uid], blood_samples=str(table),
        rois=["tumour*"], with_maps=False, dask_address=study.address,
    )  # fmt: skip
    assert counts["n_written"] == 1
    found = study.rows(
        "SELECT roi_label, value, input_source, input_roi_label FROM kinetic_parameters "
        "JOIN kinetic_analyses USING (analysis_id) WHERE kinetic_parameters.profile_id = "
        "'patlak-auto/1' AND parameter_name = 'ki' ORDER BY ALL"
    )
    assert [(roi, *rest) for roi, _, *rest in found] == [
        ("tumour_1", "samples", None), ("tumour_2", "samples", None),
    ]  # fmt: skip
    model = model_of("tumour_1")
    truth = (1 - model.blood_fraction) * model.ki
    assert found[0][1] == pytest.approx(truth, rel=0.02)


def test_what_cannot_be_analysed_is_found_and_not_tried_again(study: Study) -> None:
    assert study.run("ma1", "carotid") == {"n_written": 0, "n_refused": 1, "n_failed": 0}
    assert study.run("ma1", "carotid")["n_refused"] == 0
    found = study.rows(
        "SELECT a.reason_code, f.severity, f.subject_kind FROM kinetic_analyses a "
        "JOIN findings f ON f.subject_id = a.analysis_id AND f.rule_id = a.reason_code"
    )
    assert found == [("kinetics.no_input_roi", "fail", "analysis")]
    # a curve that rises to the end is no input; with the right ROI the reason goes
    assert study.run("ma1", "tumour_1")["n_refused"] == 1
    reasons = study.rows("SELECT rule_id FROM findings WHERE rule_id LIKE 'kinetics%'")
    assert reasons == [("kinetics.implausible_input",)]
    assert study.run("ma1", rois=["liver"])["n_written"] == 1
    assert study.rows("SELECT 1 FROM findings WHERE rule_id LIKE 'kinetics%'") == []


def test_requests_that_make_no_sense_are_refused(study: Study) -> None:
    with pytest.raises(InvalidInputError, match="no kinetic profile or model"):
        profile_of("magic")
    with pytest.raises(InvalidInputError, match="cannot be read"):
        text_of(Path("nowhere.csv"))
    with (
        lake.open(study.location, read_only=True) as lk,
        pytest.raises(InvalidInputError, match=r"no dynamic PET series 1\.2\.3"),
    ):
        missing_jobs(lk, KineticsRequest(series=("1.2.3",)))
    samples = BloodSamples(np.array([0.0, 60.0]), np.array([0.0, 1.0]))
    with pytest.raises(InvalidInputError, match="of one series"):
        KineticsRequest(samples=samples)
    with pytest.raises(InvalidInputError, match="reference tissue"):
        KineticsRequest(KINETIC_PROFILES["srtm/1"], samples=samples, series=("1",))
    assert profile_of("logan-reference").model == "logan_reference"
