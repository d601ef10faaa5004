"""Simulated cohorts as the tests see them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

#: Institution names of the simulator and their codes.
CENTRES = {f"Simulated Centre {c}": c for c in "ABCDES"}


@dataclass(frozen=True)
class Cohort:
    """A simulated cohort on disk."""

    root: Path

    @property
    def dicom(self) -> Path:
        """What a lake ingests."""
        return self.root / "dicom"

    @property
    def redcap(self) -> Path:
        """Clinical data as a REDCap export."""
        return self.root / "clinical" / "redcap.csv"

    @property
    def fhir(self) -> Path:
        """Clinical data as FHIR NDJSON."""
        return self.root / "clinical" / "fhir.ndjson"

    @property
    def truth(self) -> Path:
        """What is really in it."""
        return self.root / "truth"
