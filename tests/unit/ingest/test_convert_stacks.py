"""What the slices of a series become: one volume, several, one with frames, or a reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from schemas.records import ConvertedSeries
from schemas.volume import RawVolume
from tasks.dicom.kinds import CT_IMAGE, MR_IMAGE
from tests.support.dicom_objects import (
    convert_all,
    pet_series,
    pet_slice,
    reasons,
    set_pixels,
)


def convert_one(objects: Sequence[Dataset]) -> ConvertedSeries:
    (converted,) = convert_all(list(objects))
    return converted


def rules(converted: ConvertedSeries) -> list[str]:
    return sorted(str(f["rule_id"]) for f in converted.rows["findings"])


def as_modality(objects: Sequence[Dataset], sop_class: str, modality: str) -> None:
    for ds in objects:
        ds.SOPClassUID, ds.Modality = sop_class, modality


def frames(
    n_frames: int, n_slices: int = 3, change: Callable[[Dataset, int, int], None] | None = None
) -> list[Dataset]:
    """A series whose every place is there `n_frames` times; stored values tell frame and slice."""
    made = []
    for frame in range(n_frames):
        for i in range(n_slices):
            stored = np.full((4, 5), 10 * frame + i, np.int16)
            ds = pet_slice(frame * n_slices + i + 1, stored, (0.0, 0.0, 3.0 * i))
            if change is not None:
                change(ds, frame, i)
            made.append(ds)
    return made


def in_frames(volume: RawVolume) -> np.ndarray[tuple[int, ...], np.dtype[np.int16]]:
    """Stored value of every slice, (t, z)."""
    return np.asarray(volume.stored[..., 0, 0])


def later(ds: Dataset, frame: int, _: int) -> None:
    ds.AcquisitionTime = f"10{10 + 2 * frame:02d}30"
    ds.ActualFrameDuration = str(60_000 * (frame + 1))


def test_dynamic_series_is_one_volume_with_frame_times() -> None:
    converted = convert_one(frames(3, change=later)[::-1])
    (volume,) = converted.raw
    np.testing.assert_array_equal(in_frames(volume), [[0, 1, 2], [10, 11, 12], [20, 21, 22]])
    assert volume.frames is not None
    assert (volume.frames.kind, volume.part.label) == ("time", None)
    np.testing.assert_array_equal(volume.frames.start_s, [0, 120, 240])
    np.testing.assert_array_equal(volume.frames.duration_s, [60, 120, 180])
    assert volume.frames.slice_start_s is None
    assert volume.rescale_slope.shape == (3, 3)
    assert reasons(converted) == ["ingested"] * 9
    assert converted.rows["series"][0]["n_instances"] == 9


def test_beds_of_a_dynamic_series_keep_their_own_times() -> None:
    """Two passes over two beds (slices 0, 1 and 2, 3), each bed a minute after the other."""

    def change(ds: Dataset, frame: int, i: int) -> None:
        ds.AcquisitionTime = f"10{10 + 5 * frame + i // 2:02d}00"

    (volume,) = convert_one(frames(2, 4, change)).raw
    assert volume.frames is not None
    np.testing.assert_array_equal(volume.frames.start_s, [0, 300])
    np.testing.assert_array_equal(
        volume.frames.slice_start_s, [[0, 0, 60, 60], [300, 300, 360, 360]]
    )


def test_gates_are_told_apart_by_their_trigger_time() -> None:
    def change(ds: Dataset, frame: int, _: int) -> None:
        ds.TriggerTime = str(250 * frame)

    (volume,) = convert_one(frames(4, change=change)).raw
    assert volume.frames is not None
    assert volume.frames.kind == "gate"
    np.testing.assert_array_equal(volume.frames.start_s, [0, 0.25, 0.5, 0.75])


def test_echoes_of_an_mr() -> None:
    def change(ds: Dataset, frame: int, _: int) -> None:
        ds.EchoTime = ("4.5", "2.25")[frame]

    objects = frames(2, change=change)
    as_modality(objects, MR_IMAGE, "MR")
    (volume,) = convert_one(objects).raw
    assert volume.frames is not None
    assert (volume.frames.kind, volume.frames.labels) == ("echo", ("2.25", "4.5"))
    np.testing.assert_array_equal(in_frames(volume), [[10, 11, 12], [0, 1, 2]])


def test_kinds_of_image_are_volumes_of_their_own() -> None:
    """Water and fat of a Dixon MR lie at the same places."""

    def change(ds: Dataset, frame: int, _: int) -> None:
        ds.ImageType = ["DERIVED", "PRIMARY", ("WATER", "FAT")[frame]]

    objects = frames(2, change=change)
    as_modality(objects, MR_IMAGE, "MR")
    converted = convert_one(objects)
    assert [v.part.label for v in converted.raw] == ["image type 1", "image type 2"]
    assert [v.part.index for v in converted.raw] == [1, 2]
    assert {int(v.stored[0, 0, 0]) for v in converted.raw} == {0, 10}
    assert rules(converted) == ["ingest.split_series"]


def test_ct_acquisitions_at_one_place_are_volumes_of_their_own() -> None:
    def change(ds: Dataset, frame: int, i: int) -> None:
        ds.AcquisitionNumber = frame + 1
        ds.AcquisitionTime = f"10{10 + frame:02d}{i:02d}"

    objects = frames(2, change=change)
    as_modality(objects, CT_IMAGE, "CT")
    converted = convert_one(objects)
    assert [v.part.label for v in converted.raw] == ["acquisition 1", "acquisition 2"]
    assert [v.stored.shape for v in converted.raw] == [(3, 4, 5)] * 2


def _stack(start: float, n: int, first: int, acquisition: int, step: float = 3.0) -> list[Dataset]:
    made = [
        pet_slice(first + i, np.full((4, 5), first + i, np.int16), (0.0, 0.0, start + step * i))
        for i in range(n)
    ]
    for ds in made:
        ds.AcquisitionNumber = acquisition
    return made


@pytest.mark.parametrize(
    ("second_start", "second_step"),
    [
        (100.0, 3.0),  # a gap between the two
        (7.5, 3.0),  # overlapping, between the slices of the first
        (9.0, 3.0),  # overlapping, two places in common
        (15.0, 5.0),  # end to end, other spacing
    ],
)
def test_stacks_of_two_acquisitions(second_start: float, second_step: float) -> None:
    objects = _stack(0.0, 5, 1, 1) + _stack(second_start, 4, 50, 2, second_step)
    converted = convert_one(objects)
    assert reasons(converted) == ["ingested"] * 9
    assert [(v.part.label, len(v.stored)) for v in converted.raw] == [
        ("acquisition 1", 5),
        ("acquisition 2", 4),
    ]
    assert converted.raw[1].geometry.affine[2, 3] == second_start
    assert converted.raw[1].geometry.spacing[0] == pytest.approx(second_step)
    assert rules(converted) == ["ingest.split_series"]


@pytest.mark.parametrize("second_start", [100.0, 7.5])
def test_stacks_that_nothing_tells_apart_are_refused(second_start: float) -> None:
    objects = _stack(0.0, 5, 1, 1) + _stack(second_start, 4, 50, 1)
    converted = convert_one(objects)
    assert converted.raw == ()
    assert set(reasons(converted)) <= {"nonuniform_spacing", "missing_slices"}


def _resized(objects: Sequence[Dataset]) -> None:
    for i, ds in enumerate(objects):
        set_pixels(ds, np.full((5, 5), 70 + i, np.int16))


def _zoomed(objects: Sequence[Dataset]) -> None:
    for ds in objects:
        ds.PixelSpacing = ["4.1", "4.1"]


def _turned(objects: Sequence[Dataset]) -> None:
    for i, ds in enumerate(objects):
        ds.ImageOrientationPatient = ["0", "1", "0", "0", "0", "-1"]
        ds.ImagePositionPatient = [f"{3 * i}", "-20", "-300"]


@pytest.mark.parametrize(
    ("spoil", "reason", "label"),
    [
        (_resized, "mixed_sizes", "5 x 5, axial"),
        (_zoomed, "mixed_sizes", "6 x 4, axial"),
        (_turned, "mixed_orientations", "6 x 4, sagittal"),
    ],
)
def test_slices_of_another_kind(
    spoil: Callable[[Sequence[Dataset]], None], reason: str, label: str
) -> None:
    """Several are a volume of their own; a lonely one is put aside."""
    several = pet_series(8)
    spoil(several[5:])
    converted = convert_one(several)
    assert [len(v.stored) for v in converted.raw] == [5, 3]
    assert converted.raw[1].part.label == label
    assert reasons(converted) == ["ingested"] * 8
    lonely = pet_series(6)
    spoil(lonely[5:])
    converted = convert_one(lonely)
    assert reasons(converted) == sorted(["ingested"] * 5 + [reason])
    assert rules(converted) == ["ingest.partial_series"]
    inside = pet_series(6)
    spoil(inside[2:3])
    assert reasons(convert_one(inside)) == sorted(["missing_slices"] * 5 + [reason])


def test_the_same_slice_under_another_uid_is_a_duplicate() -> None:
    objects = pet_series(4)
    again = pet_series(4)[2]
    again.SOPInstanceUID = "1.2.3.4"
    converted = convert_one([*objects, again])
    assert reasons(converted) == ["duplicate", *["ingested"] * 4]
    assert len(converted.raw[0].stored) == 4


def test_other_pixels_at_one_place_are_refused() -> None:
    objects = pet_series(4)
    objects[2].ImagePositionPatient = objects[1].ImagePositionPatient
    assert reasons(convert_one(objects)) == ["duplicate_positions"] * 4


def test_a_slice_that_one_frame_lacks() -> None:
    objects = frames(3, 6, later)
    del objects[8]
    assert reasons(convert_one(objects)) == ["missing_slices"] * 17


def test_gantry_tilt_is_kept_as_a_sheared_grid() -> None:
    """The table moves 3 mm along z while the slices, tilted by 15 degrees, do not turn with it."""
    angle = np.radians(15)
    column = (0.0, float(np.cos(angle)), float(np.sin(angle)))
    objects = [
        pet_slice(i + 1, np.full((4, 5), i, np.int16), (0.0, 0.0, 3.0 * i),
                  orientation=(1.0, 0.0, 0.0, *column))
        for i in range(5)
    ]  # fmt: skip
    converted = convert_one(objects)
    (volume,) = converted.raw
    affine = volume.geometry.affine
    np.testing.assert_allclose(affine[:3, 2], [0, 0, 3], atol=1e-9)
    np.testing.assert_allclose(affine[:3, 1], 4 * np.array(column), atol=1e-8)
    assert volume.geometry.voxel_volume_ml == pytest.approx(4 * 4 * 3 * np.cos(angle) / 1000)
    (finding,) = converted.rows["findings"]
    assert finding["rule_id"] == "ingest.gantry_tilt"
    assert finding["observed_value"] == pytest.approx(15, abs=1e-6)


@settings(deadline=None)  # a busy machine is no defect
@given(
    angles=st.tuples(*[st.floats(-np.pi, np.pi)] * 3),
    origin=st.tuples(*[st.floats(-500, 500)] * 3),
    order=st.permutations(range(4)),
)
def test_every_voxel_lies_where_its_slice_says(
    angles: tuple[float, float, float], origin: tuple[float, float, float], order: list[int]
) -> None:
    """Any orientation, any order of files: PS3.3 equation C.7.6.2.1-1 for every slice."""
    row, column = _directions(angles)
    normal = np.cross(row, column)
    spacing = (2.5, 4.0)  # between rows, between columns
    positions = [np.array(origin) + 3.0 * i * normal for i in range(4)]
    objects = [
        pet_slice(i + 1, np.full((3, 2), i, np.int16), positions[i].tolist(),
            pixel_spacing=spacing,
                  orientation=(*row, *column))
        for i in range(4)
    ]  # fmt: skip
    (volume,) = convert_one([objects[i] for i in order]).raw
    for z in range(4):
        number = int(volume.stored[z, 0, 0])
        for y, x in ((0, 0), (2, 1)):
            expected = positions[number] + row * spacing[1] * x + column * spacing[0] * y
            found = volume.geometry.to_lps(np.array([x, y, z], dtype=np.float64))
            np.testing.assert_allclose(found, expected, atol=1e-4)


def _directions(
    angles: tuple[float, float, float],
) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], ...]:
    a, b, c = angles
    turn = np.eye(3)
    for (i, j), angle in zip(((0, 1), (0, 2), (1, 2)), (a, b, c), strict=True):
        one = np.eye(3)
        one[i, i] = one[j, j] = np.cos(angle)
        one[i, j], one[j, i] = -np.sin(angle), np.sin(angle)
        turn = turn @ one
    return turn[:, 0], turn[:, 1]
