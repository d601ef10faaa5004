"""Kinetic models of dynamic series: their profiles, parameters, and why they cannot be applied."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

from schemas.errors import InvalidInputError
from schemas.profile_toml import coerce, parse_profile, require_known_keys
from schemas.standard_profile import parameter_digest

Model = Literal["patlak", "logan", "logan_reference", "ma1", "srtm", "ratio"]
MODELS: Final[tuple[str, ...]] = get_args(Model)
#: Models that need the tracer in plasma; the others take a tissue without specific binding instead.
PLASMA_MODELS: Final = ("patlak", "logan", "ma1")
Weighting = Literal["uniform", "duration", "duration_decay"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter that a model yields.

    Parameters
    ----------
    name : str
        As in `kinetic_parameters.parameter_name` and `volumes.parameter_name`.
    unit : str
        Per cm3 of tissue and ml of plasma.
    description : str
        One sentence.
    """

    name: str
    unit: str
    description: str


_KI = Parameter("ki", "ml/cm3/min", "Net rate of irreversible uptake: slope of the Patlak plot.")
_V0 = Parameter("intercept", "ml/cm3", "Intercept of the Patlak plot: space of reversible tracer.")
_VT = Parameter("vt", "ml/cm3", "Total volume of distribution.")
_DVR = Parameter("dvr", "1", "Ratio of distribution volumes to the reference tissue.")
_R1 = Parameter("r1", "1", "Delivery relative to the reference tissue.")
_K2 = Parameter("k2", "1/min", "Rate from tissue to plasma.")
_BP = Parameter("bpnd", "1", "Binding potential against the non-displaceable uptake.")
_RATIO = Parameter("ratio", "1", "Mean of late frames over that of the reference tissue.")

#: What each model yields, in the order of its results.
PARAMETERS: Final[MappingProxyType[str, tuple[Parameter, ...]]] = MappingProxyType(
    {
        "patlak": (_KI, _V0),
        "logan": (_VT,),
        "logan_reference": (_DVR,),
        "ma1": (_VT,),
        "srtm": (_R1, _K2, _BP),
        "ratio": (_RATIO,),
    }
)

#: Why kinetics of a series, an ROI or a voxel block cannot be had; the rule id of the finding.
KINETIC_REFUSALS: Final[dict[str, str]] = {
    "kinetics.no_frame_times": "The series does not say when its frames began, or how long they were.",
    "kinetics.frame_duration": "A frame has no duration or a negative one.",
    "kinetics.frames_overlap": "Two frames cover the same time, or frames are not in the order of time.",
    "kinetics.beds": "The slices of a frame were measured one after the other (beds), so that a frame has no one time.",
    "kinetics.not_decay_corrected": "The frames are not known to be decay corrected to one time.",
    "kinetics.late_start": "The scan began too long after the injection for the model to know the input before it.",
    "kinetics.no_injection_time": "The injection is not known; the start of the scan was taken for it.",
    "kinetics.no_input_roi": "No ROI of the wanted name gives the input function of this series.",
    "kinetics.ambiguous_roi": "Several ROIs have the name of the one that is wanted.",
    "kinetics.no_target_roi": "No ROI of the wanted names lies on this series.",
    "kinetics.empty_roi": "An ROI covers no voxel of the images.",
    "kinetics.unusable_roi": "The contours of an ROI make no region.",
    "kinetics.nothing_fitted": "No ROI could be fitted; see the findings on each.",
    "kinetics.no_half_life": "The weighting of the profile needs the half-life, which is not known.",
    "kinetics.few_frames": "Too few frames from the start of the linear part on.",
    "kinetics.no_linear_part": "No start of a linear part keeps the deviation within the limit of the profile.",
    "kinetics.implausible_input": "The input function is no input function: not positive, or highest at the end.",
    "kinetics.input_too_short": "The blood samples end before the frames do.",
    "kinetics.input_needs_suv": "Blood samples in Bq/ml need images with an SUV factor, dose and weight.",
    "kinetics.not_finite": "A curve holds values that are not finite.",
    "kinetics.no_solution": "The equations of the model have no solution for this curve.",
    "kinetics.failed": "The computation ended with an error.",
}


