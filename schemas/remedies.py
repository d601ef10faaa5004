"""What a person can do about an object in quarantine, by reason code."""

from __future__ import annotations

from typing import Final

_SEND_AGAIN: Final = (
    "Export or send the object again from where it came; if it comes the same, look at the export."
)
_LOOK_AT_SERIES: Final = (
    "Look at the series in a viewer and send it complete and as it was acquired."
)
_CORRECT: Final = (
    "Correct the attributes named at their source, or have the vendor correct the export; "
    "then ingest again."
)

#: One or two sentences for each code of `schemas.reasons.QUARANTINE_REASONS`.
REMEDIES: Final[dict[str, str]] = {
    "unreadable": "Make the file readable for the account that ingests (permissions, mount, medium), "
    "then `tracerlake quarantine retry`.",
    "series_incomplete": "Bring the earlier objects back to where they were, or ingest a folder that "
    "has the whole series; the next run asks for it by itself.",
    "overtaken": "Nothing; the next run puts the series together.",
    "still_being_written": "Nothing; the next run looks again, when it has been written.",
    "source_unavailable": "See that the source runs and has the object; the next run asks by itself.",
    "not_parseable": _SEND_AGAIN,
    "truncated": _SEND_AGAIN,
    "missing_attribute": _CORRECT,
    "invalid_attribute": _CORRECT,
    "undecodable_pixels": "Export it with another transfer syntax, best Explicit VR Little Endian.",
    "oversized": "If it is real, raise the limits in tracerlake.toml and retry; otherwise find out "
    "what wrote it.",
    "too_complex": "Find out what wrote it; a real object of this size is worth a report to us.",
    "conflicting_duplicate": "Compare both objects and find out which one is right. If it is this one: "
    "`tracerlake quarantine retry --accept-changed --object KEY`; if not, remove it at its source.",
    "superseded": "Nothing. To use it again after all: `tracerlake quarantine retry --accept-changed "
    "--object KEY`.",
    "mixed_sizes": _LOOK_AT_SERIES,
    "mixed_orientations": _LOOK_AT_SERIES,
    "duplicate_positions": _LOOK_AT_SERIES,
    "missing_slices": "Send the complete series; the slices that are here join what comes.",
    "nonuniform_spacing": _LOOK_AT_SERIES,
    "gantry_tilt": _LOOK_AT_SERIES,
    "single_slice": "Nothing, if it is a scout or a single image; otherwise send the other slices.",
    "mixed_quantification": "Send the series as one reconstruction made it, without slices of another.",
    "unsupported_object": "Nothing; a later version may read it: retry after an upgrade.",
    "missing_reference": "Ingest what it refers to together with it.",
    "pseudonym_missing": "Add the patient to the site's list of pseudonyms; the next run asks by itself.",
    "deidentification_failed": "Report it with the kind of object, never with the object itself.",
    "suv_changed_by_deidentification": "Report it with the kind of object, never with the object.",
    "out_of_memory": "Retry with `--workers 1`, or on a machine with more memory.",
    "killed_workers": "Retry with `--workers 1`; if it kills its worker again, keep it away and report "
    "the kind of object.",
    "archive_damaged": "Make the archive again, or unpack it with a tool that repairs and ingest the "
    "folder.",
    "archive_bomb": "If it is real, unpack it and ingest the folder; otherwise find out who made it.",
    "internal_error": "Report it with the kind of object, never with the object; retry after an upgrade.",
}

_CORRECT_TAG: Final = (
    "Correct the attribute at its source (console or archive), or have the vendor correct the export; "
    "then ingest the series again."
)

#: One or two sentences for each code of `schemas.reasons.SUV_REFUSALS`.
SUV_REMEDIES: Final[dict[str, str]] = {
    "suv_not_pet": "Nothing, if it is no PET or SPECT.",
    "suv_units_missing": _CORRECT_TAG,
    "suv_units_unsupported": "Reconstruct or export the series in Bq/ml (Units = BQML).",
    "suv_counts_without_factor": "Export with the vendor's private elements (Philips 7053,xx00 and "
    "7053,xx09); de-identifiers before ours often drop them.",
    "suv_weight_missing": _CORRECT_TAG,
    "suv_weight_implausible": _CORRECT_TAG,
    "suv_size_missing": _CORRECT_TAG,
    "suv_sex_missing": _CORRECT_TAG,
    "suv_dose_missing": _CORRECT_TAG,
    "suv_dose_ambiguous": "Enter the injected activity in Bq in (0018,1074); then ingest again.",
    "suv_half_life_missing": _CORRECT_TAG,
    "suv_half_life_mismatch": "Find out whether the nuclide or the half-life is wrong and correct it; "
    "then ingest again.",
    "suv_injection_time_missing": "Enter date and time of the injection in (0018,1078); for half-lives "
    "above 11.5 h a time of day does not suffice.",
    "suv_injection_time_implausible": "Correct (0018,1078), or keep its date when exporting: "
    "de-identifiers before ours often scrub it.",
    "suv_frame_duration_missing": "Export with Actual Frame Duration (0018,1242), or with the vendor's "
    "private decay reference.",
    "suv_decay_correction_unsupported": _CORRECT_TAG,
    "suv_decay_reference_missing": "Export with Acquisition Time (0008,0032) and Frame Reference Time "
    "(0054,1300) in every slice.",
    "suv_decay_reference_ambiguous": "Look at the candidates below: find out from the vendor which time "
    "the image was corrected to, and export with the private element that says so.",
    "suv_not_decay_corrected": "Corrected Image (0028,0051) and Decay Correction (0054,1102) contradict "
    "each other: find out which is right and correct the other.",
    "suv_not_attenuation_corrected": "Send the attenuation corrected reconstruction.",
    "suv_nonzero_intercept": "Find out what wrote the series; PET has no intercept.",
    "suv_mixed_values": "Send the series as one reconstruction made it, without slices of another.",
    "suv_size_implausible": _CORRECT_TAG,
    "suv_several_radiopharmaceuticals": "Send the series with the administration that it shows only.",
    "suv_reprojection": "Nothing; the volume that the projection was made of has SUV.",
}
