"""What a derivation leaves behind: its steps, its findings and the values that it used."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from schemas.records import DecayCandidate


@dataclass(slots=True)
class Trail:
    """Collected while deriving; kept also when the derivation ends in a refusal.

    Steps give numbers, tags and units so that a person can check them by hand; they hold time
    differences in seconds, never a date, a time of day or an identifier.
    """

    steps: list[str] = field(default_factory=list)
    findings: list[tuple[str, str, str]] = field(default_factory=list)
    half_life_s: float | None = None
    injected_activity_bq: float | None = None
    weight_kg: float | None = None
    uptake_time_s: float | None = None
    injection: datetime | None = None
    spread_percent: float | None = None
    candidates: list[DecayCandidate] = field(default_factory=list)

    def note(self, step: str) -> None:
        """Add a line to the derivation."""
        self.steps.append(step)

    def find(self, rule_id: str, severity: str, message: str) -> None:
        """Add a finding for a physicist and mention it in the derivation."""
        self.findings.append((rule_id, severity, message))
        self.steps.append(f"{rule_id} ({severity}): {message}")
