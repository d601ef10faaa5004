"""Writing of many slices that share most of their header.

pydicom encodes every element of every slice anew, which is most of the time of a simulation. Here
an element that several slices share is encoded once. The files are byte for byte those of
`pydicom.dcmwrite`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_data_element, write_file_meta_info

_PREAMBLE: Final = b"\x00" * 128 + b"DICM"
_ENCODING: Final = "iso8859"  # of Specific Character Set ISO_IR 100


def save_slices(datasets: Sequence[Dataset], folder: Path, prefix: str) -> list[Path]:
    """Write slices as ``<prefix>0001.dcm`` ... by instance number.

    Parameters
    ----------
    datasets : sequence of Dataset
        With file meta information, in one transfer syntax (little endian, uncompressed); elements
        may be shared between them and must have definite value representations.
    folder : Path
        Made if it does not exist.

    Returns
    -------
    list of Path
        In the order of `datasets`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    encoder = _Encoder(implicit_vr=bool(datasets[0].file_meta.TransferSyntaxUID.is_implicit_VR))
    paths = []
    for ds in datasets:
        path = folder / f"{prefix}{int(ds.InstanceNumber):04d}.dcm"
        path.write_bytes(encoder.file(ds))
        paths.append(path)
    return paths


class _Encoder:
    """Bytes of elements, remembered by the identity of the element."""

    def __init__(self, *, implicit_vr: bool) -> None:
        self._implicit_vr = implicit_vr
        # The element is kept with its bytes: an identity is unique only while its object lives.
        self._known: dict[int, tuple[DataElement, bytes]] = {}

    def file(self, ds: Dataset) -> bytes:
        """Return a complete file."""
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        head = DicomBytesIO()
        head.is_little_endian, head.is_implicit_VR = True, False
        write_file_meta_info(head, ds.file_meta, enforce_standard=True)
        body = b"".join(self._element(element) for element in ds)
        return _PREAMBLE + bytes(head.getvalue()) + body

    def _element(self, element: DataElement) -> bytes:
        known = self._known.get(id(element))
        if known is None:
            buffer = DicomBytesIO()
            buffer.is_little_endian, buffer.is_implicit_VR = True, self._implicit_vr
            write_data_element(buffer, element, [_ENCODING])
            known = (element, bytes(buffer.getvalue()))
            # Pixels are never shared; keeping them would hold the whole series twice.
            if element.keyword != "PixelData":
                self._known[id(element)] = known
        return known[1]
