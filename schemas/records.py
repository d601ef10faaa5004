"""Records that travel between the stages of a flow (and between Dask processes)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from schemas.reasons import Outcome
from schemas.volume import MaskVolume, RawVolume

#: A row of a table, by column name; what is absent is null.
Row = dict[str, object]


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """One input object, where it lies and what a change of it would show.

    Parameters
    ----------
    uri : str
        ``file:///abs/path`` or ``zip:///abs/archive.zip!member`` (percent-encoded), or below the
        name of a declared source such as ``dicomweb://pacs/studies/...``. Never logged.
    size_bytes, modified_ns : int
        Of the file, or of the archive member (size) and its archive (time). 0 where a source does
        not say; its objects then never change under their URI.
    """

    uri: str
    size_bytes: int
    modified_ns: int


@dataclass(frozen=True, slots=True)
class ScannedObject:
    """What the header of an object says, or why it goes no further.

    The identifiers are the original ones: for grouping in memory, never for logs or tables.

    Parameters
    ----------
    outcome : Outcome or None
        QUARANTINED or IGNORED with `reason_code` and `detail`; None if it is to be converted.
    attributes : tuple of str
        DICOM keywords that the reason is about; see `schemas.errors.RejectedObjectError`.
    kind : str or None
        ``image``, ``planar``, ``contours``, ``segmentation``, ``report`` or ``value_map``.
    instance_number : int or None
        Usually along the slices: objects read in this order need not be sorted afterwards.
    used_digest : str or None
        Digest of the content that the lake uses under this SOP Instance UID; None: of none.
    is_used : bool
        That content came from this very place.
    used_uri : str or None
        Where the content in use was when it was taken, if that is known.
    copy_digests : tuple of str
        Digests of objects that were found to be copies of the content in use, in another encoding
        perhaps.
    """

    ref: ObjectRef
    outcome: Outcome | None = None
    reason_code: str | None = None
    detail: str = ""
    kind: str | None = None
    sop_class_uid: str | None = None
    sop_instance_uid: str | None = None
    series_instance_uid: str | None = None
    content_blake3: str | None = None
    instance_number: int | None = None
    attributes: tuple[str, ...] = ()
    used_digest: str | None = None
    is_used: bool = False
    used_uri: str | None = None
    copy_digests: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SeriesGroup:
    """The objects of one series (original UID), in a stable order.

    Parameters
    ----------
    default_issuer : str
        Who issued the patient ID where the objects do not say; of the source.
    is_known : bool
        The lake uses content under every one of these SOP Instance UIDs: the objects are held
        against it, and nothing is converted.
    """

    series_instance_uid: str
    kind: str
    objects: tuple[ScannedObject, ...]
    default_issuer: str = ""
    is_known: bool = False


@dataclass(frozen=True, slots=True)
class DecayCandidate:
    """A time that the image may have been decay corrected to.

    Parameters
    ----------
    rule : str
        Where the time comes from, such as ``series_time``.
    first_s, last_s : float or None
        Seconds from the injection; `last_s` is later where slices do not agree. None where the
        injection is not known, or the time is days away from the scan (a scrubbed date).
    factor : float or None
        SUVbw per rescaled value by this time.
    difference_percent : float or None
        Of the factor from that of the time that was chosen.
    is_considered : bool
        False for times that are computed for comparison only.
    is_chosen : bool
        The factors of the series are by this time.
    remark : str or None
        Why it was not considered.
    """

    rule: str
    first_s: float | None = None
    last_s: float | None = None
    factor: float | None = None
    difference_percent: float | None = None
    is_considered: bool = True
    is_chosen: bool = False
    remark: str | None = None


@dataclass(frozen=True, slots=True)
class SuvNormalisation:
    """SUV by one body measure: a multiple of SUVbw, or why it cannot be had.

    Parameters
    ----------
    name : str
        ``suv_bw``, ``suv_lbm_morgan``, ``suv_lbm_james``, ``suv_lbm_janma``, ``suv_bsa`` or
        ``suv_ibw``.
    unit : str
        ``g/ml`` or ``cm2/ml``.
    measure, measure_unit : float or None, str
        What it is normalised by: kg or cm2.
    per_suvbw : float or None
        ``SUV = SUVbw * per_suvbw``.
    reason_code, reason_text : str or None
        Why refused.
    step : str
        The arithmetic, for `tracerlake explain`; empty if refused.
    warning : str or None
        Why the number should not be relied on.
    """

    name: str
    unit: str
    measure_unit: str
    measure: float | None = None
    per_suvbw: float | None = None
    reason_code: str | None = None
    reason_text: str | None = None
    step: str = ""
    warning: str | None = None


@dataclass(frozen=True, slots=True)
class SuvDerivation:
    """How the stored values of a series become SUVbw, or why they do not.

    Parameters
    ----------
    status : str
        ``suv``, ``refused`` or ``not_applicable``.
    value_unit : str
        Unit of the rescaled values U: ``Bq/ml``, ``CNTS``, ``SUVbw``, ``g/ml`` (other SUV) ...
    factors : tuple of float
        One per slice, in the order of the slices given: ``SUVbw = U * factor``; empty if refused.
    rule : str
        Branch of the rules, such as ``BQML/START/series_time``.
    steps : tuple of str
        Derivation line by line, with tags, numbers and units; without dates and identifiers.
    reason_code, reason_text : str or None
        Why refused.
    decay_reference_spread_percent : float or None
        Spread of SUV over all candidates of the decay reference time.
    half_life_s, injected_activity_bq, weight_kg, uptake_time_s, injection_datetime
        The values used after unit corrections; None where unknown.
    findings : tuple of (rule_id, severity, message)
        What a physicist should look at although a factor was found.
    candidates : tuple of DecayCandidate
        All times that the image may have been decay corrected to.
    normalisations : tuple of SuvNormalisation
        SUVbw and its relatives; empty where SUV does not apply.
    if_calibrated : SuvDerivation or None
        Of counts: what holds once a calibration has made them Bq/ml.
    """

    status: str
    value_unit: str
    factors: tuple[float, ...] = ()
    rule: str | None = None
    steps: tuple[str, ...] = ()
    reason_code: str | None = None
    reason_text: str | None = None
    decay_reference_spread_percent: float | None = None
    half_life_s: float | None = None
    injected_activity_bq: float | None = None
    weight_kg: float | None = None
    uptake_time_s: float | None = None
    injection_datetime: datetime | None = None
    findings: tuple[tuple[str, str, str], ...] = ()
    candidates: tuple[DecayCandidate, ...] = ()
    normalisations: tuple[SuvNormalisation, ...] = ()
    if_calibrated: SuvDerivation | None = None


@dataclass(frozen=True)
class ConvertedSeries:
    """Everything that one series group became: rows per table and volumes to store.

    Parameters
    ----------
    rows : mapping of table name to rows
        ``files`` (one row per object of the group, each with its outcome), ``series``,
        ``segments``, ``contours``, ``measurements``, ``evaluations``, ``real_world_values``,
        ``suv_factors``, ``decay_references``, ``findings``. Without run columns: the flow adds them.
    raw, masks : tuple
        Volumes to write; `rows` do not mention them yet.
    leaves_series : bool
        What the lake has of the series stays as it is; `rows` hold only ``files``.
    identity : mapping
        For the key holder's re-identification table only: patient_key, patient_id, issuer and
        the original and pseudonymised UIDs. Never written to the lake, never logged.
    """

    series_instance_uid: str
    rows: Mapping[str, list[Row]] = field(default_factory=dict)
    raw: tuple[RawVolume, ...] = ()
    masks: tuple[MaskVolume, ...] = ()
    leaves_series: bool = False
    identity: Mapping[str, str] = field(default_factory=dict)
