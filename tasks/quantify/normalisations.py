"""SUV by lean body mass, body surface and ideal weight: multiples of SUVbw, each with its refusal.

``SUVx = A * measure_x / D = SUVbw * measure_x / W``: one number for a series, also where the factor
to SUVbw differs from slice to slice.
"""

from __future__ import annotations

from typing import Final

from schemas.errors import RejectedObjectError
from schemas.reasons import SUV_REFUSALS
from schemas.records import SuvNormalisation
from tasks.quantify.body import body_mass_index, body_surface_m2, normalising_mass_kg
from tasks.quantify.dose import body_height_cm, mass_kg

#: SUV Type (0054,1006) of the formula by the name of the normalisation.
MASS_TYPES: Final = {
    "suv_lbm_morgan": "LBM", "suv_lbm_james": "LBMJAMES128", "suv_lbm_janma": "LBMJANMA",
    "suv_ibw": "IBW",
}  # fmt: skip
#: Every normalisation in the order of the table.
NORMALISATIONS: Final = (
    "suv_bw", "suv_lbm_morgan", "suv_lbm_james", "suv_lbm_janma", "suv_bsa", "suv_ibw",
)  # fmt: skip
#: The formulas for men and for women, as one reads them; W in kg, H in cm, BMI in kg/m2.
_FORMULAS: Final = {
    "suv_lbm_morgan": ("1.10 W - 120 (W/H)^2", "1.07 W - 148 (W/H)^2"),
    "suv_lbm_james": ("1.10 W - 128 (W/H)^2", "1.07 W - 148 (W/H)^2"),
    "suv_lbm_janma": ("9270 W / (6680 + 216 BMI)", "9270 W / (8780 + 244 BMI)"),
    "suv_ibw": ("48.0 + 1.06 (H - 152)", "45.5 + 0.91 (H - 152)"),
}
#: Above this body mass index lean mass by Morgan and James grows ever less with weight, then falls.
BMI_LIMIT: Final = 35.0
_QUADRATIC: Final = frozenset({"suv_lbm_morgan", "suv_lbm_james"})
LEAN_MASS_WARNING: Final = (
    "BMI above 35: lean body mass by Morgan and James is not reliable; prefer Janmahasatian "
    "(suv_lbm_janma)"
)


def normalisations(
    weight: float | None, size: float | None, sex: str
) -> tuple[SuvNormalisation, ...]:
    """SUVbw and its relatives for a patient.

    Parameters
    ----------
    weight, size : float or None
        Patient's Weight (0010,1030) and Size (0010,1020) as they stand; units are put right.
    sex : str
        Patient's Sex (0010,0040): ``M``, ``F``, or ``O`` for the mean of both.

    Returns
    -------
    tuple of SuvNormalisation
        One for each of `NORMALISATIONS`; a missing size or sex refuses only those that need it.

    References
    ----------
    As `tasks.quantify.body`.

    Examples
    --------
    >>> found = {n.name: n for n in normalisations(70, 1.75, "M")}
    >>> round(found["suv_lbm_james"].per_suvbw, 6)  # 56.52 / 70
    0.807429
    >>> round(found["suv_bsa"].per_suvbw, 6)  # 18481.43 / 70000
    0.26402
    >>> [n.name for n in normalisations(70, None, "M") if n.reason_code is None]
    ['suv_bw']
    """
    return tuple(_normalisation(name, weight, size, sex) for name in NORMALISATIONS)


def refused_normalisations(reason_code: str, reason_text: str) -> tuple[SuvNormalisation, ...]:
    """All of them, where SUVbw itself was refused."""
    return tuple(
        SuvNormalisation(
            name, _unit(name), _measure_unit(name), reason_code=reason_code, reason_text=reason_text
        )
        for name in NORMALISATIONS
    )


def is_lean_mass_unreliable(weight: float | None, size: float | None) -> bool:
    """Tell whether the body mass index is above `BMI_LIMIT`; False where it is not known.

    Examples
    --------
    >>> is_lean_mass_unreliable(110, 1.75), is_lean_mass_unreliable(107, 1.75)  # BMI 35.9, 34.9
    (True, False)
    """
    try:
        kilograms, _ = mass_kg(weight)
        height, _ = body_height_cm(size)
    except RejectedObjectError:
        return False
    return body_mass_index(kilograms, height) > BMI_LIMIT


def _unit(name: str) -> str:
    return "cm2/ml" if name == "suv_bsa" else "g/ml"


def _measure_unit(name: str) -> str:
    return "cm2" if name == "suv_bsa" else "kg"


def _normalisation(
    name: str, weight: float | None, size: float | None, sex: str
) -> SuvNormalisation:
    unit, measure_unit = _unit(name), _measure_unit(name)
    if name == "suv_bw":
        return _body_weight(weight)
    try:
        kilograms, _ = mass_kg(weight)
        height, _ = body_height_cm(size)
        if name == "suv_bsa":
            measure = body_surface_m2(kilograms, height) * 1e4
            per, step = measure / (kilograms * 1000), "71.84 H^0.725 W^0.425 cm2 / 1000 W"
        else:
            measure = normalising_mass_kg(MASS_TYPES[name], kilograms, height, sex)
            per, step = measure / kilograms, f"{_formula(name, sex)} kg / W"
    except RejectedObjectError as refusal:
        return SuvNormalisation(
            name, unit, measure_unit, reason_code=refusal.reason_code,
            reason_text=f"{SUV_REFUSALS[refusal.reason_code]} {refusal.detail}.",
        )  # fmt: skip
    is_warned = name in _QUADRATIC and is_lean_mass_unreliable(weight, size)
    warning = LEAN_MASS_WARNING if is_warned else None
    return SuvNormalisation(name, unit, measure_unit, measure, per, step=step, warning=warning)


def _formula(name: str, sex: str) -> str:
    male, female = _FORMULAS[name]
    return {"M": f"({male})", "F": f"({female})"}.get(sex, f"mean of ({male}) and ({female})")


def _body_weight(weight: float | None) -> SuvNormalisation:
    """SUVbw itself; where it came from the vendor, the weight may be unknown."""
    try:
        kilograms: float | None = mass_kg(weight)[0]
    except RejectedObjectError:
        kilograms = None
    return SuvNormalisation("suv_bw", "g/ml", "kg", kilograms, 1.0)
