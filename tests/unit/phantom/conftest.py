"""Phantoms that several tests look at."""

from __future__ import annotations

import numpy as np
import pytest

from schemas.volume import ImageVolume
from tests.phantoms import iq_image


@pytest.fixture(scope="session")
def sharp_phantom() -> ImageVolume:
    """Noiseless, almost without blur, 10:1, background 1."""
    return iq_image(fwhm_mm=(0.5, 0.5, 0.5), voxel_mm=(2.5, 2.5, 2.5))


@pytest.fixture(scope="session")
def noisy_phantom() -> ImageVolume:
    """FWHM 5 mm along all axes, 5 % noise, 10:1, 4 mm voxels."""
    return iq_image(fwhm_mm=(5.0, 5.0, 5.0), noise_cov=0.05, rng=np.random.default_rng(1))
