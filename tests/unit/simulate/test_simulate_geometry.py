"""Where lesions lie in the written pixels, contours, masks and in another program's volumes."""

from __future__ import annotations

import csv
import subprocess
from pathlib import Path

import highdicom as hd
import nibabel
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset


def _truth(root: Path, patient: str) -> list[dict[str, str]]:
    with (root / "truth/truth.csv").open(newline="") as stream:
        return [row for row in csv.DictReader(stream) if row["patient_id"] == patient]


def _centre(row: dict[str, str]) -> np.ndarray:
    return np.array([float(row[f"{axis}_mm"]) for axis in "xyz"])


def _volume(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[Dataset]]:
    """Values (z, y, x), LPS of the first voxel, spacing (x, y, z), slices."""
    slices: list[Dataset] = [pydicom.dcmread(path) for path in folder.iterdir()]
    slices.sort(key=lambda ds: float(ds.ImagePositionPatient[2]))
    z = [float(ds.ImagePositionPatient[2]) for ds in slices]
    dy, dx = (float(v) for v in slices[0].PixelSpacing)
    values = np.stack([ds.pixel_array * float(ds.RescaleSlope) for ds in slices])
    first = np.array([float(v) for v in slices[0].ImagePositionPatient])
    assert np.allclose(np.diff(z), z[1] - z[0], atol=1e-3)
    return values, first, np.array([dx, dy, z[1] - z[0]]), slices


def _hot_centroid(
    values: np.ndarray, first: np.ndarray, spacing: np.ndarray, centre: np.ndarray, radius: float
) -> np.ndarray:
    """Centroid of the uptake above the surroundings of a lesion."""
    axes = [first[i] + spacing[i] * np.arange(values.shape[2 - i]) for i in range(3)]
    x, y, z = axes[0][None, None, :], axes[1][None, :, None], axes[2][:, None, None]
    away = np.sqrt((x - centre[0]) ** 2 + (y - centre[1]) ** 2 + (z - centre[2]) ** 2)
    near = away < radius + 1.5 * spacing.max()
    weight = np.where(near, np.clip(values - 0.5 * values[near].max(), 0, None), 0.0)
    total = weight.sum()
    return np.array([(weight * axis).sum() / total for axis in (x, y, z)])


@pytest.mark.parametrize("centre", ["A", "B", "C", "D", "E", "F"])
def test_centroid_in_the_pixels_is_the_true_one(all_dialects: Path, centre: str) -> None:
    patient = f"SIM-{centre}-001"
    values, first, spacing, _ = _volume(all_dialects / "dicom" / centre / patient / "PT")
    # The primary tumour is in the lung: nothing hot is near it.
    row = _truth(all_dialects, patient)[0]
    found = _hot_centroid(values, first, spacing, _centre(row), float(row["radius_mm"]))
    assert np.all(np.abs(found - _centre(row)) < 0.5 * spacing)


def test_blur_and_noise_do_not_move_lesions(small_cohort: Path) -> None:
    patient = "SIM-A-001"
    values, first, spacing, _ = _volume(small_cohort / "dicom" / "A" / patient / "PT")
    row = _truth(small_cohort, patient)[0]
    found = _hot_centroid(values, first, spacing, _centre(row), float(row["radius_mm"]))
    assert np.all(np.abs(found - _centre(row)) < 0.5 * spacing)


@pytest.mark.parametrize("patient", ["SIM-A-001", "SIM-C-001", "SIM-S-001", "SIM-S-002"])
def test_contours_enclose_the_true_spheres(all_dialects: Path, patient: str) -> None:
    ds = pydicom.dcmread(all_dialects / "dicom" / patient[4] / patient / "RTSTRUCT/RS0001.dcm")
    rows = _truth(all_dialects, patient)
    assert [roi.ROIName for roi in ds.StructureSetROISequence] == [row["roi_name"] for row in rows]
    for roi, row in zip(ds.ROIContourSequence, rows, strict=True):
        planes = []
        for contour in roi.ContourSequence:
            points = np.array([float(v) for v in contour.ContourData]).reshape(-1, 3)
            assert len(points) == contour.NumberOfContourPoints
            assert len(contour.ContourImageSequence) == 1
            planes.append(points)
        x = np.stack([p[:, 0] for p in planes]) - float(row["x_mm"])
        y = np.stack([p[:, 1] for p in planes]) - float(row["y_mm"])
        z = np.stack([p[:, 2] for p in planes]) - float(row["z_mm"])
        assert np.allclose(
            np.sqrt(x**2 + y**2 + z**2), float(row["radius_mm"]), rtol=0.003, atol=0.01
        )


def test_contours_lie_on_the_slices_that_they_refer_to(all_dialects: Path) -> None:
    folder = all_dialects / "dicom/C/SIM-C-001"
    z_of = {
        ds.SOPInstanceUID: float(ds.ImagePositionPatient[2])
        for ds in (pydicom.dcmread(p, stop_before_pixels=True) for p in (folder / "PT").iterdir())
    }
    structures = pydicom.dcmread(folder / "RTSTRUCT/RS0001.dcm")
    for roi in structures.ROIContourSequence:
        for contour in roi.ContourSequence:
            image = contour.ContourImageSequence[0].ReferencedSOPInstanceUID
            assert float(contour.ContourData[2]) == pytest.approx(z_of[image], abs=1e-3)


