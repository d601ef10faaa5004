"""The worker's function: the objects of one series become rows and volumes."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Final

from schemas.errors import RejectedObjectError
from schemas.records import ConvertedSeries, Row, SeriesGroup
from tasks.deidentify.pseudonyms import Pseudonyms
from tasks.dicom.parse import quiet_pydicom
from tasks.ingest.context import Context, Conversion
from tasks.ingest.contour_set import convert_contours
from tasks.ingest.image import convert_image
from tasks.ingest.limits import Limits
from tasks.ingest.load import (
    LoadedObject,
    WholeReader,
    compare_objects,
    content_digest,
    load_objects,
)
from tasks.ingest.outcomes import OutcomeBook
from tasks.ingest.parametric import convert_parametric
from tasks.ingest.planar import convert_planar
from tasks.ingest.report import convert_report
from tasks.ingest.same_content import is_same_content
from tasks.ingest.segmentation import convert_segmentation
from tasks.ingest.value_map import convert_value_map

__all__ = ["Limits", "convert_series"]

logger = logging.getLogger(__name__)

Converter = Callable[[Iterable[LoadedObject], Context, OutcomeBook], Conversion]
_CONVERTERS: Final[Mapping[str, Converter]] = {
    "image": convert_image,
    "planar": convert_planar,
    "contours": convert_contours,
    "segmentation": convert_segmentation,
    "parametric": convert_parametric,
    "report": convert_report,
    "value_map": convert_value_map,
}


def convert_series(
    group: SeriesGroup,
    *,
    reader: WholeReader,
    pseudonymiser: Pseudonyms,
    limits: Limits,
    deidentify: bool = True,
) -> ConvertedSeries:
    """Convert the objects of one series. Never raises for what the objects hold.

    Parameters
    ----------
    group : SeriesGroup
        From `tasks.dicom.grouping.group_series`.
    reader : WholeReader
        Reads each object once.
    pseudonymiser : Pseudonyms
        For every identifier.
    limits : Limits
        Sizes beyond which objects are refused.
    deidentify : bool
        False only for phantoms and public data.

    Returns
    -------
    ConvertedSeries
        Every object of the group has one row in ``files``. If the series cannot be used as a whole,
        that is the only table, and each object carries the reason. The same if objects cannot be
        had now, or were only held against what the lake uses; ``leaves_series`` then says so.
    """
    context = Context(pseudonymiser, limits, deidentify, group.default_issuer)
    book = OutcomeBook(group)
    made = _convert(group, reader, context, book)
    rows: dict[str, list[Row]] = {name: list(table) for name, table in made.rows.items()}
    rows["files"] = book.rows(pseudonymiser)
    return ConvertedSeries(
        series_instance_uid=pseudonymiser.uid(group.series_instance_uid),
        rows=rows,
        raw=made.raw,
        masks=made.masks,
        leaves_series=book.leaves_series,
        identity=_with_issuer(made.identity, group.default_issuer),
    )


def _with_issuer(identity: Mapping[str, str], default_issuer: str) -> Mapping[str, str]:
    """Remember a patient under the issuer that the key was made with."""
    if identity and default_issuer and not identity.get("issuer_of_patient_id"):
        return {**identity, "issuer_of_patient_id": default_issuer}
    return identity


def _convert(
    group: SeriesGroup, reader: WholeReader, context: Context, book: OutcomeBook
) -> Conversion:
    try:
        made = _made(group, reader, context, book)
    except RejectedObjectError as error:
        book.reject_rest(error)
        return Conversion({})
    except MemoryError:
        raise  # the worker is at fault, not the series: another try may succeed
    except Exception as error:  # noqa: BLE001 - one series must not stop a run of thousands
        book.leaves_series = True  # a fault of ours takes nothing away
        book.reject_rest(RejectedObjectError("internal_error", _where(error)))
        return Conversion({})
    book.ingest_rest()
    return made


def _made(
    group: SeriesGroup, reader: WholeReader, context: Context, book: OutcomeBook
) -> Conversion:
    is_same = partial(_is_same, reader, context)
    if group.is_known:
        compare_objects(group, reader, context.limits, book, is_same)
        return Conversion({})
    objects = load_objects(group, reader, context.limits, book, is_same)
    with quiet_pydicom():
        return _CONVERTERS[group.kind](objects, context, book)


def _is_same(reader: WholeReader, context: Context, data: bytes, uri: str, digest: str) -> bool:
    """Tell whether an object says the same as the one at a place, if that is still there."""
    try:
        other = reader.read(uri, context.limits.max_object_bytes)
    except RejectedObjectError:
        return False
    return content_digest(other) == digest and is_same_content(data, other, context)


def _where(error: Exception) -> str:
    """Kind and place of a fault; its message and values stay out, they may identify a person."""
    frames = traceback.extract_tb(error.__traceback__)
    last = frames[-1] if frames else None
    place = f"{last.name}, line {last.lineno}" if last else "unknown place"
    logger.error("internal fault while converting a series: %s in %s", type(error).__name__, place)
    return f"{type(error).__name__} in {place}"
