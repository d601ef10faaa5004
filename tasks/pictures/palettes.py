"""The colours of values: grey, inverse grey, and the palettes that DICOM defines."""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
import pydicom
from matplotlib.colors import ListedColormap
from numpy.typing import NDArray
from pydicom.data import get_palette_files

#: Palettes of PS3.6 Annex B and the names of their files in pydicom, which are instances of the
#: standard's Color Palette Storage class.
_STANDARD: Final = {
    "hot_iron": "hotiron.dcm",
    "pet": "pet.dcm",
    "hot_metal_blue": "hotmetalblue.dcm",
    "pet_20_step": "pet20step.dcm",
}
PALETTES: Final = ("grey", "inverse_grey", *_STANDARD)

#: Lowest and highest opacity of an emission image on a CT.
_OPACITY: Final = (0.0, 0.8)
#: Fraction of the window from which on the opacity is the highest.
_OPAQUE_FROM: Final = 0.5


@cache
def palette(name: str) -> NDArray[np.uint8]:
    """Return the 256 colours of a palette, (256, 3) uint8: red, green, blue.

    Parameters
    ----------
    name : str
        One of `PALETTES`.

    Raises
    ------
    ValueError
        There is no such palette.

    References
    ----------
    DICOM PS3.6 Annex B, "Well-known Color Palettes": B.1.1 Hot Iron, B.1.2 PET, B.1.3 Hot Metal
    Blue, B.1.4 PET 20 Step.

    Examples
    --------
    Hot iron goes from black over red and yellow to white:

    >>> palette("hot_iron")[[0, 64, 128, 192, 255]].tolist()
    [[0, 0, 0], [128, 0, 0], [255, 0, 0], [255, 128, 4], [255, 255, 255]]
    """
    grey = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    if name == "grey":
        return grey
    if name == "inverse_grey":
        return np.asarray(grey[::-1])
    if name not in _STANDARD:
        raise ValueError(f"palette {name!r} is none of {', '.join(PALETTES)}")
    (file,) = get_palette_files(_STANDARD[name])
    dataset = pydicom.dcmread(file)
    tables = (
        dataset.RedPaletteColorLookupTableData,
        dataset.GreenPaletteColorLookupTableData,
        dataset.BluePaletteColorLookupTableData,
    )
    return np.stack([np.frombuffer(table, dtype=np.uint8) for table in tables], axis=1)


def colour_map(name: str) -> ListedColormap:
    """Return a palette for colour bars."""
    return ListedColormap(palette(name) / 255.0, name=name)


def coloured(values: NDArray[np.floating], low: float, high: float, name: str) -> NDArray[np.uint8]:
    """Return the colours of values, (..., 3) uint8; not finite ones have the colour of `low`.

    Parameters
    ----------
    values : ndarray
        Any shape.
    low, high : float
        Values of the first and the last colour; all beyond is shown as these.
    name : str
        Palette.

    Examples
    --------
    >>> coloured(np.array([-1.0, 0.0, 3.5, 99.0]), 0.0, 7.0, "grey")[:, 0].tolist()
    [0, 0, 128, 255]
    """
    scaled = np.nan_to_num((values - low) / (high - low), nan=0.0, posinf=1.0, neginf=0.0)
    index = np.clip(np.floor(scaled * 256.0), 0, 255).astype(np.intp)
    return np.asarray(palette(name)[index])


def fused(
    emission: NDArray[np.floating],
    emission_window: tuple[float, float],
    below: NDArray[np.floating],
    window_below: tuple[float, float],
) -> NDArray[np.uint8]:
    """Lay an emission image in hot iron over a grey CT or MR, (..., 3) uint8.

    The opacity grows in proportion to uptake, from 0 at the lower end of the window to 0.8 at its
    middle and beyond: where there is no uptake the CT is not darkened, and what is hot does not
    hide it completely.

    Parameters
    ----------
    emission, below : ndarray
        PET or SPECT, and CT, of equal shape.
    emission_window, window_below : tuple of float
        Lowest and highest value shown.
    """
    low, high = emission_window
    share = np.nan_to_num((emission - low) / (high - low), nan=0.0, posinf=1.0, neginf=0.0)
    least, most = _OPACITY
    opacity = (least + (most - least) * np.clip(share / _OPAQUE_FROM, 0.0, 1.0))[..., None]
    over = coloured(emission, low, high, "hot_iron").astype(np.float64)
    under = coloured(below, *window_below, "grey").astype(np.float64)
    return np.asarray(np.rint(opacity * over + (1.0 - opacity) * under), dtype=np.uint8)
