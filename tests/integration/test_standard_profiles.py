"""Several standards side by side: own profiles, target resolutions, refusals, pooling."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import lake
from flows.features import extract_features
from flows.harmonise import harmonise
from flows.standardise import standardise

pytestmark = pytest.mark.xdist_group("prefect")

MATCHED = """
kind = "standard"
profile_id = "wide/1"
modality = "PT"
spacing_mm = [8, 8, 8]
interpolation_order = 3
resolution_sources = ["given"]
target = {target}
"""
GIVEN = "scanner_key,reconstruction_key,fwhm_z_mm,fwhm_y_mm,fwhm_x_mm\n"
STATUS = (
    "SELECT s.centre, m.match_status FROM resolution_matches m JOIN series s "
    "USING (series_instance_uid) WHERE s.modality = 'PT' AND m.profile_id = 'wide/1' "
    "GROUP BY ALL ORDER BY ALL"
)


@pytest.fixture(scope="module")
def copied(built_lake: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake of this module's own, with resolutions of 5 mm (A) and 8 mm (B) given."""
    location = tmp_path_factory.mktemp("profiles") / "lake"
    shutil.copytree(built_lake, location)
    with lake.open(location, read_only=True) as lk:
        devices = lk.sql(
            "SELECT DISTINCT centre, scanner_key, reconstruction_key FROM series "
            "WHERE modality = 'PT' ORDER BY ALL"
        ).fetchall()
    fwhm = {"A": 5.0, "B": 8.0}
    lines = [f"{s},{r or ''},{fwhm[c]},{fwhm[c]},{fwhm[c]}" for c, s, r in devices if c in fwhm]
    (location / "resolution.csv").write_text(GIVEN + "\n".join(lines))
    (location / "profiles").mkdir()
    return location


def write_profile(location: Path, target: object) -> None:
    (location / "profiles" / "wide.toml").write_text(MATCHED.format(target=target))


def run(location: Path) -> dict[str, int]:
    return standardise(str(location), profiles=["wide/1"], workers=1)


def test_standards_side_by_side(copied: Path) -> None:
    write_profile(copied, 14)
    with lake.open(copied, read_only=True) as lk:
        (before,) = lk.sql("SELECT count(*) FROM volumes WHERE zone = 'standard'").fetchall()[0]
    first = run(copied)
    assert run(copied) == {"n_written": 0, "n_failed": 0}
    with lake.open(copied, read_only=True) as lk:
        (after,) = lk.sql("SELECT count(*) FROM volumes WHERE zone = 'standard'").fetchall()[0]
        assert after - before == first["n_written"] > 0
        assert lk.sql(STATUS).fetchall() == [("A", "matched"), ("B", "matched")]
        rows = lk.sql(
            "SELECT s.centre, v.spacing_x_mm, m.filter_fwhm_x_mm, m.own_fwhm_x_mm, v.volume_path, "
            "m.series_instance_uid FROM resolution_matches m JOIN series s "
            "USING (series_instance_uid) JOIN volumes v ON v.zone = 'raw' "
            "AND v.series_instance_uid = s.series_instance_uid WHERE m.match_status = 'matched'"
        ).fetchall()
        for centre, spacing, width, own, _, uid in rows:
            # the point spread function and the variance of a voxel's box, a twelfth of its square
            total = ({"A": 5.0, "B": 8.0}[centre] ** 2 + 5.545177 * spacing**2 / 12) ** 0.5
            assert own == pytest.approx(total)
            assert width == pytest.approx((14.0**2 - total**2) ** 0.5)
            about = lk.volume(uid, "standard", "wide/1").attrs
            assert about["smoothing_fwhm_mm"][2] == pytest.approx(width)
            assert about["resolution_match"]["resolution"]["source"] == "given"
            assert about["profile"]["target"] == 14.0
            assert lk.volume(uid, "standard", "pet-4mm/1").shape[0] > 0
        # SPECT: nobody gave its resolution, and estimates do not count here
        assert lk.sql(
            "SELECT DISTINCT f.rule_id FROM findings f JOIN series s "
            "ON s.series_instance_uid = f.subject_id WHERE s.is_spect AND rule_id LIKE 'STD%'"
        ).fetchall() == [("STD-3",)]


