"""A site's calibration factors of SPECT: which scanner and protocol, from when to when, how much.

The table is a TOML file of the site, outside the lake: its dates are real ones.
"""

from __future__ import annotations

import json
import tomllib
from datetime import date
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from schemas.errors import InvalidInputError

_ID: Final = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
_NUCLIDE: Final = r"^[A-Z][a-z]?-\d{1,3}m?$"
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class SpectCalibration(BaseModel):
    """One calibration factor, and what it holds for.

    Parameters
    ----------
    id : str
        Short name, recorded with every volume it is used for. It is shown where the lake is shown:
        leave real dates out of it.
    centre, scanner_key, model : str or None
        Of the series, as in the lake; at least one, and all that are given must agree.
    nuclide : str
        Such as ``Lu-177``.
    collimator : str
        Name or type as in the lake (``MELP``, ``PARA``).
    reconstruction_key : str or None
        As in the lake; None: any.
    energy_window_kev : tuple of two float or None
        Lower and upper limit, within 0.5 keV; None: any.
    cps_per_mbq : float or None
        Counts per second and MBq, of scanner, collimator and reconstruction together.
    bqml_per_count : float or None
        Instead: Bq/ml per count, for the duration and voxel size that it was measured with.
    heads : int
        Views that are taken at the same time, if the header counts the views of all heads.
    decay_reference : str or None
        What the projections are decay corrected to: ``start`` of the acquisition, or ``mean`` (not
        corrected: counts stand for the mean over the acquisition). None: not known.
    valid_from, valid_until : date or None
        First and last day of acquisition that it holds for; None: open.
    source : str
        Where it comes from: phantom, report, person. Not copied into the lake.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, Field(pattern=_ID)]
    centre: str | None = None
    scanner_key: str | None = None
    model: str | None = None
    nuclide: Annotated[str, Field(pattern=_NUCLIDE)]
    collimator: Annotated[str, Field(min_length=1)]
    reconstruction_key: str | None = None
    energy_window_kev: tuple[Positive, Positive] | None = None
    cps_per_mbq: Positive | None = None
    bqml_per_count: Positive | None = None
    heads: int = Field(default=1, ge=1, le=4)
    decay_reference: Literal["start", "mean"] | None = None
    valid_from: date | None = None
    valid_until: date | None = None
    source: Annotated[str, Field(min_length=1)]

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if (self.cps_per_mbq is None) == (self.bqml_per_count is None):
            raise ValueError("give either cps_per_mbq or bqml_per_count")
        if self.centre is None and self.scanner_key is None and self.model is None:
            raise ValueError("give centre, scanner_key or model")
        if self.valid_from and self.valid_until and self.valid_from > self.valid_until:
            raise ValueError("valid_from is after valid_until")
        if self.energy_window_kev and self.energy_window_kev[0] >= self.energy_window_kev[1]:
            raise ValueError("energy_window_kev: the lower limit comes first")
        return self

    @property
    def canonical(self) -> str:
        """Everything that the factor depends on, as one text to make a digest of."""
        return json.dumps(self.model_dump(mode="json", exclude={"source"}), sort_keys=True)

    def is_valid_on(self, day: date) -> bool:
        """Tell whether it holds for an acquisition of that (real) day."""
        return (self.valid_from is None or self.valid_from <= day) and (
            self.valid_until is None or day <= self.valid_until
        )


class SpectCalibrations(BaseModel):
    """The whole table: ``[[calibration]]`` blocks of a TOML file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    calibration: tuple[SpectCalibration, ...] = ()

    @model_validator(mode="after")
    def _ids_differ(self) -> Self:
        ids = [c.id for c in self.calibration]
        twice = sorted({i for i in ids if ids.count(i) > 1})
        if twice:
            raise ValueError(f"id given twice: {', '.join(twice)}")
        return self


def parse_spect_calibrations(text: str, name: str) -> tuple[SpectCalibration, ...]:
    """Read a table.

    Parameters
    ----------
    text : str
        TOML.
    name : str
        What to call the file in messages.

    Raises
    ------
    InvalidInputError
        Naming the block and what is wrong with it.

    Examples
    --------
    >>> table = '''[[calibration]]
    ... id = "MELP"
    ... model = "Symbia Intevo"
    ... nuclide = "Lu-177"
    ... collimator = "MELP"
    ... cps_per_mbq = 9.2
    ... source = "cylinder phantom"
    ... '''
    >>> [c.cps_per_mbq for c in parse_spect_calibrations(table, "table")]
    [9.2]
    """
    try:
        found = SpectCalibrations.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise InvalidInputError(f"{name} is not valid TOML: {error}") from error
    except ValidationError as error:
        lines = [f"{_place(e['loc'])}: {e['msg']}" for e in error.errors()]
        raise InvalidInputError(f"{name}: {'; '.join(lines)}") from None
    return found.calibration


def _place(location: tuple[int | str, ...]) -> str:
    """``calibration 2 nuclide``: blocks are counted from 1, as one counts them in a file."""
    return " ".join(str(part + 1 if isinstance(part, int) else part) for part in location) or "file"
