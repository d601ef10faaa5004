"""Real objects: stored values as pydicom gives them, geometry as dcm2niix and ITK give it."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray

from schemas.records import ConvertedSeries, ObjectRef
from schemas.volume import RawVolume
from tasks.deidentify.pseudonyms import Pseudonymiser
from tasks.dicom.elements import DatasetElements
from tasks.dicom.grouping import group_series
from tasks.dicom.parse import parse_dataset
from tasks.dicom.pixels import decoded_pixels
from tasks.dicom.scan import scan_object
from tasks.dicom.slices import read_pixel_format
from tasks.ingest.convert import Limits, convert_series
from tasks.segment.masks import mask_to_grid
from tasks.sources.folder import FolderSource
from tasks.sources.reading import ObjectReader
from tests.support.dicom_objects import convert_all

pytestmark = pytest.mark.reference

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
Data = Callable[[str], Path]


def convert_folder(folder: Path) -> dict[str, ConvertedSeries]:
    """All series under a folder, by original series UID."""
    refs = [
        ObjectRef(path.as_uri(), path.stat().st_size, 0)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".zip"
    ]
    with ObjectReader() as reader:
        groups = group_series(scan_object(ref, reader) for ref in refs)
        return {
            group.series_instance_uid: convert_series(
                group, reader=reader, pseudonymiser=Pseudonymiser(bytes(32)), limits=Limits()
            )
            for group in groups
        }


def only(folder: Path, kind: str) -> ConvertedSeries:
    """Return the one series of a kind."""
    (found,) = [
        c
        for c in convert_folder(folder).values()
        if c.rows.get("series") and c.rows["series"][0]["series_kind"] == kind
    ]
    return found


def slices_of(folder: Path) -> list[pydicom.FileDataset]:
    """Slices in ascending z, read by pydicom."""
    found = [pydicom.dcmread(path) for path in folder.rglob("*") if path.is_file()]
    return sorted(found, key=lambda ds: float(ds.ImagePositionPatient[2]))


def assert_stored_as_pydicom(volume: RawVolume, folder: Path) -> list[pydicom.FileDataset]:
    """Compare stored values and slopes slice by slice; give the slices back."""
    slices = slices_of(folder)
    assert len(slices) == len(volume.stored)
    for plane, slope, ds in zip(volume.stored, volume.rescale_slope, slices, strict=True):
        np.testing.assert_array_equal(plane, ds.pixel_array)
        assert slope == float(ds.get("RescaleSlope", 1))
    return slices


def dcm2niix(folder: Path, out: Path) -> nib.Nifti1Image:
    """Convert by dcm2niix, without compression."""
    command = [sys.executable, "-m", "dcm2niix", "-z", "n", "-b", "n", "-f", "it"]
    subprocess.run([*command, "-o", str(out), str(folder)], check=True, capture_output=True)
    return nib.Nifti1Image.from_filename(next(iter(sorted(out.glob("*.nii")))))


def flipped(volume: RawVolume) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Our affine in RAS with rows reversed, as NIfTI from dcm2niix has them; and the values."""
    n_rows = volume.stored.shape[1]
    flip = np.eye(4)
    flip[1, 1], flip[1, 3] = -1, n_rows - 1
    values = volume.values()[:, ::-1].transpose(2, 1, 0).astype(np.float64)
    return LPS_TO_RAS @ volume.geometry.affine @ flip, values


@pytest.mark.parametrize(
    ("name", "images", "shape"),
    [
        ("pet-ge-sts001", "FDG_PET/image", (267, 128, 128)),
        ("pet-siemens-qinhn0024", "PET", (299, 128, 128)),
        ("pet-nema-iq-1", "pet_recon_1", (89, 192, 192)),
        ("ibsi-validation-sts", "dicom/STS_002/PET/image", (48, 27, 30)),
        ("ibsi-validation-sts", "dicom/STS_002/CT/image", (48, 143, 161)),
        ("ibsi-validation-sts", "dicom/STS_019/MR_T1/image", None),
    ],
)
def test_values_and_geometry(
    reference_data: Data, tmp_path: Path, name: str, images: str, shape: tuple[int, ...] | None
) -> None:
    folder = reference_data(name) / images
    (volume,) = only(folder, "image").raw
    assert shape is None or volume.stored.shape == shape
    slices = assert_stored_as_pydicom(volume, folder)
    nifti = dcm2niix(folder, tmp_path)
    affine, values = flipped(volume)
    np.testing.assert_allclose(nifti.affine[:3, :3], affine[:3, :3], atol=1e-4)
    # dcm2niix extrapolates the lowest slice from the two highest in float32: 0.0045 mm of 1005 mm.
    np.testing.assert_allclose(nifti.affine, affine, atol=1e-2)
    for z, ds in ((0, slices[0]), (len(slices) - 1, slices[-1])):
        placed = volume.geometry.to_lps(np.array([0.0, 0.0, z]))
        np.testing.assert_allclose(placed, ds.ImagePositionPatient, atol=1e-4)
    peer = np.asanyarray(nifti.dataobj, dtype=np.float64)
    # dcm2niix stores differing slopes as one: its values are rounded to that of the largest.
    np.testing.assert_allclose(peer, values, rtol=1e-5, atol=volume.rescale_slope.max())


