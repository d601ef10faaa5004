"""A sphere stays where it is in the patient, whatever the orientation of its volume."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from schemas.geometry import Geometry
from schemas.profiles import StandardProfile
from schemas.volume import ImageVolume
from tasks.standardise import standardise

spacings = st.floats(1.5, 5.0)
angles = st.one_of(st.just(0.0), st.just(90.0), st.just(180.0), st.floats(-40.0, 40.0))


def lps(geometry: Geometry) -> np.ndarray:
    z, y, x = np.indices(geometry.shape)
    return geometry.to_lps(np.stack([x, y, z], axis=-1).astype(float))


@settings(max_examples=25, deadline=None)
@given(
    spacing=st.tuples(spacings, spacings, spacings),
    turn=st.tuples(angles, angles, angles),
    mirrored=st.booleans(),
    tilt=st.sampled_from([0.0, 0.0, 12.0, -25.0]),
    origin=st.tuples(*[st.floats(-300, 300)] * 3),
    order=st.sampled_from([1, 3]),
    target=st.tuples(*[st.floats(2.0, 5.0)] * 3),
)
def test_centroid_and_integral_survive(
    *,
    spacing: tuple[float, float, float],
    turn: tuple[float, float, float],
    mirrored: bool,
    tilt: float,
    origin: tuple[float, float, float],
    order: int,
    target: tuple[float, float, float],
) -> None:
    shape = tuple(int(np.ceil(84 / s)) for s in spacing)
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", turn, degrees=True).as_matrix() * spacing[::-1]
    if mirrored:
        affine[:3, 0] *= -1
    # a tilted gantry: the slices lean against their stack
    affine[:3, 2] += affine[:3, 1] / spacing[1] * spacing[0] * np.tan(np.radians(tilt))
    affine[:3, 3] = origin
    old = Geometry((shape[0], shape[1], shape[2]), affine)
    centre = old.to_lps((np.array(old.shape[::-1]) - 1) / 2 + 0.4)
    away = np.linalg.norm(lps(old) - centre, axis=-1)
    soft_sphere = (1 / (1 + np.exp((away - 14.0) / 2.0))).astype(np.float32)

    out = standardise(
        ImageVolume(soft_sphere, old, "SUVbw"), StandardProfile("t/1", "PT", target, order)
    )

    before = (soft_sphere[..., None] * lps(old)).sum(axis=(0, 1, 2)) / soft_sphere.sum()
    after = (out.values[..., None] * lps(out.geometry)).sum(axis=(0, 1, 2)) / out.values.sum()
    assert np.abs(after - before).max() < 0.1
    integral = out.values.sum() * out.geometry.voxel_volume_ml
    assert abs(integral / (soft_sphere.sum() * old.voxel_volume_ml) - 1) < 0.02
    assert np.diag(out.geometry.affine)[:3].min() > 0
    assert out.geometry.is_axial
