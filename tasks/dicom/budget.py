"""How much of a header is worth reading: a bound on elements and values, whatever the bytes claim.

A data set of a few megabytes can hold millions of empty elements, or of numbers in one element.
pydicom makes an object of each, of some hundred bytes, so that memory and time would be lost. Every
element costs at least one read and every value is counted before it is made, so both are bounded
here, however the bytes have to be understood.
"""

from __future__ import annotations

import io
from typing import Final

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.hooks import raw_element_vr

from schemas.errors import RejectedObjectError

#: An enhanced image of 15,000 frames has about 400,000 elements, a large RTSTRUCT 200,000.
MAX_ELEMENTS: Final = 450_000
#: Header and value of an element are read separately.
_READS_AN_ELEMENT: Final = 2
#: Values of one element, and of all: a frame vector of 15,000 frames has 15,000.
MAX_VALUES_OF_ONE: Final = 200_000
MAX_VALUES: Final = 3_000_000

_BYTES_A_VALUE: Final = {
    "US": 2, "SS": 2, "AT": 4, "UL": 4, "SL": 4, "FL": 4, "FD": 8, "SV": 8, "UV": 8,
}  # fmt: skip
_ONE_VALUE: Final = frozenset(
    ("OB", "OD", "OF", "OL", "OV", "OW", "UN", "UT", "ST", "LT", "UR", "SQ")
)


class HeaderBudget:
    """What may still be read of one object.

    Parameters
    ----------
    max_elements : int
        Elements, nested ones included.
    max_values : int
        Values of all elements.
    """

    def __init__(self, max_elements: int, max_values: int) -> None:
        self._reads = _READS_AN_ELEMENT * max_elements
        self._values = max_values

    @property
    def is_spent(self) -> bool:
        """True once more was asked for than there was."""
        return self._reads < 0 or self._values < 0

    def spend_read(self) -> None:
        """Count one read of the bytes.

        Raises
        ------
        RejectedObjectError
            ``too_complex``.
        """
        self._reads -= 1
        if self._reads < 0:
            raise too_complex("more elements than any real object")

    def spend_values(self, count: int) -> None:
        """Count values that are about to be made.

        Raises
        ------
        RejectedObjectError
            ``too_complex``.
        """
        self._values -= count
        if self._values < 0:
            raise too_complex("more values than any real object")


def too_complex(detail: str) -> RejectedObjectError:
    """Error for what is beyond any real object."""
    return RejectedObjectError("too_complex", detail)


class CountedBytes(io.BytesIO):
    """Bytes in memory of which every read is counted.

    Parameters
    ----------
    data : bytes
        The content.
    budget : HeaderBudget
        Pays for the reads.
    """

    def __init__(self, data: bytes, budget: HeaderBudget) -> None:
        super().__init__(data)
        self._budget = budget

    def read(self, size: int | None = -1, /) -> bytes:
        """Read as `io.BytesIO` does."""
        self._budget.spend_read()
        return super().read(size)


def value_count(raw: RawDataElement, vr: str) -> int:
    r"""How many values an element has that is still bytes.

    Examples
    --------
    >>> from pydicom.tag import Tag
    >>> value_count(RawDataElement(Tag(0x00280030), "DS", 4, b"4\\4 ", 0, True, True), "DS")
    2
    """
    value = raw.value
    if not isinstance(value, bytes) or vr in _ONE_VALUE:
        return 1
    if vr in _BYTES_A_VALUE:
        return len(value) // _BYTES_A_VALUE[vr]
    return value.count(b"\\") + 1


def resolved_vr(raw: RawDataElement, dataset: Dataset) -> str:
    """VR by which pydicom would convert an element: as stated, or by the dictionary."""
    found: dict[str, object] = {}
    raw_element_vr(raw, found, ds=dataset)
    return str(found.get("VR") or "UN")