def test_ge_series(reference_data: Data) -> None:
    folder = reference_data("pet-ge-sts001")
    found = convert_folder(folder)
    image = next(c for c in found.values() if c.raw)
    contours = next(c for c in found.values() if c.rows.get("contours"))
    (row,) = image.rows["series"]
    assert len(set(image.raw[0].rescale_slope)) == 267
    assert (row["suv_status"], row["radiopharmaceutical"]) == ("suv", "FDG")
    assert row["injected_activity_bq"] == pytest.approx(388.8e6, rel=1e-3)
    assert row["patient_weight_kg"] == 71
    assert {f["outcome"] for f in image.rows["files"]} == {"ingested"}
    labels = [s["segment_label"] for s in contours.rows["segments"]]
    assert labels == ["gtv_mass", "gtv_edema"]
    assert contours.rows["segments"][0]["referenced_series_uid"] == row["series_instance_uid"]
    source = pydicom.dcmread(folder / "FDG_PET/mask/1-1.dcm")
    drawn = source.ROIContourSequence[0].ContourSequence
    assert len(drawn) == contours.rows["segments"][0]["n_contours"]
    expected = [float(v) for v in drawn[0].ContourData]
    assert contours.rows["contours"][0]["points_lps_mm"] == expected


def test_siemens_series_with_segmentation(reference_data: Data) -> None:
    found = convert_folder(reference_data("pet-siemens-qinhn0024"))
    image = next(c for c in found.values() if c.raw)
    seg = next(c for c in found.values() if c.masks)
    (row,) = image.rows["series"]
    assert row["suv_factor"] == pytest.approx(2.944804e-4, rel=1e-6)
    assert row["radionuclide"] == "F-18"
    (mask,) = seg.masks
    assert seg.rows["segments"][0]["referenced_series_uid"] == row["series_instance_uid"]
    # 13 frames on 9 planes: two segments; each voxel is an image voxel.
    assert mask.labels.shape == (9, 128, 128)
    suv = image.raw[0].quantified().values
    for number in (1, 2):
        on_image = mask_to_grid(mask, number, image.raw[0].geometry)
        assert on_image.sum() == (mask.labels == number).sum() > 0
        assert suv[on_image].min() > 1  # tumours in FDG
        assert suv[on_image].max() > 2


def test_phantom_without_units(reference_data: Data) -> None:
    converted = only(reference_data("pet-nema-iq-1"), "image")
    assert converted.rows["series"][0]["suv_reason_code"] == "suv_units_missing"
    assert converted.raw[0].suv_factor is None


def test_quantitative_spect_in_a_zip(reference_data: Data, tmp_path: Path) -> None:
    folder = reference_data("spect-lu177-scan1")
    with ObjectReader() as reader:
        refs = list(FolderSource(folder).objects())
        groups = group_series(scan_object(ref, reader) for ref in refs)
        group = next(g for g in groups if g.kind == "image")
        converted = convert_series(
            group, reader=reader, pseudonymiser=Pseudonymiser(bytes(32)), limits=Limits()
        )
    with zipfile.ZipFile(folder / "image.zip") as archive:
        archive.extractall(tmp_path)
    (volume,) = converted.raw
    assert volume.stored.shape == (199, 256, 256)
    assert_stored_as_pydicom(volume, tmp_path)
    (row,) = converted.rows["series"]
    assert row["is_spect"] is True
    assert row["radionuclide"] == "Lu-177"
    assert row["suv_rule"] is not None
    factor = 92.987e3 / 7.21e9
    assert row["suv_factor"] == pytest.approx(factor, rel=2e-3)


def test_liver_segmentation_on_three_slices(reference_data: Data) -> None:
    """Statistics as published for DICOM4QI (see SOURCE.md)."""
    folder = reference_data("dicom-seg")
    found = convert_folder(folder)
    series = str(pydicom.dcmread(folder / "ct-3slice/01.dcm").SeriesInstanceUID)
    (image,) = found[series].raw
    liver = str(pydicom.dcmread(folder / "liver.dcm").SeriesInstanceUID)
    (mask,) = found[liver].masks
    inside = image.values()[mask_to_grid(mask, 1, image.geometry)]
    assert inside.mean() == pytest.approx(37.3289, abs=5e-4)
    assert (inside.min(), inside.max()) == (-778, 221)
    assert inside.std() == pytest.approx(59.1691, abs=5e-3)
    assert inside.size * image.geometry.voxel_volume_ml == pytest.approx(70.3619, abs=2e-3)


