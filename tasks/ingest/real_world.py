"""Real World Value Mappings inside an image: what turns its stored values into quantities."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from pydicom.config import IGNORE
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from schemas.errors import RejectedObjectError
from tasks.dicom import tags, values
from tasks.dicom.classic_header import FrameElements
from tasks.ingest.codes import coded_text

#: Units of Real World Value Mapping (UCUM) that make SPECT quantitative.
BECQUEREL_PER_ML: Final = "Bq/ml"
#: Concept (SCT, and SRT as it was before) by which a mapping names its quantity.
_QUANTITY_CONCEPTS: Final = frozenset({"SCT:246205007", "SRT:G-C1C6"})
#: Units (0054,1001) of classic PET by UCUM code in lower case, and the factor to them.
_PET_UNITS: Final = {
    "bq/ml": ("BQML", 1.0), "kbq/ml": ("BQML", 1e3), "mbq/ml": ("BQML", 1e6),
    "g/ml": ("GML", 1.0), "cm2/ml": ("CM2ML", 1.0), "{counts}": ("CNTS", 1.0),
    "{counts}/s": ("CPS", 1.0), "1": ("NONE", 1.0), "%": ("PCNT", 1.0),
}  # fmt: skip
#: SUV units, CID 85: {SUVbw}g/ml, {SUVlbm(James128)}g/ml, {SUVbsa}cm2/ml.
_SUV_UNIT: Final = re.compile(r"\{suv(bw|lbm|bsa|ibw)(?:\(?(james128|janma|morgan)\)?)?\}")
#: Rescale Types that are Units of classic PET.
_UNITS_AS_TYPE: Final = frozenset({"BQML", "CNTS", "GML", "CM2ML", "CPS"})
#: Units that SUV can be had of, before others that a frame may be mapped to as well.
_FIRST_UNITS: Final = frozenset({"BQML", "GML"})
_SUV_TYPES: Final = {
    ("bw", ""): "BW", ("bsa", ""): "BSA", ("ibw", ""): "IBW", ("lbm", ""): "LBM",
    ("lbm", "morgan"): "LBM", ("lbm", "james128"): "LBMJAMES128", ("lbm", "janma"): "LBMJANMA",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mapping:
    """A linear mapping of stored values to a quantity.

    Parameters
    ----------
    slope, intercept : float
        ``quantity = stored * slope + intercept``.
    unit : str
        UCUM code of its unit.
    quantity_code : str or None
        The quantity, as ``scheme:value``.
    """

    slope: float
    intercept: float
    unit: str
    quantity_code: str | None = None


def read_mappings(dataset: Dataset) -> list[Mapping]:
    """Linear mappings of Real World Value Mapping Sequence (0040,9096), in their order.

    Raises
    ------
    RejectedObjectError
        ``unsupported_object`` if there are only look-up tables, or several mappings to one unit and
        quantity (each for a range of stored values).

    References
    ----------
    DICOM PS3.3 C.7.6.16.2.11; units by UCUM, CID 7181.
    """
    items = values.items(dataset, "RealWorldValueMappingSequence")
    found = [mapping for item in items if (mapping := _mapping(item)) is not None]
    if items and not found and any("RealWorldValueLUTData" in item for item in items):
        raise RejectedObjectError(
            "unsupported_object", "real world values by table", ["RealWorldValueLUTData"]
        )
    if len({(m.unit, m.quantity_code) for m in found}) < len(set(found)):
        raise RejectedObjectError(
            "unsupported_object",
            "several mappings to one quantity",
            ["RealWorldValueMappingSequence"],
        )
    return found


def _mapping(item: Dataset) -> Mapping | None:
    unit = values.text(values.first_item(item, "MeasurementUnitsCodeSequence"), "CodeValue")
    slope = values.number(item, "RealWorldValueSlope")
    if unit is None or not slope:
        return None
    intercept = values.number(item, "RealWorldValueIntercept") or 0.0
    return Mapping(slope, intercept, unit, _quantity(item))


def _quantity(item: Dataset) -> str | None:
    for definition in values.items(item, "QuantityDefinitionSequence"):
        if coded_text(definition, "ConceptNameCodeSequence") in _QUANTITY_CONCEPTS:
            return coded_text(definition, "ConceptCodeSequence")
    return None


def becquerel_mapping(dataset: Dataset) -> tuple[float, float] | None:
    """Slope and intercept of a mapping to Bq/ml, if there is one.

    References
    ----------
    DICOM PS3.3 C.7.6.16.2.11; units by UCUM, CID 7181.
    """
    for item in values.items(dataset, "RealWorldValueMappingSequence"):
        mapping = _mapping(item)
        if mapping is not None and mapping.unit.lower() == BECQUEREL_PER_ML.lower():
            return mapping.slope, mapping.intercept
    return None


def add_pet_units(frame: FrameElements, mapped: Dataset) -> None:
    """Give an Enhanced PET frame its Units (0054,1001), and the rescaling to them.

    Enhanced PET has no Units: the unit is that of a Real World Value Mapping, which holds for
    stored values as they are. Where there is none, Rescale Type (0028,1054) may name it.

    Parameters
    ----------
    frame : FrameElements
        Takes the classic attributes, unless it has Units.
    mapped : Dataset
        With the mappings of the frame.

    Raises
    ------
    RejectedObjectError
        As `read_mappings`.

    References
    ----------
    DICOM PS3.3 C.7.6.16.2.9 and C.7.6.16.2.11.
    """
    if frame.text(tags.UNITS):
        return
    known = [(u, m) for m in read_mappings(mapped) if (u := pet_units(m.unit)) is not None]
    known.sort(key=lambda pair: pair[0][0] not in _FIRST_UNITS)
    if not known:
        rescale_type = (frame.text(tags.RESCALE_TYPE) or "").upper()
        if rescale_type in _UNITS_AS_TYPE:
            frame.own.Units = rescale_type
        return
    (units, suv_type, factor), mapping = known[0]
    frame.own.Units = units
    if suv_type:
        frame.own.SUVType = suv_type
    for tag, value in (
        (tags.RESCALE_SLOPE, mapping.slope * factor),
        (tags.RESCALE_INTERCEPT, mapping.intercept * factor),
    ):
        frame.own[tag] = DataElement(tag, "DS", repr(value), validation_mode=IGNORE)


def pet_units(unit: str) -> tuple[str, str, float] | None:
    """Units (0054,1001), SUV Type (0054,1006) and factor to them of a UCUM code.

    Returns
    -------
    tuple or None
        None for units that PET images do not have.

    Examples
    --------
    >>> pet_units("kBq/ml"), pet_units("{SUVbw}g/ml"), pet_units("{SUVbsa}cm2/ml")
    (('BQML', '', 1000.0), ('GML', 'BW', 1.0), ('CM2ML', 'BSA', 1.0))
    >>> pet_units("mm2/s") is None
    True
    """
    lowered = unit.strip().lower()
    suv = _SUV_UNIT.search(lowered)
    suv_type = _SUV_TYPES.get((suv[1], suv[2] or "")) if suv else ""
    known = _PET_UNITS.get(lowered.replace(suv[0], "") if suv else lowered)
    return None if known is None or suv_type is None else (known[0], suv_type, known[1])