def test_coarse_to_fine_is_refused_and_made_volumes_go(copied: Path) -> None:
    write_profile(copied, 9)
    run(copied)
    with lake.open(copied, read_only=True) as lk:
        assert lk.sql(STATUS).fetchall() == [("A", "matched"), ("B", "too_coarse")]
        made = "SELECT DISTINCT centre FROM volumes JOIN series USING (series_instance_uid) "
        made += "WHERE profile_id = 'wide/1'"
        assert lk.sql(made).fetchall() == [("A",)]
        ((message, limit),) = lk.sql(
            "SELECT message, count(*) FROM findings WHERE rule_id = 'STD-2' AND centre = 'B' "
            "GROUP BY ALL"
        ).fetchall()
        assert "no volume was made" in message
        assert limit == 3
    write_profile(copied, '"cohort-worst"')
    assert run(copied)["n_written"] >= 6
    with lake.open(copied, read_only=True) as lk:
        assert lk.sql("SELECT count(*) FROM findings WHERE rule_id = 'STD-2'").fetchall() == [(0,)]
        widths = lk.sql(
            "SELECT s.centre, round(min(filter_fwhm_x_mm), 6) FROM resolution_matches m "
            "JOIN series s USING (series_instance_uid) WHERE match_status = 'matched' "
            "GROUP BY ALL ORDER BY ALL"
        ).fetchall()
        assert widths[0][1] > 0
        assert widths[1] == ("B", 0.0)  # the worst is left alone


def test_a_phantom_counts_before_what_is_given(copied: Path) -> None:
    """Of centre B a phantom shows 6 mm and a calibration of 0.8; of centre A nobody knows it."""
    write_profile(copied, 14)
    profile = copied / "profiles" / "wide.toml"
    text = profile.read_text().replace("wide/1", "calibrated/1").replace('"given"', '"measured"')
    (copied / "profiles" / "calibrated.toml").write_text(text + "correct_calibration = true")
    with lake.open(copied) as lk:
        ((uid, scanner, recon),) = lk.sql(
            "SELECT series_instance_uid, scanner_key, reconstruction_key FROM series "
            "WHERE centre = 'B' AND modality = 'PT' ORDER BY ALL LIMIT 1"
        ).fetchall()
        scan = {
            "phantom_scan_id": "PH-1", "series_instance_uid": uid, "scanner_key": scanner,
            "reconstruction_key": recon, "phantom_kind": "iq", "calibration_factor": 0.8,
            **{f"psf_fwhm_{a}_mm": 6.0 for a in "zyx"}, **{f"psf_error_{a}_mm": 0.1 for a in "zyx"},
        }  # fmt: skip
        lk.commit(lambda tx: tx.insert("phantom_scans", [scan]), message="a phantom")
    standardise(str(copied), profiles=["calibrated/1"], workers=1)
    with lake.open(copied, read_only=True) as lk:
        found = lk.sql(
            "SELECT s.centre, m.match_status, m.resolution_source, m.own_fwhm_x_mm, v.spacing_x_mm "
            "FROM resolution_matches m JOIN series s USING (series_instance_uid) "
            "JOIN volumes v ON v.zone = 'raw' AND v.series_instance_uid = s.series_instance_uid "
            "WHERE m.profile_id = 'calibrated/1' AND s.centre = 'B' GROUP BY ALL"
        ).fetchall()
        ((_, status, source, own, spacing),) = found
        assert (status, source) == ("matched", "measured")
        assert own == pytest.approx((36 + 5.545177 * spacing**2 / 12) ** 0.5)
        missing = "SELECT DISTINCT centre FROM findings WHERE rule_id = 'STD-6' AND centre = 'A'"
        assert lk.sql(missing).fetchall() == [("A",)]
        kept = lk.volume(uid, "standard", "calibrated/1")
        assert kept.attrs["divided_by_calibration_factor"] == 0.8
        plain = lk.volume(uid, "raw")
        ratio = (
            float(kept.sum())
            * 8**3
            / float(plain.sum())
            / np.prod([abs(float(plain[a][1] - plain[a][0])) for a in "zyx"])
        )
        assert ratio == pytest.approx(1 / 0.8, rel=0.02)


