"""Phantoms of quality control as DICOM series of a simulated centre, with their filling.

They lie on the centre's own grid (`voxel_scale` of a cohort does not apply: a phantom in coarse
voxels measures nothing), with its resolution, noise and calibration error.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Final

import numpy as np

from schemas.geometry import Geometry
from schemas.reasons import Outcome
from tasks.simulate.dicom_pet import PetScan, pet_datasets, write_pet
from tasks.simulate.identifiers import stream
from tasks.simulate.imaging import Image, axial_grid
from tasks.simulate.patient import Patient, draw_patient
from tasks.simulate.phantoms import Blur, Pose, iq_phantom, uniform_cylinder
from tasks.simulate.quantification import quantify
from tasks.simulate.scanner import CentreProfile
from tasks.simulate.study import StudySettings
from tasks.simulate.timing import schedule
from tasks.simulate.truth import ExpectedOutcome, write_table

#: Numbers of the phantoms among the patients of a centre.
_NUMBERS: Final = {"iq": 951, "cylinder": 952}
_WORDS: Final = {"iq": "NEMA IQ phantom", "cylinder": "calibration phantom cylinder"}
#: Fillings: the mass that the console was given, and the volume of the stock solution for spheres.
_MASS_KG: Final = {"iq": 10.1, "cylinder": 7.9}
_STOCK_ML: Final = 500.0
_BACKGROUND_BQML: Final = 2500.0
_RATIO: Final = 10.0
_CYLINDER_RADIUS_MM: Final = 100.0
_Z_MM: Final = {"iq": (-145.0, 95.0), "cylinder": (-150.0, 150.0)}

TRUTH_COLUMNS: Final = (
    "centre", "phantom_kind", "series_instance_uid", "psf_fwhm_mm", "calibration_factor",
    "noise_cov", "ratio", "centre_x_mm", "centre_y_mm", "centre_z_mm", "rotation_x_deg",
    "rotation_y_deg", "rotation_z_deg",
)  # fmt: skip


@dataclass(frozen=True)
class PhantomSeries:
    """A phantom series that was written, with its truth."""

    kind: str
    scan: PetScan
    pose: Pose
    files: tuple[Path, ...]

    def truth_row(self) -> dict[str, object]:
        """Row of ``phantoms.csv``."""
        profile = self.scan.profile
        places = [round(v, 4) for v in (*self.pose.centre_mm, *self.pose.rotation_deg)]
        values = (
            profile.letter, self.kind, self.scan.series_uid, profile.psf_fwhm_mm,
            profile.calibration_factor, profile.noise_cov, _RATIO if self.kind == "iq" else "",
            *places,
        )  # fmt: skip
        return dict(zip(TRUTH_COLUMNS, values, strict=True))

    def fill_text(self) -> str:
        """Entry of ``phantoms.toml``, as `tracerlake qc-phantom --fill` reads it."""
        patient = self.scan.patient
        at = patient.injection.strftime("%H:%M:%S")
        lines = [
            "[[phantom]]",
            f'series = "{self.scan.series_uid}"',
            f'kind = "{self.kind}"',
            f"activity_mbq = {patient.injected_activity_bq / 1e6:.6f}",
            f"volume_ml = {patient.weight_kg * 1000.0:.1f}",
            f'assay_time = "{at}"',
        ]
        if self.kind == "iq":
            stock_mbq = _RATIO * patient.injected_activity_bq / 1e6 * _STOCK_ML
            lines += [
                f"sphere_activity_mbq = {stock_mbq / (patient.weight_kg * 1000.0):.6f}",
                f"sphere_volume_ml = {_STOCK_ML:.1f}",
                f'sphere_assay_time = "{at}"',
            ]
        return "\n".join(lines) + "\n"


def write_phantoms(
    settings: StudySettings, profiles: list[CentreProfile], truth: Path
) -> list[ExpectedOutcome]:
    """Write both phantoms of each centre, ``truth/phantoms.toml`` and ``truth/phantoms.csv``."""
    made = [
        write_phantom(settings, profile, kind)
        for profile in profiles
        for kind in ("iq", "cylinder")
    ]
    notice = "# Simulated phantoms: what they were filled with, by original series UID.\n\n"
    text = notice + "\n".join(series.fill_text() for series in made)
    (truth / "phantoms.toml").write_text(text, encoding="utf-8")
    write_table(truth / "phantoms.csv", TRUTH_COLUMNS, [series.truth_row() for series in made])
    return [
        ExpectedOutcome(path.relative_to(settings.dicom_root).as_posix(), Outcome.INGESTED)
        for series in made
        for path in series.files
    ]


def write_phantom(settings: StudySettings, profile: CentreProfile, kind: str) -> PhantomSeries:
    """Write a phantom as a PET series in the dialect of a centre.

    Parameters
    ----------
    kind : str
        ``iq`` (10:1) or ``cylinder``.
    """
    patient = _phantom_patient(settings.seed, profile, kind)
    grid = _grid(profile, kind)
    plan = schedule(
        replace(profile, bed_length_mm=1000.0), patient.injection, grid.axis_coordinates()[0]
    )
    rng = stream(settings.seed, patient.patient_id, "phantom")
    pose = _pose(rng, kind)
    image = _image(profile, kind, grid, pose, None if settings.ideal else rng)
    conventions = quantify(profile.dialect, patient, plan)
    scan = PetScan(settings.seed, profile, patient, plan, conventions, grid, image)
    slices = pet_datasets(scan)
    for ds in slices:
        ds.StudyDescription = f"PET QC {_WORDS[kind]} (simulated)"
        ds.SeriesDescription = f"{_WORDS[kind]} {profile.reconstruction}"
        ds.ProtocolName = "QC"
        ds.BodyPartExamined = "PHANTOM"
    folder = settings.dicom_root / profile.letter / patient.patient_id / "PT"
    return PhantomSeries(kind, scan, pose, tuple(write_pet(slices, folder)))


def _phantom_patient(seed: int, profile: CentreProfile, kind: str) -> Patient:
    """Who the console thinks the phantom is; weight and activity are those of the filling."""
    drawn = draw_patient(seed, profile.letter, _NUMBERS[kind], "I", activity_mbq=1.0)
    mass = _MASS_KG[kind]
    at_fill = _BACKGROUND_BQML * math.exp(
        math.log(2.0) * profile.uptake_min * 60.0 / profile.half_life_s
    )
    return replace(
        drawn,
        sex="O",
        height_m=0.3,
        weight_kg=mass,
        lesions=(),
        injected_activity_bq=round(at_fill * mass * 1000.0, 1),
        study_start=drawn.injection + timedelta(minutes=profile.uptake_min - 10.0),
    )


def _grid(profile: CentreProfile, kind: str) -> Geometry:
    low, high = _Z_MM[kind]
    count = math.ceil((high - low) / profile.pet_slice_mm) + 1
    shape = (count, profile.pet_size, profile.pet_size)
    spacing = (profile.pet_slice_mm, profile.pet_pixel_mm, profile.pet_pixel_mm)
    return axial_grid(shape, spacing, low)


def _pose(rng: np.random.Generator, kind: str) -> Pose:
    """About the middle of the scanner, a little turned, as hands put it there."""
    x, y, z = (round(float(v), 2) for v in rng.uniform(-6.0, 6.0, 3))
    turns = [round(float(v), 2) for v in rng.uniform(-2.0, 2.0, 3)]
    above = -25.0 if kind == "iq" else 0.0
    return Pose((x, y + above, z), (turns[0], turns[1], turns[2]))


def _image(
    profile: CentreProfile,
    kind: str,
    grid: Geometry,
    pose: Pose,
    rng: np.random.Generator | None,
) -> Image:
    """Image in units of the background's true concentration, as SUV of the filling."""
    width = profile.psf_fwhm_mm if rng is not None else 0.0
    blur = Blur(
        (width, width, width),
        profile.noise_cov,
        profile.noise_fwhm_mm,
        profile.calibration_factor,
    )
    if kind == "iq":
        return iq_phantom(grid, pose, blur, ratios=(_RATIO,) * 6, rng=rng)
    area = math.pi * _CYLINDER_RADIUS_MM**2 / 1000.0
    return uniform_cylinder(
        grid,
        pose,
        blur,
        diameter_mm=2.0 * _CYLINDER_RADIUS_MM,
        length_mm=_MASS_KG[kind] * 1000.0 / area,
        rng=rng,
    )
