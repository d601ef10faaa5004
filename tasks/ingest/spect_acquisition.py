"""How a reconstructed tomogram was acquired: what turns its counts into Bq/ml, then into SUV."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from pydicom.dataset import Dataset

from schemas.geometry import Geometry
from schemas.records import Row, SuvDerivation
from tasks.dicom import values
from tasks.dicom.elements import DatasetElements
from tasks.dicom.slices import read_rescale
from tasks.ingest.real_world import becquerel_mapping

#: Types of collimator (PS3.3 C.8.4.11), and names as vendors write them; others are not kept.
_TYPES: Final = frozenset({"PARA", "PINH", "FANB", "CONE", "SLNT", "ASTG", "DIVG"})
_NAMES: Final = frozenset(
    {
        "LEHR", "LEHRS", "LEAP", "LEGP", "LEHS", "LEUHR", "LEFB", "LEHR45", "WEHR", "WEHR45",
        "ELEGP", "MEGP", "MELP", "MEAP", "MEHR", "ME", "HE", "HEGP", "HEAP", "HEHR", "UHE",
        "SMARTZOOM",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Timing:
    """Rotations of a tomogram: time of each view and number of views; None where not stated."""

    view_s: float | None
    n_views: int | None

    @property
    def duration_s(self) -> float | None:
        """Time of a view times their number."""
        if self.view_s is None or self.n_views is None:
            return None
        return self.view_s * self.n_views


def spect_timing(header: Dataset) -> Timing:
    """Read the timing in Rotation Information Sequence (0054,0052).

    Several rotations (beds) must agree: a voxel is seen by one of them.

    References
    ----------
    DICOM PS3.3 C.8.4.12: Actual Frame Duration (0018,1242) is the time of a view in ms, Number of
    Frames in Rotation (0054,0053) the number of views.
    """
    rotations = values.items(header, "RotationInformationSequence")
    found = {
        (values.number(r, "ActualFrameDuration"), values.number(r, "NumberOfFramesInRotation"))
        for r in rotations
    }
    if len(found) != 1:
        return Timing(None, None)
    duration, views = found.pop()
    return Timing(duration / 1000 if duration else None, int(views) if views else None)


def collimator(header: Dataset) -> str | None:
    """Name of the collimator if it is a usual one, else its type.

    Examples
    --------
    >>> item, ds = Dataset(), Dataset()
    >>> item.CollimatorType, item.CollimatorGridName = "PARA", "LE-HR"
    >>> ds.DetectorInformationSequence = [item]
    >>> collimator(ds)
    'LEHR'
    """
    detector = values.first_item(header, "DetectorInformationSequence")
    text = (values.text(detector, "CollimatorGridName") or "").upper()
    squeezed = re.sub(r"[^A-Z0-9]", "", text)
    names = [squeezed, *re.findall(r"[A-Z0-9]+", text)]
    name = next((n for n in names if n in _NAMES), None)
    kind = values.text(detector, "CollimatorType")
    return name or (kind if kind in _TYPES else None)


def spect_row(
    header: Dataset, geometry: Geometry, part_index: int, suv: SuvDerivation, series: Row
) -> Row:
    """Row of table `spect_acquisitions`.

    Parameters
    ----------
    header : Dataset
        Of the tomogram as it came.
    geometry : Geometry
        Of its volume.
    part_index : int
        Which of the volumes of its series.
    suv : SuvDerivation
        From `tasks.quantify.spect.derive_spect`.
    series : dict
        Row of the series.
    """
    timing, (lower, upper) = spect_timing(header), _energy_window(header)
    slope, intercept = read_rescale(DatasetElements(header))
    mapped = becquerel_mapping(header)
    becquerel = suv.if_calibrated or suv
    return {
        "series_instance_uid": series["series_instance_uid"],
        "part_index": part_index,
        "patient_key": series["patient_key"],
        "collimator": collimator(header),
        "energy_window_lower_kev": lower,
        "energy_window_upper_kev": upper,
        "view_duration_s": timing.view_s,
        "n_views": timing.n_views,
        "voxel_volume_ml": geometry.voxel_volume_ml,
        "states_decay_correction": "DECY" in (values.texts(header, "CorrectedImage") or ()),
        "counts_slope": slope,
        "counts_intercept": intercept,
        "mapped_bqml_per_count": None if mapped is None else mapped[0] / slope,
        "becquerel_suv_factor": becquerel.factors[0] if becquerel.factors else None,
        "becquerel_suv_reason_code": becquerel.reason_code,
        "becquerel_suv_reason_text": becquerel.reason_text,
        "becquerel_suv_derivation": list(becquerel.steps),
    }


def _energy_window(header: Dataset) -> tuple[float | None, float | None]:
    """Limits (keV) of the first energy window."""
    window = values.first_item(header, "EnergyWindowInformationSequence")
    limits = values.first_item(window, "EnergyWindowRangeSequence")
    return (
        values.number(limits, "EnergyWindowLowerLimit"),
        values.number(limits, "EnergyWindowUpperLimit"),
    )
