"""Body masses and surface that SUV is normalised to, as pure functions."""

from __future__ import annotations

from typing import Final

from schemas.errors import RejectedObjectError


def lbm_morgan(weight_kg: float, height_cm: float, *, male: bool) -> float:
    """Lean body mass (kg) by Morgan; SUV type ``LBM``.

    Examples
    --------
    >>> round(lbm_morgan(70, 175, male=True), 3)  # 1.10 * 70 - 120 * 0.4 ** 2
    57.8
    >>> round(lbm_morgan(70, 175, male=False), 3)  # 1.07 * 70 - 148 * 0.4 ** 2
    51.22

    References
    ----------
    Sugawara et al., Radiology 1999;213:521-525; DICOM PS3.3 C.8.9.1 (SUV Type).
    """
    ratio = weight_kg / height_cm
    return 1.10 * weight_kg - 120 * ratio**2 if male else 1.07 * weight_kg - 148 * ratio**2


def lbm_james(weight_kg: float, height_cm: float, *, male: bool) -> float:
    """Lean body mass (kg) by James, with 128 for men; SUV type ``LBMJAMES128``.

    Not monotonic: for a man it falls with weight above 1.10 H^2 / 256.

    Examples
    --------
    >>> round(lbm_james(70, 175, male=True), 3)  # 1.10 * 70 - 128 * 0.4 ** 2
    56.52

    References
    ----------
    James and Waterlow, Research on Obesity, 1976; DICOM PS3.3 C.8.9.1 (SUV Type).
    """
    ratio = weight_kg / height_cm
    return 1.10 * weight_kg - 128 * ratio**2 if male else 1.07 * weight_kg - 148 * ratio**2


def lbm_janmahasatian(weight_kg: float, height_cm: float, *, male: bool) -> float:
    """Lean body mass (kg) by Janmahasatian; SUV type ``LBMJANMA``.

    Examples
    --------
    >>> round(lbm_janmahasatian(70, 175, male=True), 3)  # BMI 22.857: 648900 / 11617.14
    55.857
    >>> round(lbm_janmahasatian(70, 175, male=False), 3)  # 648900 / 14357.14
    45.197

    References
    ----------
    Janmahasatian et al., Clin Pharmacokinet 2005;44:1051-1065.
    """
    bmi = body_mass_index(weight_kg, height_cm)
    return 9270 * weight_kg / (6680 + 216 * bmi if male else 8780 + 244 * bmi)


def ideal_body_weight(weight_kg: float, height_cm: float, *, male: bool) -> float:  # noqa: ARG001
    """Ideal body weight (kg); SUV type ``IBW``. The weight itself plays no part.

    Examples
    --------
    >>> round(ideal_body_weight(70, 175, male=True), 2)  # 48.0 + 1.06 * 23
    72.38
    >>> round(ideal_body_weight(70, 175, male=False), 2)  # 45.5 + 0.91 * 23
    66.43

    References
    ----------
    Sugawara et al., Radiology 1999;213:521-525.
    """
    over = height_cm - 152
    return 48.0 + 1.06 * over if male else 45.5 + 0.91 * over


def body_surface_m2(weight_kg: float, height_cm: float) -> float:
    """Body surface area (m2) by Du Bois.

    Examples
    --------
    >>> round(body_surface_m2(70, 175), 3)
    1.848

    References
    ----------
    Du Bois and Du Bois, Arch Intern Med 1916;17:863-871.
    """
    return float(0.007184 * height_cm**0.725 * weight_kg**0.425)


def body_mass_index(weight_kg: float, height_cm: float) -> float:
    """Body mass index (kg/m2).

    Examples
    --------
    >>> round(body_mass_index(70, 175), 3)
    22.857
    """
    return weight_kg / (height_cm / 100) ** 2


#: Normalising mass by SUV Type (0054,1006).
MASS_FORMULAS: Final = {
    "LBM": lbm_morgan,
    "LBMJAMES128": lbm_james,
    "LBMJANMA": lbm_janmahasatian,
    "IBW": ideal_body_weight,
}


def normalising_mass_kg(suv_type: str, weight_kg: float, height_cm: float, sex: str) -> float:
    """Mass (kg) that an SUV of `suv_type` is normalised to.

    Parameters
    ----------
    suv_type : str
        A key of `MASS_FORMULAS`.
    sex : str
        ``M``, ``F``, or ``O``: the mean of both, as IBSI does.

    Raises
    ------
    RejectedObjectError
        `suv_sex_missing` for any other sex; `suv_size_implausible` where the formula leaves its
        range and gives no positive mass.

    Examples
    --------
    >>> round(normalising_mass_kg("IBW", 70, 175, "O"), 3)  # (72.38 + 66.43) / 2
    69.405
    """
    formula = MASS_FORMULAS[suv_type]
    sides = {"M": (True,), "F": (False,), "O": (True, False)}.get(sex)
    if sides is None:
        raise RejectedObjectError(
            "suv_sex_missing", f"SUV type {suv_type} needs Patient's Sex (0010,0040) M, F or O"
        )
    masses = [formula(weight_kg, height_cm, male=male) for male in sides]
    mass = sum(masses) / len(masses)
    if min(masses) <= 0:
        raise RejectedObjectError(
            "suv_size_implausible", f"SUV type {suv_type}: weight and size give no positive mass"
        )
    return mass