def test_bit_packing_across_frames(reference_data: Data) -> None:
    """23 x 38 voxels a frame are no whole number of bytes; the same mask as NRRD is the truth."""
    folder = reference_data("dicom-seg") / "23x38x3"
    (mask,) = only(folder, "segmentation").masks
    head, _, body = (folder / "nrrd" / "label.nrrd").read_bytes().partition(b"\n\n")
    expected = _nrrd_values(head.decode(), body)
    np.testing.assert_array_equal(mask.labels != 0, expected != 0)


def _nrrd_values(head: str, body: bytes) -> NDArray[np.int64]:
    fields = dict(line.split(": ", 1) for line in head.splitlines() if ": " in line)
    types = {"short": "<i2", "unsigned char": "u1", "uchar": "u1", "int": "<i4"}
    data = zlib.decompress(body, 31) if fields["encoding"] in ("gzip", "gz") else body
    sizes = [int(n) for n in fields["sizes"].split()]
    return np.frombuffer(data, types[fields["type"]]).reshape(sizes[::-1]).astype(np.int64)


def test_label_map_segmentation(reference_data: Data) -> None:
    path = reference_data("dicom-seg") / "sparse-labelmap-noppv.dcm"
    found = convert_folder(path.parent)[str(pydicom.dcmread(path).SeriesInstanceUID)]
    (mask,) = found.masks
    source = pydicom.dcmread(path)
    stored = source.pixel_array
    assert [s["segment_label"] for s in found.rows["segments"]] == ["liver"]
    assert (mask.labels == 1).sum() == (stored == 1).sum() > 0
    assert mask.labels.shape == (3, 38, 24)  # two frames with an empty plane between them


def test_study_of_three_modalities(reference_data: Data) -> None:
    found = convert_folder(reference_data("ibsi-validation-sts") / "dicom" / "STS_002")
    images = {c.rows["series"][0]["modality"]: c for c in found.values() if c.raw}
    units = {name: c.raw[0].value_unit for name, c in images.items()}
    assert units == {"PT": "SUVbw", "CT": "HU", "MR": "1"}
    contours = [c for c in found.values() if c.rows.get("contours")]
    known = {c.rows["series"][0]["series_instance_uid"] for c in images.values()}
    assert len(contours) == 3
    assert {c.rows["series"][0]["referenced_series_uid"] for c in contours} <= known


def test_single_slices_of_larger_series_are_refused(reference_data: Data) -> None:
    found = convert_folder(reference_data("pet-single-slices"))
    assert {f["reason_code"] for c in found.values() for f in c.rows["files"]} == {"single_slice"}


def test_jpeg_lossless_slice(reference_data: Data) -> None:
    """A real compressed GE slice, beside a made-up neighbour 3 mm further."""
    path = reference_data("pet-single-slices") / "ge-discovery-st-private-0009-100d-jpegll.dcm"
    neighbour = pydicom.dcmread(path)
    expected = neighbour.pixel_array
    x, y, z = (float(v) for v in neighbour.ImagePositionPatient)
    neighbour.ImagePositionPatient = [x, y, z + 3]
    neighbour.SOPInstanceUID = "1.2.3.4"
    buffer = io.BytesIO()
    neighbour.save_as(buffer)
    (converted,) = convert_all([path.read_bytes(), buffer.getvalue()])
    np.testing.assert_array_equal(converted.raw[0].stored[0], expected)
    np.testing.assert_array_equal(converted.raw[0].stored[1], expected)
    assert converted.rows["series"][0]["suv_status"] == "suv"


def test_planar_image_in_two_syntaxes_has_the_same_pixels(reference_data: Data) -> None:
    """The same acquisition in RLE and in reversible JPEG 2000; 0 to 278 as published."""
    found = []
    for path in sorted(reference_data("nm-planar").glob("*.dcm")):
        ds = parse_dataset(path.read_bytes(), with_pixels=True)
        found.append(decoded_pixels(ds, read_pixel_format(DatasetElements(ds))))
    first, second = found
    assert first.shape == (1, 1024, 256)
    assert (first.min(), first.max()) == (0, 278)
    np.testing.assert_array_equal(first, second)


def test_compressed_and_planar_objects_end_in_an_outcome(reference_data: Data) -> None:
    folder = reference_data("nm-planar")
    with ObjectReader() as reader:
        refs = list(FolderSource(folder).objects())
        codes = [scan_object(ref, reader).reason_code for ref in refs]
    assert sorted(codes, key=str) == ["not_dicom", "secondary_capture", "secondary_capture"]
