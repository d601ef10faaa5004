"""Parse an object with pydicom, so that nothing it holds can stop a run."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pydicom
from pydicom import config
from pydicom.dataset import Dataset

from schemas.errors import RejectedObjectError
from tasks.dicom.elements import BytesEndError, UnusualEncodingError, find_elements
from tasks.dicom.encoding import read_layout

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
        With ``file_meta``. Values are converted, not validated; elements that cannot be converted
        are left out, as if they were absent. Contour Data stay unconverted (they may be millions).

    Raises
    ------
    RejectedObjectError
        ``not_parseable``. The message names the kind of failure only, as pydicom's own messages
        may quote values.
    """
    layout = read_layout(data)
    if layout is None:
        raise RejectedObjectError("not_parseable", "no DICOM data set found")
    try:
        with quiet_pydicom():
            dataset = pydicom.dcmread(
                io.BytesIO(data), stop_before_pixels=not with_pixels, force=not layout.has_magic
            )
            _drop_unreadable(dataset.file_meta, 0)
            if "TransferSyntaxUID" not in dataset.file_meta:
                dataset.file_meta.TransferSyntaxUID = pydicom.uid.UID(layout.transfer_syntax_uid)
            _drop_unreadable(dataset, 0)
            return dataset
    except (KeyboardInterrupt, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001 - damaged bytes: pydicom has no common base class
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


def _drop_unreadable(dataset: Dataset, depth: int) -> None:
    """Convert all values now, so that a damaged one cannot fail later, wherever it is used."""
    if depth > _MAX_DEPTH:
        raise RecursionError("sequences nested too deeply")
    for tag in list(dataset.keys()):
        if tag == CONTOUR_DATA:
            continue
        try:
            element = dataset[tag]
        except Exception as error:  # noqa: BLE001 - as above
            logger.debug("element %s left out: %s", tag, type(error).__name__)
            del dataset[tag]
            continue
        if element.VR == "SQ":
            for item in element.value:
                _drop_unreadable(item, depth + 1)


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
