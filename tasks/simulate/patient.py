"""Who is simulated: person, disease and lesions, drawn before any image."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from tasks.simulate.anatomy import Body, Site, Solid, lesion_sites
from tasks.simulate.identifiers import patient_id, stream

#: Day of the first study; all dates follow from it.
FIRST_DAY: Final = datetime(2024, 1, 8)  # noqa: DTZ001  DICOM dates have no zone

STAGES: Final = ("I", "II", "III", "IV")
#: SUV of a lesion at stage I and age 60, before the spread between lesions.
BASE_SUV: Final = {"lung": 6.5, "liver": 7.5, "node": 5.0}
#: Biology that harmonisation must keep: relative change per stage and per year of age.
STAGE_EFFECT: Final = 0.25
AGE_EFFECT_PER_YEAR: Final = -0.008
#: Standard deviation of the logarithm of uptake between lesions.
LESION_SPREAD: Final = 0.15
#: Uptake of a lesion in SPECT, relative to liver, per SUV that it would have in PET.
SPECT_UPTAKE_PER_SUV: Final = 1.2
#: Smallest lesion; below, partial volume hides it on every scanner.
RADIUS_MIN_MM: Final = 6.0


@dataclass(frozen=True, slots=True)
class Lesion:
    """One spherical lesion in scanner coordinates (LPS, mm)."""

    number: int
    nature: str
    centre_mm: tuple[float, float, float]
    radius_mm: float
    suv: float
    hu: float

    @property
    def volume_ml(self) -> float:
        """Volume of the sphere."""
        return 4.0 / 3.0 * math.pi * self.radius_mm**3 / 1000.0

    @property
    def roi_name(self) -> str:
        """Name of the ROI or segment."""
        return f"Lesion {self.number} {self.nature}"

    def solid(self) -> Solid:
        """Shape to paint; in SPECT the uptake is relative to liver, as that of organs."""
        r = self.radius_mm
        spect_uptake = SPECT_UPTAKE_PER_SUV * self.suv
        return Solid("lesion", self.centre_mm, (r, r, r), self.suv, spect_uptake, self.hu)


@dataclass(frozen=True, slots=True)
class Patient:
    """One simulated person with one study.

    Parameters
    ----------
    centre, number : str, int
        Letter of the centre and number in it, from 1.
    offset_mm : tuple of float
        Where the body lies in the scanner: body coordinates plus this are scanner coordinates.
    stage : str
        UICC stage, I to IV.
    injection : datetime
        Time of administration.
    study_start : datetime
        Check-in on the day of the scan.
    injected_activity_bq : float
        Net injected activity.
    """

    centre: str
    number: int
    sex: str
    age_years: int
    birth_date: datetime
    height_m: float
    weight_kg: float
    stage: str
    glucose_mgdl: float
    outcome_event: str
    outcome_days: int
    injection: datetime
    study_start: datetime
    injected_activity_bq: float
    offset_mm: tuple[float, float, float]
    lesions: tuple[Lesion, ...]

    @property
    def patient_id(self) -> str:
        """Identifier in DICOM and in the clinical data."""
        return patient_id(self.centre, self.number)

    @property
    def body(self) -> Body:
        """Scale of the anatomy."""
        return Body(self.height_m, self.weight_kg)

    @property
    def stage_number(self) -> int:
        """Stage as 1 to 4."""
        return STAGES.index(self.stage) + 1


def expected_suv(nature: str, stage_number: int, age_years: float) -> float:
    """Mean lesion SUV that biology alone gives.

    Examples
    --------
    >>> expected_suv("lung", 1, 60)
    6.5
    >>> expected_suv("lung", 3, 60)
    9.75
    """
    stage = 1.0 + STAGE_EFFECT * (stage_number - 1)
    return BASE_SUV[nature] * stage * (1.0 + AGE_EFFECT_PER_YEAR * (age_years - 60.0))


def stages_of_centre(seed: int, centre: str, n_patients: int) -> tuple[str, ...]:
    """Stages in equal shares and random order, so that centre and stage are not confounded."""
    stages = [STAGES[i % len(STAGES)] for i in range(n_patients)]
    stream(seed, centre, "stages").shuffle(stages)
    return tuple(stages)


def draw_patient(
    seed: int,
    centre: str,
    number: int,
    stage: str,
    *,
    activity_mbq_per_kg: float | None = None,
    activity_mbq: float | None = None,
    delay_h: float = 0.0,
) -> Patient:
    """Draw a person.

    Parameters
    ----------
    activity_mbq_per_kg, activity_mbq : float, optional
        Activity per body weight (PET) or as a whole (therapy).
    delay_h : float
        Time from the injection to the check-in for the scan, if that is another day.
    """
    rng = stream(seed, centre, number, "patient")
    sex = "F" if rng.random() < 0.5 else "M"
    height = round(float(np.clip(rng.normal(1.65 if sex == "F" else 1.77, 0.06), 1.50, 1.92)), 2)
    weight = round(float(np.clip(rng.normal(26.0, 3.5), 19.0, 36.0)) * height**2, 1)
    age = int(rng.integers(38, 85))
    day = FIRST_DAY + timedelta(days=int(rng.integers(0, 300)))
    injection = day + timedelta(seconds=int(rng.integers(7 * 3600 + 1800, 14 * 3600)))
    mbq = activity_mbq if activity_mbq is not None else (activity_mbq_per_kg or 0.0) * weight
    stage_number = STAGES.index(stage) + 1
    offset = _position_in_scanner(rng)
    event, days = _outcome(stage_number, rng)
    return Patient(
        centre=centre,
        number=number,
        sex=sex,
        age_years=age,
        birth_date=day - timedelta(days=round(age * 365.25) + int(rng.integers(1, 360))),
        height_m=height,
        weight_kg=weight,
        stage=stage,
        glucose_mgdl=round(float(np.clip(rng.normal(101.0, 16.0), 68.0, 180.0))),
        outcome_event=event,
        outcome_days=days,
        injection=injection,
        study_start=injection + timedelta(hours=delay_h) - timedelta(minutes=20),
        injected_activity_bq=round(mbq * float(rng.normal(1.0, 0.05)), 2) * 1e6,
        offset_mm=offset,
        lesions=_lesions(Body(height, weight), offset, stage_number, age, rng),
    )


def _position_in_scanner(rng: np.random.Generator) -> tuple[float, float, float]:
    x, y = (round(float(v), 2) for v in rng.normal(0.0, 4.0, 2))
    return x, y, round(float(rng.uniform(-200.0, 40.0)), 2)


def _outcome(stage_number: int, rng: np.random.Generator) -> tuple[str, int]:
    follow_up = int(rng.integers(200, 900))
    days = int(rng.exponential(1400.0 / stage_number))
    if days >= follow_up:
        return "none", follow_up
    return ("death" if rng.random() < 0.4 else "progression"), max(14, days)


def _lesions(
    body: Body,
    offset_mm: tuple[float, float, float],
    stage_number: int,
    age_years: int,
    rng: np.random.Generator,
) -> tuple[Lesion, ...]:
    """Two to five lesions at different sites: more with the stage, the first one in the lung."""
    sites = lesion_sites(body)
    primary = int(rng.integers(0, 3))
    others = [i for i in range(len(sites)) if i != primary]
    count = min(5, stage_number + 1 + int(rng.integers(0, 2)))
    chosen = [primary, *(int(i) for i in rng.permutation(others)[: count - 1])]
    lesions = []
    for number, i in enumerate(chosen, start=1):
        mean_suv = expected_suv(sites[i].nature, stage_number, age_years)
        lesions.append(_lesion(number, sites[i], offset_mm, mean_suv, rng))
    return tuple(lesions)


def _lesion(
    number: int,
    site: Site,
    offset_mm: tuple[float, float, float],
    mean_suv: float,
    rng: np.random.Generator,
) -> Lesion:
    low = RADIUS_MIN_MM if number > 1 else max(RADIUS_MIN_MM, 0.65 * site.radius_max_mm)
    radius = round(float(rng.uniform(low, max(low + 0.5, site.radius_max_mm))), 2)
    spread = math.exp(float(rng.normal(0.0, LESION_SPREAD)))
    x, y, z = (
        round(c + o + float(rng.uniform(-3.0, 3.0)), 2)
        for c, o in zip(site.centre, offset_mm, strict=True)
    )
    suv = round(mean_suv * spread, 3)
    return Lesion(number, site.nature, (x, y, z), radius, suv, site.hu)
