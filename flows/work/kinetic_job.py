"""What a worker is told of a dynamic series, and what it makes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from flows.work.features import RoiSource
from schemas.kinetics import KineticProfile
from schemas.records import Row
from schemas.volume import Attributes
from tasks.kinetics.input_function import BloodSamples
from tasks.kinetics.voxelwise import VoxelModel

_TABLES: Final = (
    "kinetic_analyses", "time_activity_curves", "input_functions", "kinetic_parameters", "findings",
)  # fmt: skip


@dataclass(frozen=True)
class KineticsJob:
    """One dynamic series, and what is to be done with it.

    Parameters
    ----------
    analysis_id : str
        Key of the result.
    identity : dict
        Columns that every row repeats: series_instance_uid, patient_key, centre.
    volume_id, volume_path : str
        The raw volume.
    quantity : str
        ``suv`` or ``native``; as `DynamicVolume`.
    is_decay_corrected : bool
        Whether values of this quantity are decay corrected to one time.
    injection_offset_s : float or None
        Injection after the start of the first frame.
    half_life_s : float or None
        Of the nuclide.
    profile : KineticProfile
        Model and its options.
    sources : tuple of RoiSource
        ROIs whose name is that of the input or reference tissue: one is expected.
    targets : tuple of RoiSource
        ROIs to fit.
    samples : BloodSamples or None
        Instead of an input ROI, in the unit of the images.
    refuses_samples : bool
        Blood samples were given, but cannot be brought to the unit of the images.
    with_maps : bool
        Whether parametric volumes are wanted.
    input_digest : str
        Digest of all of the above.
    """

    analysis_id: str
    identity: Row
    volume_id: str
    volume_path: str
    quantity: str
    is_decay_corrected: bool
    injection_offset_s: float | None
    half_life_s: float | None
    profile: KineticProfile
    sources: tuple[RoiSource, ...]
    targets: tuple[RoiSource, ...]
    samples: BloodSamples | None
    refuses_samples: bool
    with_maps: bool
    input_digest: str

    @property
    def series_instance_uid(self) -> str:
        """Series of the volume."""
        return str(self.identity["series_instance_uid"])


@dataclass
class Analysed:
    """Rows that one job led to, and the model for its voxels if there is one."""

    rows: dict[str, list[Row]] = field(default_factory=lambda: {t: [] for t in _TABLES})
    model: VoxelModel | None = None
    attributes: Attributes = field(default_factory=dict)
