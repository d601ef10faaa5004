"""Phantom scans in a real lake: measured, judged, kept with their history."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

import lake
from flows.ingest import ingest
from flows.qc_phantom import has_phantoms, qc_phantom
from flows.report.build import build_report
from flows.standardise import standardise
from schemas.errors import InvalidInputError
from tasks.simulate.phantom_series import PhantomSeries, write_phantom
from tasks.simulate.scanner import centre_profile
from tasks.simulate.study import StudySettings

pytestmark = [pytest.mark.xdist_group("prefect"), pytest.mark.usefixtures("prefect_server")]

#: FWHM 8 mm, calibration 0.88.
PROFILE = centre_profile(1)


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> list[PhantomSeries]:
    """An image quality phantom and two cylinders of one scanner, on different days."""
    root = tmp_path_factory.mktemp("phantoms")
    made = [write_phantom(StudySettings(0, root / "0"), PROFILE, k) for k in ("iq", "cylinder")]
    return [*made, write_phantom(StudySettings(1, root / "1"), PROFILE, "cylinder")]


@pytest.fixture(scope="module")
def location(phantoms: list[PhantomSeries], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with all three, examined."""
    place = tmp_path_factory.mktemp("lake") / "lake"
    lake.create(place, settings={"centres": {"Simulated Centre B": "B"}}).close()
    ingest(str(place), [str(p.files[0].parent) for p in phantoms], workers=1)
    fill = place.parent / "fill.toml"
    fill.write_text("\n".join(p.fill_text() for p in phantoms))
    counts = qc_phantom(str(place), fill=str(fill), workers=1)
    assert counts == {"n_unchanged": 0, "n_written": 3, "n_not_found": 0, "n_failed_limits": 3}
    return place


def scans(location: Path) -> list[dict[str, object]]:
    with lake.open(location, read_only=True) as lk:
        found: list[dict[str, object]] = (
            lk.sql("SELECT * FROM phantom_scans ORDER BY phantom_kind DESC, measured_on")
            .to_arrow_table()
            .to_pylist()
        )
    return found


def test_resolution_and_calibration_are_those_of_the_centre(location: Path) -> None:
    iq, *cylinders = scans(location)
    for axis in "zyx":
        assert iq[f"psf_fwhm_{axis}_mm"] == pytest.approx(PROFILE.psf_fwhm_mm, rel=0.05)
    assert iq["psf_contrast"] == pytest.approx(10.0, rel=0.05)
    for cylinder in cylinders:
        assert cylinder["calibration_factor"] == pytest.approx(0.88, abs=0.01)
        assert (cylinder["phantom_verdict"], cylinder["limit_status"]) == ("fail", "verified")


def test_days_are_real_and_the_later_cylinder_supersedes(
    location: Path, phantoms: list[PhantomSeries]
) -> None:
    days = sorted(p.scan.patient.study_start.date() for p in phantoms[1:])
    iq, first, second = scans(location)
    assert [first["measured_on"], second["measured_on"]] == days
    assert iq["measured_on"] == phantoms[0].scan.patient.study_start.date()
    assert [r["is_superseded"] for r in (iq, first, second)] == [False, True, False]
    assert all(isinstance(r["valid_until_day"], date) for r in (iq, first, second))


def test_findings_name_limits_and_what_has_run_out(location: Path) -> None:
    with lake.open(location, read_only=True) as lk:
        rules = lk.sql(
            "SELECT rule_id, subject_kind, count(*) FROM findings "
            "WHERE rule_id IN ('CAL-1', 'CAL-2') GROUP BY ALL ORDER BY ALL"
        ).fetchall()
    assert rules == [("CAL-1", "series", 2), ("CAL-2", "scanner", 2)]


def test_running_again_examines_nothing_and_writes_nothing(location: Path) -> None:
    before = scans(location)
    counts = qc_phantom(str(location), workers=1)
    assert (counts["n_unchanged"], counts["n_written"]) == (3, 0)
    assert scans(location) == before
    with lake.open(location, read_only=True) as lk:
        assert has_phantoms(lk)


def test_pictures_are_in_the_report(location: Path) -> None:
    names = sorted(p.name for p in (location / "reports" / "phantoms").rglob("*.png"))
    assert names == ["recovery.png", "spheres.png", "uniformity.png", "uniformity.png"]
    page = build_report(str(location)).read_text(encoding="utf-8")
    assert "B image quality phantom" in page
    assert page.count("B cylinder: fail") == 2 * 1  # alt text and caption of the current one


def test_a_series_without_that_phantom_is_a_finding_and_nothing_is_lost(location: Path) -> None:
    iq = scans(location)[0]
    uid = str(iq["series_instance_uid"])
    counts = qc_phantom(str(location), series=[uid], said={"kind": "cylinder"}, workers=1)
    assert (counts["n_not_found"], counts["n_written"]) == (1, 0)
    with lake.open(location, read_only=True) as lk:
        ((message,),) = lk.sql(
            "SELECT message FROM findings WHERE rule_id = 'PHANTOM-NOT-FOUND'"
        ).fetchall()
    assert "not round" in message
    assert scans(location)[0] == iq


def test_unknown_series_and_standards_are_refused(location: Path) -> None:
    with pytest.raises(InvalidInputError, match="no PET or SPECT volumes"):
        qc_phantom(str(location), series=["1.2.3"])
    with pytest.raises(InvalidInputError, match="known: EARL1, EARL2"):
        qc_phantom(str(location), standard="EARL3")


def test_images_are_matched_by_what_their_phantom_shows(location: Path) -> None:
    """All series here are of one scanner and reconstruction, which the image phantom measured.

    With 8 mm FWHM and its noise its 13 mm sphere stays below EARL 1, and no Gaussian raises it.
    """
    counts = standardise(str(location), profiles=["pet-2mm-earl1/1", "pet-2mm-worst/1"], workers=1)
    assert counts["n_failed"] == 0
    with lake.open(location, read_only=True) as lk:
        ((source, fwhm, phantom),) = lk.sql(
            "SELECT resolution_source, fwhm_x_mm, phantom_series_uid FROM resolution"
        ).fetchall()
        assert (source, phantom) == ("measured", scans(location)[0]["series_instance_uid"])
        assert fwhm == pytest.approx(PROFILE.psf_fwhm_mm, rel=0.05)
        ((best, detail),) = lk.sql(
            "SELECT filter_best_mm, match_detail FROM resolution_bands"
        ).fetchall()
        assert best is None
        assert "these stay outside: 13 mm (SUVmean_A50)" in detail
        assert "digital" not in detail
        matches = lk.sql(
            "SELECT DISTINCT m.profile_id, match_status, filter_fwhm_x_mm, v.volume_id IS NULL "
            "FROM resolution_matches m LEFT JOIN volumes v USING (series_instance_uid, profile_id) "
            "ORDER BY ALL"
        ).fetchall()
        assert matches == [
            ("pet-2mm-earl1/1", "outside", None, True), ("pet-2mm-worst/1", "matched", 0.0, False),
        ]  # fmt: skip
        refused = lk.sql("SELECT DISTINCT rule_id FROM findings WHERE rule_id LIKE 'STD%'")
        assert refused.fetchall() == [("STD-4",)]
