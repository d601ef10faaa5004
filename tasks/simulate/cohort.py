"""The public entry of the simulator: a whole cohort, written to a folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Final

from schemas.errors import InvalidInputError, StorageError
from tasks.simulate.clinical import write_fhir, write_redcap
from tasks.simulate.dicom_frames import write_framed_studies
from tasks.simulate.dicom_kinetics import write_kinetic_study
from tasks.simulate.dirt import write_dirt
from tasks.simulate.patient import Patient, draw_patient, stages_of_centre
from tasks.simulate.phantom_series import write_phantoms
from tasks.simulate.scanner import MAX_CENTRES, CentreProfile, SpectProfile, centre_profile
from tasks.simulate.study import (
    StudyResult,
    StudySettings,
    simulate_pet_study,
    simulate_spect_study,
)
from tasks.simulate.truth import expected_for, write_truth

#: Below this much work (patients / voxel_scale**3) starting processes costs more than it saves.
_SERIAL_WORK: Final = 2.0


_README: Final = """\
SIMULATED DATA

Everything in this folder was made by a program (tracerlake simulate). No person, no hospital and no
scanner stands behind any name, number, date or image in it. It is meant for tests, demonstrations
and dry runs. Do not use it for clinical conclusions.

dicom/<centre>/<patient>/<PT|CT|NM|RTSTRUCT|SEG>/   what a lake ingests
dicom/dirt/                 objects that must not become volumes, or not with an SUV
dicom/frames/               a dynamic and a gated PET, if asked for
dicom/kinetics/             a dynamic PET with known kinetics and its ROIs, if asked for
clinical/redcap.csv         REDCap-like export of some centres
clinical/fhir.ndjson        FHIR R4 resources of the other centres
truth/truth.csv, .json      lesions as painted and centres as modelled; not to be ingested
truth/curves.csv            uptake in each frame of the dynamic and the gated PET
truth/phantoms.toml         what the phantoms were filled with, if asked for; their truth beside it
truth/kinetics.csv          rate constants of the tissues of the dynamic PET with known kinetics
truth/expected_outcomes.csv where every file of dicom/ must end
"""


@dataclass(frozen=True, slots=True)
class CohortSummary:
    """What `simulate_cohort` wrote.

    Parameters
    ----------
    root, dicom, clinical, truth : Path
        The cohort's folder and its parts.
    centres : tuple of str
        Letters, PET centres first.
    n_patients, n_series, n_lesions : int
        Of the regular studies.
    n_files, n_bytes : int
        Of the DICOM folder, unusable objects included.
    """

    root: Path
    dicom: Path
    clinical: Path
    truth: Path
    centres: tuple[str, ...]
    n_patients: int
    n_series: int
    n_files: int
    n_lesions: int
    n_bytes: int


@dataclass(frozen=True, slots=True)
class _Job:
    settings: StudySettings
    patient: Patient
    profile: CentreProfile | SpectProfile

    def run(self) -> StudyResult:
        if isinstance(self.profile, SpectProfile):
            return simulate_spect_study(self.settings, self.patient, self.profile)
        return simulate_pet_study(self.settings, self.patient, self.profile)


def simulate_cohort(
    out: Path,
    *,
    centres: int = 3,
    patients_per_centre: int = 12,
    spect_patients: int = 4,
    seed: int = 0,
    voxel_scale: float = 1.0,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    dirt: bool = True,
    ideal: bool = False,
    frames: bool = False,
    phantoms: bool = False,
    kinetics: bool = False,
) -> CohortSummary:
    """Write a simulated multi-centre cohort as DICOM and clinical files, with its truth.

    The same arguments give the same bytes. Everything in it is invented.

    Parameters
    ----------
    out : Path
        New or empty folder; gets ``dicom/``, ``clinical/``, ``truth/`` and ``README.txt``.
    centres, patients_per_centre : int
        PET/CT centres, each with its own scanner, protocol and header dialect, and their patients.
    spect_patients : int
        Patients of the SPECT/CT centre.
    seed : int
        Chooses the cohort.
    voxel_scale : float
        Factor on all voxel sizes; 2 gives small, quick cohorts for tests.
    workers : int, optional
        Processes; as many as there are cores by default, one for small cohorts.
    progress : callable, optional
        Called with (patients done, patients in all).
    dirt : bool
        Add objects that must not become volumes.
    ideal : bool
        Leave out resolution and noise (not the calibration error): for tests of quantification.
    frames : bool
        Add a dynamic and a gated PET of two more patients, and their curves to the truth.
    phantoms : bool
        Add an image quality phantom and a uniform cylinder of each PET centre, and what they were
        filled with to the truth.
    kinetics : bool
        Add a dynamic PET of one more patient with known rate constants, and its ROIs.

    Returns
    -------
    CohortSummary

    Raises
    ------
    InvalidInputError
        If a number is out of range or `out` is not empty.
    StorageError
        If `out` cannot be written.
    """
    _check(centres, patients_per_centre, spect_patients, voxel_scale)
    if workers is not None and workers < 1:
        raise InvalidInputError(f"expected at least one worker, got {workers}")
    dicom, clinical, truth = _make_folders(out)
    settings = StudySettings(seed, dicom, voxel_scale, ideal)
    pet_profiles = [centre_profile(i) for i in range(centres)]
    jobs = [
        _Job(settings, patient, profile)
        for profile in pet_profiles
        for patient in _patients(seed, profile, patients_per_centre)
    ]
    spect = SpectProfile()
    jobs += [_Job(settings, patient, spect) for patient in _patients(seed, spect, spect_patients)]
    results = _run(jobs, _worker_count(workers, len(jobs), voxel_scale), progress)
    expected = [outcome for result in results for outcome in expected_for(result)]
    if dirt:
        expected += write_dirt(settings, pet_profiles[0], results)
    if frames:
        expected += write_framed_studies(settings, pet_profiles[0], truth)
    if phantoms:
        expected += write_phantoms(settings, pet_profiles, truth)
    if kinetics:
        expected += write_kinetic_study(settings, pet_profiles[0], truth)
    profiles = {job.profile.letter: job.profile for job in jobs}
    _write_clinical(clinical, profiles, results)
    parameters = {
        "centres": centres,
        "patients_per_centre": patients_per_centre,
        "spect_patients": spect_patients,
        "seed": seed,
        "voxel_scale": voxel_scale,
        "dirt": dirt,
        "ideal": ideal,
        "frames": frames,
        "phantoms": phantoms,
        "kinetics": kinetics,
    }
    write_truth(truth, results, profiles, expected, parameters)
    (out / "README.txt").write_text(_README, encoding="utf-8")
    return _summary(out, tuple(profiles), results, len(expected))


def _check(centres: int, patients_per_centre: int, spect_patients: int, scale: float) -> None:
    if not 1 <= centres <= MAX_CENTRES:
        raise InvalidInputError(f"expected 1 to {MAX_CENTRES} centres, got {centres}")
    if not 1 <= patients_per_centre <= 999 or not 0 <= spect_patients <= 999:
        raise InvalidInputError(
            "expected 1 to 999 patients per centre and 0 to 999 SPECT patients, "
            f"got {patients_per_centre} and {spect_patients}"
        )
    if not 0.5 <= scale <= 4.0:
        raise InvalidInputError(f"expected a voxel scale of 0.5 to 4, got {scale:g}")


def _make_folders(out: Path) -> tuple[Path, Path, Path]:
    try:
        out.mkdir(parents=True, exist_ok=True)
        if any(out.iterdir()):
            raise InvalidInputError(f"{out} is not empty; give a new folder for the cohort")
        folders = (out / "dicom", out / "clinical", out / "truth")
        for folder in folders:
            folder.mkdir()
    except (NotADirectoryError, FileExistsError) as error:
        raise InvalidInputError(f"{out} is not a folder") from error
    except OSError as error:
        raise StorageError(f"cannot write the cohort to {out}: {error.strerror}") from error
    return folders


def _patients(seed: int, profile: CentreProfile | SpectProfile, count: int) -> Iterable[Patient]:
    stages = stages_of_centre(seed, profile.letter, count)
    for number, stage in enumerate(stages, start=1):
        if isinstance(profile, SpectProfile):
            yield draw_patient(
                seed,
                profile.letter,
                number,
                stage,
                activity_mbq=profile.activity_mbq,
                delay_h=profile.delay_h,
            )
        else:
            per_kg = profile.activity_mbq_per_kg
            yield draw_patient(seed, profile.letter, number, stage, activity_mbq_per_kg=per_kg)


def _write_clinical(
    folder: Path,
    profiles: Mapping[str, CentreProfile | SpectProfile],
    results: list[StudyResult],
) -> None:
    def of(source: str) -> list[Patient]:
        return [r.patient for r in results if profiles[r.patient.centre].clinical == source]

    write_redcap(folder / "redcap.csv", of("redcap"))
    write_fhir(folder / "fhir.ndjson", of("fhir"))


def _worker_count(workers: int | None, jobs: int, voxel_scale: float) -> int:
    if workers is not None:
        return min(workers, jobs)
    if jobs / voxel_scale**3 <= _SERIAL_WORK:
        return 1
    return min(os.cpu_count() or 1, jobs)


def _run_job(job: _Job) -> StudyResult:
    return job.run()


def _run(
    jobs: list[_Job], workers: int, progress: Callable[[int, int], None] | None
) -> list[StudyResult]:
    results: dict[int, StudyResult] = {}
    report = progress or (lambda _done, _total: None)
    report(0, len(jobs))
    if workers == 1:
        for index, job in enumerate(jobs):
            results[index] = job.run()
            report(len(results), len(jobs))
    else:
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            futures = {pool.submit(_run_job, job): index for index, job in enumerate(jobs)}
            for future in as_completed(futures):
                results[futures[future]] = future.result()
                report(len(results), len(jobs))
    return [results[index] for index in range(len(jobs))]


def _summary(
    out: Path, centres: tuple[str, ...], results: list[StudyResult], n_files: int
) -> CohortSummary:
    return CohortSummary(
        root=out,
        dicom=out / "dicom",
        clinical=out / "clinical",
        truth=out / "truth",
        centres=centres,
        n_patients=len(results),
        n_series=sum(r.n_series for r in results),
        n_files=n_files,
        n_lesions=sum(len(r.patient.lesions) for r in results),
        n_bytes=sum(path.stat().st_size for path in (out / "dicom").rglob("*") if path.is_file()),
    )
