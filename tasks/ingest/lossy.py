"""Lossy compression: the stored values are not those that were acquired."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pydicom.dataset import Dataset

from schemas.records import Row
from tasks.dicom import values
from tasks.findings.row import series_finding

#: JPEG Baseline, JPEG Extended and JPEG-LS Near-Lossless always lose.
_LOSSY: Final = frozenset(
    {"1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.81"}
)
#: JPEG 2000 and HTJ2K may: Lossy Image Compression (0028,2110) has to say that they did not.
_MAY_LOSE: Final = frozenset({"1.2.840.10008.1.2.4.91", "1.2.840.10008.1.2.4.203"})


def lossy_findings(series: Row, headers: Sequence[Dataset]) -> list[Row]:
    """Note that pixels of a series have been compressed with loss, now or at any time before.

    Parameters
    ----------
    series : Row
        Its row.
    headers : sequence of Dataset
        Distinct headers of its objects, as they came.

    References
    ----------
    DICOM PS3.3 C.7.6.1.1.5 (Lossy Image Compression); PS3.5 section 8.2.
    """
    lossy = [header for header in headers if _is_lossy(header)]
    if not lossy:
        return []
    ratios = [values.number(header, "LossyImageCompressionRatio") for header in lossy]
    return [
        series_finding(
            series, "ingest.lossy_compression", "warn",
            "Pixels have been compressed with loss: what is measured on them need not be what the "
            "scanner measured.",
            observed_value=max((r for r in ratios if r is not None), default=None),
            limit_text="no lossy compression",
            source="DICOM PS3.3 C.7.6.1.1.5, Lossy Image Compression (0028,2110)",
        )
    ]  # fmt: skip


def _is_lossy(header: Dataset) -> bool:
    meta = getattr(header, "file_meta", None)
    syntax = str(meta.get("TransferSyntaxUID", "")) if meta is not None else ""
    said = values.text(header, "LossyImageCompression")
    return said == "01" or syntax in _LOSSY or (syntax in _MAY_LOSE and said != "00")
