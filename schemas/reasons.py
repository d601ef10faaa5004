"""Why an input object was quarantined or ignored, or why a quantity was refused.

A reason code is stable (users write SQL against it); the sentence tells a person what to do.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Outcome(StrEnum):
    """Where every input object ends: in exactly one of these."""

    INGESTED = "ingested"
    DUPLICATE = "duplicate"
    QUARANTINED = "quarantined"
    IGNORED = "ignored"


#: Quarantine: the object should have been usable and is not.
QUARANTINE_REASONS: Final[dict[str, str]] = {
    "unreadable": "The file could not be opened or read; check permissions and the medium.",
    "still_being_written": "The object changed while it was looked at, so somebody is still writing it; the next run asks for it again.",
    "series_incomplete": "Other objects of this series could not be had (gone from where they were, unreadable, still being written), so it was not converted; the next run tries again.",
    "overtaken": "Another run took in other objects of this series at the same time; the next run puts them together.",
    "source_unavailable": "The source did not deliver the object; the next run asks for it again.",
    "not_parseable": "The file claims to be DICOM but its data set cannot be parsed; export it again.",
    "truncated": "The file ends before its data do; export or transfer it again.",
    "missing_attribute": "An attribute that the object cannot be used without is absent or empty.",
    "invalid_attribute": "An attribute has a value that its definition does not allow.",
    "undecodable_pixels": "The pixel data cannot be decoded with the installed decoders.",
    "oversized": "Rows x Columns x frames, the file, or what it expands to is beyond the configured "
    "limit; raise it if this is real.",
    "too_complex": "The header has more elements or values, or deeper sequences, than real objects "
    "have; find out what wrote it.",
    "conflicting_duplicate": "The same SOP Instance UID came with different content; both are kept, "
    "the first one is used. Find out which one is right.",
    "superseded": "It was used until a person accepted other content under its SOP Instance UID; "
    "the volume made of it is in earlier snapshots.",
    "mixed_sizes": "The only slice of its rows, columns and pixel spacing in the series.",
    "mixed_orientations": "The only slice of its orientation in the series.",
    "duplicate_positions": "Several slices lie at the same position and nothing tells them apart.",
    "missing_slices": "Slices are missing inside the stack; send the complete series.",
    "nonuniform_spacing": "The distance between slices varies beyond tolerance.",
    "gantry_tilt": "The stack leans by over 45 degrees against its slices: positions cannot be right.",
    "single_slice": "A series of one slice has no through-plane geometry.",
    "mixed_quantification": "Values that must be the same in the whole series differ between slices.",
    "unsupported_object": "This kind of object is not yet read by this version.",
    "missing_reference": "It refers to a patient or an object that is not in the input.",
    "pseudonym_missing": "The patient is not in the site's list of pseudonyms, which is required; add the patient, the next run takes the object in.",
    "deidentification_failed": "The object could not be de-identified safely, so nothing of it was kept.",
    "suv_changed_by_deidentification": "The SUV factor before and after de-identification differs.",
    "out_of_memory": "Reading this series needs more memory than a worker has; run with fewer "
    "workers or more memory.",
    "killed_workers": "Reading this series ended two workers; inspect it separately.",
    "archive_damaged": "The archive, or this member of it, cannot be read.",
    "archive_bomb": "The archive member expands beyond the configured limit.",
    "internal_error": "A fault of tracerlake itself; please report it with the kind of object.",
}

#: What a reason always involves, by DICOM keyword; used where the code that refused names nothing.
REASON_ATTRIBUTES: Final[dict[str, tuple[str, ...]]] = {
    "truncated": ("PixelData",),
    "undecodable_pixels": ("TransferSyntaxUID", "PixelData"),
    "conflicting_duplicate": ("SOPInstanceUID",),
    "superseded": ("SOPInstanceUID",),
    "mixed_sizes": ("Rows", "Columns", "PixelSpacing"),
    "mixed_orientations": ("ImageOrientationPatient",),
    "duplicate_positions": ("ImagePositionPatient",),
    "missing_slices": ("ImagePositionPatient",),
    "nonuniform_spacing": ("ImagePositionPatient",),
    "gantry_tilt": ("ImagePositionPatient", "ImageOrientationPatient"),
    "unsupported_object": ("SOPClassUID",),
    "pseudonym_missing": ("PatientID", "IssuerOfPatientID"),
}

#: Reasons that may pass by themselves: the next run asks for the object again although its size and
#: time are known, and a series of which an object ended so is not converted in part.
PASSING_REASONS: Final = frozenset(
    {"unreadable", "source_unavailable", "still_being_written", "series_incomplete", "overtaken"}
)

#: Ignored: the object is fine and none of our business.
IGNORED_KINDS: Final[dict[str, str]] = {
    "not_dicom": "Not a DICOM file.",
    "dicomdir": "A DICOMDIR index.",
    "empty_file": "A file of zero bytes.",
    "secondary_capture": "Secondary Capture: may have identity burned into its pixels. The setting "
    'secondary_capture = "monochrome" keeps grey ones.',
    "localizer": "Localizer, scout or derived projection image.",
    "no_pixels": "An object without pixel data, contours or measurements (presentation state, ...).",
    "report_without_measurements": "A report or a selection of key images, without image measurements.",
    "dose_report": "A report of radiation dose.",
    "outside_selection": "Outside the dates, modalities or descriptions that the run was asked for; a run that asks for more takes it.",
    "link_outside_source": "A symbolic link that leaves the source folder.",
}

#: Why no SUV was given; the volume is kept in the unit that it has.
SUV_REFUSALS: Final[dict[str, str]] = {
    "suv_not_pet": "SUV is defined for PET (and calibrated SPECT) only.",
    "suv_units_missing": "Units (0054,1001) is absent.",
    "suv_units_unsupported": "Units (0054,1001) cannot be converted to an activity concentration.",
    "suv_counts_without_factor": "Counts without a usable vendor conversion factor.",
    "suv_weight_missing": "Patient weight is absent or zero.",
    "suv_weight_implausible": "Patient weight is outside 1 to 500 kg even after unit correction.",
    "suv_size_missing": "Patient size is needed for this SUV type and absent or zero.",
    "suv_sex_missing": "Patient sex M, F or O is needed for this SUV type.",
    "suv_dose_missing": "The injected activity is absent, zero or negative.",
    "suv_dose_ambiguous": "The injected activity is between 1e4 and 1e6: Bq, kBq or uCi?",
    "suv_half_life_missing": "The radionuclide half-life is absent or not positive.",
    "suv_half_life_mismatch": "The half-life differs from that of the named radionuclide by over 1 %.",
    "suv_injection_time_missing": "No usable time of injection.",
    "suv_injection_time_implausible": "The injection time cannot belong to this scan.",
    "suv_frame_duration_missing": "Actual frame duration is needed to find the decay reference.",
    "suv_decay_correction_unsupported": "Decay correction (0054,1102) is not START, ADMIN or NONE.",
    "suv_decay_reference_missing": "No decay reference time can be found.",
    "suv_decay_reference_ambiguous": "The possible decay reference times disagree.",
    "suv_not_decay_corrected": "Decay correction is contradictory or absent in Corrected Image.",
    "suv_not_attenuation_corrected": "The series is not attenuation corrected.",
    "suv_nonzero_intercept": "PET with a rescale intercept other than 0 is not defined.",
    "suv_mixed_values": "Dose, weight or times differ between the slices of the series.",
    "suv_size_implausible": "Patient size does not allow the normalising body mass to be computed.",
    "suv_several_radiopharmaceuticals": "More than one administration is given; SUV needs exactly one.",
    "suv_reprojection": "A reprojection (such as a MIP) has no activity concentration.",
}

REASONS: Final[dict[str, str]] = {**QUARANTINE_REASONS, **IGNORED_KINDS, **SUV_REFUSALS}
