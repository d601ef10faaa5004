"""Real World Value Mapping objects: how stored values become quantities, as their maker says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from pydicom.dataset import Dataset

from schemas.errors import RejectedObjectError
from schemas.records import Row
from tasks.deidentify.descriptors import UNKNOWN_LABEL, clean_label
from tasks.deidentify.identity import IdentifierFilter
from tasks.dicom import values
from tasks.dicom.references import only
from tasks.ingest.context import Context, Conversion
from tasks.ingest.documents import read_documents
from tasks.ingest.findings import partial_series_findings
from tasks.ingest.identity import identity_of
from tasks.ingest.load import LoadedObject
from tasks.ingest.outcomes import OutcomeBook
from tasks.ingest.report_concepts import MEASUREMENT_METHOD, QUANTITY
from tasks.ingest.report_content import Codes
from tasks.ingest.series_row import common_row

_MAPPED: Final = "ReferencedImageRealWorldValueMappingSequence"
#: Parts that the row of the series does not need.
_BULK: Final = (
    _MAPPED,
    "ReferencedSeriesSequence",
    "StudiesContainingOtherReferencedInstancesSequence",
)


def convert_value_map(
    objects: Iterable[LoadedObject], context: Context, book: OutcomeBook
) -> Conversion:
    """Convert the Real World Value Mappings of a series.

    Parameters
    ----------
    objects : iterable of LoadedObject
        Mapping objects of one series.
    context : Context
        Pseudonyms, limits, profile.
    book : OutcomeBook
        Takes the outcome of objects that cannot be used.

    Raises
    ------
    RejectedObjectError
        If none can be used.

    References
    ----------
    DICOM PS3.3 A.59 and C.7.6.16.2.11 (Real World Value Mapping Macro).
    """
    maps: list[Row] = []
    used = read_documents(
        objects, book, _MAPPED, lambda ds: maps.extend(_mappings(ds, context)), _BULK
    )
    if not used.headers:
        raise RejectedObjectError("missing_attribute", "no usable value mapping in the series")
    header = used.headers[0]
    row = common_row(header, context.clean(header), "value_map", used.digests, context)
    row["referenced_series_uid"] = only(
        str(m["mapped_series_uid"]) for m in maps if m["mapped_series_uid"]
    )
    return Conversion(
        rows={
            "series": [row],
            "real_world_values": [
                {**m, "mapping_index": index} for index, m in enumerate(maps, start=1)
            ],
            "findings": partial_series_findings(row, book.reasons(), None, len(used.headers)),
        },
        identity=identity_of(header, row),
    )


def _mappings(dataset: Dataset, context: Context) -> list[Row]:
    """Rows of one object: one per mapping and image series that it is for."""
    rows: list[Row] = []
    codes = Codes(IdentifierFilter(dataset) if context.deidentify else None)
    series_of = _series_of_instances(dataset)
    key: Row = {
        "mapping_series_uid": context.uid(values.text(dataset, "SeriesInstanceUID")),
        "sop_instance_uid": context.uid(values.text(dataset, "SOPInstanceUID")),
        "patient_key": context.patient_key(dataset),
    }
    for item in values.items(dataset, _MAPPED):
        images = values.items(item, "ReferencedImageSequence")
        counts = Counter(
            series_of.get(values.text(image, "ReferencedSOPInstanceUID") or "") for image in images
        )
        for mapping in values.items(item, "RealWorldValueMappingSequence"):
            described = _mapping(mapping, codes)
            for series, n_instances in counts.items():
                rows.append(
                    {
                        **key,
                        **described,
                        "mapped_series_uid": context.uid(series),
                        "n_mapped_instances": n_instances,
                        "n_mapped_frames": _n_frames(images) or None,
                    }
                )
    if not rows:
        raise RejectedObjectError("missing_attribute", "no mapping of any image in it")
    return rows


def _mapping(mapping: Dataset, codes: Codes) -> Row:
    label = clean_label(values.text(mapping, "LUTLabel") or "")
    defined: dict[str | None, list[str]] = {}
    for item in values.items(mapping, "QuantityDefinitionSequence"):
        concept = codes.first(item, "ConceptNameCodeSequence")
        defined.setdefault(concept, []).extend(codes.all(item, "ConceptCodeSequence"))
    return {
        "real_world_slope": values.number(mapping, "RealWorldValueSlope"),
        "real_world_intercept": values.number(mapping, "RealWorldValueIntercept"),
        "first_value_mapped": _limit(mapping, "RealWorldValueFirstValueMapped"),
        "last_value_mapped": _limit(mapping, "RealWorldValueLastValueMapped"),
        "is_lookup_table": "RealWorldValueLUTData" in mapping,
        "unit_code": codes.unit(mapping, "MeasurementUnitsCodeSequence"),
        "lut_label": None if label == UNKNOWN_LABEL else label,
        "quantity_code": next(iter(defined.get(QUANTITY, [])), None),
        "measurement_method_codes": defined.get(MEASUREMENT_METHOD) or None,
    }


def _limit(mapping: Dataset, keyword: str) -> float | None:
    """End of the mapped range of stored values, from either form of the attribute."""
    double = values.number(mapping, f"DoubleFloat{keyword}")
    return values.number(mapping, keyword) if double is None else double


def _series_of_instances(dataset: Dataset) -> dict[str, str]:
    """Original series of every instance that the object names (Common Instance Reference)."""
    holders = [
        dataset,
        *values.items(dataset, "StudiesContainingOtherReferencedInstancesSequence"),
    ]
    return {
        instance: series
        for holder in holders
        for item in values.items(holder, "ReferencedSeriesSequence")
        if (series := values.text(item, "SeriesInstanceUID"))
        for reference in values.items(item, "ReferencedInstanceSequence")
        if (instance := values.text(reference, "ReferencedSOPInstanceUID"))
    }


def _n_frames(images: list[Dataset]) -> int:
    """Frames named one by one; 0 where whole instances are mapped."""
    return sum(len(values.values_of(image, "ReferencedFrameNumber")) for image in images)
