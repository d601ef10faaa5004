"""An image series: its raw volumes, its row, its findings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from pydicom.dataset import Dataset

from schemas.geometry import FloatArray
from schemas.records import Row, SuvDerivation
from schemas.volume import WHOLE, Attributes, Part, RawVolume
from tasks.deidentify.suv_gate import assert_derivation_preserved
from tasks.dicom import values
from tasks.findings.row import series_finding
from tasks.ingest.assembled import Assembled, assemble
from tasks.ingest.context import Context, Conversion
from tasks.ingest.findings import (
    frame_findings,
    partial_series_findings,
    stack_findings,
)
from tasks.ingest.identity import identity_of
from tasks.ingest.load import LoadedObject
from tasks.ingest.lossy import lossy_findings
from tasks.ingest.open_image import open_images
from tasks.ingest.outcomes import OutcomeBook
from tasks.ingest.planes import PlaneStore
from tasks.ingest.real_world import BECQUEREL_PER_ML, becquerel_mapping
from tasks.ingest.series_row import common_row, image_row, suv_columns
from tasks.ingest.spect_acquisition import spect_row, spect_timing
from tasks.ingest.suv_range import suv_per_stored
from tasks.ingest.suv_rows import decay_reference_rows, suv_factor_rows
from tasks.quantify import derive_suv
from tasks.quantify.spect import derive_spect

#: Columns of the series row that the volume repeats, so that it can be read without the tables.
REPEATED_COLUMNS: Final = (
    "modality", "is_spect", "manufacturer", "manufacturer_model_name", "reconstruction_method",
    "convolution_kernel", "corrected_image", "units", "decay_correction", "radiopharmaceutical",
    "radionuclide", "half_life_s", "injected_activity_bq", "uptake_time_s", "frame_duration_s",
    "patient_weight_kg", "suv_status", "suv_rule", "suv_reason_code", "suv_derivation",
    "frame_of_reference_uid", "study_instance_uid", "series_instance_uid", "deidentification",
    "input_digest",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Quantified:
    """A volume of the series with its headers, as they came and de-identified, and its SUV."""

    assembled: Assembled
    clean: list[Dataset]
    suv: SuvDerivation

    @property
    def original(self) -> Dataset:
        """First header as it came."""
        return self.assembled.headers[0].dataset


def convert_image(
    objects: Iterable[LoadedObject], context: Context, book: OutcomeBook
) -> Conversion:
    """Convert the objects of an image series.

    Parameters
    ----------
    objects : iterable of LoadedObject
        Images of one series, each instance once.
    context : Context
        Pseudonyms, limits, profile.
    book : OutcomeBook
        Takes the outcome of objects that cannot be used.

    Returns
    -------
    Conversion
        One volume, or several where the series holds several stacks. Its row speaks of the first,
        the largest one.

    Raises
    ------
    RejectedObjectError
        Why no volume can be made of the series.
    """
    planes = PlaneStore(len(book.group.objects), context.limits.max_series_bytes)
    slices = open_images(objects, context.limits, planes, book)
    parts = [_quantified(part, context) for part in assemble(slices, planes, context.limits, book)]
    row = _row(parts, context)
    volumes = tuple(_volume(part, row, _which(i, parts), context) for i, part in enumerate(parts))
    row |= suv_per_stored(volumes)
    return Conversion(
        rows={
            "series": [row],
            "suv_factors": suv_factor_rows(row, parts[0].suv),
            "decay_references": decay_reference_rows(row, parts[0].suv),
            "spect_acquisitions": _acquisitions(row, parts),
            "findings": _findings(row, parts, book),
        },
        raw=volumes,
        identity=identity_of(parts[0].original, row),
    )


def _quantified(assembled: Assembled, context: Context) -> _Quantified:
    originals = [header.dataset for header in assembled.headers]
    derive = _derivation(originals[0])
    before = derive(originals)
    clean = context.clean_all(assembled.headers)
    suv = derive(clean)
    if context.deidentify:
        assert_derivation_preserved(before, suv)
    return _Quantified(assembled, clean, suv)


def _derivation(header: Dataset) -> Callable[[Sequence[Dataset]], SuvDerivation]:
    """Rules by which values of this kind of image become SUV."""
    if values.text(header, "Modality") != "NM":
        return derive_suv
    return partial(
        derive_spect,
        is_mapped=becquerel_mapping(header) is not None,
        duration_s=spect_timing(header).duration_s,
    )


def _acquisitions(row: Row, parts: Sequence[_Quantified]) -> list[Row]:
    return [
        spect_row(part.original, part.assembled.geometry, index, part.suv, row)
        for index, part in enumerate(parts, start=1)
        if row["modality"] == "NM"
    ]


def _row(parts: Sequence[_Quantified], context: Context) -> Row:
    main = parts[0]
    digests = {o.item.ref.uri: o.digest for part in parts for o in part.assembled.objects}
    row = common_row(main.original, main.clean[0], "image", digests.values(), context)
    row = image_row(main.original, main.clean, main.suv, row)
    factors = _factors(main)
    if factors is not None:
        row["suv_factor"] = float(factors.flat[0]) if np.ptp(factors) == 0 else None
    return row


def _which(index: int, parts: Sequence[_Quantified]) -> Part:
    return Part(index + 1, parts[index].assembled.label) if len(parts) > 1 else WHOLE


def _volume(part: _Quantified, row: Row, which: Part, context: Context) -> RawVolume:
    assembled = part.assembled
    return RawVolume(
        stored=assembled.stored,
        rescale_slope=assembled.slope,
        rescale_intercept=assembled.intercept,
        geometry=assembled.geometry,
        value_unit=_unit(part.original, part.suv),
        suv_factor=_factors(part),
        attributes=_attributes(row, part, context),
        frames=assembled.frames,
        part=which,
    )


def _factors(part: _Quantified) -> FloatArray | None:
    """Spread the factor of each distinct header over its slices."""
    suv, assembled = part.suv, part.assembled
    if suv.status != "suv" or not suv.factors:
        return None
    if len(suv.factors) != len(assembled.headers):
        raise ValueError(f"expected {len(assembled.headers)} SUV factors, got {len(suv.factors)}")
    return np.array(suv.factors, dtype=np.float64)[assembled.header_of_slice]


def _unit(header: Dataset, suv: SuvDerivation) -> str:
    """Name the unit of the rescaled values, ``1`` if nothing says what they are."""
    modality = values.text(header, "Modality")
    if modality == "CT":
        is_hounsfield = (values.text(header, "RescaleType") or "HU") == "HU"
        return "HU" if is_hounsfield and values.text(header, "RescaleIntercept") else "1"
    if modality == "NM" and becquerel_mapping(header) is not None:
        return BECQUEREL_PER_ML
    return suv.value_unit or "1"


def repeated_columns(row: Row) -> Attributes:
    """Columns of a series row that its volumes repeat, so that they can be read without tables."""
    return {name: row[name] for name in REPEATED_COLUMNS if row.get(name) is not None}


def _attributes(row: Row, part: _Quantified, context: Context) -> Attributes:
    found = repeated_columns({**row, **suv_columns(part.suv)})
    padding = values.number(part.original, "PixelPaddingValue")
    if padding is not None:
        found["pixel_padding_value"] = int(padding)
    objects = part.assembled.objects
    found["sop_instance_uids"] = [context.uid(o.item.sop_instance_uid) for o in objects]
    return found


def _findings(row: Row, parts: Sequence[_Quantified], book: OutcomeBook) -> list[Row]:
    found = [
        series_finding(row, rule_id, severity, message, source="tracerlake SUV rules")
        for part in parts
        for rule_id, severity, message in part.suv.findings
    ]
    assembled = [part.assembled for part in parts]
    is_whole = len(parts) == 1 and assembled[0].frames is None
    declared = values.number(parts[0].original, "NumberOfSlices") if is_whole else None
    found += partial_series_findings(
        row, book.reasons(), int(declared) if declared else None, len(assembled[0].stored)
    )
    found += frame_findings(row, book.frames_left_out)
    found += stack_findings(row, [(a.geometry, a.label) for a in assembled])
    found += lossy_findings(row, [h.dataset for a in assembled for h in a.headers])
    unique = {str(f["finding_id"]): f for f in found}
    return list(unique.values())
