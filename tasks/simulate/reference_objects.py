"""The 58 digital reference objects of the IBSI SUV effort, by what their headers vary.

Every object shows the same phantom: whatever its header says, its smallest, median and largest
SUVbw inside are 0.20, 1.00 and 4.00, or it allows no SUV. Only some of the objects are public as
DICOM; of the others the list gives one sentence each. This table turns the sentence into header
values, and `tasks.simulate.dicom_reference` into objects.

References
----------
IBSI SUV manual and list of reference objects, github.com/oncoray/suv_computation (CC BY 4.0).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

_INJECTION: Final = datetime.fromisoformat("2025-01-01 10:00")
_START: Final = datetime.fromisoformat("2025-01-01 11:00")


class Stored(StrEnum):
    """What the voxels hold before the object's own factor."""

    AT_START = "Bq/ml at the start of the series"
    AT_INJECTION = "Bq/ml at the injection"
    IN_FRAME = "mean Bq/ml during the frame, not corrected for decay"
    SUV = "SUVbw"


@dataclass(frozen=True, slots=True)
class Private:
    """A private element: group, creator, low byte of the element, VR and value."""

    group: int
    creator: str
    element: int
    vr: str
    value: str


@dataclass(frozen=True, slots=True)
class ReferenceObject:
    """One object of the list.

    Parameters
    ----------
    name : str
        ID in the list.
    varies : str
        Description in the list, shortened.
    header, isotope : mapping
        Attributes that differ from the default object, by keyword; None: absent. `isotope` is the
        item of Radiopharmaceutical Information Sequence (0054,0016).
    private : tuple of Private
        Vendor elements.
    stored : Stored
        What the voxels hold.
    stored_per_unit : float
        Rescaled values per unit of `stored`: masses for SUV of other kinds, counts.
    slope_steps : tuple of float
        Factors on the rescale slope, slice after slice in turn (stored values are divided).
    bed_starts_s : tuple of float
        Starts of the beds, each an equal part of the slices, after `start`.
    start, injection : datetime
        Start of the series and of its first bed; administration.
    half_life_s, frame_duration_s : float
        Of the nuclide; of each bed.
    is_enhanced : bool
        Enhanced PET Image Storage.
    """

    name: str
    varies: str
    header: Mapping[str, object] = field(default_factory=dict)
    isotope: Mapping[str, object] = field(default_factory=dict)
    private: tuple[Private, ...] = ()
    stored: Stored = Stored.AT_START
    stored_per_unit: float = 1.0
    slope_steps: tuple[float, ...] = (1.0,)
    bed_starts_s: tuple[float, ...] = (0.0,)
    start: datetime = _START
    injection: datetime = _INJECTION
    half_life_s: float = 6586.2
    frame_duration_s: float = 300.0
    is_enhanced: bool = False


#: Patient of all objects.
WEIGHT_KG: Final = 70.0
ACTIVITY_BQ: Final = 3.6808e8

#: Masses (kg) of a patient of 70 kg and 1.75 m: W/H = 0.4 kg/cm, BMI = 22.857 kg/m2.
_JAMES: Final = {"M": 56.52, "F": 51.22, "O": 53.87}  # 1.10 W - 128 * 0.16, 1.07 W - 148 * 0.16
_IBW: Final = {"M": 72.38, "F": 66.43, "O": 69.405}  # 48 + 1.06 * 23, 45.5 + 0.91 * 23
_JANMA: Final = {
    "M": 55.857108, "F": 45.197015, "O": 50.527061,  # 648900 / 11617.142857, 648900 / 14357.142857
}  # fmt: skip
#: Du Bois: 0.007184 * 175^0.725 * 70^0.425 = 1.848143 m2, in cm2.
_SURFACE_CM2: Final = 18481.43

_SIEMENS, _GE = "SIEMENS", "GE MEDICAL SYSTEMS"
_PHILIPS, _SYNTHETIC = "Philips Medical Systems", "Synthetic"
_VENDORS: Final = (_SIEMENS, _GE, _PHILIPS, _SYNTHETIC)
_UNCORRECTED: Final = ["NORM", "DTIM", "ATTN", "SCAT", "RAN"]
_LATER: Final = "123000.000000"
#: Acquisition times that lead to another decay reference than the private date-time, which counts.
_PAUSED: Final = "113000.000000"
_PHILIPS_GROUP: Final = (0x7053, "Philips PET Private Group")


def _factor(element: int, value: str) -> Private:
    return Private(*_PHILIPS_GROUP, element, "DS", value)


def _of_vendor(vendor: str) -> dict[str, object]:
    """GE gives the start of the frame as Frame Reference Time, the others its mean activity."""
    return {
        "Manufacturer": vendor, "FrameReferenceTime": "0.0" if vendor == _GE else "149605.344",
    }  # fmt: skip


def _nuclide(code: str, meaning: str) -> dict[str, object]:
    return {"code": code, "meaning": meaning}


