"""Any slices at all: each ends in exactly one stack, or as a repeat, or with a reason."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from schemas.reasons import QUARANTINE_REASONS
from tasks.dicom.partition import partition
from tasks.dicom.slices import PixelFormat, SliceHeader
from tests.support.dicom_objects import AXIAL

_PLANES = st.sampled_from([AXIAL, (0.0, 1.0, 0.0, 0.0, 0.0, -1.0), (0.5, 0.5, 0.0, 0.0, 1.0, 0.0)])
_POSITIONS = st.integers(0, 6).map(lambda i: 3.0 * i) | st.floats(-1e4, 1e4)
_KEYS = st.lists(st.sampled_from(["", "1", "2", "101500", "20240101"]), min_size=11, max_size=11)


@st.composite
def slice_headers(draw: st.DrawFn) -> SliceHeader:
    z = draw(_POSITIONS)
    rows = draw(st.sampled_from([4, 5]))
    return SliceHeader(
        sop_instance_uid="1.2",
        pixels=PixelFormat(rows, 4, 1, 16, 16, 15, is_signed=True),
        position=(draw(st.sampled_from([0.0, 1.0])), 0.0, z),
        orientation=draw(_PLANES),
        pixel_spacing=draw(st.sampled_from([(4.0, 4.0), (2.0, 4.0)])),
        slope=1.0,
        intercept=0.0,
        time_key="|".join(draw(_KEYS)),
        modality=draw(st.sampled_from(["PT", "CT", "MR"])),
    )


@given(st.lists(slice_headers(), min_size=1, max_size=24), st.integers(1, 4))
def test_every_slice_ends_once(headers: list[SliceHeader], n_images: int) -> None:
    found = partition(headers, lambda i, j: i % n_images == j % n_images)
    used = [int(i) for stack in found.stacks for i in stack.order.ravel()]
    ended = [*used, *found.rejected, *found.repeated]
    assert sorted(ended) == list(range(len(headers)))
    assert {e.reason_code for e in found.rejected.values()} <= set(QUARANTINE_REASONS)


@given(st.lists(slice_headers(), min_size=2, max_size=24))
def test_every_stack_is_a_grid_that_its_slices_lie_on(
    headers: list[SliceHeader],
) -> None:
    found = partition(headers, lambda _i, _j: False)
    for stack in found.stacks:
        n_places = stack.geometry.shape[0]
        assert stack.order.shape[-1] == n_places > 1
        frames = stack.order if stack.order.ndim == 2 else stack.order[None]
        for frame in frames:
            for z, index in enumerate(frame):
                at = stack.geometry.to_lps(np.array([0.0, 0.0, z]))
                position = np.array(headers[index].position)
                tolerance = 1.0 + 0.01 * abs(position).max()
                assert np.linalg.norm(at - position) <= tolerance
