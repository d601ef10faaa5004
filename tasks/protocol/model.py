"""What a protocol is: rules with their limits, conditions and sources, as data."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

#: Severities, the worst first; a rule may have one band for each.
SEVERITIES: Final = ("fail", "warn", "info")
Severity = Literal["fail", "warn", "info"]
#: ``verified``: read in the named source; ``recalled``: known from it, wording not read again;
#: ``ours``: a plausibility limit of tracerlake or of the trial.
Status = Literal["verified", "recalled", "ours"]

Text = Annotated[str, Field(min_length=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Limit(_Strict):
    """What a value has to be so that a severity does not apply; limits themselves are allowed.

    Parameters
    ----------
    min, max : float or None
        For numbers, in the unit of the quantity.
    all_of : tuple of str
        For words: those that have to be there.
    equals : bool or None
        For yes and no.
    """

    min: float | None = None
    max: float | None = None
    all_of: tuple[str, ...] = ()
    equals: bool | None = None

    def text(self, unit: str) -> str:
        """Return the limit in words.

        Examples
        --------
        >>> Limit(min=55, max=75).text("min"), Limit(max=11.1).text("mmol/l")
        ('55 to 75 min', 'up to 11.1 mmol/l')
        """
        if self.all_of:
            return ", ".join(self.all_of)
        if self.equals is not None:
            return "yes" if self.equals else "no"
        suffix = f" {unit}" if unit and unit != "1" else ""
        if self.min is None:
            return f"up to {self.max:g}{suffix}"
        if self.max is None:
            return f"at least {self.min:g}{suffix}"
        return f"{self.min:g} to {self.max:g}{suffix}"


class Conditions(_Strict):
    """What a rule is about; whatever is not named does not matter.

    Parameters
    ----------
    tracers, nuclides, modalities : tuple of str
        Names in the columns ``radiopharmaceutical``, ``radionuclide`` and ``modality``.
    spect : bool or None
        Only SPECT, or only PET (SPECT may come as a PET object).
    dynamic : bool or None
        Only dynamic series, or only others.
    adults : bool
        Leave out who is known to be under 18.
    axial_extent_min_mm : float or None
        Only images at least this long.
    """

    tracers: tuple[str, ...] = ()
    nuclides: tuple[str, ...] = ()
    modalities: tuple[str, ...] = ("PT",)
    spect: bool | None = None
    dynamic: bool | None = None
    adults: bool = False
    axial_extent_min_mm: float | None = Field(default=None, gt=0)


class Rule(_Strict):
    """One rule.

    Parameters
    ----------
    title : str
        What it asks for, in a few words.
    quantity : str
        Name in `tasks.protocol.quantities.QUANTITIES`.
    fail, warn, info : Limit or None
        A value outside gets the severity; the worst one counts.
    applies : Conditions
        What it is about.
    window_days : int or None
        For clinical values: largest distance from the day of the study.
    if_missing : str
        What it means that the value is not known: ``not_checkable`` (seen in the coverage), or a
        severity, where the value itself is required.
    sentence : str
        The finding; ``{value}`` and, for words, ``{missing}`` are filled in.
    source, status : str
        Where the limit comes from, and how well that is known; see `Status`.
    enabled : bool
        False: not evaluated, for the `reason` given.
    trend : bool
        Drawn in the report.
    """

    title: Text
    quantity: Text
    fail: Limit | None = None
    warn: Limit | None = None
    info: Limit | None = None
    applies: Conditions = Conditions()
    window_days: int | None = Field(default=None, ge=0, le=366)
    if_missing: Literal["not_checkable", "info", "warn", "fail"] = "not_checkable"
    sentence: Text
    source: Text
    status: Status = "ours"
    enabled: bool = True
    reason: str = ""
    trend: bool = False

    def limits(self) -> list[tuple[Severity, Limit]]:
        """Bands, the worst severity first."""
        bands: dict[Severity, Limit | None] = {
            "fail": self.fail,
            "warn": self.warn,
            "info": self.info,
        }
        return [(severity, limit) for severity, limit in bands.items() if limit is not None]

    def limit_text(self, unit: str) -> str:
        """All limits in words, for findings and tables."""
        return "; ".join(
            f"{severity} unless {limit.text(unit)}" for severity, limit in self.limits()
        )


RuleId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,39}$")]


class Protocol(_Strict):
    """A protocol: what a centre or trial holds its studies to.

    Parameters
    ----------
    protocol : str
        Name.
    version : str
        Of the file; a changed content has another digest in any case.
    title : str
        For people.
    rules : mapping of rule id to Rule
        In the order in which they are evaluated and shown.
    """

    protocol: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    version: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$")]
    title: Text
    rules: Mapping[RuleId, Rule]

    @property
    def protocol_id(self) -> str:
        """Name and version."""
        return f"{self.protocol}/{self.version}"

    def canonical_json(self) -> str:
        """Everything that is needed to evaluate it again; equal protocols give equal text."""
        content = self.model_dump(mode="json", exclude_defaults=True)
        return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @cached_property
    def digest(self) -> str:
        """Digest of the whole content, inherited rules included."""
        return "P-" + hashlib.sha256(self.canonical_json().encode()).hexdigest()[:20]

    def active(self) -> dict[str, Rule]:
        """Rules that are evaluated."""
        return {rule_id: rule for rule_id, rule in self.rules.items() if rule.enabled}