def _by_mass(
    number: str, suv_type: str, kind: str, masses: Mapping[str, float]
) -> list[ReferenceObject]:
    """Make the objects of one SUV type: for M, F and O."""
    return [
        ReferenceObject(
            f"DRO_2_{number}_{index}", f"Units = GML, {kind}, sex {sex}",
            {"Units": "GML", "SUVType": suv_type, "PatientSex": sex},
            stored=Stored.SUV, stored_per_unit=mass / WEIGHT_KG,
        )
        for index, (sex, mass) in enumerate(masses.items())
    ]  # fmt: skip


_UNITS: Final = (
    ReferenceObject("DRO_0_0", "default: Units = BQML, Decay Correction = START"),
    ReferenceObject("DRO_1_0", "several values of Rescale Slope", slope_steps=(4.0, 3.0, 5.0, 2.0)),
    ReferenceObject("DRO_2_0", "Units = GML, SUVbw", {"Units": "GML"}, stored=Stored.SUV),
    *_by_mass("1", "LBMJAMES128", "SUVlbm (James)", _JAMES),
    *_by_mass("2", "IBW", "SUVibw", _IBW),
    ReferenceObject(
        "DRO_2_3", "Units = CM2ML, SUVbsa", {"Units": "CM2ML", "SUVType": "BSA"},
        stored=Stored.SUV, stored_per_unit=_SURFACE_CM2 / (WEIGHT_KG * 1000),
    ),
    ReferenceObject(
        "DRO_2_4", "Units = CNTS, Philips SUV factor",
        {"Units": "CNTS", "Manufacturer": _PHILIPS}, private=(_factor(0x00, "0.0005"),),
        stored=Stored.SUV, stored_per_unit=1 / 0.0005,
    ),
    ReferenceObject(
        "DRO_2_5", "Units = CNTS, Philips activity factor",
        {"Units": "CNTS", "Manufacturer": _PHILIPS}, private=(_factor(0x09, "2.0"),),
        stored_per_unit=1 / 2.0,
    ),
    *_by_mass("6", "LBMJANMA", "SUVlbm (Janmahasatian)", _JANMA),
)  # fmt: skip


def _per_vendor(
    number: str, vendors: tuple[str, ...], made: ReferenceObject
) -> list[ReferenceObject]:
    return [
        replace(
            made, name=f"DRO_3_{number}_{index}", varies=f"{made.varies}, {vendor}",
            header={**made.header, **_of_vendor(vendor)},
        )
        for index, vendor in enumerate(vendors)
    ]  # fmt: skip


_NONE: Final = ReferenceObject(
    "", "Decay Correction = NONE, several acquisition times",
    {"DecayCorrection": "NONE", "CorrectedImage": _UNCORRECTED},
    stored=Stored.IN_FRAME, bed_starts_s=(0.0, 300.0),
)  # fmt: skip
_DOSE: Final = (
    ReferenceObject("DRO_3_0", "dose in MBq", isotope={"RadionuclideTotalDose": "368.08"}),
    ReferenceObject(
        "DRO_3_1", "Decay Correction = ADMIN", {"DecayCorrection": "ADMIN"},
        stored=Stored.AT_INJECTION,
    ),
    *_per_vendor("2", _VENDORS, ReferenceObject(
        "", "START, series time after acquisition time", {"SeriesTime": _LATER},
    )),
    ReferenceObject(
        "DRO_3_3_0", f"START, series time after acquisition time, private date-time, {_SIEMENS}",
        {"SeriesTime": _LATER, "AcquisitionTime": _PAUSED, **_of_vendor(_SIEMENS)},
        private=(Private(0x0071, "SIEMENS MED PT", 0x22, "DT", "20250101110000.000000"),),
    ),
    ReferenceObject(
        "DRO_3_3_1", f"START, series time after acquisition time, private date-time, {_GE}",
        {"SeriesTime": _LATER, "AcquisitionTime": _PAUSED, **_of_vendor(_GE)},
        private=(Private(0x0009, "GEMS_PETD_01", 0x0D, "DT", "20250101110000.000000"),),
    ),
    *_per_vendor("4", (_SIEMENS, _GE), _NONE),
    replace(
        _NONE, name="DRO_3_4_2", varies=f"{_NONE.varies}, Units = CNTS, {_PHILIPS}",
        header={**_NONE.header, **_of_vendor(_PHILIPS), "Units": "CNTS"},
        private=(_factor(0x09, "2.0"),), stored_per_unit=1 / 2.0,
    ),
    replace(
        _NONE, name="DRO_3_4_3", varies=f"{_NONE.varies}, {_SYNTHETIC}",
        header={**_NONE.header, **_of_vendor(_SYNTHETIC)},
    ),
    *_per_vendor("5", _VENDORS, ReferenceObject(
        "", "START, series time = acquisition time", {"SeriesTime": "110000.000000"},
    )),
)  # fmt: skip

