"""Shape of the phantoms of quality control, as their standards give it."""

from __future__ import annotations

from typing import Final

#: Inner diameters of the six spheres of the NEMA image quality phantom, in the order in which they
#: follow each other around the circle, mm.
SPHERE_DIAMETERS_MM: Final = (37.0, 28.0, 22.0, 17.0, 13.0, 10.0)

#: Diameter of the circle on which the centres of the spheres lie, mm.
SPHERE_CIRCLE_DIAMETER_MM: Final = 114.4

#: Outer diameter of the lung insert on the axis of that circle, mm.
LUNG_INSERT_DIAMETER_MM: Final = 50.0

#: Inside of the body: radius of the upper half, and of the two lower corners with the distance of
#: their centres from the middle, mm. Width 294, height 224.
BODY_UPPER_RADIUS_MM: Final = 147.0
BODY_CORNER_RADIUS_MM: Final = 77.0
BODY_CORNER_OFFSET_MM: Final = 70.0

#: The circle of the spheres lies this far above the centre of the upper half, mm.
SPHERE_CIRCLE_ABOVE_MM: Final = 35.0

#: Length of the inside, and distance of the plane of the spheres from the lid, mm.
BODY_LENGTH_MM: Final = 194.0
SPHERE_PLANE_FROM_LID_MM: Final = 70.0

#: Metrics of recovery, as `earl_limits.csv` and the table `phantom_recovery` name them.
SUV_MEAN_A50: Final = "SUVmean_A50"
SUV_MAX: Final = "SUVmax"
SUV_PEAK_AT_MAX: Final = "SUVpeak_1ml_maxvoxel"
SUV_PEAK_HIGHEST: Final = "SUVpeak_1ml_maxloc"
RECOVERY_METRICS: Final = (SUV_MEAN_A50, SUV_MAX, SUV_PEAK_AT_MAX, SUV_PEAK_HIGHEST)