def test_a_scale_refers_to_a_drawn_region(copied: Path) -> None:
    with lake.open(copied, read_only=True) as lk:
        ((label,),) = lk.sql(
            "SELECT g.segment_label FROM segments g JOIN series s "
            "ON s.series_instance_uid = g.referenced_series_uid WHERE s.modality = 'PT' "
            "AND s.centre = 'A' ORDER BY ALL LIMIT 1"
        ).fetchall()
    (copied / "profiles" / "ratio.toml").write_text(
        'kind = "standard"\nprofile_id = "ratio/1"\nmodality = "PT"\nspacing_mm = [8, 8, 8]\n'
        f'normalisation = "ratio"\nreference_roi = "{label.upper().replace(" ", "_")}"\n'
    )
    counts = standardise(str(copied), profiles=["ratio/1"], workers=1)
    with lake.open(copied, read_only=True) as lk:
        made = lk.sql(
            "SELECT series_instance_uid, value_unit FROM volumes WHERE profile_id = 'ratio/1'"
        ).fetchall()
        (refused,) = lk.sql(
            "SELECT count(DISTINCT subject_id) FROM findings WHERE rule_id IN ('STD-7', 'STD-8')"
        ).fetchall()[0]
        images = "SELECT count(*) FROM series JOIN volumes v USING (series_instance_uid) "
        images += "WHERE modality IN ('PT', 'NM') AND v.zone = 'raw' AND v.shape_t IS NULL"
        assert len(made) + refused == lk.sql(images).fetchall()[0][0]
        assert {unit for _, unit in made} == {"1"}
        assert counts["n_written"] == len(made) > 0
        uid = made[0][0]
        plain, scaled = (
            lk.volume(uid, "standard", "pet-4mm/1"),
            lk.volume(uid, "standard", "ratio/1"),
        )
        about = scaled.attrs["intensity_normalisation"]
        assert about["unit_before"] == "SUVbw"
        # the same image but for the grid: sums per volume differ by the mean of the region
        ratio = float(plain.sum()) * 4**3 / (float(scaled.sum()) * 8**3)
        assert ratio == pytest.approx(about["mean"], rel=0.02)


def test_features_of_two_standards_are_kept_apart(copied: Path) -> None:
    with lake.open(copied, read_only=True) as lk:
        before = lk.sql("SELECT * FROM cohort ORDER BY ALL").fetchall()
    extract_features(str(copied), workers=1)
    harmonise(str(copied))
    with lake.open(copied, read_only=True) as lk:
        profiles = lk.sql("SELECT DISTINCT standard_profile FROM rois ORDER BY ALL").fetchall()
        assert profiles == [
            ("calibrated/1",), ("pet-4mm/1",), ("ratio/1",), ("wide/1",),
        ]  # fmt: skip
        assert lk.sql("SELECT * FROM cohort ORDER BY ALL").fetchall() == before
        ((severity, message),) = lk.sql(
            "SELECT severity, message FROM findings WHERE rule_id = 'STD-1'"
        ).fetchall()
        assert severity == "fail"
        assert "from 5.0 to 6.0 mm" in message  # given of A, measured of B
    harmonise(str(copied), standard_profile="wide/1")
    with lake.open(copied, read_only=True) as lk:
        models = lk.sql("SELECT model_id, standard_profile FROM harmonisation_models").fetchall()
        assert sorted(p for _, p in models) == ["pet-4mm/1", "wide/1"]
        matched = next(m for m, p in models if p == "wide/1")
        found = lk.sql(
            "SELECT count(*) FROM findings WHERE rule_id = 'STD-1' AND subject_id = $m",
            {"m": matched},
        ).fetchall()
        assert found == [(0,)]
