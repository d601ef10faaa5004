"""Quality control with phantoms: find them, measure them, hold them against limits."""

from tasks.phantom.admissible import AdmissibleGaussian, admissible_gaussian
from tasks.phantom.cylinder import find_cylinder
from tasks.phantom.limits import Limit, Verdict, judge, limits, overall, read_limits, standards
from tasks.phantom.model import Cylinder, IqPhantom
from tasks.phantom.nema import NemaContrast, nema_contrast
from tasks.phantom.psf import PsfFit, fit_psf
from tasks.phantom.recovery import SphereRecovery, recovery_curve
from tasks.phantom.spheres import find_spheres

__all__ = [
    "AdmissibleGaussian", "Cylinder", "IqPhantom", "Limit", "NemaContrast", "PsfFit",
    "SphereRecovery", "Verdict", "admissible_gaussian", "find_cylinder", "find_spheres", "fit_psf",
    "judge", "limits", "nema_contrast", "overall", "read_limits", "recovery_curve", "standards",
]  # fmt: skip
