"""Whether images of different resolution are pooled (rule STD-1)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from tasks.harmonise.finding import Finding

RULE: Final = "STD-1"
#: Largest ratio of two widths that count as one resolution.
_ALIKE: Final = 1.1


@dataclass(frozen=True, slots=True)
class PooledImage:
    """Where the features of one series come from.

    Parameters
    ----------
    device : tuple of str or None
        Scanner and reconstruction.
    match_status : str or None
        As in `resolution_matches`; None where the standard profile has no target.
    fwhm_mm : float or None
        Resolution of the device, the mean over the axes; None where nobody knows.
    """

    device: tuple[str | None, str | None]
    match_status: str | None
    fwhm_mm: float | None


def pooling_findings(images: Iterable[PooledImage], standard_profile: str) -> list[Finding]:
    """Judge a pool of images.

    Parameters
    ----------
    images : iterable of PooledImage
        All whose features are pooled.
    standard_profile : str
        That they were made with.

    Returns
    -------
    list of Finding
        Empty if all are matched to one target, come from one device, or have one resolution.
        ``fail`` where resolutions are known to differ, ``warn`` where they are not known.

    References
    ----------
    EARL: images of EARL 1 and EARL 2 cannot be pooled (earl.eanm.org, FAQ of the 18F standards 2).

    Examples
    --------
    >>> sharp = PooledImage(("SC-1", "OSEM PSF"), None, 4.5)
    >>> soft = PooledImage(("SC-2", "OSEM"), None, 7.0)
    >>> [(rule, severity) for rule, severity, _ in pooling_findings([sharp, soft], "pet-4mm/1")]
    [('STD-1', 'fail')]
    >>> pooling_findings([sharp, sharp], "pet-4mm/1")
    []
    """
    pooled = list(images)
    devices = {image.device for image in pooled}
    n_free = sum(image.match_status != "matched" for image in pooled)
    if len(devices) < 2 or n_free == 0:
        return []
    what = f"{n_free} of {len(pooled)} images of {len(devices)} scanners and reconstructions are "
    what += f"pooled under {standard_profile} without matched resolution"
    widths = [image.fwhm_mm for image in pooled if image.fwhm_mm is not None]
    n_unknown = len({image.device for image in pooled if image.fwhm_mm is None})
    if widths and max(widths) > _ALIKE * min(widths):
        message = f"{what}; it goes from {min(widths):.1f} to {max(widths):.1f} mm"
        return [Finding(RULE, "fail", message)]
    if n_unknown:
        return [Finding(RULE, "warn", f"{what}; that of {n_unknown} of them is not known")]
    return []
