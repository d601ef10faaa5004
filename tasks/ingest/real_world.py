"""Real World Value Mappings inside an image: what turns its stored values into quantities."""

from __future__ import annotations

from typing import Final

from pydicom.dataset import Dataset

from tasks.dicom import values

#: Units of Real World Value Mapping (UCUM) that make SPECT quantitative.
BECQUEREL_PER_ML: Final = "Bq/ml"


def becquerel_mapping(dataset: Dataset) -> tuple[float, float] | None:
    """Slope and intercept of a Real World Value Mapping (0040,9096) to Bq/ml, if there is one.

    References
    ----------
    DICOM PS3.3 C.7.6.16.2.11; units by UCUM, CID 7181.
    """
    for item in values.items(dataset, "RealWorldValueMappingSequence"):
        unit = values.text(values.first_item(item, "MeasurementUnitsCodeSequence"), "CodeValue")
        slope = values.number(item, "RealWorldValueSlope")
        if unit is not None and unit.lower() == BECQUEREL_PER_ML.lower() and slope:
            return slope, values.number(item, "RealWorldValueIntercept") or 0.0
    return None
