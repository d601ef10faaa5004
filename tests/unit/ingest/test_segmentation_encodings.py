"""Segmentations written by highdicom: every type in every transfer syntax that it can write."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from highdicom import AlgorithmIdentificationSequence
from highdicom.seg import (
    SegmentAlgorithmTypeValues,
    Segmentation,
    SegmentationFractionalTypeValues,
    SegmentationTypeValues,
    SegmentDescription,
)
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import (
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from tests.support.dicom_objects import SERIES, convert_all, pet_series, reasons
from tests.support.enhanced_objects import complete

#: 1221 pixels, no multiple of 8: frames of single bits are not aligned. (JPEG 2000 wants 32.)
SHAPE = (37, 33)


def source(n_slices: int = 4, lean_mm: float = 0.0) -> list[Dataset]:
    """Slices that the segmentation is drawn on; each is displaced along y by `lean_mm`."""
    slices = pet_series(n_slices, *SHAPE)
    for i, ds in enumerate(slices):
        ds.ImagePositionPatient = ["-10", f"{-20 + lean_mm * i:g}", f"{-300 + 3 * i}"]
    return [complete(ds) for ds in slices]


def labels() -> NDArray[np.uint8]:
    """Label map (z, y, x) of segments 1 and 2; the second plane is empty."""
    made = np.random.default_rng(3).integers(0, 3, (4, *SHAPE)).astype(np.uint8)
    made[1] = 0
    return made


def described(number: int) -> SegmentDescription:
    return SegmentDescription(
        segment_number=number,
        segment_label=f"lesion {number}",
        segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
        segmented_property_type=codes.SCT.Neoplasm,
        algorithm_type=SegmentAlgorithmTypeValues.SEMIAUTOMATIC,
        algorithm_identification=AlgorithmIdentificationSequence(
            name="test", family=codes.DCM.ArtificialIntelligence, version="1"
        ),
    )


def segmented(
    slices: list[Dataset], kind: SegmentationTypeValues, syntax: str = ExplicitVRLittleEndian
) -> Dataset:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = Segmentation(
            source_images=slices,
            pixel_array=labels(),
            segmentation_type=kind,
            segment_descriptions=[described(1), described(2)],
            series_instance_uid=SERIES + ".88",
            series_number=2,
            sop_instance_uid=SERIES + ".88.1",
            instance_number=1,
            manufacturer="A",
            manufacturer_model_name="B",
            software_versions="1",
            device_serial_number="1",
            transfer_syntax_uid=syntax,
            fractional_type=SegmentationFractionalTypeValues.PROBABILITY,
        )
    assert isinstance(made, Dataset)
    return made


KINDS = SegmentationTypeValues
ENCODINGS = [
    (KINDS.BINARY, ExplicitVRLittleEndian),
    (KINDS.BINARY, JPEG2000Lossless),
    *[
        (kind, syntax)
        for kind in (KINDS.FRACTIONAL, KINDS.LABELMAP)
        for syntax in (
            ExplicitVRLittleEndian, RLELossless, JPEG2000Lossless, JPEGLSLossless,

        )
    ],
]  # fmt: skip


@pytest.mark.parametrize(("kind", "syntax"), ENCODINGS)
def test_same_label_map_in_every_encoding(kind: SegmentationTypeValues, syntax: str) -> None:
    (converted,) = convert_all([segmented(source(), kind, syntax)])
    assert reasons(converted) == ["ingested"]
    (mask,) = converted.masks
    np.testing.assert_array_equal(mask.labels, labels())
    assert mask.geometry.affine[:3, 3].tolist() == [-10, -20, -300]
    assert mask.attributes["segmentation_type"] == kind.value


def test_on_a_tilted_ct_the_grid_is_that_of_the_image() -> None:
    """Planes lean by atan(1.5 / 3) = 26.6 degrees; the empty plane keeps its place."""
    slices = source(lean_mm=1.5)
    (image,) = convert_all(slices)
    (converted,) = convert_all([segmented(slices, KINDS.BINARY)])
    assert reasons(converted) == ["ingested"]
    (mask,) = converted.masks
    np.testing.assert_array_equal(mask.labels, labels())
    np.testing.assert_allclose(
        mask.geometry.affine, image.raw[0].geometry.affine, rtol=0, atol=1e-9
    )
    assert mask.geometry.affine[:3, 2].tolist() == pytest.approx([0, 1.5, 3])


def test_planes_that_lean_too_much_are_refused() -> None:
    (converted,) = convert_all([segmented(source(lean_mm=4.0), KINDS.BINARY)])
    assert reasons(converted) == ["gantry_tilt"]


def test_a_plane_out_of_line_is_refused() -> None:
    ds = segmented(source(), KINDS.BINARY)
    frames = ds.PerFrameFunctionalGroupsSequence
    middle = next(f for f in frames if f.PlanePositionSequence[0].ImagePositionPatient[2] == -294)
    middle.PlanePositionSequence[0].ImagePositionPatient[1] = -22
    (converted,) = convert_all([ds])
    assert reasons(converted) == ["nonuniform_spacing"]
