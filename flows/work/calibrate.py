"""Worker side of SPECT calibration: a raw volume again, with other factors to its integers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from lake.volumes import read_raw, write_raw
from schemas.records import Row
from schemas.volume import RawVolume


@dataclass(frozen=True)
class CalibrateJob:
    """One raw volume of counts or Bq/ml to write anew.

    Parameters
    ----------
    series_instance_uid, volume_path : str
        The volume as it is.
    part_index : int
        Which of the volumes of its series.
    slope, intercept : float
        From stored integers to the unit.
    value_unit : str
        ``Bq/ml`` or ``CNTS``.
    suv_factor : float or None
        SUVbw of 1 Bq/ml.
    attributes : mapping
        To store with it: those of the series row.
    dropped : frozenset of str
        Attributes that the volume had and that go unless given again.
    """

    series_instance_uid: str
    volume_path: str
    part_index: int
    slope: float
    intercept: float
    value_unit: str
    suv_factor: float | None
    attributes: Mapping[str, object]
    dropped: frozenset[str]


@dataclass(frozen=True)
class Calibrated:
    """A volume written: its row, and SUVbw of one stored unit."""

    volume: Row
    suv_per_stored: float | None


def calibrate_and_store(volumes_root: str, job: CalibrateJob) -> Calibrated:
    """Write the volume with its new factors; the stored integers stay as they are."""
    raw = read_raw(volumes_root, job.volume_path)
    made = recalibrated(raw, job)
    row = write_raw(volumes_root, job.series_instance_uid, made)
    per_stored = None if job.suv_factor is None else job.slope * job.suv_factor
    return Calibrated(row, per_stored)


def recalibrated(raw: RawVolume, job: CalibrateJob) -> RawVolume:
    """Return the volume with the factors of the job."""
    kept = {k: v for k, v in raw.attributes.items() if k not in job.dropped}
    shape = raw.rescale_slope.shape
    return replace(
        raw,
        rescale_slope=np.full(shape, job.slope),
        rescale_intercept=np.full(shape, job.intercept),
        value_unit=job.value_unit,
        suv_factor=None if job.suv_factor is None else np.full(shape, job.suv_factor),
        attributes={**kept, **job.attributes},
    )
