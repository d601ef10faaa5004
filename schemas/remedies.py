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
    "conflicting_duplicate": "Compare both objects and find out which one is right; remove or correct "
    "the other at its source.",
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
