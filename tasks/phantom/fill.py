"""What a phantom was filled with, and which value a perfect scanner would show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date, datetime, time
from typing import Any, Final

from schemas.errors import InvalidInputError

KINDS: Final = ("auto", "iq", "cylinder")
_DAY_S: Final = 86_400.0
_POSITIVE: Final = (
    "activity_mbq", "volume_ml", "sphere_activity_mbq", "sphere_volume_ml", "concentration_bqml",
    "sphere_concentration_bqml", "ratio",
)  # fmt: skip


@dataclass(frozen=True)
class Fill:
    """What the user knows of a phantom scan. Everything is optional.

    Parameters
    ----------
    kind : str
        ``iq``, ``cylinder``, or ``auto``: by its shape.
    activity_mbq, volume_ml, assay_time
        Filling of the cylinder or the background: activity, volume, and time of day of the assay.
    sphere_activity_mbq, sphere_volume_ml, sphere_assay_time
        The same of the stock solution that the spheres were filled from.
    concentration_bqml, sphere_concentration_bqml : float
        Instead: concentrations at the time that the image is decay corrected to.
    ratio : float
        Concentration of spheres over background, where no more is known.
    measured_on : date
        Real day of the scan, where the lake's key is not at hand.
    """

    kind: str = "auto"
    activity_mbq: float | None = None
    volume_ml: float | None = None
    assay_time: time | None = None
    sphere_activity_mbq: float | None = None
    sphere_volume_ml: float | None = None
    sphere_assay_time: time | None = None
    concentration_bqml: float | None = None
    sphere_concentration_bqml: float | None = None
    ratio: float | None = None
    measured_on: date | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InvalidInputError(f"kind: expected one of {', '.join(KINDS)}, got {self.kind!r}")
        for name in _POSITIVE:
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise InvalidInputError(f"{name}: expected a positive number, got {value:g}")


def fill_of(entry: Mapping[str, Any]) -> Fill:
    """Make a `Fill` of an entry of a TOML file or of options; times and dates may be text.

    Raises
    ------
    InvalidInputError
        A key is unknown or a value is of the wrong kind; the key is named, not the value.
    """
    known = {f.name for f in fields(Fill)}
    unknown = sorted(set(entry) - known)
    if unknown:
        raise InvalidInputError(f"filling of a phantom: unknown keys {', '.join(unknown)}")
    values: dict[str, Any] = {}
    for name, value in entry.items():
        try:
            values[name] = _value(name, value)
        except (TypeError, ValueError) as error:
            raise InvalidInputError(f"filling of a phantom: {name} cannot be read") from error
    return Fill(**values)


def _value(name: str, value: object) -> object:
    if value is None:
        return None
    if name.endswith("_time"):
        return value if isinstance(value, time) else time.fromisoformat(str(value))
    if name == "measured_on":
        return value if isinstance(value, date) else date.fromisoformat(str(value))
    if name == "kind":
        return str(value)
    return float(str(value))


@dataclass(frozen=True)
class HeaderFacts:
    """What the scanner's console was told of the phantom as if it were a patient."""

    weight_kg: float | None = None
    injected_activity_bq: float | None = None
    injection: datetime | None = None
    half_life_s: float | None = None


@dataclass(frozen=True)
class TrueValues:
    """Values of a perfect scanner, in the unit of the image; None where they are not known.

    Parameters
    ----------
    background, sphere : float or None
        Cylinder or background, and spheres.
    ratio : float or None
        Spheres over background.
    source : str
        What they were reckoned from.
    """

    background: float | None = None
    sphere: float | None = None
    ratio: float | None = None
    source: str = field(default="nothing is known of the filling")


