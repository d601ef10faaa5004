"""From an image to rows, findings and pictures."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
import pydicom
import pytest

from schemas.errors import InvalidInputError
from schemas.geometry import Geometry
from schemas.tables import TABLES
from schemas.volume import ImageVolume
from tasks.phantom import IqPhantom, find_cylinder, find_spheres, read_limits
from tasks.phantom.analysis import PhantomResult, analyse_phantom
from tasks.phantom.fill import Fill, HeaderFacts
from tasks.phantom.limits import for_nuclide
from tasks.phantom.rows import finding_rows, recovery_rows, scan_row
from tasks.pictures.phantom import recovery_png, spheres_png, uniformity_png
from tests.phantoms import cylinder_image, iq_image

LIMITS = read_limits()
FWHM_EARL1 = (8.0, 8.0, 8.0)


@lru_cache(maxsize=32)
def analysed(image: ImageVolume, fill: Fill, declared: str | None = None) -> PhantomResult:
    return analyse_phantom(image, fill, HeaderFacts(), LIMITS, declared=declared)


def rules(result: PhantomResult) -> list[tuple[object, object]]:
    return [(f["rule_id"], f["severity"]) for f in finding_rows(result, "1.2.3", "A")]


def test_a_scanner_in_the_band_passes_and_is_verified() -> None:
    result = analysed(iq_image(fwhm_mm=FWHM_EARL1), Fill(ratio=10.0))
    assert (result.kind, result.verdict, result.standards_met) == ("iq", "pass", ("EARL1",))
    assert result.limit_status == "verified"
    assert rules(result) == []


def test_a_sharp_scanner_meets_the_later_standard_unverified() -> None:
    # its bands of SUVmax lie above 1: without noise (or edge artefacts) nothing gets there
    image = iq_image(fwhm_mm=(5.0, 5.0, 5.0), noise_cov=0.1, rng=np.random.default_rng(2))
    result = analysed(image, Fill(ratio=10.0))
    assert result.standards_met == ("EARL2",)
    assert (result.verdict, result.limit_status) == ("pass", "recalled")


def test_values_outside_the_declared_standard_are_named_with_their_source() -> None:
    result = analysed(iq_image(fwhm_mm=(4.0, 4.0, 4.0)), Fill(ratio=10.0), declared="EARL1")
    found = [f for f in finding_rows(result, "1.2.3", "A") if f["rule_id"] == "RC-1"]
    assert result.verdict == "fail"
    assert found
    assert all("2017" in str(f["finding_source"]) for f in found)
    blurred = analysed(iq_image(fwhm_mm=(9.0, 9.0, 9.0)), Fill(ratio=10.0), declared="EARL2")
    unverified = [f for f in finding_rows(blurred, "1.2.3", "A") if f["rule_id"] == "RC-1"]
    assert unverified
    assert all("unverified" in str(f["finding_source"]) for f in unverified)


def test_without_a_filling_only_resolution_and_noise_are_measured() -> None:
    result = analysed(iq_image(fwhm_mm=FWHM_EARL1), Fill())
    assert (result.verdict, result.recovery, result.nema) == ("no_limit", (), None)
    assert result.psf is not None
    assert rules(result) == [("PHANTOM-TRUTH", "info")]
    assert recovery_rows(result) == []


@pytest.mark.parametrize(
    ("factor", "verdict", "found"),
    [(0.88, "fail", [("CAL-1", "fail")]), (0.91, "pass", []), (1.12, "fail", [("CAL-1", "fail")])],
)
def test_calibration_is_held_against_ten_percent(
    factor: float, verdict: str, found: list[tuple[str, str]]
) -> None:
    image = cylinder_image(concentration=4000.0, calibration_factor=factor)
    result = analysed(image, Fill(concentration_bqml=4000.0))
    assert result.calibration_factor == pytest.approx(factor, rel=1e-3)
    assert result.verdict == verdict
    assert rules(result) == found


def test_noise_is_held_against_fifteen_percent_and_the_limit_is_marked() -> None:
    image = cylinder_image(noise_cov=0.18, rng=np.random.default_rng(4))
    result = analysed(image, Fill(concentration_bqml=1.0))
    (finding,) = finding_rows(result, "1.2.3", "A")
    assert (finding["rule_id"], result.verdict) == ("COV-1", "fail")
    assert "unverified" in str(finding["finding_source"])


def test_a_missing_sphere_is_a_finding() -> None:
    result = analysed(iq_image(ratios=(10.0,) * 5 + (1.0,), fwhm_mm=FWHM_EARL1), Fill(ratio=10.0))
    assert ("PHANTOM-SPHERE", "warn") in rules(result)
    missing = [r for r in recovery_rows(result) if r["sphere_mm"] == 10.0]
    assert {r["recovery_verdict"] for r in missing if r["recovery_standard"] == "EARL1"} == {
        "not_measured"
    }


def test_limits_of_another_nuclide_are_not_used() -> None:
    known = for_nuclide(LIMITS, "Lu-177")
    image = iq_image(fwhm_mm=FWHM_EARL1)
    result = analyse_phantom(image, Fill(ratio=10.0), HeaderFacts(), known)
    assert (result.verdict, result.limit_status) == ("no_limit", None)
    rows = [r for r in recovery_rows(result) if r["recovery_metric"] == "SUVmax"]
    assert {(r["recovery_standard"], r["recovery_verdict"]) for r in rows} == {("none", "no_limit")}
    assert len(rows) == 6
    assert rules(result) == [("RC-1", "info")]


def test_rows_fit_their_tables() -> None:
    for image in (iq_image(fwhm_mm=FWHM_EARL1), cylinder_image()):
        result = analysed(image, Fill(ratio=10.0))
        assert set(scan_row(result, "Bq/ml")) <= set(TABLES["phantom_scans"].columns)
        for row in recovery_rows(result):
            assert set(row) <= set(TABLES["phantom_recovery"].columns)
    keys = [
        (r["sphere_mm"], r["recovery_metric"], r["recovery_standard"])
        for r in recovery_rows(analysed(iq_image(), Fill(ratio=10.0)))
    ]
    assert len(keys) == len(set(keys)) == 6 * (4 * 2 + 2)


def test_a_wrong_kind_is_refused_and_auto_says_both_reasons() -> None:
    with pytest.raises(InvalidInputError, match="not round"):
        analysed(iq_image(), Fill(kind="cylinder"))
    half = iq_image(ratios=(1.0,) * 6)
    with pytest.raises(InvalidInputError, match=r"neither cylinder .* nor image quality"):
        analysed(half, Fill())


def test_pictures_are_drawn_of_everything(noisy_phantom: ImageVolume) -> None:
    cylinder = cylinder_image()
    result = analysed(noisy_phantom, Fill(ratio=10.0))
    assert result.verdicts is not None
    for png in (
        spheres_png(noisy_phantom, find_spheres(noisy_phantom), title="A"),
        recovery_png(result.verdicts, LIMITS, title="A"),
        uniformity_png(cylinder, find_cylinder(cylinder), title="A"),
    ):
        assert png.startswith(b"\x89PNG")


def real_image(folder: Path) -> ImageVolume:
    read = [pydicom.dcmread(path) for path in folder.rglob("*.dcm")]
    slices = [ds for ds in read if ds.get("Modality") == "PT"]
    slices.sort(key=lambda ds: float(ds.ImagePositionPatient[2]))
    values = np.stack([ds.pixel_array * float(ds.RescaleSlope) for ds in slices])
    step = float(slices[1].ImagePositionPatient[2]) - float(slices[0].ImagePositionPatient[2])
    y, x = (float(v) for v in slices[0].PixelSpacing)
    affine = np.diag([x, y, step, 1.0])
    affine[:3, 3] = [float(v) for v in slices[0].ImagePositionPatient]
    shape = (values.shape[0], values.shape[1], values.shape[2])
    return ImageVolume(values.astype(np.float32), Geometry(shape, affine), "1")


@pytest.mark.reference
def test_the_real_phantom(reference_data: Callable[[str], Path]) -> None:
    """GE phantom of pynemaiqpet; its spheres lie at about 10:1 by the image itself."""
    image = real_image(reference_data("pet-nema-iq-1"))
    result = analysed(image, Fill(kind="iq"))
    assert result.kind == "iq"
    phantom, psf = result.found, result.psf
    assert isinstance(phantom, IqPhantom)
    assert psf is not None
    # by eye on the slices: the 37 mm sphere is at column 121.6, row 97.4, slice 42.2
    np.testing.assert_allclose(
        phantom.centres_mm[0] / image.geometry.spacing, (42.2, 97.4, 121.6), atol=0.7
    )
    assert phantom.states == ("hot",) * 6
    assert phantom.deviation_mm < 1.5
    assert 3.5 < psf.fwhm_mm[0] < 5.5
    assert 2.5 < psf.fwhm_mm[1] < 4.0
    assert psf.fwhm_mm[1] == pytest.approx(psf.fwhm_mm[2], rel=0.1)
    assert 9.0 < psf.contrast < 10.5


@pytest.mark.reference
def test_a_real_patient_is_no_phantom(reference_data: Callable[[str], Path]) -> None:
    """Spots of the brain lie on a circle of 114 mm; what is around them is no phantom."""
    image = real_image(reference_data("pet-siemens-qinhn0024"))
    with pytest.raises(InvalidInputError, match=r"neither cylinder .* nor image quality"):
        analysed(image, Fill())
