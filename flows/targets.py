"""Target resolution of a profile, and the match of each image to it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

import lake
from schemas.profiles import StandardProfile
from schemas.standard_profile import RESOLUTION_SOURCES
from tasks.standardise.matching import (
    Band,
    Match,
    Resolution,
    Widths,
    match_to_band,
    match_to_fwhm,
    total_fwhm,
    unknown,
    worst_of,
)

if TYPE_CHECKING:
    from flows.standard_jobs import RawImage

#: Scanner and reconstruction.
Device = tuple[str | None, str | None]

_RESOLUTION: Final = """
SELECT resolution_id, scanner_key, reconstruction_key, resolution_source, fwhm_z_mm, fwhm_y_mm,
       fwhm_x_mm, fwhm_error_mm, phantom_series_uid
FROM resolution ORDER BY resolution_id
"""
_BANDS: Final = """
SELECT resolution_id, match_target, filter_low_mm, filter_best_mm, filter_high_mm,
       phantom_spacing_z_mm, phantom_spacing_y_mm, phantom_spacing_x_mm, limit_status, match_detail
FROM resolution_bands
"""
#: A cylinder before an image quality phantom, whose background is smaller; then the latest.
_CALIBRATION: Final = """
SELECT scanner_key, reconstruction_key, calibration_factor FROM phantom_scans
WHERE calibration_factor > 0
QUALIFY row_number() OVER (
  PARTITION BY scanner_key, reconstruction_key
  ORDER BY phantom_kind = 'cylinder' DESC, is_superseded NULLS LAST,
           measured_on DESC NULLS LAST, phantom_scan_id) = 1
"""


class Targets:
    """Matches images to the targets of profiles.

    Parameters
    ----------
    resolutions : mapping
        What is known, by scanner and reconstruction: identifiers and resolutions.
    bands : mapping
        Gaussians into a band of recovery, by identifier of the resolution and standard.
    images : iterable of RawImage
        All images of the lake; the coarsest of them is the target ``cohort-worst``.
    calibrations : mapping
        Measured over true activity, by scanner and reconstruction.
    """

    def __init__(
        self,
        resolutions: Mapping[Device, list[tuple[str, Resolution]]],
        bands: Mapping[tuple[str, str], Band],
        images: Iterable[RawImage],
        calibrations: Mapping[Device, float],
    ) -> None:
        self._resolutions, self._bands = resolutions, bands
        self._calibrations = calibrations
        self._images = [image for image in images if image.modality == "PT"]
        self._worst_known: dict[tuple[str, tuple[str, ...]], Widths | None] = {}

    @classmethod
    def of_lake(cls, lk: lake.Lake, images: Iterable[RawImage]) -> Targets:
        """Read what the lake knows."""
        known: dict[Device, list[tuple[str, Resolution]]] = defaultdict(list)
        for key, scanner, recon, source, z, y, x, error, phantom in lk.sql(_RESOLUTION).fetchall():
            found = Resolution(source, (z, y, x), error, phantom)
            known[scanner, recon].append((key, found))
        bands = {
            (key, target): Band(low, best, high, (z, y, x), status, detail or "")
            for key, target, low, best, high, z, y, x, status, detail in lk.sql(_BANDS).fetchall()
        }
        factors = {(s, r): float(f) for s, r, f in lk.sql(_CALIBRATION).fetchall()}
        return cls(known, bands, images, factors)

    def calibration(self, image: RawImage) -> float | None:
        """Calibration factor of the image's scanner and reconstruction; None if not measured."""
        return self._calibrations.get((image.scanner_key, image.reconstruction_key))

    def match(self, image: RawImage, profile: StandardProfile) -> Match | None:
        """Match of an image; None if the profile has no target."""
        target = profile.target
        if target is None:
            return None
        name = target if isinstance(target, str) else f"{target:g} mm"
        key, resolution = self._best(image, profile)
        if resolution is None:
            return unknown(name)
        spacing = image.geometry.spacing
        if name in {"EARL1", "EARL2"}:
            band = self._bands.get((key, name))
            return unknown(name) if band is None else match_to_band(resolution, spacing, band, name)
        widths = (target,) * 3 if isinstance(target, float) else self._worst(image, profile)
        if widths is None:
            return unknown(name)
        return match_to_fwhm(resolution, spacing, (widths[0], widths[1], widths[2]), name)

    def _best(self, image: RawImage, profile: StandardProfile) -> tuple[str, Resolution | None]:
        known = self._resolutions.get((image.scanner_key, image.reconstruction_key), [])
        usable = [(k, r) for k, r in known if r.source in profile.resolution_sources]
        ranked = sorted(usable, key=lambda entry: RESOLUTION_SOURCES.index(entry[1].source))
        return ranked[0] if ranked else ("", None)

    def _worst(self, image: RawImage, profile: StandardProfile) -> Widths | None:
        """Widest FWHM among all images of the same modality whose resolution is known."""
        key = (image.dicom_modality, profile.resolution_sources)
        if key not in self._worst_known:
            alike = [i for i in self._images if i.dicom_modality == image.dicom_modality]
            found = [(i, self._best(i, profile)[1]) for i in alike]
            self._worst_known[key] = worst_of(
                [total_fwhm(r.fwhm_mm, i.geometry.spacing) for i, r in found if r is not None]
            )
        return self._worst_known[key]