def true_values(fill: Fill, header: HeaderFacts, value_unit: str, kind: str) -> TrueValues:
    """Reckon what the image should show.

    In SUV the time to which the image is decay corrected cancels out: true SUV = (activity /
    volume) x (weight / injected activity), both activities at the same time. So only the assay,
    and what the console was told, have to be known; times of day are enough, since dates are
    shifted by whole days. For Bq/ml the concentrations at the decay reference have to be given.

    Parameters
    ----------
    value_unit : str
        Of the image.
    kind : str
        ``iq`` or ``cylinder``. The cylinder of a site that gives nothing is held against SUV 1: the
        console is then taken to know the filled volume as weight (1 kg for 1 l) and its activity.

    Examples
    --------
    >>> header = HeaderFacts(10.0, 30e6, datetime(2024, 1, 1, 9), 6586.2)
    >>> fill = Fill(activity_mbq=30.0, volume_ml=9500.0, assay_time=time(9, 0))
    >>> round(true_values(fill, header, "SUVbw", "cylinder").background, 4)
    1.0526
    """
    if fill.concentration_bqml is not None or fill.sphere_concentration_bqml is not None:
        return _as_given(fill, value_unit)
    if value_unit == "SUVbw":
        return _by_activity(fill, header, kind)
    if fill.activity_mbq is not None:
        raise InvalidInputError(
            f"the image is in {value_unit}, without SUV: give concentrations at its decay reference"
        )
    return _only_ratio(fill)


def _as_given(fill: Fill, value_unit: str) -> TrueValues:
    if value_unit != "Bq/ml":
        raise InvalidInputError(f"concentrations in Bq/ml are given, the image is in {value_unit}")
    background, sphere = fill.concentration_bqml, fill.sphere_concentration_bqml
    if sphere is None and background is not None and fill.ratio is not None:
        sphere = background * fill.ratio
    return _with_ratio(fill, background, sphere, "concentrations as given")


def _by_activity(fill: Fill, header: HeaderFacts, kind: str) -> TrueValues:
    background = _true_suv(fill.activity_mbq, fill.volume_ml, fill.assay_time, header)
    sphere = _true_suv(
        fill.sphere_activity_mbq, fill.sphere_volume_ml, fill.sphere_assay_time, header
    )
    source = "activity, volume and assay as given; weight and injection of the header"
    if background is None and sphere is None:
        if kind == "cylinder":
            return TrueValues(1.0, source="header alone: SUV 1, taking its weight as the volume")
        return _only_ratio(fill)
    if sphere is None and background is not None and fill.ratio is not None:
        sphere = background * fill.ratio
    return _with_ratio(fill, background, sphere, source)


def _only_ratio(fill: Fill) -> TrueValues:
    if fill.ratio is None:
        return TrueValues()
    return TrueValues(ratio=fill.ratio, source="ratio as given; background as measured")


def _with_ratio(
    fill: Fill, background: float | None, sphere: float | None, source: str
) -> TrueValues:
    ratio = sphere / background if sphere is not None and background is not None else fill.ratio
    return TrueValues(background, sphere, ratio, source)


def _true_suv(
    activity_mbq: float | None, volume_ml: float | None, assay: time | None, header: HeaderFacts
) -> float | None:
    """SUV of a solution; None without activity."""
    if activity_mbq is None:
        return None
    if volume_ml is None:
        raise InvalidInputError("an activity needs the volume that it was filled into")
    weight, dose = header.weight_kg, header.injected_activity_bq
    if not weight or not dose:
        raise InvalidInputError("the header has no weight or no injected activity")
    decay = 1.0
    if assay is not None:
        if header.injection is None or not header.half_life_s:
            raise InvalidInputError("the header has no time of injection or no half-life")
        decay = 2.0 ** (_seconds_after(header.injection.time(), assay) / header.half_life_s)
    return activity_mbq * 1e6 / volume_ml * weight * 1000.0 / dose * decay


def _seconds_after(first: time, second: time) -> float:
    """Seconds from one time of day to another, at most half a day either way.

    Examples
    --------
    >>> _seconds_after(time(23, 50), time(0, 10))
    1200.0
    """

    def of_day(t: time) -> float:
        return t.hour * 3600.0 + t.minute * 60.0 + t.second + t.microsecond / 1e6

    apart = of_day(second) - of_day(first)
    return (apart + _DAY_S / 2) % _DAY_S - _DAY_S / 2