def test_segmentation_covers_the_true_spheres(all_dialects: Path) -> None:
    folder = all_dialects / "dicom/B/SIM-B-001"
    seg = hd.seg.segread(folder / "SEG/SEG0001.dcm")
    _, first, spacing, slices = _volume(folder / "PT")
    masks = seg.get_pixels_by_source_instance([ds.SOPInstanceUID for ds in slices])
    rows = _truth(all_dialects, "SIM-B-001")
    assert masks.shape[-1] == len(rows)
    for number, row in enumerate(rows):
        z, y, x = np.nonzero(masks[..., number])
        centroid = first + spacing * np.array([x.mean(), y.mean(), z.mean()])
        assert np.all(np.abs(centroid - _centre(row)) < 0.5 * spacing)
        volume_ml = len(z) * float(np.prod(spacing)) / 1000.0
        assert volume_ml == pytest.approx(float(row["volume_ml"]), rel=0.35)


def test_spect_frames_follow_the_sign_of_their_spacing(all_dialects: Path) -> None:
    signs = []
    for patient in ("SIM-S-001", "SIM-S-002"):
        ds = pydicom.dcmread(all_dialects / "dicom/S" / patient / "NM/NM0001.dcm")
        spacing_z = float(ds.SpacingBetweenSlices)
        signs.append(np.sign(spacing_z))
        detector = ds.DetectorInformationSequence[0]
        assert [float(v) for v in detector.ImageOrientationPatient] == [1, 0, 0, 0, 1, 0]
        first = np.array([float(v) for v in detector.ImagePositionPatient])
        dy, dx = (float(v) for v in ds.PixelSpacing)
        row = _truth(all_dialects, patient)[0]
        values = ds.pixel_array.astype(float)
        if spacing_z < 0:
            values, first[2] = values[::-1], first[2] + spacing_z * (len(values) - 1)
        spacing = np.array([dx, dy, abs(spacing_z)])
        found = _hot_centroid(values, first, spacing, _centre(row), float(row["radius_mm"]))
        assert np.all(np.abs(found - _centre(row)) < 0.5 * spacing)
        assert ds.NumberOfFrames == len(ds.SliceVector) == ds.NumberOfSlices
    assert sorted(signs) == [-1, 1]


def test_spect_counts_are_activity_times_sensitivity(all_dialects: Path) -> None:
    row = max(_truth(all_dialects, "SIM-S-001"), key=lambda r: float(r["radius_mm"]))
    ds = pydicom.dcmread(all_dialects / "dicom/S/SIM-S-001/NM/NM0001.dcm")
    dy, dx = (float(v) for v in ds.PixelSpacing)
    voxel_ml = dx * dy * abs(float(ds.SpacingBetweenSlices)) / 1000.0
    rotation = ds.RotationInformationSequence[0]
    seconds = int(rotation.NumberOfFramesInRotation) * float(rotation.ActualFrameDuration) / 1000
    counts = float(row["true_activity_bqml"]) / 1e6 * voxel_ml * seconds * 9.2
    assert np.any(np.isclose(ds.pixel_array, counts, rtol=0.002))
    assert "RescaleSlope" not in ds
    assert "Units" not in ds


@pytest.mark.parametrize(
    ("centre", "modality"), [("A", "PT"), ("B", "PT"), ("C", "PT"), ("A", "CT")]
)
def test_dcm2niix_reads_the_same_volume(
    all_dialects: Path, tmp_path: Path, centre: str, modality: str
) -> None:
    folder = all_dialects / "dicom" / centre / f"SIM-{centre}-001" / modality
    from dcm2niix import bin as program  # type: ignore[import-untyped]

    done = subprocess.run(
        [program, "-z", "n", "-b", "n", "-f", "image", "-o", str(tmp_path), str(folder)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    (path,) = tmp_path.glob("*.nii")
    image = nibabel.load(path)
    ours, first, spacing, slices = _volume(folder)
    ours = ours + float(slices[0].RescaleIntercept)
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ image.affine  # RAS to LPS
    index = np.linalg.inv(affine) @ np.append(first, 1.0)
    corner = np.rint(index[:3]).astype(int)
    assert np.allclose(index[:3], corner, atol=1e-2)
    assert np.allclose(np.sort(image.header.get_zooms()[:3]), np.sort(spacing), atol=1e-3)
    theirs = np.asarray(image.dataobj, dtype=float)
    # Their rows run the other way: flip the axes whose direction is opposite to ours.
    flips = tuple(slice(None, None, int(np.sign(affine[a, a]))) for a in range(3))
    assert np.allclose(theirs[flips].T, ours, rtol=1e-3, atol=2e-3 * ours.max())
