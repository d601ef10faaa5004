"""The parameters of a standard: grid, resolution, intensities. Every choice is a field."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final, Literal

from schemas.errors import InvalidInputError

#: Where the resolution of an image may come from, best first.
RESOLUTION_SOURCES: Final[tuple[str, ...]] = ("measured", "given", "estimated")
NAMED_TARGETS: Final[tuple[str, ...]] = ("EARL1", "EARL2", "cohort-worst")

Modality = Literal["PT", "CT", "MR"]
Target = Literal["EARL1", "EARL2", "cohort-worst"]
Normalisation = Literal["none", "z-score", "ratio", "white-stripe"]
#: Weighting of an MR image.
Contrast = Literal["T1", "T2", "FLAIR"]


def parameter_digest(parameters: Mapping[str, object]) -> str:
    """Digest of parameters by name, whatever their order."""
    text = json.dumps(parameters, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def require(condition: bool, profile_id: str, expected: str, got: object) -> None:
    """Refuse a profile.

    Raises
    ------
    InvalidInputError
        Unless the condition holds: which profile, what was expected and what came.
    """
    if not condition:
        raise InvalidInputError(f"profile {profile_id!r}: expected {expected}, got {got!r}")


@dataclass(frozen=True, slots=True)
class StandardProfile:
    """How volumes are brought onto a standard grid, resolution and scale of intensity.

    Parameters
    ----------
    profile_id : str
        Name and version, such as ``pet-4mm/1``.
    modality : {"PT", "CT", "MR"}
        What it is for; ``PT`` includes SPECT.
    spacing_mm : tuple of float or None
        Voxel size ``(z, y, x)``; None: as acquired (of the volume whose grid it is).
    interpolation_order : {0, 1, 2, 3, 4, 5}
        Nearest, linear, or interpolating B-spline of that degree. Splines keep more resolution and
        may overshoot at edges (negative SUV beside hot lesions is real output of it, and is not
        clipped). Linear interpolation is itself a smoothing, stronger between voxels than on them.
    anti_alias : bool
        Smooth before down-sampling, so that structure below the new voxel size does not fold back.
    resolution_fwhm_mm : tuple of float or None
        FWHM ``(z, y, x)`` of an additional Gaussian, the same for every scanner; 0 leaves an axis
        alone. Not together with `target`.
    fill_value : float
        Value of voxels outside the scanned volume: 0 for PET, -1024 HU for CT.
    grid : {"own", "emission", "ct"}
        Whose extent the grid covers: of the volume itself; for CT, of the PET or SPECT that it
        belongs to; for PET and SPECT, of the CT that belongs to it. Two profiles with the same
        spacing and alignment give the same grid.
    alignment : {"centre", "first_voxel", "corner"}
        What the old and the new grid share: the centre of the volume, the centre of the first
        voxel, or the outer corner of the first voxel.
    target : {"EARL1", "EARL2", "cohort-worst"}, float or None
        Resolution that every scanner and reconstruction is brought to by a Gaussian of its own: the
        recovery bands of EARL, a FWHM in mm, or the widest FWHM among the images of the lake.
    resolution_sources : tuple of str
        Which resolutions count, of ``measured`` (in a phantom), ``given`` (by the site) and
        ``estimated`` (from patient images).
    unmatched : {"refuse", "keep"}
        What becomes of an image that is coarser than the target, or of unknown resolution: no
        volume, or one that says that it was not matched. A finding in both cases.
    mask_order : {0, 1}
        Interpolation of masks that are brought onto volumes of this profile.
    mask_threshold : float
        Share of a voxel from which it belongs to the mask, above 0 and at most 1.
    normalisation : {"none", "z-score", "ratio", "white-stripe"}
        Scale of the intensities: as they are; mean 0 and standard deviation 1 in the reference ROI;
        divided by its mean (SUVR, ratio to liver or blood pool); or, for MR of the brain, mean 0
        and standard deviation 1 in the stripe of white matter that the histogram shows.
    reference_roi : str or None
        Label of the ROI that ``z-score`` and ``ratio`` refer to, as drawn on the series; case and
        underscores do not count. Without such a ROI there is no volume. For ``white-stripe`` the
        brain, if given; without it, the voxels above the mean of the image.
    correct_calibration : bool
        Divide by the calibration factor (measured over true) that a phantom of the scanner and
        reconstruction showed; without one the image is refused, or kept with `unmatched`. Off
        unless asked for: it changes numbers that a site may have corrected already.
    contrast : {"T1", "T2", "FLAIR"} or None
        Weighting of the images, for ``white-stripe`` alone: which peak is white matter.

    References
    ----------
    IBSI reference manual, section 2.4 (interpolation). EARL: Boellaard et al., EJNMMI 2015,
    doi:10.1007/s00259-014-2961-x. White stripe: Shinohara et al., NeuroImage: Clinical 2014,
    doi:10.1016/j.nicl.2014.08.008.
    """

    profile_id: str
    modality: Modality
    spacing_mm: tuple[float, float, float] | None = None
    interpolation_order: int = 1
    anti_alias: bool = True
    resolution_fwhm_mm: tuple[float, float, float] | None = None
    fill_value: float = 0.0
    grid: Literal["own", "emission", "ct"] = "own"
    alignment: Literal["centre", "first_voxel", "corner"] = "centre"
    target: Target | float | None = None
    resolution_sources: tuple[str, ...] = RESOLUTION_SOURCES
    unmatched: Literal["refuse", "keep"] = "refuse"
    mask_order: int = 1
    mask_threshold: float = 0.5
    normalisation: Normalisation = "none"
    reference_roi: str | None = None
    correct_calibration: bool = False
    contrast: Contrast | None = None

    def __post_init__(self) -> None:
        name = self.profile_id
        require(bool(name), name, "a name", name)
        require(self.modality in {"PT", "CT", "MR"}, name, "modality PT, CT or MR", self.modality)
        self._check_grid()
        self._check_resolution()
        self._check_intensity()
        require(self.mask_order in {0, 1}, name, "mask order 0 or 1", self.mask_order)
        share = self.mask_threshold
        require(0 < share <= 1, name, "a mask threshold above 0 and at most 1", share)

    def _check_grid(self) -> None:
        name, order = self.profile_id, self.interpolation_order
        spacing = self.spacing_mm or (1.0,)
        positive = all(math.isfinite(s) and s > 0 for s in spacing)
        require(positive, name, "a positive spacing in mm", self.spacing_mm)
        require(order in range(6), name, "interpolation order 0 to 5", order)
        require(math.isfinite(self.fill_value), name, "a finite fill value", self.fill_value)
        allowed = {"PT": {"own", "ct"}, "CT": {"own", "emission"}, "MR": {"own"}}[self.modality]
        require(self.grid in allowed, name, f"grid {' or '.join(sorted(allowed))}", self.grid)
        known = {"centre", "first_voxel", "corner"}
        require(
            self.alignment in known, name, "alignment centre, first_voxel or corner", self.alignment
        )

    def _check_resolution(self) -> None:
        name, target = self.profile_id, self.target
        fwhm = self.resolution_fwhm_mm or ()
        require(all(math.isfinite(f) and f >= 0 for f in fwhm), name, "FWHM in mm >= 0", fwhm)
        both = target is not None and self.resolution_fwhm_mm is not None
        require(not both, name, "resolution_fwhm_mm or target, not both", (fwhm, target))
        if isinstance(target, str):
            require(
                target in NAMED_TARGETS, name, f"target in mm or {', '.join(NAMED_TARGETS)}", target
            )
        elif target is not None:
            require(math.isfinite(target) and target > 0, name, "a target FWHM in mm > 0", target)
        require(target is None or self.modality == "PT", name, "a target for PT only", target)
        known = set(self.resolution_sources) <= set(RESOLUTION_SOURCES)
        known = known and bool(self.resolution_sources)
        require(
            known,
            name,
            f"resolution sources of {', '.join(RESOLUTION_SOURCES)}",
            self.resolution_sources,
        )
        require(
            self.unmatched in {"refuse", "keep"}, name, "unmatched refuse or keep", self.unmatched
        )

    def _check_intensity(self) -> None:
        name, method = self.profile_id, self.normalisation
        known = {"none", "z-score", "ratio", "white-stripe"}
        require(method in known, name, f"normalisation of {', '.join(sorted(known))}", method)
        if method == "white-stripe":
            require(self.modality == "MR", name, "white-stripe for MR only", self.modality)
            known_weight = self.contrast in {"T1", "T2", "FLAIR"}
            require(known_weight, name, "contrast T1, T2 or FLAIR for white-stripe", self.contrast)
            require(self.reference_roi != "", name, "a label or no reference_roi", "")
            return
        require(self.contrast is None, name, "a contrast for white-stripe only", self.contrast)
        needs_roi = method != "none"
        given = bool(self.reference_roi)
        require(
            needs_roi == given,
            name,
            "a reference_roi exactly for z-score and ratio, or for white-stripe if the brain is "
            "drawn",
            self.reference_roi,
        )

    @property
    def kind(self) -> str:
        """``standard``."""
        return "standard"

    def digest(self) -> str:
        """Short hexadecimal digest of all parameters."""
        parameters = {"kind": self.kind, **asdict(self)}
        if self.contrast is None:  # came later: profiles without it keep the digest they had
            del parameters["contrast"]
        return parameter_digest(parameters)
