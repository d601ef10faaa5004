"""From SUV to what each dialect stores: the decay and unit conventions of the vendors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from schemas.geometry import FloatArray
from tasks.simulate.patient import Patient
from tasks.simulate.scanner import Dialect
from tasks.simulate.timing import Schedule

#: Bq/ml per count that the simulated Philips scanner uses.
_PHILIPS_BQML_PER_COUNT: Final = 1.8374


@dataclass(frozen=True)
class Quantification:
    """How a series stores uptake.

    Parameters
    ----------
    units, decay_correction : str
        (0054,1001) and (0054,1102).
    per_suv : ndarray, (z,), float64
        Stored quantity U (after rescale) of tissue with SUV 1.
    bqml_per_suv : float
        Activity concentration at the decay reference of tissue with SUV 1.
    philips_suv_factor, philips_activity_factor : str or None
        (7053,xx00) and (7053,xx09) as written.
    """

    units: str
    decay_correction: str
    per_suv: FloatArray
    bqml_per_suv: float
    philips_suv_factor: str | None = None
    philips_activity_factor: str | None = None


def quantify(dialect: Dialect, patient: Patient, schedule: Schedule) -> Quantification:
    """Return the conventions of `dialect` for one scan.

    SUV = activity concentration x weight / injected activity, all at one time: with START that is
    the start of the scan, with ADMIN the injection; with NONE the mean over each frame.

    References
    ----------
    DICOM PS3.3 C.8.9.1.1.6 (Decay Correction).
    """
    at_injection = patient.injected_activity_bq / (patient.weight_kg * 1000.0)
    at_start = at_injection * schedule.remaining
    n = len(schedule.bed_start)
    if dialect in {Dialect.SIEMENS, Dialect.GE}:
        return Quantification("BQML", "START", np.full(n, at_start), at_start)
    if dialect is Dialect.ADMIN:
        return Quantification("BQML", "ADMIN", np.full(n, at_injection), at_injection)
    if dialect is Dialect.NONE:
        return Quantification("BQML", "NONE", at_injection * schedule.frame_mean(), at_start)
    if dialect is Dialect.GML:
        return Quantification("GML", "START", np.ones(n), at_start)
    # A factor is written with nine digits; the counts are made from what was written.
    suv_factor = f"{_PHILIPS_BQML_PER_COUNT / at_start:.9g}"
    per_suv = np.full(n, 1.0 / float(suv_factor))
    return Quantification(
        "CNTS", "START", per_suv, at_start, suv_factor, f"{_PHILIPS_BQML_PER_COUNT:.9g}"
    )
