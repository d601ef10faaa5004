"""Every real image series in the reference data: where its voxels lie, and what they hold.

Two peers. nibabel.nicom gives the corners of every single slice from its header, in double
precision: it must agree to 1e-4 mm. dcm2niix gives one affine per series, in single precision: it
starts at one end of the stack and steps on by the distance of two neighbours, whose positions are
written with few decimals. So the end where it starts, everything in the plane, and the step must
agree to 1e-4 mm; what the rounding of its step adds up to at the far end (5 micrometres in 900 mm)
is its own, since nibabel sides with us there.
"""

from __future__ import annotations

import io
import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray

from schemas.geometry import FloatArray
from schemas.records import SeriesGroup
from schemas.volume import RawVolume
from tasks.deidentify.pseudonyms import Pseudonymiser
from tasks.dicom.grouping import group_series
from tasks.dicom.scan import scan_object
from tasks.ingest.convert import Limits, convert_series
from tasks.sources.folder import FolderSource
from tasks.sources.reading import ObjectReader

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # that its DICOM readers are experimental
    from nibabel.nicom.dicomwrappers import wrapper_from_data

pytestmark = pytest.mark.reference

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
TOLERANCE_MM = 1e-4
#: Series whose own slice positions are uneven, by how much: written to 0.01 or 0.1 mm, over beds.
UNEVEN_MM = {"pet-ge-sts001": 0.05}
#: Single slices of longer series have no stack; dcm2niix makes one-slice images of them.
WITHOUT_VOLUME = {"pet-single-slices": "single_slice"}


@dataclass(frozen=True)
class Compared:
    """One series, as we and dcm2niix see it.

    Parameters
    ----------
    folder : str
        Folder of the reference data, then its first object.
    headers : list of Dataset
        Slices in the order of the volume.
    peer : FloatArray
        Affine of dcm2niix, to LPS.
    peer_values : ndarray, (x, y, z)
        As dcm2niix orders them.
    """

    folder: str
    headers: list[pydicom.Dataset]
    volume: RawVolume
    peer: FloatArray
    peer_values: NDArray[np.float64]

    @property
    def permutation(self) -> FloatArray:
        """Their indices to ours: whole numbers."""
        return np.round(np.linalg.inv(self.volume.geometry.affine) @ self.peer)

    def corners(self, z: int) -> tuple[FloatArray, FloatArray]:
        """Corners of a slice in LPS, ours and of dcm2niix, (4, 3) mm."""
        _, n_rows, n_columns = self.volume.stored.shape
        index = np.array(
            [[x, y, z, 1.0] for x in (0, n_columns - 1) for y in (0, n_rows - 1)]
        ).T  # fmt: skip
        theirs = self.peer @ np.linalg.inv(self.permutation) @ index
        return (self.volume.geometry.affine @ index)[:3].T, theirs[:3].T

    def nibabel_corners(self, z: int) -> FloatArray:
        """The same from the header of that slice alone, by nibabel."""
        wrapped = wrapper_from_data(self.headers[z])
        rows, columns = self.headers[z].Rows, self.headers[z].Columns
        index = np.array([[r, c, 0, 1.0] for c in (0, columns - 1) for r in (0, rows - 1)]).T
        found: FloatArray = (wrapped.affine @ index)[:3].T
        return found


@dataclass(frozen=True)
class Found:
    """Series with volumes, and those without with their reasons."""

    compared: list[Compared]
    without_volume: list[tuple[str, str]]


