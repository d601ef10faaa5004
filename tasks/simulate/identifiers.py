"""Reproducible UIDs, random streams and synthetic identifiers."""

from __future__ import annotations

import hashlib
import uuid

import numpy as np

#: Root of every UID; changing it changes all UIDs of all simulated cohorts.
_NAMESPACE = "tracerlake-simulated-cohort/1"


def uid(*parts: object) -> str:
    """DICOM UID that depends on `parts` only.

    Returns
    -------
    str
        ``2.25.`` and the decimal form of a UUID made from a SHA-256 digest.

    References
    ----------
    DICOM PS3.5 B.2.
    """
    text = "/".join([_NAMESPACE, *(str(part) for part in parts)])
    digest = hashlib.sha256(text.encode()).digest()
    return f"2.25.{uuid.UUID(bytes=digest[:16], version=5).int}"


def stream(seed: int, *parts: object) -> np.random.Generator:
    """Independent random generator for one purpose, the same on every run and worker."""
    text = "/".join(str(part) for part in parts)
    key = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    return np.random.default_rng([seed, key])


def patient_id(centre: str, number: int) -> str:
    """Return the visibly fictitious identifier, such as ``SIM-A-001``."""
    return f"SIM-{centre}-{number:03d}"