_MIDNIGHT: Final = ReferenceObject(
    "", "", start=datetime.fromisoformat("2025-01-02 00:30"),
    injection=datetime.fromisoformat("2025-01-01 23:30"),
)  # fmt: skip
_ZIRCONIUM: Final = ReferenceObject(
    "", "", isotope=_nuclide("C-168A4", "^89^Zirconium"), half_life_s=282276.0,
    injection=datetime.fromisoformat("2024-12-29 11:00"),
)  # fmt: skip
_TIMES: Final = (
    ReferenceObject(
        "DRO_4_0", "start date-time only", isotope={"RadiopharmaceuticalStartTime": None}
    ),
    ReferenceObject(
        "DRO_4_1", "start time only", isotope={"RadiopharmaceuticalStartDateTime": None}
    ),
    replace(
        _MIDNIGHT, name="DRO_4_2", varies="over midnight, start time only",
        isotope={"RadiopharmaceuticalStartDateTime": None},
    ),
    replace(_MIDNIGHT, name="DRO_4_3", varies="over midnight, with start date-time"),
    replace(
        _MIDNIGHT, name="DRO_4_4", varies="over midnight, anonymised acquisition date",
        header={"AcquisitionDate": "19000101"},
    ),
    replace(_ZIRCONIUM, name="DRO_4_5", varies="Zr-89, three days, with start date-time"),
    ReferenceObject(
        "DRO_5_0", "Ga-68", isotope=_nuclide("C-131A3", "^68^Gallium"), half_life_s=4057.74
    ),
)  # fmt: skip

_ENHANCED: Final = tuple(
    replace(made, is_enhanced=True)
    for made in (
        ReferenceObject("DRO_7_0_0", "Enhanced PET, default"),
        ReferenceObject("DRO_7_1_0", "Enhanced PET, several slopes", slope_steps=(1.0, 2.0)),
        ReferenceObject(
            "DRO_7_2_0", "Enhanced PET, Units = GML", {"Units": "GML"}, stored=Stored.SUV
        ),
        ReferenceObject(
            "DRO_7_3_0", "Enhanced PET, series time after Decay Correction DateTime",
            {"SeriesTime": _LATER},
        ),
        ReferenceObject(
            "DRO_7_3_1", "Enhanced PET, Decay Corrected = NO, several Frame Reference DateTimes",
            {"DecayCorrection": "NONE"}, stored=Stored.IN_FRAME, bed_starts_s=(0.0, 300.0),
        ),
    )
)  # fmt: skip

_IBW_HEADER: Final[Mapping[str, object]] = {"Units": "GML", "SUVType": "IBW"}
_ERRORS: Final = (
    ReferenceObject("DRO_error_2_0", "BQML, weight missing", {"PatientWeight": None}),
    ReferenceObject("DRO_error_2_1", "BQML, weight 0", {"PatientWeight": "0"}),
    ReferenceObject("DRO_error_2_2", "SUVibw, sex missing", {**_IBW_HEADER, "PatientSex": None}),
    ReferenceObject("DRO_error_2_3", "SUVibw, other sex", {**_IBW_HEADER, "PatientSex": "X"}),
    ReferenceObject("DRO_error_2_4", "SUVibw, size missing", {**_IBW_HEADER, "PatientSize": None}),
    ReferenceObject("DRO_error_2_5", "SUVibw, size 0", {**_IBW_HEADER, "PatientSize": "0"}),
    ReferenceObject(
        "DRO_error_2_6", "CNTS without factors", {"Units": "CNTS", "Manufacturer": _PHILIPS}
    ),
    ReferenceObject("DRO_error_2_7", "PROPCNTS", {"Units": "PROPCNTS"}),
    ReferenceObject("DRO_error_3_0", "dose missing", isotope={"RadionuclideTotalDose": None}),
    ReferenceObject(
        "DRO_error_3_1", "dose negative", isotope={"RadionuclideTotalDose": "-368080000.0"}
    ),
    ReferenceObject(
        "DRO_error_3_2", "frame duration missing, not GE", {"ActualFrameDuration": None}
    ),
    ReferenceObject(
        "DRO_error_4_0", "no start time, no start date-time",
        isotope={"RadiopharmaceuticalStartTime": None, "RadiopharmaceuticalStartDateTime": None},
    ),
    replace(
        _ZIRCONIUM, name="DRO_error_4_1", varies="over 24 h (Zr-89), start time only",
        isotope={**_ZIRCONIUM.isotope, "RadiopharmaceuticalStartDateTime": None},
    ),
    replace(
        _ZIRCONIUM, name="DRO_error_4_2", varies="over 24 h (Zr-89), anonymised start date-time",
        isotope={
            **_ZIRCONIUM.isotope, "RadiopharmaceuticalStartDateTime": "19000101110000.000000",
        },
    ),
    ReferenceObject("DRO_error_5_0", "half-life missing", isotope={"RadionuclideHalfLife": None}),
)  # fmt: skip

#: Every object by name, in the order of the list.
REFERENCE_OBJECTS: Final[Mapping[str, ReferenceObject]] = {
    made.name: made for made in (*_UNITS, *_DOSE, *_TIMES, *_ENHANCED, *_ERRORS)
}
