"""Parse an object with pydicom, so that nothing it holds can stop a run."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pydicom
from pydicom import config
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.filereader import read_sequence
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag

from schemas.errors import RejectedObjectError
from tasks.dicom.budget import (
    MAX_ELEMENTS,
    MAX_VALUES,
    MAX_VALUES_OF_ONE,
    CountedBytes,
    HeaderBudget,
    resolved_vr,
    too_complex,
    value_count,
)
from tasks.dicom.elements import BytesEndError, UnusualEncodingError, find_elements
from tasks.dicom.encoding import DEFLATED, Layout, read_layout
from tasks.dicom.flat_walk import is_sequence
from tasks.dicom.inflate import inflated

logger = logging.getLogger(__name__)

#: x, y, z of the points of a contour; read from the bytes by whoever needs them.
CONTOUR_DATA: Final = 0x30060050
_MAX_DEPTH: Final = 32
#: Tag and length: nothing shorter is an element.
_ELEMENT_BYTES: Final = 8


def parse_dataset(data: bytes, *, with_pixels: bool = False) -> Dataset:
    """Parse an object.

    Parameters
    ----------
    data : bytes
        The whole object, with or without preamble and file meta information.
    with_pixels : bool
        True to keep the pixel data elements (not decoded).

    Returns
    -------
    pydicom.Dataset
        With ``file_meta``. Values are converted, not validated; elements that cannot be converted,
        and values where a sequence belongs or the other way, are left out, as if they were absent.
        Contour Data stay unconverted (they may be millions).

    Raises
    ------
    RejectedObjectError
        ``not_parseable``; ``too_complex`` or ``oversized`` for what only a hostile or broken writer
        makes. The message names the kind of failure only, as pydicom's own messages may quote
        values.
    """
    layout = read_layout(data)
    if layout is None:
        raise RejectedObjectError("not_parseable", "no DICOM data set found")
    if layout.transfer_syntax_uid == DEFLATED:
        data = inflated(data, layout)
    budget = HeaderBudget(MAX_ELEMENTS, MAX_VALUES)
    try:
        with quiet_pydicom():
            return _parsed(data, layout, budget, with_pixels=with_pixels)
    except (KeyboardInterrupt, MemoryError, RejectedObjectError):
        raise
    except RecursionError:
        raise too_complex("sequences nested too deeply") from None
    except Exception as error:  # noqa: BLE001 - damaged bytes: pydicom has no common base class
        if budget.is_spent:  # pydicom turns any error inside a sequence into one of its own
            raise too_complex("more elements than any real object") from None
        raise RejectedObjectError(
            "not_parseable", f"parser failed with {type(error).__name__}"
        ) from None


def parse_complete(data: bytes, content: str) -> Dataset:
    """Parse an object without pixels, which pydicom would read in part if its end were missing.

    Parameters
    ----------
    data : bytes
        The whole object.
    content : str
        Keyword of the element that matters, for the message.

    Raises
    ------
    RejectedObjectError
        ``truncated`` if the bytes end inside an element, and as `parse_dataset`.
    """
    layout = read_layout(data)
    if layout is not None and layout.is_native:
        try:
            find_elements(data, layout)
        except BytesEndError as error:
            ends = (offset + length for offset, length in error.found.values())
            rest = data[max(ends, default=0) :]
            if len(rest) >= _ELEMENT_BYTES or rest.strip(b"\0"):  # else padding behind the object
                raise RejectedObjectError(
                    "truncated", "the object ends inside an element", [content]
                ) from None
        except UnusualEncodingError:
            logger.debug("completeness of an object in an unusual encoding is left to the parser")
    return parse_dataset(data)


def _parsed(data: bytes, layout: Layout, budget: HeaderBudget, *, with_pixels: bool) -> Dataset:
    dataset = pydicom.dcmread(
        CountedBytes(data, budget),
        stop_before_pixels=not with_pixels,
        force=not layout.has_magic,
    )
    _convert(dataset.file_meta, budget, 0)
    if "TransferSyntaxUID" not in dataset.file_meta:
        dataset.file_meta.TransferSyntaxUID = pydicom.uid.UID(layout.transfer_syntax_uid)
    _convert(dataset, budget, 0)
    return dataset


def _convert(dataset: Dataset, budget: HeaderBudget, depth: int) -> None:
    """Convert all values now, so that a damaged one cannot fail later, wherever it is used."""
    if depth > _MAX_DEPTH:
        raise too_complex("sequences nested too deeply")
    for tag in list(dataset.keys()):
        if tag == CONTOUR_DATA:
            continue
        try:
            element = _converted(dataset, tag, budget)
        except (MemoryError, RecursionError):
            raise
        except Exception as error:
            if budget.is_spent:
                raise
            logger.debug("element %s left out: %s", tag, type(error).__name__)
            del dataset[tag]
            continue
        if element.VR == "SQ":
            for item in element.value:
                _convert(item, budget, depth + 1)


def _converted(dataset: Dataset, tag: BaseTag, budget: HeaderBudget) -> DataElement:
    element = _made(dataset, tag, budget)
    if is_sequence(tag) not in (None, element.VR == "SQ"):
        raise TypeError("a value where a sequence belongs, or the other way")
    return element


def _made(dataset: Dataset, tag: BaseTag, budget: HeaderBudget) -> DataElement:
    # It would take an empty value for one that is still to be read.
    raw: object = dataset.get_item(tag, keep_deferred=True)
    if isinstance(raw, RawDataElement):
        vr = raw.VR if raw.VR not in (None, "UN") else resolved_vr(raw, dataset)
        if vr == "SQ" and isinstance(raw.value, bytes):
            # As pydicom does, but counted (and without handing the pixel representation down, which
            # decides the sign of LUT entries only).
            element = DataElement(tag, vr, _sequence(raw, dataset, budget))
            dataset[tag] = element
            return element
        count = value_count(raw, vr)
        if count > MAX_VALUES_OF_ONE:
            raise ValueError("more values than an attribute can have")
        budget.spend_values(count)
    made: DataElement = dataset[tag]
    return made


def _sequence(raw: RawDataElement, dataset: Dataset, budget: HeaderBudget) -> Sequence:
    """Read a sequence of known length, counting what it costs."""
    value = raw.value or b""
    return read_sequence(
        CountedBytes(value, budget),
        raw.is_implicit_VR,
        raw.is_little_endian,
        len(value),
        dataset.original_character_set,
        raw.value_tell,
    )


@contextmanager
def quiet_pydicom() -> Iterator[None]:
    """Let pydicom neither warn about unusual values, nor log, nor refuse them.

    Its messages quote values, which may identify a person; what matters to us is checked by us.
    """
    log = logging.getLogger("pydicom")
    level = log.level
    log.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings(), config.disable_value_validation():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
