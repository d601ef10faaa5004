"""The range of values that a picture shows."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

#: Usual upper end for body PET in SUV, and for tracers that go higher than FDG.
SUV_WINDOW: Final = 7.0
_SUV_WINDOW_OF_HOT_TRACERS: Final = 10.0
#: Parts of the names of tracers with high uptake in healthy organs or in lesions.
_HOT_TRACERS: Final = ("PSMA", "DOTA", "FAPI", "DOPA", "FLUCICLOVINE", "CHOLINE")

#: Soft tissue, HU.
CT_WINDOW: Final = (-160.0, 240.0)

#: Share of the voxels with uptake that is allowed to saturate where the unit has no usual range.
_PERCENTILE: Final = 99.5
#: Share of the voxels at either end that saturate where low values are no air, such as in MR.
_ENDS: Final = (1.0, 99.5)

#: Kinds of images that show a radioactive substance.
EMISSION: Final = frozenset({"PT", "NM"})


def upper_limit(values: NDArray[Any], value_unit: str, tracer: str | None = None) -> float:
    """Return the value shown darkest: 7 or 10 for SUV, otherwise a rounded high percentile.

    Parameters
    ----------
    values : ndarray
        Values of the picture.
    value_unit : str
        Their unit.
    tracer : str, optional
        Tracers such as PSMA, DOTATATE or FAPI are shown up to 10, all others up to 7.

    Examples
    --------
    >>> upper_limit(np.zeros(4), "SUVbw"), upper_limit(np.zeros(4), "SUVbw", "DOTATATE")
    (7.0, 10.0)
    >>> upper_limit(np.full(9, 1234.0), "CNTS")
    1300.0
    """
    if value_unit.startswith("SUV"):
        hot = any(name in (tracer or "").upper() for name in _HOT_TRACERS)
        return _SUV_WINDOW_OF_HOT_TRACERS if hot else SUV_WINDOW
    positive = values[np.isfinite(values) & (values > 0)]
    if not positive.size:
        return 1.0
    highest = float(np.percentile(positive, _PERCENTILE))
    step = 10.0 ** (np.floor(np.log10(highest)) - 1)
    return float(np.ceil(highest / step) * step)


def usual_window(
    values: NDArray[Any], value_unit: str, modality: str, tracer: str | None = None
) -> tuple[float, float]:
    """Return the lowest and the highest value that a reader expects to see.

    PET and SPECT: from 0 to `upper_limit`, but gamma-camera images in SUV to a percentile, since
    therapy images reach any value. CT: soft tissue. MR and all else: the 1st to 99.5th percentile.

    Parameters
    ----------
    values : ndarray
        A sample of the volume.
    value_unit, modality : str
        Unit; ``PT``, ``NM``, ``CT``, ``MR`` ...
    tracer : str, optional
        Radiopharmaceutical.

    Examples
    --------
    >>> usual_window(np.zeros(4), "HU", "CT")
    (-160.0, 240.0)
    >>> usual_window(np.linspace(0.0, 1000.0, 1001), "1", "MR")
    (10.0, 995.0)
    """
    if modality in EMISSION:
        unit = "" if modality == "NM" else value_unit
        return 0.0, upper_limit(values, unit, tracer)
    if value_unit == "HU":
        return CT_WINDOW
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 1.0
    low, high = (float(p) for p in np.percentile(finite, _ENDS))
    return (low, high) if high > low else (low, low + 1.0)
