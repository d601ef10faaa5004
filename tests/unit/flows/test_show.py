"""Pictures of a lake that is known voxel by voxel: which series, which values, which outlines."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import lake
from flows.named_series import find_series
from flows.show import Subject, show, show_job
from flows.work import shown
from flows.work.regions import regions_on, union_values
from flows.work.scene import Look, Scene, open_scene
from flows.work.showing import _references
from flows.work.shown import open_shown, survey
from schemas.errors import InvalidInputError, NotFoundInLakeError
from schemas.geometry import Geometry
from tests.support import shown_lake as known


@pytest.fixture(scope="module")
def lk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[lake.Lake]:
    location = tmp_path_factory.mktemp("shown") / "lake"
    known.make_shown_lake(location)
    with lake.open(location, read_only=True) as opened:
        yield opened


def _scene(lk: lake.Lake, subject: Subject, look: Look | None = None) -> Scene:
    return open_scene(lk.volumes_root, show_job(lk, subject), look or Look())


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (known.PET, known.PET),
        ("2.25.11", known.PET),
        ("111", known.PET),
        (known.PATIENT, known.PET),
        (known.OTHER, known.DYNAMIC),
    ],
)
def test_a_series_is_found_by_what_people_type(lk: lake.Lake, wanted: str, found: str) -> None:
    assert find_series(lk, wanted)["series_instance_uid"] == found


def test_what_fits_several_series_or_none_is_refused(lk: lake.Lake) -> None:
    with pytest.raises(InvalidInputError, match=r"fits 5 series.*\n  2\.25\.111") as error:
        find_series(lk, "2.25.1")
    assert "CT" in str(error.value)
    with pytest.raises(NotFoundInLakeError, match="nobody"):
        find_series(lk, "nobody")


def test_planes_go_through_the_hottest_roi_unless_told_otherwise(lk: lake.Lake) -> None:
    lesion = known.PET_GRID.to_lps(np.array([19.0, 6.0, 31.0]))
    liver = known.PET_GRID.to_lps(np.array([6.5, 10.5, 12.5]))
    of_pet = Subject(known.PET)
    np.testing.assert_allclose(_scene(lk, of_pet).centre, lesion)
    np.testing.assert_allclose(_scene(lk, of_pet, Look(at="liver")).centre, liver)
    np.testing.assert_allclose(_scene(lk, of_pet, Look(at=(1.0, 2.0, 3.0))).centre, (1, 2, 3))
    nothing_drawn = Subject(known.PET, rois=())
    np.testing.assert_allclose(_scene(lk, nothing_drawn).centre, lesion)
    np.testing.assert_allclose(
        _scene(lk, of_pet, Look(at="centre")).centre, (13.5 * 4, 11.5 * 4, 19.5 * 5)
    )


def test_places_that_are_not_there_are_refused(lk: lake.Lake) -> None:
    with pytest.raises(InvalidInputError, match=r"no ROI 'spleen'.*lesion_1, lesion_2, liver"):
        _scene(lk, Subject(known.PET), Look(at="spleen"))
    with pytest.raises(InvalidInputError, match="x 0 to 108, y 0 to 92, z 0 to 195 mm"):
        _scene(lk, Subject(known.PET), Look(at=(0.0, 0.0, 400.0)))
    with pytest.raises(InvalidInputError, match="no ROI 'spleen'"):
        show_job(lk, Subject(known.PET, rois=("spleen",)))


def test_contours_and_labels_become_the_same_voxels(lk: lake.Lake) -> None:
    scene = _scene(lk, Subject(known.PET))
    by_label = {region.label: region for region in scene.regions}
    assert set(by_label) == {"lesion_1", "lesion_2", "liver"}
    contoured, labelled = by_label["lesion_1"], by_label["lesion_2"]
    for region in (contoured, labelled):
        positions, values = region.voxels(scene.volume)
        np.testing.assert_array_equal(np.unravel_index(positions, known.PET_GRID.shape)[0],
                                      np.repeat([30, 31, 32], 9))  # fmt: skip
        np.testing.assert_allclose(values, known.LESION_SUV)
    assert union_values(scene.volume, [contoured, labelled]).size == 27  # each voxel once
    assert by_label["liver"].voxels(scene.volume)[1].mean() == pytest.approx(known.LIVER_SUV)


def test_a_segmentation_shows_its_image_with_what_it_drew(lk: lake.Lake) -> None:
    job = show_job(lk, Subject(known.STRUCTURES))
    assert [source.label for source, _ in job.rois] == ["lesion_1"]
    assert job.volume_path == show_job(lk, Subject(known.PET)).volume_path
    assert {s.label for s, _ in show_job(lk, Subject(known.SEGMENTS)).rois} == {"lesion_2", "liver"}


def test_a_segmentation_without_its_image_shows_its_labels(lk: lake.Lake) -> None:
    scene = _scene(lk, Subject(known.LONE_SEGMENTS))
    assert scene.window == (0.0, 3.0)
    np.testing.assert_allclose(scene.centre, known.PET_GRID.to_lps(np.array([19.0, 6.0, 31.0])))
    drawn = show(lk, known.LONE_SEGMENTS)
    assert list(drawn.pictures) == ["planes"]


def test_standard_volumes_show_what_was_measured(lk: lake.Lake) -> None:
    job = show_job(lk, Subject(known.PET, zone="standard"))
    assert [(source.label, code) for source, code in job.rois] == [("lesion_1", None)]
    drawn = show(lk, Subject(known.PET, zone="standard", profile=known.PROFILE))
    assert list(drawn.pictures) == ["mip", "planes", "fused", "histogram"]
    with pytest.raises(NotFoundInLakeError, match="no such standard volume; it has part 1 of pet"):
        show_job(lk, Subject(known.PET, zone="standard", profile="pet-2mm/1"))
    with pytest.raises(NotFoundInLakeError, match="no standard volume, but raw"):
        show_job(lk, Subject(known.CT, zone="standard"))
    with pytest.raises(NotFoundInLakeError, match="part"):
        show_job(lk, Subject(known.PET, part=2))


@pytest.mark.parametrize(
    ("series", "window"),
    [
        (known.PET, (0.0, 7.0)),
        (known.CT, (-160.0, 240.0)),
        (known.MR, (0.0, 290.0)),
    ],
)
def test_windows_are_those_that_readers_expect(
    lk: lake.Lake, series: str, window: tuple[float, float]
) -> None:
    assert _scene(lk, Subject(series)).window == pytest.approx(window)
    assert _scene(lk, Subject(series), Look(window=(2.0, 3.0))).window == (2.0, 3.0)


def test_quantities(lk: lake.Lake) -> None:
    native = _scene(lk, Subject(known.PET, quantity="native"))
    assert (native.volume.value_unit, native.seen.highest) == ("Bq/ml", 9000.0)
    assert _scene(lk, Subject(known.PET)).seen.highest == pytest.approx(9.0)
    with pytest.raises(InvalidInputError, match="quantity"):
        show(lk, Subject(known.PET, quantity="cups"))


@pytest.mark.parametrize(
    ("frame", "expected", "note"),
    [
        # kBq/ml weighted by duration: (1*10 + 2*20 + 4*30) / 60
        (None, 17.0 / 6.0, "mean, weighted by duration, of 3 frames"),
        ("sum", 17.0 / 6.0, "mean, weighted by duration, of 3 frames"),
        ("2", 2.0, "frame 2 of 3, from 10 s"),
    ],
)
def test_frames_of_a_dynamic_series(
    lk: lake.Lake, frame: str | None, expected: float, note: str
) -> None:
    scene = _scene(lk, Subject(known.DYNAMIC, frame=frame))
    assert scene.seen.highest == pytest.approx(expected, rel=1e-6)
    assert scene.volume.frame_note == note


@pytest.mark.parametrize("frame", ["0", "4", "last"])
def test_frames_that_are_not_there(lk: lake.Lake, frame: str) -> None:
    with pytest.raises(InvalidInputError, match="1 to 3"):
        show(lk, Subject(known.DYNAMIC, frame=frame))
    with pytest.raises(InvalidInputError, match="no frames"):
        show(lk, Subject(known.PET, frame="2"))


def test_each_kind_of_image_has_its_views_and_says_why_not_others(lk: lake.Lake) -> None:
    assert list(show(lk, known.CT).pictures) == ["planes"]
    planar = show(lk, known.PLANAR)
    assert (list(planar.pictures), planar.left_out) == (["planar"], {})
    asked = Look(views=("mip", "fused", "histogram", "planar"))
    left = show(lk, known.CT, asked).left_out
    assert set(left) == {"mip", "fused", "histogram", "planar"}
    assert "this is CT" in left["mip"]
    assert "planar images and no volume" in show(lk, known.PLANAR, asked).left_out["mip"]
    assert show(lk, known.DYNAMIC).left_out == {
        "fused": "the lake has no CT of the same study and frame of reference"
    }
    with pytest.raises(NotFoundInLakeError, match=r"no volume: it is a report \(SR\)"):
        show(lk, known.REPORT)
    with pytest.raises(InvalidInputError, match="'hologram' is none of"):
        show(lk, known.PET, Look(views=("hologram",)))


def test_slabs_do_not_change_what_is_found(lk: lake.Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    job = show_job(lk, Subject(known.PET))
    volume = open_shown(lk.volumes_root, job.volume_path)
    whole = survey(volume, find_hottest=True)
    assert len(list(volume.slabs())) == 1
    monkeypatch.setattr(shown, "_MOST_VOXELS", 24 * 28)  # one slice a slab
    assert len(list(volume.slabs())) == 40
    pieces = survey(volume, find_hottest=True)
    np.testing.assert_array_equal(pieces.hottest_lps, whole.hottest_lps)
    for one, other in zip(whole.flat, pieces.flat, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_box_that_is_too_large_is_thinned_out(
    lk: lake.Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume = open_shown(lk.volumes_root, show_job(lk, Subject(known.PET)).volume_path)
    box = slice(2, 38), slice(4, 20), slice(3, 25)
    full = volume.part(box)
    monkeypatch.setattr(shown, "_MOST_VOXELS", 36 * 16 * 22 // 4)
    thin = volume.part(box)
    assert thin.values.size <= 36 * 16 * 22 // 4
    for z, y, x in ((0, 0, 0), (5, 3, 2)):  # a voxel of the thinned box is the one at its place
        place = thin.geometry.to_lps(np.array([x, y, z], dtype=np.float64))
        i, j, k = np.rint(full.geometry.to_index(place)).astype(int)
        assert thin.values[z, y, x] == full.values[k, j, i]


def test_rois_outside_the_volume_are_left_out(lk: lake.Lake) -> None:
    job = show_job(lk, Subject(known.PET))
    affine = np.eye(4)
    affine[0, 3] = 900.0
    far = Geometry((5, 5, 5), affine)
    assert regions_on(lk.volumes_root, job.rois, far) == []


def test_references_come_from_labelled_regions_only(lk: lake.Lake) -> None:
    (liver,), lesions = _references(_scene(lk, Subject(known.PET)))
    assert liver.name == "liver"
    assert liver.mean == pytest.approx(known.LIVER_SUV)
    # half of the voxels 0.2 above, half below; 6 x 6 x 6 voxels of 80 mm3
    assert liver.standard_deviation == pytest.approx(0.2, rel=1e-5)
    assert liver.volume_ml == pytest.approx(216 * 0.08)
    assert [region.label for region in lesions] == ["lesion_1", "lesion_2"]
    assert _references(_scene(lk, Subject(known.PET, rois=("lesion_1",))))[0] == []
