"""Rows of the `series` table from de-identified headers."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Final

from pydicom.dataset import Dataset

from schemas.records import Row, SuvDerivation
from tasks.deidentify.descriptors import clean_words
from tasks.dicom import values
from tasks.ingest.attenuation import attenuation_correction
from tasks.ingest.context import Context
from tasks.ingest.equipment import reconstruction_key, scanner_key
from tasks.ingest.reconstruction import reconstruction_columns
from tasks.ingest.tracer import is_spect, radionuclide, tracer_name
from tasks.quantify.times import parse_date

#: Raised when rows or volumes made from the same objects would come out differently.
CONVERSION_VERSION: Final = 4
_AGE: Final = re.compile(r"(\d{1,3})([DWMY])")
_YEARS: Final = {"D": 1 / 365.25, "W": 7 / 365.25, "M": 1 / 12, "Y": 1.0}
#: Ages above are given as `_AGE_CAP`, as HIPAA's safe harbour asks.
_AGE_LIMIT, _AGE_CAP = 89.0, 90.0


def common_row(
    original: Dataset, clean: Dataset, kind: str, digests: Iterable[str], context: Context
) -> Row:
    """Columns that every kind of series has.

    Parameters
    ----------
    original, clean : Dataset
        A header of the series as it came, and de-identified.
    kind : str
        ``image``, ``planar``, ``contours``, ``segmentation``, ``report`` or ``value_map``.
    digests : iterable of str
        Of the contents of the objects that were used.
    context : Context
        Pseudonyms and profile.
    """
    contents = sorted(digests)
    return {
        "series_instance_uid": context.uid(values.text(original, "SeriesInstanceUID")),
        "study_instance_uid": context.uid(values.text(original, "StudyInstanceUID")),
        "patient_key": context.patient_key(original),
        "centre": context.pseudonymiser.centre(values.text(original, "InstitutionName")),
        "modality": values.text(clean, "Modality"),
        "series_kind": kind,
        "is_spect": kind == "image" and is_spect(original),
        "sop_class_uid": context.uid(values.text(original, "SOPClassUID")),
        "frame_of_reference_uid": context.uid(_frame_of_reference(original)),
        "study_datetime": values.moment(clean, "StudyDate", "StudyTime"),
        "series_datetime": values.moment(clean, "SeriesDate", "SeriesTime"),
        "manufacturer": values.text(clean, "Manufacturer"),
        "manufacturer_model_name": values.text(clean, "ManufacturerModelName"),
        "software_versions": values.joined(clean, "SoftwareVersions"),
        "scanner_key": scanner_key(original, context.pseudonymiser),
        "series_description_words": _words(original),
        "n_instances": len(contents),
        "patient_sex": values.text(clean, "PatientSex"),
        "patient_age_years": patient_age_years(original),
        "deidentification": context.profile,
        "deidentification_version": context.profile_version,
        "input_digest": input_digest(contents, f"{context.profile} {context.profile_version}"),
    }


def image_row(original: Dataset, clean: Sequence[Dataset], suv: SuvDerivation, row: Row) -> Row:
    """Add what only image series have to the columns of `common_row`.

    Parameters
    ----------
    original : Dataset
        First header as it came.
    clean : sequence of Dataset
        All distinct headers, de-identified.
    suv : SuvDerivation
        Derived from the de-identified headers.
    row : dict
        From `common_row`.
    """
    first = clean[0]
    corrections = values.texts(first, "CorrectedImage")
    nuclear = values.text(original, "Modality") in ("PT", "NM")
    is_corrected, told_by = attenuation_correction(original)
    made = {
        "reconstruction_method": values.joined(first, "ReconstructionMethod"),
        "convolution_kernel": values.joined(first, "ConvolutionKernel"),
        **reconstruction_columns(original),
    }
    return {
        **row,
        **made,
        "reconstruction_key": reconstruction_key(made),
        "acquisition_datetime": values.earliest(
            values.moment(ds, "AcquisitionDate", "AcquisitionTime", "AcquisitionDateTime")
            for ds in clean
        ),
        "attenuation_corrected": is_corrected,
        "attenuation_correction_source": told_by,
        "corrected_image": corrections or None,
        "units": values.text(first, "Units"),
        "decay_correction": values.text(first, "DecayCorrection"),
        "radiopharmaceutical": tracer_name(original) if nuclear else None,
        "radionuclide": radionuclide(original) if nuclear else None,
        "half_life_s": suv.half_life_s,
        "injected_activity_bq": suv.injected_activity_bq,
        "injection_datetime": suv.injection_datetime,
        "uptake_time_s": suv.uptake_time_s,
        "frame_duration_s": _frame_duration_s(clean),
        "patient_weight_kg": suv.weight_kg or values.number(first, "PatientWeight"),
        "patient_size_m": values.number(first, "PatientSize"),
        "suv_factor": one_factor(suv.factors),
        **suv_columns(suv),
    }


def suv_columns(suv: SuvDerivation) -> Row:
    """How SUV was derived, or why not."""
    return {
        "suv_status": suv.status,
        "suv_rule": suv.rule,
        "suv_reason_code": suv.reason_code,
        "suv_reason_text": suv.reason_text,
        "suv_derivation": list(suv.steps),
        "decay_reference_spread_percent": suv.decay_reference_spread_percent,
    }


def input_digest(content_blake3: Iterable[str], profile: str) -> str:
    """Digest of the contents and of everything that decides what becomes of them."""
    text = "\n".join([f"conversion {CONVERSION_VERSION}", profile, *sorted(content_blake3)])
    return hashlib.sha256(text.encode()).hexdigest()


def _frame_of_reference(header: Dataset) -> str | None:
    """RTSTRUCT names its frame in a sequence only."""
    inner = values.first_item(header, "ReferencedFrameOfReferenceSequence")
    return values.text(header, "FrameOfReferenceUID") or values.text(inner, "FrameOfReferenceUID")


def _words(header: Dataset) -> list[str] | None:
    return list(clean_words(values.text(header, "SeriesDescription") or "")) or None


def one_factor(factors: Sequence[float]) -> float | None:
    """Return the factor that all slices share, None if there is none or they differ."""
    return factors[0] if len(set(factors)) == 1 else None


def patient_age_years(header: Dataset) -> float | None:
    """Age at the study, from Patient's Age (0010,1010) or the birth date; above 89 given as 90.

    Examples
    --------
    >>> ds = Dataset()
    >>> ds.PatientAge = "059Y"
    >>> patient_age_years(ds)
    59.0
    """
    match = _AGE.fullmatch((values.text(header, "PatientAge") or "").upper())
    if match:
        years = int(match.group(1)) * _YEARS[match.group(2)]
    else:
        known = _years_between(
            parse_date(values.text(header, "PatientBirthDate")),
            parse_date(values.text(header, "StudyDate")),
        )
        if known is None or not 0 <= known < 130:
            return None
        years = known
    return _AGE_CAP if years > _AGE_LIMIT else round(years, 2)


def _years_between(born: date | None, then: date | None) -> float | None:
    """Whole years, so that the birth date cannot be computed back."""
    if born is None or then is None:
        return None
    return float(then.year - born.year - ((then.month, then.day) < (born.month, born.day)))


def _frame_duration_s(headers: Sequence[Dataset]) -> float | None:
    """Actual Frame Duration (0018,1242) is in ms; None if it differs between slices."""
    found = {values.number(ds, "ActualFrameDuration") for ds in headers}
    only = next(iter(found)) if len(found) == 1 else None
    return only / 1000 if only else None
