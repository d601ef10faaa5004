"""Coded concepts as text."""

from __future__ import annotations

from pydicom.dataset import Dataset

from tasks.dicom import values


def coded_text(ds: Dataset, keyword: str) -> str | None:
    """First item of a code sequence as ``scheme:value``; None if it is absent or incomplete.

    Examples
    --------
    >>> code, ds = Dataset(), Dataset()
    >>> code.CodeValue, code.CodingSchemeDesignator = "10200004", "SCT"
    >>> ds.SegmentedPropertyTypeCodeSequence = [code]
    >>> coded_text(ds, "SegmentedPropertyTypeCodeSequence")
    'SCT:10200004'
    """
    item = values.first_item(ds, keyword)
    scheme = values.text(item, "CodingSchemeDesignator")
    value = values.text(item, "CodeValue") or values.text(item, "LongCodeValue")
    return f"{scheme}:{value}" if scheme and value else None