@dataclass(frozen=True, slots=True)
class KineticProfile:
    """How a kinetic model is applied.

    Parameters
    ----------
    profile_id : str
        Name and version, such as ``patlak/1``.
    model : str
        One of `MODELS`.
    t_star_min : float or None
        Frames that begin at this time after the injection and later are used (graphical models and
        MA1; start of the late frames of ``ratio``). None: the earliest start from which no point
        deviates from the line by more than `max_deviation`.
    t_end_min : float or None
        Frames that end after this time are left out; None: none.
    max_deviation : float
        Largest relative deviation of a point from the line, for a start that is searched.
    minimum_frames : int
        Fewest frames in the linear part.
    weighting : str
        Of the frames in a fit: ``uniform``; ``duration``; ``duration_decay`` (duration times what
        decay left of the tracer: inverse of the variance of counts of an unchanging activity).
    k2_reference_per_min : float or None
        For ``logan_reference``: mean efflux rate k2' of the reference tissue; None leaves the term
        out, which is right where the curve of the reference runs parallel to the target's.
    theta_min_per_min, theta_max_per_min, n_basis
        Of ``srtm``: range and number of the rate constants of the basis functions, in equal steps
        of the logarithm.
    input_statistic : str
        Input function from an ROI: ``mean``, or ``hottest`` for the mean of the hottest voxels.
    input_hottest_share : float
        Share of the ROI's voxels that ``hottest`` takes, those with the largest mean over the
        early frames (`input_early_min`).
    input_early_min : float
        Time after the injection over which hot voxels are looked for.
    plasma_over_blood : float
        Activity in plasma over that in whole blood, for input functions from images.
    latest_start_s : float
        A scan that begins later than this after the injection, with the tracer there already, does
        not give an input function.

    References
    ----------
    Weights of frames: Yaqub et al., Phys Med Biol 51 (2006) 4217.
    """

    profile_id: str
    model: Model
    t_star_min: float | None = None
    t_end_min: float | None = None
    max_deviation: float = 0.1
    minimum_frames: int = 3
    weighting: Weighting = "duration"
    k2_reference_per_min: float | None = None
    theta_min_per_min: float = 0.006
    theta_max_per_min: float = 0.6
    n_basis: int = 100
    input_statistic: Literal["mean", "hottest"] = "mean"
    input_hottest_share: float = 0.25
    input_early_min: float = 2.0
    plasma_over_blood: float = 1.0
    latest_start_s: float = 30.0

    def __post_init__(self) -> None:
        self._require(bool(self.profile_id), "a name", self.profile_id)
        self._require(self.model in MODELS, f"a model of {', '.join(MODELS)}", self.model)
        for name in ("t_star_min", "t_end_min"):
            value = getattr(self, name)
            self._require(value is None or _not_negative(value), f"{name} >= 0", value)
        self._require(self.model != "ratio" or self.t_star_min is not None, "t_star_min", None)
        self._require(0 < self.max_deviation < 1, "max_deviation in (0, 1)", self.max_deviation)
        fewest = 1 if self.model == "ratio" else 3
        self._require(self.minimum_frames >= fewest, f"{fewest} frames", self.minimum_frames)
        self._require(self.weighting in get_args(Weighting), "a weighting", self.weighting)
        k2 = self.k2_reference_per_min
        self._require(k2 is None or _positive(k2), "k2_reference_per_min > 0", k2)
        low, high = self.theta_min_per_min, self.theta_max_per_min
        self._require(_positive(low) and low < high < math.inf, "0 < theta_min < theta_max", low)
        self._require(2 <= self.n_basis <= 1000, "2 to 1000 basis functions", self.n_basis)
        self._require(
            self.input_statistic in {"mean", "hottest"}, "mean or hottest", self.input_statistic
        )
        share = self.input_hottest_share
        self._require(0 < share <= 1, "input_hottest_share in (0, 1]", share)
        self._require(_positive(self.input_early_min), "input_early_min > 0", self.input_early_min)
        self._require(_positive(self.plasma_over_blood), "a ratio > 0", self.plasma_over_blood)
        self._require(
            _not_negative(self.latest_start_s), "latest_start_s >= 0", self.latest_start_s
        )

    def _require(self, condition: bool, expected: str, got: object) -> None:
        if not condition:
            raise InvalidInputError(
                f"kinetic profile {self.profile_id!r}: expected {expected}, got {got!r}"
            )

    @property
    def kind(self) -> str:
        """``kinetic``."""
        return "kinetic"

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """What the model yields."""
        return PARAMETERS[self.model]

    @property
    def needs_plasma(self) -> bool:
        """True if the model takes the tracer in plasma, otherwise a reference tissue."""
        return self.model in PLASMA_MODELS

    def digest(self) -> str:
        """Short hexadecimal digest of all parameters."""
        return parameter_digest({"kind": self.kind, **asdict(self)})


def _positive(value: float) -> bool:
    return math.isfinite(value) and value > 0


def _not_negative(value: float) -> bool:
    return math.isfinite(value) and value >= 0


KINETIC_PROFILES: Final[dict[str, KineticProfile]] = {
    p.profile_id: p
    for p in (
        KineticProfile("patlak/1", "patlak", t_star_min=20.0),
        KineticProfile("patlak-auto/1", "patlak"),
        KineticProfile("logan/1", "logan", t_star_min=30.0),
        KineticProfile("logan-reference/1", "logan_reference", t_star_min=30.0),
        KineticProfile("ma1/1", "ma1", t_star_min=30.0),
        KineticProfile("srtm/1", "srtm"),
        KineticProfile("ratio-50/1", "ratio", t_star_min=50.0, minimum_frames=1),
    )
}


def load_kinetic_profile(toml_text: str) -> KineticProfile:
    """Read a kinetic profile from TOML: ``kind = "kinetic"`` and its fields.

    Parameters
    ----------
    toml_text : str
        Unknown keys, wrong types and impossible values are refused.

    Raises
    ------
    InvalidInputError
        Naming the key, what was expected and what came.

    Examples
    --------
    >>> text = '''
    ... kind = "kinetic"
    ... profile_id = "mine/1"
    ... model = "patlak"
    ... t_star_min = 25
    ... '''
    >>> load_kinetic_profile(text).t_star_min
    25.0
    """
    kind, raw = parse_profile(toml_text)
    if kind != "kinetic":
        raise InvalidInputError(f'profile kind: expected "kinetic", got {kind!r}')
    require_known_keys(raw, KineticProfile)
    missing = {"profile_id", "model"} - set(raw)
    if missing:
        raise InvalidInputError(f"kinetic profile: missing {sorted(missing)}")
    hints = get_type_hints(KineticProfile)
    return KineticProfile(**{key: _value(key, value, hints[key]) for key, value in raw.items()})


def _value(key: str, value: object, hint: Any) -> Any:
    # any text is a candidate for a choice: the profile itself says which there are
    return coerce(key, value, str if get_origin(hint) is Literal else hint)
