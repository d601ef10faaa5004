"""A small lake made by hand, in which every voxel is known: for tests of its pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import lake
from lake.volumes import write_mask, write_raw, write_standard
from schemas.geometry import Geometry
from schemas.records import Row
from schemas.volume import FrameAxis, ImageVolume, MaskVolume, RawVolume

#: 2.25.1...: the beginning "2.25.1" fits several of them.
PET, CT, DYNAMIC = "2.25.111", "2.25.121", "2.25.131"
PLANAR, STRUCTURES, SEGMENTS, LONE_SEGMENTS = "2.25.141", "2.25.211", "2.25.221", "2.25.231"
MR, REPORT = "2.25.151", "2.25.241"
PATIENT, OTHER = "P-0000000000000001", "P-0000000000000002"
PROFILE = "pet-4mm/1"

#: 40 slices of 5 mm, 24 x 28 voxels of 4 mm; patient's left, back and head along x, y, z.
PET_GRID = Geometry((40, 24, 28), np.diag([4.0, 4.0, 5.0, 1.0]))
CT_GRID = Geometry(
    (50, 50, 60), np.array([[2.0, 0, 0, -4], [0, 2, 0, -2], [0, 0, 4, 2], [0, 0, 0, 1]])
)
#: SUV of the body, of the liver region, and of the lesion; Bq/ml are a thousand times as much.
BODY_SUV, LIVER_SUV, LESION_SUV = 1.0, 2.0, 9.0
LESION = (slice(30, 33), slice(5, 8), slice(18, 21))
LIVER = (slice(10, 16), slice(8, 14), slice(4, 10))


def pet_suv() -> NDArray[np.float32]:
    """The PET, (z, y, x), SUV."""
    suv = np.zeros(PET_GRID.shape, dtype=np.float32)
    suv[1:39, 3:21, 3:25] = BODY_SUV
    suv[LIVER] = LIVER_SUV
    suv[LIVER[0], LIVER[1], 4:7] += 0.2
    suv[LIVER[0], LIVER[1], 7:10] -= 0.2
    suv[LESION] = LESION_SUV
    return suv


def _raw(values: NDArray[np.float32], grid: Geometry, unit: str, suv: float | None) -> RawVolume:
    n = grid.shape[0]
    factor = None if suv is None else np.full(n, suv)
    stored = np.rint(values).astype(np.int16)
    return RawVolume(stored, np.ones(n), np.zeros(n), grid, unit, factor)


def _dynamic() -> RawVolume:
    """Three frames of 10, 20 and 30 s with 1, 2 and 4 kBq/ml everywhere."""
    grid = Geometry((6, 8, 10), np.diag([4.0, 4.0, 5.0, 1.0]))
    stored = (
        np.ones((3, *grid.shape), dtype=np.int16)
        * np.array([1000, 2000, 4000])[:, None, None, None]
    )
    frames = FrameAxis("time", 3, np.array([0.0, 10.0, 30.0]), np.array([10.0, 20.0, 30.0]))
    lines = np.ones((3, 6))
    return RawVolume(
        stored.astype(np.int16), lines, 0 * lines, grid, "Bq/ml", lines / 1000, frames=frames
    )


def _planar() -> RawVolume:
    grid = Geometry((1, 32, 12), np.diag([4.0, 4.0, 1.0, 1.0]))
    stored = np.zeros((2, 1, 32, 12), dtype=np.uint16)
    stored[0, 0, 4:28, 3:9], stored[1, 0, 4:28, 3:9] = 100, 60
    frames = FrameAxis("view", 2, labels=("window 1 detector 1", "window 1 detector 2"))
    about: dict[str, object] = {"is_planar": True, "has_pixel_spacing": True}
    ones = np.ones((2, 1))
    return RawVolume(stored, ones, 0 * ones, grid, "CNTS", attributes=about, frames=frames)


def _mask(where: tuple[slice, slice, slice], value: int = 1) -> MaskVolume:
    labels = np.zeros(PET_GRID.shape, dtype=np.uint8)
    labels[where] = value
    return MaskVolume(labels, PET_GRID)


def _series(uid: str, modality: str, kind: str = "image", **more: object) -> Row:
    return {
        "series_instance_uid": uid, "study_instance_uid": "2.25.9", "patient_key": PATIENT,
        "centre": "A", "modality": modality, "series_kind": kind, "is_spect": False,
        "frame_of_reference_uid": "2.25.8", "n_instances": 1, **more,
    }  # fmt: skip


def _contour(z: float) -> list[float]:
    """A square around the lesion in a slice, through voxel borders."""
    x0, x1, y0, y1 = 18 * 4 - 2.0, 20 * 4 + 2.0, 5 * 4 - 2.0, 7 * 4 + 2.0
    return [x0, y0, z, x1, y0, z, x1, y1, z, x0, y1, z]


def _rows(root: str) -> dict[str, list[Row]]:
    suv = pet_suv()
    hu = np.full(CT_GRID.shape, -1000.0, dtype=np.float32)
    hu[:, 4:46, 4:56] = 40.0
    pet = write_raw(root, PET, _raw(suv * 1000, PET_GRID, "Bq/ml", 0.001))
    mr_grid = Geometry((8, 30, 30), np.diag([2.0, 2.0, 6.0, 1.0]))
    ramp = np.broadcast_to(np.arange(30, dtype=np.float32) * 10, mr_grid.shape)
    parent = str(pet["volume_id"])
    standard = write_standard(
        root, PET, ImageVolume(suv, PET_GRID, "SUVbw"),
        profile_id=PROFILE, profile_digest="d", parent_volume_id=parent,
    )  # fmt: skip
    both = _mask(LESION, 1).labels + _mask(LIVER, 2).labels
    segments = write_mask(root, SEGMENTS, MaskVolume(both, PET_GRID))
    lone = write_mask(root, LONE_SEGMENTS, _mask(LESION, 3))
    measured = write_mask(root, PET, _mask(LESION), parent_volume_id=str(standard["volume_id"]))
    segment = {"segmentation_series_uid": SEGMENTS, "segment_kind": "mask",
               "referenced_series_uid": PET, "volume_id": segments["volume_id"]}  # fmt: skip
    return {
        "series": [
            _series(PET, "PT", radiopharmaceutical="FDG", attenuation_corrected=True),
            _series(CT, "CT", referenced_series_uid=PET),
            _series(DYNAMIC, "PT", patient_key=OTHER, frame_of_reference_uid="2.25.7"),
            _series(PLANAR, "NM", "planar", patient_key=OTHER, frame_of_reference_uid=None),
            _series(MR, "MR", patient_key=OTHER, frame_of_reference_uid="2.25.6"),
            _series(STRUCTURES, "RTSTRUCT", "contours", referenced_series_uid=PET),
            _series(SEGMENTS, "SEG", "segmentation", referenced_series_uid=PET),
            _series(LONE_SEGMENTS, "SEG", "segmentation", referenced_series_uid="2.25.999"),
            _series(REPORT, "SR", "report"),
        ],
        "volumes": [
            pet, standard, segments, lone, measured,
            write_raw(root, CT, _raw(hu, CT_GRID, "HU", None)),
            write_raw(root, MR, _raw(ramp, mr_grid, "1", None)),
            write_raw(root, DYNAMIC, _dynamic()),
            write_raw(root, PLANAR, _planar()),
        ],
        "segments": [
            {**segment, "segment_number": 1, "segment_label": "lesion_2"},
            {**segment, "segment_number": 2, "segment_label": "liver"},
            {"segmentation_series_uid": STRUCTURES, "segment_number": 1, "segment_kind": "contours",
             "segment_label": "lesion_1", "referenced_series_uid": PET},
        ],
        "contours": [
            {"segmentation_series_uid": STRUCTURES, "segment_number": 1, "contour_index": i,
             "geometric_type": "CLOSED_PLANAR", "points_lps_mm": _contour(z * 5.0)}
            for i, z in enumerate((30, 31, 32))
        ],
        "rois": [
            {"roi_id": "R-1", "roi_label": "lesion_1", "roi_method": "rtstruct",
             "series_instance_uid": PET, "segmentation_series_uid": STRUCTURES, "segment_number": 1,
             "volume_id": measured["volume_id"], "parent_volume_id": standard["volume_id"]},
        ],
    }  # fmt: skip


def make_shown_lake(location: Path) -> None:
    """Write the lake; its series are the constants of this module."""
    with lake.create(location) as lk:
        rows = _rows(lk.volumes_root)
        with lk.transaction(message="by hand") as tx:
            for table, found in rows.items():
                tx.insert(table, found)
