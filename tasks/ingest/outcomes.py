"""Where each input object ended: the rows of the `files` table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from schemas.errors import RejectedObjectError
from schemas.reasons import IGNORED_KINDS, REASON_ATTRIBUTES, REASONS, Outcome
from schemas.records import ObjectRef, Row, ScannedObject, SeriesGroup
from tasks.deidentify.pseudonyms import Pseudonyms
from tasks.dicom.tags import keywords_in, tag_name

_NO_IDENTIFIERS: Final = ScannedObject(ObjectRef("", 0, 0))


def file_row(
    item: ScannedObject | ObjectRef,
    outcome: Outcome,
    reason_code: str | None,
    pseudonymiser: Pseudonyms,
    *,
    detail: str = "",
    attributes: Sequence[str] = (),
    content_blake3: str | None = None,
) -> Row:
    """Row of the `files` table for one input object.

    Parameters
    ----------
    item : ScannedObject or ObjectRef
        The object, with its identifiers if its header could be read.
    outcome : Outcome
        Where it ended.
    reason_code : str or None
        Why, if quarantined or ignored.
    pseudonymiser : Pseudonyms
        Keys the place and the UIDs; the place itself is given only if it does not replace.
    detail : str
        What exactly was wrong, without patient values; follows the sentence of the reason.
    attributes : sequence of str
        DICOM keywords that the reason is about; empty: those that `detail` names, or else those
        that the reason always involves.
    content_blake3 : str or None
        Digest of the content, if it was read; otherwise that of `item`.

    Returns
    -------
    dict
        Columns of `files` except source and runs, which the flow adds.
    """
    ref, scanned = (item, _NO_IDENTIFIERS) if isinstance(item, ObjectRef) else (item.ref, item)
    return {
        "file_key": pseudonymiser.file_key(ref.uri),
        "uri": None if pseudonymiser.replaces else ref.uri,
        "size_bytes": ref.size_bytes,
        "modified_ns": ref.modified_ns,
        "content_blake3": content_blake3 or scanned.content_blake3,
        # classes of the standard stay; anything may stand where a class is unknown
        "sop_class_uid": _uid(scanned.sop_class_uid, pseudonymiser),
        "sop_instance_uid": _uid(scanned.sop_instance_uid, pseudonymiser),
        "series_instance_uid": _uid(scanned.series_instance_uid, pseudonymiser),
        "outcome": str(outcome),
        "reason_code": reason_code,
        "reason_text": reason_text(reason_code, detail),
        "reason_tags": reason_tags(reason_code, attributes or keywords_in(detail)),
    }


def scanned_row(scanned: ScannedObject, pseudonymiser: Pseudonyms) -> Row:
    """Row of an object that ended at the look at its header.

    Raises
    ------
    ValueError
        If the object has no outcome yet.
    """
    if scanned.outcome is None:
        raise ValueError("the object is still to be converted")
    return file_row(
        scanned,
        scanned.outcome,
        scanned.reason_code,
        pseudonymiser,
        detail=scanned.detail,
        attributes=scanned.attributes,
    )


def reason_text(reason_code: str | None, detail: str = "") -> str | None:
    """Sentence of a reason, with the detail of this object.

    Examples
    --------
    >>> reason_text("not_dicom", "no data set")
    'Not a DICOM file. (no data set)'
    """
    if reason_code is None:
        return None
    sentence = REASONS[reason_code]
    return f"{sentence} ({detail})" if detail else sentence


def reason_tags(reason_code: str | None, attributes: Sequence[str] = ()) -> list[str] | None:
    """Attributes that a reason is about, as people look them up; None if there are none.

    Examples
    --------
    >>> reason_tags("mixed_orientations")
    ['(0020,0037) ImageOrientationPatient']
    """
    named = attributes or REASON_ATTRIBUTES.get(reason_code or "", ())
    return [tag_name(keyword) for keyword in named] or None


def _uid(original: str | None, pseudonymiser: Pseudonyms) -> str | None:
    return pseudonymiser.uid(original) if original else None


@dataclass(frozen=True, slots=True)
class _Verdict:
    outcome: Outcome
    reason_code: str | None = None
    detail: str = ""
    attributes: tuple[str, ...] = ()


@dataclass(slots=True)
class OutcomeBook:
    """What became of the objects of one series group; each ends in exactly one outcome.

    Parameters
    ----------
    group : SeriesGroup
        The objects.
    leaves_series : bool
        What the lake has of the series is to stay as it is.
    """

    group: SeriesGroup
    leaves_series: bool = False
    _verdicts: dict[str, _Verdict] = field(default_factory=dict)
    _digests: dict[str, str] = field(default_factory=dict)
    _frames_left_out: dict[str, int] = field(default_factory=dict)

    def note_digest(self, item: ScannedObject, content_blake3: str) -> None:
        """Remember the digest of an object's content."""
        self._digests[item.ref.uri] = content_blake3

    def reject(self, item: ScannedObject, error: RejectedObjectError) -> None:
        """Quarantine an object, or ignore it where the reason is one of no interest."""
        ignored = error.reason_code in IGNORED_KINDS
        outcome = Outcome.IGNORED if ignored else Outcome.QUARANTINED
        verdict = _Verdict(outcome, error.reason_code, error.detail, error.attributes)
        self._settle(item, verdict)

    def duplicate(self, item: ScannedObject) -> None:
        """Note that the same object came before."""
        self._settle(item, _Verdict(Outcome.DUPLICATE))

    def leave_out_frame(self, error: RejectedObjectError) -> None:
        """Note that a frame of an object that is used is in no volume."""
        code = error.reason_code
        self._frames_left_out[code] = self._frames_left_out.get(code, 0) + 1

    @property
    def frames_left_out(self) -> Mapping[str, int]:
        """How many frames of used objects are in no volume, by reason."""
        return self._frames_left_out

    def reject_rest(self, error: RejectedObjectError) -> None:
        """Quarantine every object that has not ended yet."""
        for item in self.group.objects:
            if item.ref.uri not in self._verdicts:
                self.reject(item, error)

    def ingest_rest(self) -> None:
        """Every object that has not ended yet is part of what was made."""
        for item in self.group.objects:
            self._verdicts.setdefault(item.ref.uri, _Verdict(Outcome.INGESTED))

    def reasons(self) -> Mapping[str, int]:
        """How many objects were quarantined, by reason."""
        counts: dict[str, int] = {}
        for verdict in self._verdicts.values():
            if verdict.outcome is Outcome.QUARANTINED and verdict.reason_code:
                counts[verdict.reason_code] = counts.get(verdict.reason_code, 0) + 1
        return counts

    def rows(self, pseudonymiser: Pseudonyms) -> list[Row]:
        """Rows of the `files` table in the order of the group."""
        return [self._row(item, pseudonymiser) for item in self.group.objects]

    def _settle(self, item: ScannedObject, verdict: _Verdict) -> None:
        if item.ref.uri in self._verdicts:
            raise ValueError("an object cannot end twice")
        self._verdicts[item.ref.uri] = verdict

    def _row(self, item: ScannedObject, pseudonymiser: Pseudonyms) -> Row:
        verdict = self._verdicts[item.ref.uri]
        return file_row(
            item,
            verdict.outcome,
            verdict.reason_code,
            pseudonymiser,
            detail=verdict.detail,
            attributes=verdict.attributes,
            content_blake3=self._digests.get(item.ref.uri),
        )
