"""What a physicist should look at although a series was taken in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from schemas.geometry import Geometry
from schemas.records import Row
from tasks.dicom.stack import tilt_degrees
from tasks.findings.row import series_finding

#: Stacks that lean less than this are as straight as header values are exact.
_TILT_DEGREES: Final = 0.06
CONFLICT_RULE: Final = "ingest.conflicting_duplicate"
SUPERSEDED_RULE: Final = "ingest.superseded"
SHARED_RULE: Final = "ingest.shared_instances"
#: Other series that a finding names.
_MOST_NAMED: Final = 3


def partial_series_findings(
    series: Row, rejected: Mapping[str, int], n_declared: int | None, n_used: int
) -> list[Row]:
    """Note that a volume was made without all objects of its series.

    Parameters
    ----------
    series : Row
        Its row.
    rejected : mapping
        Reason code to number of objects that were quarantined. Conflicting ones do not count: the
        volume holds another object in their place (see `conflict_finding`).
    n_declared : int or None
        Number of Slices (0054,0081).
    n_used : int
        Slices of the volume.
    """
    rows = []
    replaced = {"conflicting_duplicate", "superseded"}
    rejected = {code: n for code, n in rejected.items() if code not in replaced}
    if rejected:
        text = ", ".join(f"{n} {code}" for code, n in sorted(rejected.items()))
        rows.append(
            series_finding(
                series, "ingest.partial_series", "warn",
                f"The volume was made without objects of its series: {text}.",
                observed_value=float(sum(rejected.values())), limit_text="0 objects",
            )
        )  # fmt: skip
    if n_declared and n_declared != n_used:
        rows.append(
            series_finding(
                series, "ingest.slice_count", "warn",
                f"The header announces {n_declared} slices, the volume has {n_used}.",
                observed_value=float(n_used), limit_text=f"{n_declared} slices",
                source="DICOM PS3.3 C.8.9.1, Number of Slices (0054,0081)",
            )
        )  # fmt: skip
    return rows


def frame_findings(series: Row, left_out: Mapping[str, int]) -> list[Row]:
    """Note that frames of multi-frame objects are in no volume.

    Parameters
    ----------
    series : Row
        Its row.
    left_out : mapping
        Reason code to number of frames.
    """
    if not left_out:
        return []
    text = ", ".join(f"{n} {code}" for code, n in sorted(left_out.items()))
    return [
        series_finding(
            series, "ingest.partial_object", "warn",
            f"Frames of objects of this series are in none of its volumes: {text}.",
            observed_value=float(sum(left_out.values())), limit_text="0 frames",
        )
    ]  # fmt: skip


def stack_findings(series: Row, stacks: Sequence[tuple[Geometry, str | None]]) -> list[Row]:
    """Note that a series was split into volumes, and which of them lean (gantry tilt).

    Parameters
    ----------
    series : Row
        Its row.
    stacks : sequence of (Geometry, label)
        Its volumes, the largest first.
    """
    rows = []
    if len(stacks) > 1:
        text = "; ".join(f"{g.shape[0]} slices: {label}" for g, label in stacks)
        rows.append(
            series_finding(
                series, "ingest.split_series", "info",
                f"The series holds {len(stacks)} stacks, each a volume of its own ({text}).",
                observed_value=float(len(stacks)), limit_text="1 stack",
            )
        )  # fmt: skip
    tilt = max(tilt_degrees(geometry) for geometry, _ in stacks)
    if tilt > _TILT_DEGREES:
        rows.append(
            series_finding(
                series, "ingest.gantry_tilt", "info",
                f"The stack leans by {tilt:.1f} degrees (gantry tilt); the volume keeps the slices "
                "as they are on a sheared grid.",
                observed_value=tilt, limit_text=f"{_TILT_DEGREES} degrees",
            )
        )  # fmt: skip
    return rows


def conflict_finding(series: Row, n_objects: int) -> Row:
    """Note that other content came under SOP Instance UIDs that a series uses.

    Parameters
    ----------
    series : Row
        ``series_instance_uid``, ``patient_key`` and ``centre`` suffice.
    n_objects : int
        Objects in quarantine for it.
    """
    return series_finding(
        series, CONFLICT_RULE, "warn",
        f"{n_objects} objects came with other content under a SOP Instance UID of this series. "
        "What came first is used; find out which one is right.",
        observed_value=float(n_objects), limit_text="0 objects",
        source="DICOM PS3.5 section 9: a UID identifies one object",
    )  # fmt: skip


def superseded_finding(series: Row, n_objects: int) -> Row:
    """Note that a person accepted changed objects of a series.

    Parameters
    ----------
    series : Row
        ``series_instance_uid``, ``patient_key`` and ``centre`` suffice.
    n_objects : int
        Objects that were used before.
    """
    return series_finding(
        series, SUPERSEDED_RULE, "info",
        f"{n_objects} objects of this series were replaced by others with the same SOP Instance "
        "UID, which a person accepted. The volume made of them is in earlier snapshots.",
        observed_value=float(n_objects), limit_text="0 objects",
        source="DICOM PS3.5 section 9: a UID identifies one object",
    )  # fmt: skip


def shared_finding(series: Row, others: Mapping[str, int]) -> Row:
    """Note that a series uses SOP Instance UIDs that other series use as well.

    Parameters
    ----------
    series : Row
        ``series_instance_uid``, ``patient_key`` and ``centre`` suffice.
    others : mapping of str to int
        How many instances are shared with each of the others, by pseudonymised series UID.
    """
    most = sorted(others, key=lambda uid: (-others[uid], uid))
    named = ", ".join(f"{others[uid]} with {uid}" for uid in most[:_MOST_NAMED])
    more = f" and {len(most) - _MOST_NAMED} more series" if len(most) > _MOST_NAMED else ""
    return series_finding(
        series, SHARED_RULE, "warn",
        f"Objects of this series have SOP Instance UIDs of other series: {named}{more}. "
        "Each is used as it came: the same images may be in the lake twice.",
        observed_value=float(max(others.values())), limit_text="0 objects",
        source="DICOM PS3.5 section 9: a UID identifies one object",
    )  # fmt: skip
