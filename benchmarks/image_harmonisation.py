"""Study: what resolution matching does to lesions of simulated centres, with the truth known.

``python -m benchmarks.image_harmonisation`` writes the tables and the picture of
``docs/explanation/image-harmonisation-study.md``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.harmonisation_report import write_study
from schemas.errors import InvalidInputError
from schemas.profiles import StandardProfile
from schemas.volume import ImageVolume
from tasks.features.peaks import local_peaks
from tasks.features.roi import RoiImage
from tasks.phantom.psf import fit_psf
from tasks.phantom.spheres import find_spheres
from tasks.simulate.anatomy import lesion_sites
from tasks.simulate.identifiers import stream
from tasks.simulate.imaging import axial_grid
from tasks.simulate.patient import STAGES, Lesion, Patient, draw_patient
from tasks.simulate.phantom import measured_suv, pet_grid
from tasks.simulate.phantoms import Blur, Pose, iq_phantom
from tasks.simulate.scanner import CentreProfile, centre_profile
from tasks.standardise import standardise
from tasks.standardise.bands import EARL_RATIO, band_of_image
from tasks.standardise.estimate import estimate_resolution
from tasks.standardise.grid import crop_grid
from tasks.standardise.matching import (
    Band,
    Match,
    Resolution,
    Widths,
    match_to_band,
    match_to_fwhm,
    total_fwhm,
    worst_of,
)

DOCS: Final = Path(__file__).parent.parent / "docs"
#: Diameters of the lesions, mm (those of the NEMA phantom), each with the sites that can hold it.
SITES: Final[Mapping[float, int]] = {37.0: 0, 28.0: 1, 22.0: 2, 17.0: 3, 13.0: 4, 10.0: 5}
_SUV: Final = 7.0
_PROFILE: Final = StandardProfile("study/1", "PT", (2.0, 2.0, 2.0), 3)
_SEED: Final = 11
#: The noise of a phantom scan, which takes longer than a bed position of a patient.
_PHANTOM_COV: Final = 0.05


@dataclass(frozen=True)
class Centre:
    """A simulated centre and what its phantom says of it."""

    profile: CentreProfile
    spacing_mm: Widths
    measured: Resolution
    calibration: float
    bands: Mapping[str, Band]


@dataclass(frozen=True)
class Measurement:
    """One lesion on one image of one centre under one standard."""

    standard: str
    centre: str
    patient: int
    diameter_mm: float
    true_suv: float
    suv_max: float
    suv_peak: float
    suv_mean: float


def examine_centre(profile: CentreProfile) -> Centre:
    """Scan a NEMA phantom at a centre and measure it as quality control does."""
    patient = draw_patient(_SEED, profile.letter, 1, "I", activity_mbq_per_kg=3.0)
    z, y, x = pet_grid(patient, profile, 1.0).spacing
    n = (round(300 / z), round(300 / y), round(360 / x))
    grid = axial_grid(n, (z, y, x), -220.0)
    blur = Blur(
        (profile.psf_fwhm_mm,) * 3, _PHANTOM_COV, profile.noise_fwhm_mm, profile.calibration_factor
    )
    rng = stream(_SEED, profile.letter, "phantom")
    values = iq_phantom(grid, Pose(), blur, ratios=(EARL_RATIO,) * 6, rng=rng)
    image = ImageVolume(values, grid, "SUVbw")
    phantom = find_spheres(image)
    fit = fit_psf(image, phantom)
    resolution = Resolution("measured", fit.fwhm_mm, max(fit.error_mm))
    bands = {name: band_of_image(image, name, EARL_RATIO) for name in ("EARL1", "EARL2")}
    return Centre(profile, (z, y, x), resolution, phantom.background, bands)


def matches(centres: Sequence[Centre]) -> dict[str, dict[str, Match | None]]:
    """Match of every centre to every standard; None where nothing is matched."""
    widths = [total_fwhm(c.measured.fwhm_mm, c.spacing_mm) for c in centres]
    worst = worst_of(widths)
    if worst is None:
        raise InvalidInputError("a study needs centres")
    found: dict[str, dict[str, Match | None]] = {"as acquired": {}}
    for centre in centres:
        name, spacing = centre.profile.letter, centre.spacing_mm
        found["as acquired"][name] = None
        for target in ("EARL2", "EARL1"):
            band = match_to_band(centre.measured, spacing, centre.bands[target], target)
            found.setdefault(target, {})[name] = band
        match = match_to_fwhm(centre.measured, spacing, worst, "cohort-worst")
        found.setdefault("cohort-worst", {})[name] = match
    return found


def patients(n: int) -> list[Patient]:
    """Patients with one lesion of each diameter; every centre scans all of them."""
    return [_with_lesions(number) for number in range(1, n + 1)]


def _with_lesions(number: int) -> Patient:
    patient = draw_patient(_SEED, "A", number, STAGES[number % 4], activity_mbq_per_kg=3.0)
    sites = sorted(lesion_sites(patient.body), key=lambda s: -s.radius_max_mm)
    rng = stream(_SEED, number, "lesions")
    lesions = []
    for count, (diameter, index) in enumerate(SITES.items(), start=1):
        site = sites[index]
        centre = tuple(
            round(c + o + float(rng.uniform(-3.0, 3.0)), 2)
            for c, o in zip(site.centre, patient.offset_mm, strict=True)
        )
        radius = min(diameter / 2.0, site.radius_max_mm)
        suv = round(_SUV * float(rng.uniform(0.8, 1.2)), 3)
        x, y, z = centre
        lesions.append(Lesion(count, site.nature, (x, y, z), radius, suv, site.hu))
    return replace(patient, lesions=tuple(lesions))


def measure_all(
    centres: Sequence[Centre], n_patients: int, found: Mapping[str, Mapping[str, Match | None]]
) -> tuple[list[Measurement], dict[str, list[Widths]]]:
    """Measure every lesion everywhere; also the resolution estimated from each patient image."""
    rows: list[Measurement] = []
    estimates: dict[str, list[Widths]] = {}
    for centre in centres:
        for number, patient in enumerate(patients(n_patients), start=1):
            image = _scan(centre.profile, patient)
            estimates.setdefault(centre.profile.letter, []).append(
                estimate_resolution(image).fwhm_mm
            )
            for standard, by_centre in found.items():
                match = by_centre[centre.profile.letter]
                if match is None or match.is_matched:
                    rows += _lesions(image, match, centre, standard, patient, number)
    return rows, estimates


def _scan(profile: CentreProfile, patient: Patient) -> ImageVolume:
    grid = pet_grid(patient, profile, 1.0)
    # the seed of the noise: another scanner, another noise
    seed = _SEED + ord(profile.letter)
    return ImageVolume(measured_suv(seed, patient, profile, grid, ideal=False), grid, "SUVbw")


def _lesions(
    image: ImageVolume,
    match: Match | None,
    centre: Centre,
    standard: str,
    patient: Patient,
    number: int,
) -> Iterator[Measurement]:
    widths = None if match is None else match.filter_fwhm_mm
    out = standardise(image, _PROFILE, matching_fwhm_mm=widths)
    for lesion, diameter in zip(patient.lesions, SITES, strict=True):
        inside, roi = _around(out, lesion)
        values = roi.values[inside]
        _, peak = local_peaks(roi, inside)
        yield Measurement(
            standard, centre.profile.letter, number, diameter, lesion.suv,
            float(values.max()), peak, float(values.mean()),
        )  # fmt: skip


def _around(image: ImageVolume, lesion: Lesion) -> tuple[NDArray[np.bool_], RoiImage]:
    """Voxels whose centre lies in the lesion as painted, and the image around it."""
    middle = image.geometry.to_index(np.array(lesion.centre_mm))[::-1]
    reach = [(lesion.radius_mm + 12.0) / s for s in image.geometry.spacing]
    box = tuple(
        slice(max(int(m - r), 0), min(int(m + r) + 2, n))
        for m, r, n in zip(middle, reach, image.values.shape, strict=True)
    )
    part = image.values[box].astype(np.float64)
    axes = [
        (np.arange(b.start, b.stop) - m) * s
        for b, m, s in zip(box, middle, image.geometry.spacing, strict=True)
    ]
    z, y, x = np.meshgrid(*axes, indexing="ij", sparse=True)
    inside = z**2 + y**2 + x**2 <= lesion.radius_mm**2
    cut = crop_grid(image.geometry, (box[0], box[1], box[2]))
    return inside, RoiImage(part, inside, inside, cut.spacing, image.value_unit, cut)


def main(arguments: list[str] | None = None) -> None:
    """Run the study and write its page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--centres", type=int, default=6)
    parser.add_argument("--patients", type=int, default=5)
    parser.add_argument("--output", type=Path, default=DOCS)
    options = parser.parse_args(arguments)
    centres = [examine_centre(centre_profile(i)) for i in range(options.centres)]
    found = matches(centres)
    rows, estimates = measure_all(centres, options.patients, found)
    write_study(options.output, centres, found, rows, estimates, options.patients)


if __name__ == "__main__":
    main()
