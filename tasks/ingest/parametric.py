"""Parametric maps: computed quantities (ADC, Ki, washout ...) as volumes with their unit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pydicom.dataset import Dataset

from schemas.errors import RejectedObjectError
from schemas.records import Row
from schemas.volume import WHOLE, Attributes, Part, RawVolume
from tasks.dicom import values
from tasks.dicom.references import referenced_series
from tasks.ingest.assembled import Assembled, assemble
from tasks.ingest.concatenation import without_incomplete
from tasks.ingest.context import Context, Conversion
from tasks.ingest.findings import frame_findings, partial_series_findings, stack_findings
from tasks.ingest.identity import identity_of
from tasks.ingest.load import LoadedObject
from tasks.ingest.lossy import lossy_findings
from tasks.ingest.open_parametric import open_parametric
from tasks.ingest.open_slice import OpenSlice
from tasks.ingest.outcomes import OutcomeBook
from tasks.ingest.planes import PlaneStore
from tasks.ingest.real_world import Mapping, read_mappings
from tasks.ingest.series_row import common_row

#: Columns of the series row that the volume repeats.
_REPEATED: Final = (
    "modality", "manufacturer", "manufacturer_model_name", "frame_of_reference_uid",
    "study_instance_uid", "series_instance_uid", "referenced_series_uid", "deidentification",
    "input_digest",
)  # fmt: skip


def convert_parametric(
    objects: Iterable[LoadedObject], context: Context, book: OutcomeBook
) -> Conversion:
    """Convert the parametric maps of a series.

    Parameters
    ----------
    objects : iterable of LoadedObject
        Parametric maps of one series.
    context : Context
        Pseudonyms, limits, profile.
    book : OutcomeBook
        Takes the outcome of objects that cannot be used.

    Returns
    -------
    Conversion
        A volume for each quantity (and stack). Stored values are kept as they are, floating point
        ones too; the mapping becomes slope, intercept and unit.

    Raises
    ------
    RejectedObjectError
        Why no volume can be made of the series.

    References
    ----------
    DICOM PS3.3 A.75, C.7.6.16.2.11 (Real World Value Mapping).
    """
    slices: list[OpenSlice] = []
    for loaded in objects:
        try:
            slices += open_parametric(loaded, context.limits)
        except RejectedObjectError as error:
            book.reject(loaded.item, error)
    slices = without_incomplete(slices, book)
    planes = PlaneStore(0, context.limits.max_series_bytes)
    parts = assemble(slices, planes, context.limits, book)
    clean = [context.clean_all(part.headers) for part in parts]
    row = _row(parts, clean[0][0], context)
    volumes = tuple(
        _volume(part, headers, row, index if len(parts) > 1 else 0, context)
        for index, (part, headers) in enumerate(zip(parts, clean, strict=True), start=1)
    )
    return Conversion(
        rows={"series": [row], "findings": _findings(row, parts, book)},
        raw=volumes,
        identity=identity_of(parts[0].headers[0].dataset, row),
    )


def _row(parts: list[Assembled], clean: Dataset, context: Context) -> Row:
    original = parts[0].headers[0].dataset
    digests = {o.item.ref.uri: o.digest for part in parts for o in part.objects}
    row = common_row(original, clean, "parametric", digests.values(), context)
    row["acquisition_datetime"] = values.moment(
        clean, "AcquisitionDate", "AcquisitionTime", "AcquisitionDateTime"
    )
    row["referenced_series_uid"] = context.uid(referenced_series(original))
    row["suv_status"] = "not_applicable"
    return row


def _volume(
    part: Assembled, clean: list[Dataset], row: Row, index: int, context: Context
) -> RawVolume:
    mapping = _one_quantity(part, clean)
    attributes: Attributes = {name: row[name] for name in _REPEATED if row.get(name) is not None}
    attributes["quantity_code"] = mapping.quantity_code
    attributes["sop_instance_uids"] = [context.uid(o.item.sop_instance_uid) for o in part.objects]
    return RawVolume(
        stored=part.stored,
        rescale_slope=part.slope,
        rescale_intercept=part.intercept,
        geometry=part.geometry,
        value_unit=mapping.unit,
        attributes=attributes,
        frames=part.frames,
        part=Part(index, f"{part.label}: {_name(mapping)}") if index else WHOLE,
    )


def _name(mapping: Mapping) -> str:
    return mapping.quantity_code or mapping.unit


def _one_quantity(part: Assembled, clean: list[Dataset]) -> Mapping:
    """Quantity and unit of a volume, from de-identified headers.

    Raises
    ------
    RejectedObjectError
        ``mixed_quantification`` if they differ, ``deidentification_failed`` if the unit is no code.
    """
    original = [read_mappings(header.dataset)[0] for header in part.headers]
    if len({(m.unit, m.quantity_code) for m in original}) > 1:
        raise RejectedObjectError(
            "mixed_quantification",
            "frames of one stack are of different quantities",
            ["RealWorldValueMappingSequence"],
        )
    safe = read_mappings(clean[0])
    if not safe or safe[0].unit != original[0].unit:
        raise RejectedObjectError(
            "deidentification_failed",
            "the unit of the values is no code that may be kept",
            ["MeasurementUnitsCodeSequence"],
        )
    return safe[0]


def _findings(row: Row, parts: list[Assembled], book: OutcomeBook) -> list[Row]:
    found = partial_series_findings(row, book.reasons(), None, len(parts[0].stored))
    found += frame_findings(row, book.frames_left_out)
    found += lossy_findings(row, [h.dataset for part in parts for h in part.headers])
    return found + stack_findings(row, [(part.geometry, part.label) for part in parts])
