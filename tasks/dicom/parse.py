"""Parse an object with pydicom, so that nothing it holds can stop a run."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import pydicom
from pydicom import config
from pydicom.dataset import Dataset

from schemas.errors import RejectedObjectError
from tasks.dicom.encoding import read_layout


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
        With ``file_meta``; VRs resolved, values not validated.

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
            if "TransferSyntaxUID" not in dataset.file_meta:
                dataset.file_meta.TransferSyntaxUID = pydicom.uid.UID(layout.transfer_syntax_uid)
            return dataset
    except (KeyboardInterrupt, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001 - damaged bytes: pydicom has no common base class
        raise RejectedObjectError(
            "not_parseable", f"parser failed with {type(error).__name__}"
        ) from None


@contextmanager
def quiet_pydicom() -> Iterator[None]:
    """Let pydicom neither warn about unusual values nor refuse them.

    Warnings quote values, which may identify a person; what matters to us is checked by us.
    """
    with warnings.catch_warnings(), config.disable_value_validation():
        warnings.simplefilter("ignore")
        yield
