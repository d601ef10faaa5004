"""What the headers of one PET series say about quantities, read once and robustly."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timezone
from typing import Final, TypeVar

from pydicom.dataset import Dataset

from schemas.errors import RejectedObjectError
from tasks.quantify.halflife import Nuclide, identify_nuclide
from tasks.quantify.private import (
    GE_PETD,
    PHILIPS_PET,
    SIEMENS_PT,
    has_creator,
    private_number,
    private_text,
)
from tasks.quantify.times import combine, parse_date, parse_datetime, parse_offset, parse_time

T = TypeVar("T")

#: SOP Class UID of Enhanced PET Image Storage.
ENHANCED_PET: Final = "1.2.840.10008.5.1.4.1.1.130"

#: Stands in where no object has a date, so that times of day can still be subtracted.
_NO_DATE: Final = date(2000, 1, 1)
_GE: Final = re.compile(r"(GE\b|GEMS|GENERAL ELECTRIC)")


@dataclass(frozen=True, slots=True)
class Frame:
    """Timing of one slice: start of its acquisition, Frame Reference Time and duration (s).

    Enhanced PET gives the moment that the values of a frame stand for as a date-time.
    `decay_factor` is what the scanner multiplied the slice with; None if it does not say.
    """

    acquisition: datetime | None
    frame_reference_s: float | None
    duration_s: float | None
    reference: datetime | None = None
    decay_factor: float | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """Header values of a series as they stand, before any correction of units.

    Numbers are None where the attribute is absent, empty or no number; texts are then empty.
    """

    units: str
    suv_type: str
    series_type: frozenset[str]
    decay_correction: str
    corrected_image: frozenset[str]
    attenuation_method: str
    is_ge: bool
    weight: float | None
    size: float | None
    sex: str
    dose: float | None
    half_life_s: float | None
    nuclide: Nuclide | None
    n_administrations: int
    injection_datetime: datetime | None
    injection_time: time | None
    series: datetime | None
    vendor_reference: datetime | None
    philips_suv: float | None
    philips_activity: float | None
    frames: tuple[Frame, ...]
    has_dates: bool
    is_enhanced: bool = False
    attenuation_corrected: str = ""
    stated_reference: datetime | None = None


def text(ds: Dataset, keyword: str) -> str:
    """Upper-case text of an attribute; empty if absent."""
    value = ds.get(keyword)
    return "" if value is None else str(value).strip(" \x00").upper()


def words(ds: Dataset, keyword: str) -> frozenset[str]:
    """Upper-case values of a multi-valued attribute."""
    value = ds.get(keyword)
    if value is None:
        return frozenset()
    values = [value] if isinstance(value, str) else list(value)
    return frozenset(str(v).strip().upper() for v in values if str(v).strip())


def number(ds: Dataset, keyword: str) -> float | None:
    """Finite number of a single-valued attribute, else None."""
    try:
        value = ds.get(keyword)
        result = float(str(value)) if value is not None else math.nan
    except (ValueError, TypeError, OverflowError):  # malformed DS or IS
        return None
    return result if math.isfinite(result) else None


def uniform(slices: Sequence[Dataset], read: Callable[[Dataset], T], what: str) -> T:
    """Read a value that must be the same in every slice.

    Raises
    ------
    RejectedObjectError
        `suv_mixed_values`, naming the attribute.
    """
    first = read(slices[0])
    if any(read(ds) != first for ds in slices[1:]):
        raise RejectedObjectError("suv_mixed_values", f"{what} differs between slices")
    return first


def read_facts(slices: Sequence[Dataset]) -> Facts:
    """Read the header values of a series.

    Parameters
    ----------
    slices : sequence of Dataset
        Headers of one PET series.

    Raises
    ------
    RejectedObjectError
        `suv_mixed_values` if values of the whole series differ between its slices.
    """
    administration = _Administrations(slices)
    first = slices[0]
    local = parse_offset(first.get("TimezoneOffsetFromUTC"))
    fallback_date = _first_date(slices)
    is_ge = _GE.match(text(first, "Manufacturer")) is not None or has_creator(
        first, 0x0009, GE_PETD
    )
    return Facts(
        units=uniform(slices, lambda ds: text(ds, "Units"), "Units (0054,1001)"),
        suv_type=uniform(slices, lambda ds: text(ds, "SUVType"), "SUV Type (0054,1006)"),
        series_type=words(first, "SeriesType"),
        decay_correction=uniform(
            slices, lambda ds: text(ds, "DecayCorrection"), "Decay Correction (0054,1102)"
        ),
        corrected_image=uniform(
            slices, lambda ds: words(ds, "CorrectedImage"), "Corrected Image (0028,0051)"
        ),
        attenuation_method=text(first, "AttenuationCorrectionMethod"),
        is_ge=is_ge,
        weight=uniform(slices, lambda ds: number(ds, "PatientWeight"), "Weight (0010,1030)"),
        size=uniform(slices, lambda ds: number(ds, "PatientSize"), "Size (0010,1020)"),
        sex=uniform(slices, lambda ds: text(ds, "PatientSex"), "Sex (0010,0040)"),
        dose=administration.number("RadionuclideTotalDose", "Total Dose (0018,1074)"),
        half_life_s=administration.number("RadionuclideHalfLife", "Half Life (0018,1075)"),
        nuclide=administration.nuclide,
        n_administrations=administration.count,
        injection_datetime=parse_datetime(
            administration.raw("RadiopharmaceuticalStartDateTime", "Start DateTime (0018,1078)"),
            local,
        ),
        injection_time=parse_time(
            administration.raw("RadiopharmaceuticalStartTime", "Start Time (0018,1072)")
        ),
        series=_series_datetime(slices, fallback_date),
        vendor_reference=parse_datetime(_vendor_reference(slices, is_ge=is_ge), local),
        philips_suv=_philips(slices, 0x00),
        philips_activity=_philips(slices, 0x09),
        frames=tuple(_frame(ds, fallback_date, local) for ds in slices),
        has_dates=fallback_date != _NO_DATE,
        is_enhanced=text(first, "SOPClassUID") == ENHANCED_PET,
        attenuation_corrected=uniform(
            slices, lambda ds: text(ds, "AttenuationCorrected"), "Attenuation Corrected (0018,9759)"
        ),
        stated_reference=_stated_reference(slices, local),
    )


class _Administrations:
    """Radiopharmaceutical Information Sequence (0054,0016) over all slices."""

    def __init__(self, slices: Sequence[Dataset]) -> None:
        sequences: list[list[Dataset]] = [
            list(ds.get("RadiopharmaceuticalInformationSequence") or []) for ds in slices
        ]
        self.count = max(len(s) for s in sequences)
        self._items = [s[0] if s else Dataset() for s in sequences]
        self.nuclide = identify_nuclide(self._items[0])

    def number(self, keyword: str, what: str) -> float | None:
        return uniform(self._items, lambda item: number(item, keyword), what)

    def raw(self, keyword: str, what: str) -> str:
        return uniform(self._items, lambda item: str(item.get(keyword) or "").strip(), what)


def _first_date(slices: Sequence[Dataset]) -> date:
    for keyword in ("AcquisitionDate", "SeriesDate", "StudyDate"):
        day = parse_date(slices[0].get(keyword))
        if day is not None:
            return day
    return _NO_DATE


def _frame(ds: Dataset, fallback_date: date, local: timezone | None) -> Frame:
    day = parse_date(ds.get("AcquisitionDate")) or fallback_date
    acquisition = combine(day, parse_time(ds.get("AcquisitionTime"))) or parse_datetime(
        ds.get("AcquisitionDateTime"), local
    )
    reference, duration = number(ds, "FrameReferenceTime"), number(ds, "ActualFrameDuration")
    factor = number(ds, "DecayFactor")
    return Frame(
        acquisition,
        None if reference is None else reference / 1000,
        None if duration is None or duration <= 0 else duration / 1000,
        parse_datetime(ds.get("FrameReferenceDateTime"), local),
        factor if factor is not None and factor > 0 else None,
    )


def _series_datetime(slices: Sequence[Dataset], fallback_date: date) -> datetime | None:
    """Series Date and Time, or None where the slices do not agree on one."""
    moments = {
        combine(parse_date(ds.get("SeriesDate")) or fallback_date, parse_time(ds.get("SeriesTime")))
        for ds in slices
    }
    return moments.pop() if len(moments) == 1 else None


def _stated_reference(slices: Sequence[Dataset], local: timezone | None) -> datetime | None:
    """Decay Correction DateTime (0018,9701) of Enhanced PET; elsewhere it is not defined."""
    if text(slices[0], "SOPClassUID") != ENHANCED_PET:
        return None
    moment = uniform(
        slices, lambda ds: text(ds, "DecayCorrectionDateTime"), "Decay Correction (0018,9701)"
    )
    return parse_datetime(moment, local)


def _vendor_reference(slices: Sequence[Dataset], *, is_ge: bool) -> str | None:
    """GE PET scan_datetime (0009,xx0D), else Siemens Decay Correction DateTime (0071,xx22)."""
    places = [(0x0009, GE_PETD, 0x0D)] if is_ge else []
    for group, creator, element in (*places, (0x0071, SIEMENS_PT, 0x22)):
        value = private_text(slices[0], group, creator, element)
        if value is not None and all(
            private_text(ds, group, creator, element) == value for ds in slices[1:]
        ):
            return value
    return None


def _philips(slices: Sequence[Dataset], element: int) -> float | None:
    """Philips factor (7053,xx00) or (7053,xx09); 0 means that there is none."""
    factor = uniform(
        slices,
        lambda ds: private_number(ds, 0x7053, PHILIPS_PET, element),
        f"Philips factor (7053,xx{element:02X})",
    )
    return factor if factor is not None and factor > 0 else None
