"""RTSTRUCT contours against the masks that were published with them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray

from schemas.geometry import FloatArray, Geometry
from tasks.segment.contours import rasterise_contours

pytestmark = pytest.mark.reference

ReferenceData = Callable[[str], Path]


def contours(path: Path) -> list[FloatArray]:
    structure = pydicom.dcmread(path)
    return [
        np.array(c.ContourData, dtype=np.float64).reshape(-1, 3)
        for c in structure.ROIContourSequence[0].ContourSequence
    ]


def reference_mask(path: Path) -> tuple[NDArray[np.bool_], Geometry]:
    image = nib.load(path)
    mask = np.asarray(image.dataobj).transpose(2, 1, 0) > 0
    nz, ny, nx = mask.shape
    return mask, Geometry((nz, ny, nx), np.diag([-1.0, -1.0, 1.0, 1.0]) @ image.affine)


CASES = [
    ("ibsi1-ct-phantom", "dicom/mask/DCM_RS_00060.dcm", "nifti/mask/mask.nii.gz"),
    *(
        ("ibsi-validation-sts", f"dicom/{p}/{m}/mask/RS.dcm", f"nifti/{p}/{m}_mask.nii.gz")
        for p in ("STS_002", "STS_019")
        for m in ("PET", "CT", "MR_T1")
    ),
]


@pytest.mark.parametrize(("name", "structure", "mask"), CASES)
def test_native_grid_voxel_for_voxel(
    name: str, structure: str, mask: str, reference_data: ReferenceData
) -> None:
    folder = reference_data(name)
    expected, geometry = reference_mask(folder / mask)
    ours = rasterise_contours(contours(folder / structure), geometry)
    assert np.count_nonzero(ours != expected) == 0


def test_other_grids_keep_the_volume(reference_data: ReferenceData) -> None:
    folder = reference_data("ibsi1-ct-phantom")
    _, structure, mask = CASES[0]
    expected, geometry = reference_mask(folder / mask)
    exact = expected.sum() * geometry.voxel_volume_ml
    corner, far = geometry.to_lps(np.array([[0.0, 0, 0], [203, 200, 59]]))
    low = np.minimum(corner, far)
    for spacing in (1.5, 2.0, 4.0):
        affine = np.diag([spacing, spacing, spacing, 1.0])
        affine[:3, 3] = low
        nx, ny, nz = (int(n) for n in np.ceil(np.abs(far - corner) / spacing) + 1)
        grid = Geometry((nz, ny, nx), affine)
        ours = rasterise_contours(contours(folder / structure), grid)
        assert ours.sum() * grid.voxel_volume_ml == pytest.approx(exact, rel=0.01)
