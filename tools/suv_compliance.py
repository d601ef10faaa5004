"""Write docs/reference/suv-compliance.md: every IBSI SUV reference object, and what comes out.

`--check` fails if the page is stale. Objects that are public as DICOM are read from the folder of
the reference data (TRACERLAKE_TEST_DATA), all others are rebuilt by `tasks.simulate`.
"""

from __future__ import annotations

import gzip
import io
import os
import sys
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from schemas.records import ObjectRef
from tasks.deidentify.pseudonyms import Pseudonymiser
from tasks.dicom.grouping import group_series
from tasks.dicom.scan import HeaderScanner
from tasks.ingest.convert import Limits, convert_series
from tasks.simulate.dicom_reference import reference_object, reference_phantom
from tasks.simulate.reference_objects import REFERENCE_OBJECTS

ROOT: Final = Path(__file__).resolve().parent.parent
PAGE: Final = ROOT / "docs" / "reference" / "suv-compliance.md"
#: Objects of the list that are public under an earlier ID.
_EARLIER_IDS: Final = {"DRO_2_1_0": "DRO_2_1", "DRO_3_3_1": "DRO_3_3"}
#: The public one holds rounded integers 5, 26 and 105: its own values are 0.189, 0.985, 3.977.
ROUNDED: Final = "DRO_2_3"

_INTRODUCTION: Final = """\
# SUV compliance

The [IBSI SUV effort](https://github.com/oncoray/suv_computation) lists {n} digital reference
objects: {n_valid} that must give SUVbw 0.20 / 1.00 / 4.00 (minimum / median / maximum inside the
phantom), and {n_error} that allow no SUV. Each went through the whole of ingestion: scan, grouping,
conversion, de-identification. "Original" are objects that are public as DICOM; "rebuilt" are made
from the list's sentence by `tasks.simulate.reference_objects`, since their DICOM is not public.

Result: {n_right} of {n_valid} valid objects within 0.5 %, {n_refused} of {n_error} others refused.
Counted among the valid ones is DRO_2_3 as rebuilt. Its public version stores the integers 5, 26 and
105, so that exact arithmetic gives 0.189 / 0.985 / 3.977, which is what comes out, and not 0.5 %.
Made by `tools/suv_compliance.py`. See [SUV](../explanation/suv.md) for the rules.

| object | what varies | source | minimum | median | maximum | rule, or reason of the refusal |
|---|---|---|---|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """What came out for one object; `suv` is (minimum, median, maximum), None if refused."""

    name: str
    source: str
    suv: tuple[float, float, float] | None
    rule: str

    @property
    def is_right(self) -> bool:
        """True if within 0.5 % of 0.20 / 1.00 / 4.00."""
        if self.suv is None:
            return False
        return bool(np.allclose(self.suv, (0.20, 1.00, 4.00), rtol=0.005, atol=0))


class _Memory:
    """Objects by URI."""

    def __init__(self, contents: Mapping[str, bytes]) -> None:
        self.contents = contents

    def read(self, uri: str, max_bytes: int) -> bytes:
        return self.contents[uri][:max_bytes]

    def read_head(self, uri: str, n_bytes: int) -> bytes:
        return self.contents[uri][:n_bytes]


def measure(name: str, source: str, contents: list[bytes], mask: NDArray[np.bool_]) -> Measured:
    """Ingest the objects of one series and look at SUVbw inside the mask."""
    reader = _Memory({f"file:///in/{i:03d}": data for i, data in enumerate(contents)})
    scanner = HeaderScanner(reader)
    scanned = [scanner.scan(ObjectRef(uri, len(d), 1)) for uri, d in reader.contents.items()]
    (group,) = group_series(scanned)
    converted = convert_series(
        group, reader=reader, pseudonymiser=Pseudonymiser(b"of reference objects"), limits=Limits()
    )
    (volume,), (row,) = converted.raw, converted.rows["series"]
    if volume.suv_factor is None:
        return Measured(name, source, None, str(row["suv_reason_code"]))
    inside = (volume.values() * volume.suv_factor[:, None, None])[mask]
    found = float(inside.min()), float(np.median(inside)), float(inside.max())
    return Measured(name, source, found, str(row["suv_rule"]))


def read_original(archive: Path) -> tuple[list[bytes], NDArray[np.bool_]]:
    """PET slices of a public object, and its mask (z, y, x)."""
    slices: list[bytes] = []
    mask = None
    with zipfile.ZipFile(archive) as opened:
        for member in opened.namelist():
            if member.endswith(".nii.gz"):
                image = nib.Nifti1Image.from_bytes(gzip.decompress(opened.read(member)))
                mask = np.asarray(image.dataobj).transpose(2, 1, 0) > 0
            elif "/PT/" in member and member.endswith(".dcm"):
                slices.append(opened.read(member))
    if mask is None:
        raise ValueError(f"{archive.name} has no mask")
    return slices, mask


def original(name: str, folder: Path) -> Path | None:
    """Archive of an object that is public, None for others."""
    path = folder / f"{_EARLIER_IDS.get(name, name)}.zip"
    return path if path.exists() else None


def measure_rebuilt(name: str) -> Measured:
    """Build an object and measure it."""
    _, mask = reference_phantom()
    return measure(name, "rebuilt", [_encoded(ds) for ds in reference_object(name)], mask)


def measure_original(name: str, archive: Path) -> Measured:
    """Measure a public object."""
    source = "original" if archive.stem == name else f"original ({archive.stem})"
    return measure(name, source, *read_original(archive))


def measure_all(folder: Path) -> Iterator[Measured]:
    """All objects of the list, the original where there is one."""
    for name in REFERENCE_OBJECTS:
        archive = original(name, folder)
        if archive is not None:
            yield measure_original(name, archive)
        if archive is None or name == ROUNDED:
            yield measure_rebuilt(name)


def _encoded(ds: Dataset) -> bytes:
    buffer = io.BytesIO()
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def page(measured: list[Measured]) -> str:
    """Text of the page."""
    valid = [name for name in REFERENCE_OBJECTS if "error" not in name]
    introduction = _INTRODUCTION.format(
        n=len(REFERENCE_OBJECTS), n_valid=len(valid), n_error=len(REFERENCE_OBJECTS) - len(valid),
        n_right=len({m.name for m in measured if m.is_right}),
        n_refused=len({m.name for m in measured if m.suv is None and "error" in m.name}),
    )  # fmt: skip
    rows = []
    for m in measured:
        numbers = [f"{v:.3f}" for v in m.suv] if m.suv else ["-"] * 3
        varies = REFERENCE_OBJECTS[m.name].varies
        rows.append(" | ".join(["", m.name, varies, m.source, *numbers, f"`{m.rule}`", ""]).strip())
    return introduction + "\n".join(rows) + "\n"


def main() -> None:
    """Write the page, or check it."""
    base = Path(os.environ.get("TRACERLAKE_TEST_DATA", ROOT.parent / "shared" / "data"))
    text = page(list(measure_all(base / "ibsi-suv-dro")))
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(text, encoding="utf-8")
    elif PAGE.read_text(encoding="utf-8") != text:
        sys.exit(f"{PAGE.name} is stale: run tools/suv_compliance.py")


if __name__ == "__main__":
    main()
