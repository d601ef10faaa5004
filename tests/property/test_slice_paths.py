"""The quick way into a slice and pydicom's give the same; order and orientation do not matter."""

from __future__ import annotations

import io
import random

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from tasks.dicom.elements import DatasetElements, RawElements, find_elements
from tasks.dicom.encoding import read_layout
from tasks.dicom.parse import parse_dataset
from tasks.dicom.slices import read_slice_header
from tests.support.dicom_objects import SERIES, convert_all, implicit_bytes, pet_slice, to_bytes

angles = st.floats(-np.pi, np.pi, allow_nan=False)
lengths = st.floats(-800, 800, allow_nan=False)


def rotation(a: float, b: float, c: float) -> NDArray[np.float64]:
    """Product of three rotations about z, y, x."""
    cos, sin = np.cos([a, b, c]), np.sin([a, b, c])
    about_z = np.array([[cos[0], -sin[0], 0], [sin[0], cos[0], 0], [0, 0, 1]])
    about_y = np.array([[cos[1], 0, sin[1]], [0, 1, 0], [-sin[1], 0, cos[1]]])
    about_x = np.array([[1, 0, 0], [0, cos[2], -sin[2]], [0, sin[2], cos[2]]])
    turned: NDArray[np.float64] = about_z @ about_y @ about_x
    return turned


@settings(max_examples=25, deadline=None)
@given(
    turn=st.tuples(angles, angles, angles),
    origin=st.tuples(lengths, lengths, lengths),
    spacing=st.tuples(*[st.floats(0.5, 8)] * 3),
    n_slices=st.integers(2, 7),
    seed=st.integers(0, 1000),
)
def test_random_oblique_stacks(
    turn: tuple[float, float, float],
    origin: tuple[float, float, float],
    spacing: tuple[float, float, float],
    n_slices: int,
    seed: int,
) -> None:
    """Every voxel of a shuffled oblique stack is found where it was put."""
    row, column, normal = rotation(*turn).T
    values = np.random.default_rng(seed).integers(-3000, 3000, (n_slices, 3, 4), dtype=np.int16)
    slices = [
        pet_slice(
            i + 1, values[i], np.array(origin) + i * spacing[0] * normal,
            orientation=(*row, *column), pixel_spacing=spacing[1:],
        )
        for i in range(n_slices)
    ]  # fmt: skip
    random.Random(seed).shuffle(slices)
    (converted,) = convert_all(slices)
    (volume,) = converted.raw
    np.testing.assert_array_equal(volume.stored, values)
    expected = np.eye(4)
    expected[:3, :3] = np.array([row * spacing[2], column * spacing[1], normal * spacing[0]]).T
    expected[:3, 3] = origin
    np.testing.assert_allclose(volume.geometry.affine, expected, atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(
    position=st.tuples(lengths, lengths, lengths),
    slope=st.floats(1e-6, 1e6),
    implicit=st.booleans(),
    signed=st.booleans(),
    n_private=st.integers(0, 20),
)
def test_both_parsers_agree(
    position: tuple[float, float, float],
    slope: float,
    implicit: bool,
    signed: bool,
    n_private: int,
) -> None:
    stored = np.arange(12, dtype=np.int16 if signed else np.uint16).reshape(3, 4)
    ds = pet_slice(1, stored, position, slope=slope)
    ds.add_new(0x00090010, "LO", "GEMS_PETD_01")
    ds.add_new(0x00091001, "OB", bytes(2 * n_private))
    content = implicit_bytes(ds) if implicit else to_bytes(ds)
    layout = read_layout(content)
    assert layout is not None
    raw = RawElements(content, find_elements(content, layout))
    parsed = DatasetElements(parse_dataset(content))
    assert read_slice_header(raw) == read_slice_header(parsed)
    pixels = pydicom.dcmread(io.BytesIO(content)).pixel_array
    (volume,) = convert_all([ds, _next(ds)])[0].raw
    np.testing.assert_array_equal(volume.stored[0], pixels)


def _next(ds: Dataset) -> Dataset:
    other = pydicom.dcmread(io.BytesIO(to_bytes(ds)))
    other.SOPInstanceUID = SERIES + ".2"
    x, y, z = (float(v) for v in other.ImagePositionPatient)
    other.ImagePositionPatient = [x, y, z + 3]
    return other


@pytest.mark.parametrize("implicit", [False, True])
def test_layout_of_the_same_object_is_found_with_and_without_meta(implicit: bool) -> None:
    ds = pet_slice(1, np.zeros((2, 2), np.int16), (0, 0, 0))
    content = implicit_bytes(ds) if implicit else to_bytes(ds)
    whole, bare = read_layout(content), read_layout(content[132:])
    assert whole is not None
    assert bare is not None
    assert whole.start == bare.start + 132
    assert whole.is_explicit == bare.is_explicit != implicit
