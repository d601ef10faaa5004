"""Everything that one phantom scan says, from image to verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from schemas.errors import InvalidInputError
from schemas.volume import ImageVolume
from tasks.phantom.cylinder import find_cylinder
from tasks.phantom.fill import Fill, HeaderFacts, TrueValues, true_values
from tasks.phantom.limits import (
    FAILED,
    NO_LIMIT,
    PASSED,
    Limit,
    Verdict,
    calibration_limit,
    judge,
    overall,
    standards,
    verdict_of,
)
from tasks.phantom.model import Cylinder, IqPhantom
from tasks.phantom.nema import NemaContrast, nema_contrast
from tasks.phantom.psf import PsfFit, fit_psf
from tasks.phantom.recovery import SphereRecovery, recovery_curve
from tasks.phantom.spheres import find_spheres

#: Largest coefficient of variation of a uniform region, a fraction (COV-1).
MOST_COV: Final = 0.15


@dataclass(frozen=True, eq=False)
class PhantomResult:
    """What was found, measured and judged; what does not apply is None or empty.

    Parameters
    ----------
    kind : str
        ``iq`` or ``cylinder``.
    found : IqPhantom or Cylinder
        Where it lies.
    truth : TrueValues
        What it was filled with.
    truth_problem, psf_problem, nema_problem : str
        Why something could not be reckoned; empty if it could.
    verdicts : dict of str to tuple of Verdict
        By standard.
    standards_met : tuple of str
        Standards in whose bands all coefficients lie.
    declared : str or None
        Standard that the reconstruction is said to meet.
    calibration_factor : float or None
        Measured over true concentration of cylinder or background.
    calibration : Limit
        Its band.
    """

    kind: str
    found: IqPhantom | Cylinder
    truth: TrueValues
    calibration: Limit
    truth_problem: str = ""
    calibration_factor: float | None = None
    psf: PsfFit | None = None
    psf_problem: str = ""
    recovery: tuple[SphereRecovery, ...] = ()
    nema: NemaContrast | None = None
    nema_problem: str = ""
    verdicts: dict[str, tuple[Verdict, ...]] | None = None
    standards_met: tuple[str, ...] = ()
    declared: str | None = None

    @property
    def cov(self) -> float:
        """Coefficient of variation of cylinder or background, a fraction."""
        return self.found.cov if isinstance(self.found, Cylinder) else self.found.background_cov

    @property
    def verdict(self) -> str:
        """``pass``, ``fail`` or ``no_limit``."""
        if self.cov > MOST_COV:
            return FAILED
        if self.kind == "cylinder":
            judged = verdict_of(self.calibration_factor, self.calibration)
            return judged if judged in {PASSED, FAILED} else NO_LIMIT
        held = {name: overall(v) for name, v in (self.verdicts or {}).items()}
        if self.declared is not None:
            return held.get(self.declared, NO_LIMIT)
        if PASSED in held.values():
            return PASSED
        return FAILED if FAILED in held.values() else NO_LIMIT

    @property
    def limit_status(self) -> str | None:
        """Least certain status of the limits behind the verdict; None if there are none."""
        if self.kind == "cylinder":
            return self.calibration.status if self.calibration_factor is not None else None
        named = (
            (self.declared,) if self.declared else self.standards_met or tuple(self.verdicts or ())
        )
        used = [
            v.limit_status
            for name in named
            for v in (self.verdicts or {}).get(name, ())
            if v.limit is not None and v.limit.low is not None
        ]
        if not used:
            return None
        return "verified" if set(used) == {"verified"} else "recalled"


def analyse_phantom(
    image: ImageVolume,
    fill: Fill,
    header: HeaderFacts,
    known: Sequence[Limit],
    *,
    declared: str | None = None,
) -> PhantomResult:
    """Find the phantom in an image, measure it and hold it against the limits.

    Parameters
    ----------
    image : ImageVolume
        As acquired, not resampled.
    fill, header
        What is known of the filling; see `true_values`.
    known : sequence of Limit
        Limits to hold against.
    declared : str, optional
        Standard that the reconstruction is said to meet.

    Raises
    ------
    InvalidInputError
        There is no phantom of that kind in the image; the message says what is missing.
    """
    kind, found = _found(image, fill.kind)
    try:
        truth, problem = true_values(fill, header, image.value_unit, kind), ""
    except InvalidInputError as error:
        truth, problem = TrueValues(), str(error)
    measured = found.mean if isinstance(found, Cylinder) else found.background
    factor = None if truth.background is None else measured / truth.background
    result = PhantomResult(
        kind, found, truth, calibration_limit(known), problem, factor, declared=declared
    )
    if isinstance(found, Cylinder):
        return result
    return _with_spheres(result, image, found, known)


def _found(image: ImageVolume, kind: str) -> tuple[str, IqPhantom | Cylinder]:
    if kind == "iq":
        return kind, find_spheres(image)
    if kind == "cylinder":
        return kind, find_cylinder(image)
    try:
        return "cylinder", find_cylinder(image)
    except InvalidInputError as not_round:
        try:
            return "iq", find_spheres(image)
        except InvalidInputError as no_spheres:
            raise InvalidInputError(
                f"neither cylinder ({not_round}) nor image quality phantom ({no_spheres})"
            ) from no_spheres


def _with_spheres(
    result: PhantomResult, image: ImageVolume, phantom: IqPhantom, known: Sequence[Limit]
) -> PhantomResult:
    truth = result.truth
    psf, psf_problem = None, ""
    try:
        psf = fit_psf(image, phantom)
    except InvalidInputError as error:
        psf_problem = str(error)
    result = replace(result, psf=psf, psf_problem=psf_problem)
    nema, nema_problem = None, ""
    if truth.ratio is not None:
        try:
            nema = nema_contrast(image, phantom, truth.ratio)
        except InvalidInputError as error:
            nema_problem = str(error)
    result = replace(result, nema=nema, nema_problem=nema_problem)
    if truth.sphere is None and truth.ratio is None:
        return result
    recovery = (
        recovery_curve(image, phantom, true_concentration=truth.sphere)
        if truth.sphere is not None
        else recovery_curve(image, phantom, true_ratio=truth.ratio)
    )
    verdicts = {name: judge(recovery, name, known) for name in standards(known)}
    met = tuple(name for name, held in verdicts.items() if overall(held) == PASSED)
    return replace(result, recovery=recovery, verdicts=verdicts, standards_met=met)
