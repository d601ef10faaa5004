"""Gaussians to a target: by hand, on a blurred point, and into EARL's band on a phantom."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import erf

from schemas.errors import InvalidInputError
from schemas.geometry import Geometry
from schemas.profiles import StandardProfile
from schemas.volume import ImageVolume
from tasks.simulate.imaging import axial_grid
from tasks.simulate.phantoms import Blur, Pose, iq_phantom
from tasks.standardise import standardise
from tasks.standardise.bands import band_of_image, band_of_resolution
from tasks.standardise.estimate import estimate_resolution
from tasks.standardise.given import read_given
from tasks.standardise.kernels import FWHM_PER_SIGMA
from tasks.standardise.matching import (
    BOX_FWHM,
    Band,
    Resolution,
    match_to_band,
    match_to_fwhm,
    total_fwhm,
    worst_of,
)

PSF = Resolution("measured", (5.0, 4.0, 4.0))


def test_box_of_a_voxel() -> None:
    """2.3548 / sqrt(12) = 0.67978."""
    assert pytest.approx(0.67978, abs=1e-5) == BOX_FWHM


def test_filter_by_hand() -> None:
    """z: 5^2 + (0.67978 x 3)^2 = 29.1589; 49 - 29.1589 = 19.8411 = 4.45434^2."""
    match = match_to_fwhm(PSF, (3.0, 4.0, 4.0), (7.0, 7.0, 7.0), "7 mm")
    assert match.is_matched
    assert match.filter_fwhm_mm is not None
    assert match.filter_fwhm_mm[0] == pytest.approx(4.45434, abs=1e-5)
    assert match.own_fwhm_mm == pytest.approx((5.39990, 4.83669, 4.83669), abs=1e-5)


def test_coarse_to_fine_is_refused() -> None:
    match = match_to_fwhm(PSF, (3.0, 4.0, 4.0), (5.0, 7.0, 7.0), "5 mm")
    assert (match.status, match.filter_fwhm_mm) == ("too_coarse", None)
    assert "5.4 mm" in match.detail


def test_the_worst_of_a_cohort_needs_no_filter() -> None:
    own = total_fwhm(PSF.fwhm_mm, (3.0, 4.0, 4.0))
    assert worst_of([own, (1.0, 6.0, 1.0)]) == (own[0], 6.0, own[2])
    assert worst_of([]) is None
    match = match_to_fwhm(PSF, (3.0, 4.0, 4.0), own, "cohort-worst")
    assert match.filter_fwhm_mm == (0.0, 0.0, 0.0)


def test_band_makes_up_for_other_voxels() -> None:
    """Phantom on voxels of 2 mm, image on 4 mm: 6^2 + 0.4621 (4 - 16) = 30.4547 = 5.51858^2."""
    band = Band(5.0, 6.0, 7.0, (2.0, 2.0, 2.0), "verified")
    match = match_to_band(PSF, (2.0, 4.0, 4.0), band, "EARL1")
    assert match.filter_fwhm_mm == pytest.approx((6.0, 5.51858, 5.51858), abs=1e-5)
    assert (match.low_mm, match.high_mm) == (5.0, 7.0)
    none = Band(None, None, None, (2.0, 2.0, 2.0), "recalled", "the 37 mm sphere")
    assert match_to_band(PSF, (2.0, 4.0, 4.0), none, "EARL2").status == "outside"
    small = Band(0.0, 0.5, 1.0, (2.0, 2.0, 2.0), "verified")
    assert match_to_band(PSF, (2.0, 4.0, 4.0), small, "EARL1").status == "too_coarse"


@pytest.mark.parametrize(("fwhm", "spacing"), [(4.0, (3.0, 4.0, 4.0)), (6.5, (5.0, 2.5, 2.5))])
def test_edges_of_scanners_are_alike_after_matching(
    fwhm: float, spacing: tuple[float, float, float]
) -> None:
    """A blurred edge as two scanners see it becomes the same edge, of the target's width."""
    shape = (round(150 / spacing[0]), round(150 / spacing[1]), round(150 / spacing[2]))
    geometry = axial_grid(shape, spacing, -75.0)
    sigma = fwhm / FWHM_PER_SIGMA
    planes = []
    for place in geometry.axis_coordinates():
        ends = place[:, None] + np.linspace(-0.5, 0.5, 41) * (place[1] - place[0])
        planes.append((0.5 * (1 + erf(ends / sigma / np.sqrt(2)))).mean(axis=1))
    resolution = Resolution("measured", (fwhm, fwhm, fwhm))
    match = match_to_fwhm(resolution, spacing, (9.0, 9.0, 9.0), "9 mm")
    profile = StandardProfile("t/1", "PT", (2.0, 2.0, 2.0), 3, target=9.0)
    for axis, line in enumerate(planes):
        shaped = line.reshape([-1 if a == axis else 1 for a in range(3)])
        image = ImageVolume(np.broadcast_to(shaped, shape).astype(np.float32), geometry, "SUVbw")
        out = standardise(image, profile, matching_fwhm_mm=match.filter_fwhm_mm)
        middle = tuple(n // 2 for n in out.geometry.shape)
        middle_line = tuple(slice(None) if a == axis else m for a, m in enumerate(middle))
        x = out.geometry.axis_coordinates()[axis]
        expected = 0.5 * (1 + erf(x / (9.0 / FWHM_PER_SIGMA) / np.sqrt(2)))
        inside = np.abs(x) < 40
        assert np.abs(out.values[middle_line] - expected)[inside].max() < 0.012


def test_gaussian_into_the_band_of_earl_1() -> None:
    """That of a noisy phantom, and what a digital one of the same resolution says."""
    grid = axial_grid((60, 72, 88), (4.0, 4.0, 4.0), -190.0)
    blur = Blur((4.5, 4.5, 4.5), noise_cov=0.04)
    values = iq_phantom(grid, Pose(), blur, ratios=(10.0,) * 6, rng=np.random.default_rng(0))
    band = band_of_image(ImageVolume(values, grid, "1"), "EARL1", 10.0)
    assert band.low_mm is not None
    assert band.best_mm is not None
    assert band.high_mm is not None
    assert 4.0 < band.low_mm < band.best_mm < band.high_mm < 9.0
    digital = band_of_resolution((4.5, 4.5, 4.5), (4.0, 4.0, 4.0), "EARL1")
    assert digital.best_mm == pytest.approx(band.best_mm, abs=1.0)
    assert digital.limit_status == "verified"


def test_coarse_scanner_has_no_gaussian_into_the_band() -> None:
    band = band_of_resolution((8.0, 8.0, 8.0), (4.0, 4.0, 4.0), "EARL2")
    assert band.best_mm is None
    assert "stay outside" in band.detail


def test_estimate_from_edges_of_a_patient() -> None:
    """Spheres and a brick in a body, with noise: within 15 % of the truth along each axis."""
    grid = Geometry((70, 60, 60), np.diag([3.0, 3.0, 2.5, 1.0]))
    z, y, x = np.indices(grid.shape)
    truth = np.zeros(grid.shape)
    truth[10:60, 8:52, 6:54] = 1.0
    truth[20:50, 15:45, 15:45] = 6.0
    truth[np.hypot(np.hypot((z - 35) * 2.5, (y - 30) * 3), (x - 30) * 3) < 22] = 0.5
    rng = np.random.default_rng(1)
    from scipy.ndimage import gaussian_filter

    sigma = [w / FWHM_PER_SIGMA / s for w, s in zip((6.0, 7.0, 7.0), grid.spacing, strict=True)]
    noise = gaussian_filter(rng.normal(size=grid.shape), sigma)
    image = gaussian_filter(truth, sigma) * (1 + 0.08 * noise / noise.std())
    found = estimate_resolution(ImageVolume(image.astype(np.float32), grid, "SUVbw"))
    # voxels of the truth are sharp: no box of the detector to take off
    total = total_fwhm(found.fwhm_mm, grid.spacing)
    assert total == pytest.approx((6.0, 7.0, 7.0), rel=0.15)


def test_nothing_to_estimate_from() -> None:
    flat = ImageVolume(np.ones((30, 30, 30), np.float32), Geometry((30,) * 3, np.eye(4)), "SUVbw")
    with pytest.raises(InvalidInputError, match="edges"):
        estimate_resolution(flat)


HEAD = "scanner_key,reconstruction_key,fwhm_z_mm,fwhm_y_mm,fwhm_x_mm\n"


def test_given_resolutions() -> None:
    found = read_given(HEAD + "SC-1,OSEM 2i21s,5,4,4\nSC-1,,6,6,6\n")
    assert found["SC-1", None].fwhm_mm == (6.0, 6.0, 6.0)
    assert found["SC-1", "OSEM 2i21s"].source == "given"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a,b\n", "expected the columns"),
        ("", "got none"),
        (HEAD + "SC-1,,5,4,wide\n", "line 2: fwhm_x_mm"),
        (HEAD + "SC-1,,5,0,4\n", "line 2: fwhm_y_mm"),
        (HEAD + "SC-1,,5,4\n", "line 2: fwhm_x_mm"),
        (HEAD + "SC-1,,5,4,4\nSC-1,,5,4,4\n", "line 3: second line"),
    ],
)
def test_mistakes_in_the_file_of_resolutions(text: str, complaint: str) -> None:
    with pytest.raises(InvalidInputError, match=complaint):
        read_given(text)