@pytest.fixture(scope="module")
def found(reference_data: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Found:
    """Look for image series in every folder and archive of the reference data."""
    base = reference_data(".")
    with ObjectReader() as reader:
        refs = list(FolderSource(base).objects())
        groups = [
            g for g in group_series(scan_object(r, reader) for r in refs) if g.kind == "image"
        ]
        compared, without = [], []
        for number, group in enumerate(groups):
            folder = group.objects[0].ref.uri.partition(f"{base.resolve().name}/")[2]
            made = convert_series(
                group, reader=reader, pseudonymiser=Pseudonymiser(bytes(32)), limits=Limits()
            )
            if not made.raw:
                reasons = {str(f["reason_code"]) for f in made.rows["files"]}
                without += [(folder, reason) for reason in reasons]
                continue
            (volume,) = made.raw
            work = tmp_path_factory.mktemp(f"series{number}")
            compared.append(_compare(folder, group, reader, volume, work))
    return Found(compared, without)


def _compare(
    folder: str, group: SeriesGroup, reader: ObjectReader, volume: RawVolume, work: Path
) -> Compared:
    contents = [reader.read(item.ref.uri, 2**31) for item in group.objects]
    nifti = _dcm2niix(contents, work)
    headers = [
        header
        for content in contents
        for header in _slices(pydicom.dcmread(io.BytesIO(content), stop_before_pixels=True))
    ]
    normal = volume.geometry.affine[:3, 2]
    headers.sort(key=lambda ds: float(np.dot(normal, np.array(ds.ImagePositionPatient, float))))
    values = np.asanyarray(nifti.dataobj, dtype=np.float64)
    return Compared(folder, headers, volume, LPS_TO_RAS @ nifti.affine, values)


def _slices(ds: pydicom.Dataset) -> list[pydicom.Dataset]:
    """Return the header itself, or one with the place of each frame of an Enhanced object."""
    if "PerFrameFunctionalGroupsSequence" not in ds:
        return [ds]
    shared = ds.SharedFunctionalGroupsSequence[0]
    made = []
    for frame in ds.PerFrameFunctionalGroupsSequence:
        header = pydicom.Dataset()
        header.Rows, header.Columns = ds.Rows, ds.Columns
        for name in ("PlanePosition", "PlaneOrientation", "PixelMeasures"):
            group = frame if f"{name}Sequence" in frame else shared
            header.update(group[f"{name}Sequence"][0])
        made.append(header)
    return made


def _dcm2niix(contents: list[bytes], work: Path) -> nib.Nifti1Image:
    source, out = work / "dicom", work / "nifti"
    source.mkdir()
    out.mkdir()
    for number, content in enumerate(contents):
        (source / f"{number:04d}.dcm").write_bytes(content)
    command = [sys.executable, "-m", "dcm2niix", "-z", "n", "-b", "n", "-f", "it_%s"]
    subprocess.run([*command, "-o", str(out), str(source)], check=True, capture_output=True)
    (made,) = out.glob("*.nii")
    return nib.Nifti1Image.from_filename(made)


def test_series_without_a_volume_are_known(found: Found) -> None:
    """dcm2niix makes something of every series; we make none of these."""
    assert {(folder.partition("/")[0], reason) for folder, reason in found.without_volume} == set(
        WITHOUT_VOLUME.items()
    )
    assert len(found.compared) >= 24


def test_corners_of_every_slice_are_those_of_nibabel(found: Found) -> None:
    for series in found.compared:
        assert len(series.headers) == len(series.volume.stored)
        uneven = UNEVEN_MM.get(series.folder.partition("/")[0], TOLERANCE_MM)
        last = len(series.headers) - 1
        for z in range(last + 1):
            ours, _ = series.corners(z)
            tolerance = TOLERANCE_MM if z in (0, last) else uneven
            np.testing.assert_allclose(
                ours, series.nibabel_corners(z), rtol=0, atol=tolerance, err_msg=series.folder
            )


def test_the_axes_are_those_of_dcm2niix(found: Found) -> None:
    """Up to order and direction of indices: a signed permutation, exactly."""
    for series in found.compared:
        block = series.permutation[:3, :3]
        assert sorted(np.abs(block).sum(axis=0)) == [1, 1, 1], series.folder
        assert sorted(np.abs(block).sum(axis=1)) == [1, 1, 1], series.folder


def test_corners_and_step_are_those_of_dcm2niix(found: Found) -> None:
    for series in found.compared:
        last = len(series.headers) - 1
        ends = [np.subtract(*series.corners(z)) for z in (0, last)]
        normal = series.volume.geometry.affine[:3, 2]
        spacing = np.linalg.norm(normal)
        along = [np.abs(end @ (normal / spacing)).max() for end in ends]
        in_plane = max(
            np.abs(end - np.outer(end @ (normal / spacing), normal / spacing)).max()
            for end in ends
        )  # fmt: skip
        assert min(along) <= TOLERANCE_MM, series.folder  # where dcm2niix starts
        assert in_plane <= TOLERANCE_MM, series.folder
        step = abs(along[0] - along[1]) / last
        assert step <= TOLERANCE_MM, series.folder
        # no more than single precision of its step and of the largest coordinate make of it
        coordinate = max(np.abs(series.corners(z)[1]).max() for z in (0, last))
        rounding = np.finfo(np.float32).eps * coordinate
        assert max(along) <= TOLERANCE_MM + last * rounding, series.folder


def test_values_are_those_of_dcm2niix(found: Found) -> None:
    for series in found.compared:
        ours = series.volume.values().transpose(2, 1, 0)
        theirs = _ordered(series)
        assert theirs.shape == ours.shape, series.folder
        slopes = series.volume.rescale_slope
        # where slopes differ dcm2niix stores all slices with one: rounded to half of the largest
        rounding = 0.5 * float(slopes.max()) if np.ptp(slopes) > 0 else 0.0
        largest = float(np.abs(ours).max())
        np.testing.assert_allclose(
            theirs, ours, rtol=0, atol=rounding + 1e-6 * largest, err_msg=series.folder
        )


def _ordered(series: Compared) -> NDArray[np.float64]:
    """Values of dcm2niix in the order of our axes."""
    block = series.permutation[:3, :3]
    order = [int(np.abs(block[axis]).argmax()) for axis in range(3)]
    values = series.peer_values.transpose(order)
    reversed_axes = [axis for axis in range(3) if block[axis, order[axis]] < 0]
    found: NDArray[np.float64] = np.flip(values, tuple(reversed_axes))
    return found
