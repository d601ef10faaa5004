"""The known truth of a cohort: lesions, centres and what every file must become."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from schemas.reasons import REASONS, Outcome
from tasks.simulate.patient import (
    AGE_EFFECT_PER_YEAR,
    BASE_SUV,
    LESION_SPREAD,
    SPECT_UPTAKE_PER_SUV,
    STAGE_EFFECT,
    Lesion,
    expected_suv,
)
from tasks.simulate.scanner import CentreProfile, SpectProfile
from tasks.simulate.study import StudyResult

LESION_COLUMNS: Final = (
    "patient_id", "centre", "modality", "lesion", "roi_name", "nature", "x_mm", "y_mm", "z_mm",
    "radius_mm", "volume_ml", "true_suv", "biology_suv", "true_activity_bqml", "stage",
    "age_years", "sex", "calibration_factor", "psf_fwhm_mm", "noise_cov", "uptake_min",
)  # fmt: skip

OUTCOME_COLUMNS: Final = ("path", "outcome", "reason_code", "suv_reason_code")


@dataclass(frozen=True, slots=True)
class ExpectedOutcome:
    """Where one file must end.

    Parameters
    ----------
    path : str
        Relative to the DICOM folder, POSIX form.
    outcome : Outcome
        Of the file.
    reason_code : str
        Why quarantined or ignored; empty otherwise.
    suv_reason_code : str
        Why its series gets no SUV; empty if it gets one or none applies.
    """

    path: str
    outcome: Outcome
    reason_code: str = ""
    suv_reason_code: str = ""

    def __post_init__(self) -> None:
        unknown = {self.reason_code, self.suv_reason_code} - {""} - set(REASONS)
        if unknown:
            raise ValueError(f"unknown reason codes {sorted(unknown)}")


def lesion_row(
    result: StudyResult, lesion: Lesion, profile: CentreProfile | SpectProfile
) -> Mapping[str, object]:
    """One lesion. SPECT images are counts: their lesions have an activity but no SUV."""
    patient = result.patient
    x, y, z = lesion.centre_mm
    is_pet = isinstance(profile, CentreProfile)
    biology = expected_suv(lesion.nature, patient.stage_number, patient.age_years)
    return {
        "patient_id": patient.patient_id,
        "centre": patient.centre,
        "modality": "PT" if is_pet else "NM",
        "lesion": lesion.number,
        "roi_name": lesion.roi_name,
        "nature": lesion.nature,
        "x_mm": x,
        "y_mm": y,
        "z_mm": z,
        "radius_mm": lesion.radius_mm,
        "volume_ml": round(lesion.volume_ml, 4),
        "true_suv": lesion.suv if is_pet else "",
        "biology_suv": round(biology, 4) if is_pet else "",
        "true_activity_bqml": round(lesion.suv * result.bqml_per_suv, 3),
        "stage": patient.stage,
        "age_years": patient.age_years,
        "sex": patient.sex,
        "calibration_factor": profile.calibration_factor
        if isinstance(profile, CentreProfile)
        else "",
        "psf_fwhm_mm": profile.psf_fwhm_mm,
        "noise_cov": profile.noise_cov,
        "uptake_min": profile.uptake_min
        if isinstance(profile, CentreProfile)
        else profile.delay_h * 60.0,
    }


def expected_for(result: StudyResult) -> list[ExpectedOutcome]:
    """Everything written for a regular study is ingested, and SUV is found where it applies."""
    return [ExpectedOutcome(path, Outcome.INGESTED) for path in result.files]


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Write a CSV file with exactly `columns`."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def write_truth(
    folder: Path,
    results: Sequence[StudyResult],
    profiles: Mapping[str, CentreProfile | SpectProfile],
    outcomes: Sequence[ExpectedOutcome],
    parameters: Mapping[str, object],
) -> None:
    """Write ``truth.csv``, ``truth.json`` and ``expected_outcomes.csv``.

    Parameters
    ----------
    profiles : mapping
        By letter of the centre.
    outcomes : sequence
        Every file of the cohort.
    parameters : mapping
        Arguments of the simulation.
    """
    rows = [
        lesion_row(result, lesion, profiles[result.patient.centre])
        for result in results
        for lesion in result.patient.lesions
    ]
    write_table(folder / "truth.csv", LESION_COLUMNS, rows)
    write_table(
        folder / "expected_outcomes.csv",
        OUTCOME_COLUMNS,
        [asdict(o) for o in sorted(outcomes, key=lambda o: o.path)],
    )
    document = {
        "notice": "SIMULATED: no person stands behind any of these data.",
        "parameters": dict(parameters),
        "biology": {
            "base_suv": BASE_SUV,
            "stage_effect_per_stage": STAGE_EFFECT,
            "age_effect_per_year_from_60": AGE_EFFECT_PER_YEAR,
            "log_sd_between_lesions": LESION_SPREAD,
            "spect_uptake_relative_to_liver_per_suv": SPECT_UPTAKE_PER_SUV,
        },
        "centres": {letter: asdict(profile) for letter, profile in profiles.items()},
        "lesions": rows,
    }
    text = json.dumps(document, indent=1, sort_keys=True) + "\n"
    (folder / "truth.json").write_text(text, encoding="utf-8")
