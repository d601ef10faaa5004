"""Wherever and however a phantom lies, its spheres are found and named."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.phantom import find_spheres
from tasks.simulate.phantoms import Pose, sphere_centres_lps_mm
from tests.phantoms import iq_image


@st.composite
def poses(draw: st.DrawFn) -> Pose:
    tilt = st.floats(-12.0, 12.0)
    x, y = draw(st.floats(-12.0, 12.0)), draw(st.floats(-12.0, 12.0))
    turned = 180.0 * draw(st.integers(0, 1))
    # the sphere plane stays where the image holds background on both sides of it
    z = draw(st.floats(-8.0, 8.0)) + (0.0 if turned == 0.0 else -10.0)
    turn = draw(st.floats(-25.0, 25.0)) if turned == 0.0 else draw(st.floats(155.0, 205.0))
    return Pose((x, y, z), (draw(tilt), turned + draw(tilt), turn))


@settings(max_examples=8, deadline=None)
@given(
    pose=poses(),
    ratio=st.sampled_from([4.0, 8.0, 10.0]),
    noise=st.floats(0.0, 0.12),
    seed=st.integers(0, 2**16),
)
def test_spheres_are_found_in_any_pose(pose: Pose, ratio: float, noise: float, seed: int) -> None:
    image = iq_image(
        pose=pose,
        ratios=(ratio,) * 6,
        noise_cov=noise,
        fwhm_mm=(6.0, 6.0, 6.0),
        voxel_mm=(5.0, 5.0, 5.0),
        rng=np.random.default_rng(seed),
    )
    phantom = find_spheres(image)
    off = np.linalg.norm(phantom.centres_lps_mm - sphere_centres_lps_mm(pose), axis=1)
    assert phantom.states[:5] == ("hot",) * 5
    assert off[:4].max() < 2.0
    assert off.max() < 4.0
