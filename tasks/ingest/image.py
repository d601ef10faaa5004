"""An image series: one raw volume, its row, its findings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
from pydicom.dataset import Dataset

from schemas.geometry import FloatArray
from schemas.records import Row, SuvDerivation
from schemas.volume import Attributes, RawVolume
from tasks.deidentify.suv_gate import assert_suv_preserved
from tasks.dicom import values
from tasks.dicom.kinds import NM_IMAGE
from tasks.ingest.assembled import Assembled, assemble_slices
from tasks.ingest.context import Context, Conversion
from tasks.ingest.findings import partial_series_findings, series_finding
from tasks.ingest.identity import identity_of
from tasks.ingest.load import LoadedObject
from tasks.ingest.outcomes import OutcomeBook
from tasks.ingest.series_row import common_row, image_row
from tasks.ingest.tomogram import BECQUEREL_PER_ML, assemble_tomogram, becquerel_mapping
from tasks.quantify import derive_suv

#: Columns of the series row that the volume repeats, so that it can be read without the tables.
_REPEATED: Final = (
    "modality", "is_spect", "manufacturer", "manufacturer_model_name", "reconstruction_method",
    "convolution_kernel", "corrected_image", "units", "decay_correction", "radiopharmaceutical",
    "radionuclide", "half_life_s", "injected_activity_bq", "uptake_time_s", "frame_duration_s",
    "patient_weight_kg", "suv_status", "suv_rule", "suv_reason_code", "suv_derivation",
    "frame_of_reference_uid", "study_instance_uid", "series_instance_uid", "deidentification",
    "input_digest",
)  # fmt: skip


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

    Raises
    ------
    RejectedObjectError
        Why no volume can be made of the series.
    """
    is_nm = any(item.sop_class_uid == NM_IMAGE for item in book.group.objects)
    assemble = assemble_tomogram if is_nm else assemble_slices
    assembled = assemble(objects, context.limits, book)
    originals = [header.dataset for header in assembled.headers]
    original = originals[0]
    before = derive_suv(originals)
    clean = context.clean_all(assembled.headers)
    suv = derive_suv(clean)
    if context.deidentify:
        assert_suv_preserved(before.factors, suv.factors)
    row = common_row(original, clean[0], "image", [o.sha256 for o in assembled.objects], context)
    row = image_row(original, clean, suv, row)
    factors = _factors(suv, assembled)
    if factors is not None:
        row["suv_factor"] = float(factors[0]) if np.ptp(factors) == 0 else None
    volume = RawVolume(
        stored=assembled.stored,
        rescale_slope=assembled.slope,
        rescale_intercept=assembled.intercept,
        geometry=assembled.geometry,
        value_unit=_unit(original, suv),
        suv_factor=factors,
        attributes=_attributes(row, assembled, context),
    )
    return Conversion(
        rows={"series": [row], "findings": _findings(row, suv, assembled, book)},
        raw=(volume,),
        identity=identity_of(original, row),
    )


def _factors(suv: SuvDerivation, assembled: Assembled) -> FloatArray | None:
    """Spread the factor of each distinct header over its slices."""
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


def _attributes(row: Row, assembled: Assembled, context: Context) -> Attributes:
    found: Attributes = {name: row[name] for name in _REPEATED if row.get(name) is not None}
    padding = values.number(assembled.headers[0].dataset, "PixelPaddingValue")
    if padding is not None:
        found["pixel_padding_value"] = int(padding)
    found["sop_instance_uids"] = [context.uid(o.item.sop_instance_uid) for o in assembled.objects]
    return found


def _findings(row: Row, suv: SuvDerivation, assembled: Assembled, book: OutcomeBook) -> list[Row]:
    header, n_slices = assembled.headers[0].dataset, assembled.stored.shape[0]
    declared = values.number(header, "NumberOfSlices")
    found = [
        series_finding(row, rule_id, severity, message, source="tracerlake SUV rules")
        for rule_id, severity, message in suv.findings
    ]
    found += partial_series_findings(
        row, book.reasons(), int(declared) if declared else None, n_slices
    )
    unique = {str(f["finding_id"]): f for f in found}
    return list(unique.values())
