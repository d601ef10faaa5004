"""The body of a simulated patient as analytic solids, in DICOM patient space (LPS, mm).

z is 0 at the vertex of the head and falls towards the feet. Sizes are those of a reference adult,
stretched to the height and girth of the patient.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

REFERENCE_HEIGHT_M: Final = 1.75
REFERENCE_WEIGHT_KG: Final = 75.0
#: Length from vertex to upper thigh that a scan covers, reference adult.
SCAN_LENGTH_MM: Final = 815.0


@dataclass(frozen=True, slots=True)
class Solid:
    """An ellipsoid, or with a higher exponent a column with rounded ends, of one tissue.

    A point is inside if ``(rho^n + |z/c|^n)^(1/n) <= 1`` with ``rho`` its distance from the axis in
    units of the semi-axes a and b.

    Parameters
    ----------
    name : str
        Tissue.
    centre, semi_axes : tuple of float
        ``(x, y, z)`` in mm, LPS.
    suv, spect_uptake, hu : float
        FDG uptake, uptake in the SPECT phantom (relative), CT number.
    exponent : float
        n; 2 is an ellipsoid.
    """

    name: str
    centre: tuple[float, float, float]
    semi_axes: tuple[float, float, float]
    suv: float
    spect_uptake: float
    hu: float
    exponent: float = 2.0


@dataclass(frozen=True, slots=True)
class Site:
    """A place where lesions grow: centre and largest radius in mm, tissue HU."""

    nature: str
    centre: tuple[float, float, float]
    radius_max_mm: float
    hu: float


@dataclass(frozen=True, slots=True)
class Body:
    """Scale of a patient against the reference adult."""

    height_m: float
    weight_kg: float

    @property
    def length_scale(self) -> float:
        """Stretch along z."""
        return self.height_m / REFERENCE_HEIGHT_M

    @property
    def girth_scale(self) -> float:
        """Stretch along x and y: volume goes with weight."""
        ratio = (self.weight_kg / REFERENCE_WEIGHT_KG) / self.length_scale
        return float(ratio**0.5)

    def place(self, point: tuple[float, float, float]) -> tuple[float, float, float]:
        """Map a point of the reference adult to this patient."""
        g, s = self.girth_scale, self.length_scale
        return point[0] * g, point[1] * g, point[2] * s

    def scaled(self, solid: Solid) -> Solid:
        """Map a solid of the reference adult to this patient."""
        return Solid(
            solid.name,
            self.place(solid.centre),
            self.place(solid.semi_axes),
            solid.suv,
            solid.spect_uptake,
            solid.hu,
            solid.exponent,
        )


def _column(
    name: str,
    xy: tuple[float, float],
    z: tuple[float, float],
    radius: tuple[float, float],
    values: tuple[float, float, float],
) -> Solid:
    centre = (xy[0], xy[1], (z[0] + z[1]) / 2)
    return Solid(name, centre, (*radius, abs(z[1] - z[0]) / 2), *values, exponent=12.0)


# Painted in order: later solids lie inside earlier ones and replace them.
_REFERENCE: Final[tuple[Solid, ...]] = (
    Solid("fat", (0, 0, -105), (80, 100, 112), 0.3, 0.05, -90),
    _column("fat", (0, 15), (-160, -275), (62, 62), (0.3, 0.05, -90)),
    Solid("fat", (0, 0, -505), (172, 112, 275), 0.3, 0.05, -90, exponent=7.0),
    _column("fat", (88, 0), (-730, -900), (82, 88), (0.3, 0.05, -90)),
    _column("fat", (-88, 0), (-730, -900), (82, 88), (0.3, 0.05, -90)),
    Solid("muscle", (0, 0, -107), (74, 94, 106), 0.8, 0.1, 45),
    _column("muscle", (0, 15), (-160, -275), (54, 54), (0.8, 0.1, 45)),
    Solid("muscle", (0, 2, -505), (155, 96, 262), 0.7, 0.1, 45, exponent=7.0),
    _column("muscle", (88, 0), (-730, -900), (68, 72), (0.7, 0.1, 45)),
    _column("muscle", (-88, 0), (-730, -900), (68, 72), (0.7, 0.1, 45)),
    Solid("skull", (0, 0, -88), (70, 88, 82), 0.9, 0.15, 750),
    Solid("brain", (0, 0, -88), (63, 81, 75), 6.5, 0.08, 35),
    _column("spine", (0, 58), (-175, -735), (17, 18), (1.4, 0.25, 260)),
    Solid("pelvis", (88, 28, -700), (38, 20, 48), 1.0, 0.25, 320),
    Solid("pelvis", (-88, 28, -700), (38, 20, 48), 1.0, 0.25, 320),
    _column("femur", (92, 0), (-745, -900), (15, 15), (0.9, 0.2, 650)),
    _column("femur", (-92, 0), (-745, -900), (15, 15), (0.9, 0.2, 650)),
    Solid("lung", (78, -5, -375), (56, 76, 108), 0.5, 0.06, -780),
    Solid("lung", (-78, -5, -375), (58, 76, 108), 0.5, 0.06, -780),
    Solid("mediastinum", (0, 5, -350), (30, 55, 90), 1.2, 0.1, 40),
    Solid("heart", (32, -28, -410), (46, 42, 50), 3.2, 0.2, 50),
    Solid("blood", (32, -28, -408), (29, 26, 34), 1.7, 0.2, 45),
    _column("blood", (14, 32), (-330, -640), (11, 11), (1.7, 0.2, 45)),
    Solid("liver", (-68, -8, -520), (80, 72, 62), 2.2, 1.0, 60),
    Solid("spleen", (102, 34, -510), (30, 26, 46), 1.8, 3.0, 55),
    Solid("stomach", (55, -35, -520), (42, 30, 38), 1.6, 0.2, 25),
    Solid("bowel", (0, -40, -630), (85, 38, 55), 1.5, 0.3, 30),
    Solid("kidney", (62, 44, -585), (26, 28, 52), 3.8, 9.0, 32),
    Solid("kidney", (-62, 44, -590), (26, 28, 52), 3.8, 9.0, 32),
    Solid("bladder", (0, -22, -728), (38, 35, 30), 18.0, 4.0, 5),
)

_SITES: Final[tuple[Site, ...]] = (
    Site("lung", (-84, -8, -345), 19.0, 40.0),
    Site("lung", (84, 10, -350), 19.0, 40.0),
    Site("lung", (-80, 5, -425), 14.0, 40.0),
    Site("liver", (-95, -5, -515), 17.0, 35.0),
    Site("liver", (-42, -18, -525), 14.0, 35.0),
    Site("node", (0, 12, -318), 12.0, 40.0),
    Site("node", (-10, 8, -372), 11.0, 40.0),
    Site("node", (40, 25, -215), 10.0, 40.0),
    Site("node", (30, 30, -662), 12.0, 40.0),
    Site("node", (-100, -35, -690), 11.0, 40.0),
    Site("node", (100, -35, -690), 11.0, 40.0),
)


def organs(body: Body) -> tuple[Solid, ...]:
    """All solids of a patient in the order of painting."""
    return tuple(body.scaled(solid) for solid in _REFERENCE)


def lesion_sites(body: Body) -> tuple[Site, ...]:
    """Places for lesions in a patient; a lesion of `Site.radius_max_mm` stays in its tissue."""
    shrink = min(1.0, body.girth_scale, body.length_scale)
    return tuple(
        Site(site.nature, body.place(site.centre), site.radius_max_mm * shrink, site.hu)
        for site in _SITES
    )


def scan_extent(body: Body) -> tuple[float, float]:
    """Lowest and highest z (mm) that a scan covers."""
    return -SCAN_LENGTH_MM * body.length_scale, 10.0
