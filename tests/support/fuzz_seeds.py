"""Healthy series to damage: made by hand, and cut from real ones."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from schemas.records import ObjectRef
from tasks.dicom.grouping import group_series
from tasks.dicom.scan import scan_object
from tasks.sources.reading import ObjectReader
from tests.support.dicom_objects import (
    implicit_bytes,
    nm_tomogram,
    pet_series,
    segmentation,
    set_pixels,
    structure_set,
    to_bytes,
)
from tests.support.enhanced_objects import (
    enhanced,
    enhanced_pet,
    parametric,
    pet_frames,
)

#: Objects of a series: enough for a stack with something missing inside.
_PER_SERIES: Final = 4
_MAX_BYTES: Final = 200_000
#: Folders of the reference data with small objects of every kind that is read.
_REAL: Final = (
    "dicom-seg/23x38x3", "dicom-seg", "ibsi-validation-sts/dicom/STS_019/CT/image",
    "ibsi-validation-sts/dicom/STS_019/MR_T1", "ibsi-validation-sts/dicom/STS_019/PET",
    "pet-ge-sts001/FDG_PET/image", "pet-rwvm-seg-sr", "pet-siemens-qinhn0024",
    "pet-single-slices", "nm-planar",
)  # fmt: skip


def hand_made_seeds() -> dict[str, list[bytes]]:
    """Series of every kind and encoding, each of at most four small objects."""
    region = np.zeros((6, 4), np.bool_)
    region[1:4, 1:3] = True
    frames = [(1, -300.0, region), (2, -297.0, region), (1, -294.0, ~region)]
    pet = pet_series(_PER_SERIES)
    contours = {"Lesion 1": [[0.0, 0, -300, 5, 0, -300, 5, 5, -300]], "Liver": []}
    labels = ["Lesion 1", "Liver"]
    stored = np.arange(4 * 24, dtype=np.uint16).reshape(4, 6, 4)
    return {
        "pet-explicit": [to_bytes(ds) for ds in pet_series(_PER_SERIES)],
        "pet-implicit": [implicit_bytes(ds) for ds in pet],
        "pet-big-endian": [to_bytes(_swapped(ds)) for ds in pet_series(_PER_SERIES)],
        "pet-deflated": _written(pet_series(_PER_SERIES), DeflatedExplicitVRLittleEndian),
        "pet-rle": [compressed(ds, RLELossless) for ds in _wide(pet_series(_PER_SERIES))],
        "pet-jpeg-ls": [compressed(ds, JPEGLSLossless) for ds in _wide(pet_series(_PER_SERIES))],
        "pet-jpeg-2000": [compressed(ds, JPEG2000Lossless) for ds in _wide(pet_series(4))],
        "nm": [to_bytes(nm_tomogram(stored))],
        "nm-rle": [compressed(nm_tomogram(np.repeat(stored, 8, 2)), RLELossless)],
        "rtstruct": [to_bytes(structure_set(contours))],
        "rtstruct-implicit": [implicit_bytes(structure_set(contours))],
        "enhanced-pet": [to_bytes(enhanced_pet(pet_frames(4)))],
        "enhanced-pet-implicit": [implicit_bytes(enhanced_pet(pet_frames(4)))],
        "enhanced-ct": [to_bytes(enhanced("CT", pet_frames(4)))],
        "parametric": [to_bytes(parametric(stored.astype(np.float32)))],
        "parametric-double": [to_bytes(parametric(stored.astype(np.float64)))],
        "seg-binary": [to_bytes(segmentation(frames, labels))],
        "seg-fractional": [implicit_bytes(segmentation(frames, labels, kind="FRACTIONAL"))],
    }


def _written(objects: list[Dataset], syntax: str) -> list[bytes]:
    return [to_bytes(ds, syntax) for ds in objects]


def _swapped(ds: Dataset) -> Dataset:
    ds.PixelData = np.frombuffer(ds.PixelData, np.uint16).byteswap().tobytes()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    return ds


def _wide(objects: list[Dataset]) -> list[Dataset]:
    """Objects of 64 x 64 (encoders refuse the smallest images)."""
    plane = np.arange(64 * 64, dtype=np.int16).reshape(64, 64)
    return [set_pixels(ds, plane + np.int16(100 * i)) for i, ds in enumerate(objects)]


def compressed(ds: Dataset, syntax: str) -> bytes:
    """Write an object with compressed pixel data."""
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.compress(syntax, generate_instance_uid=False)
    return to_bytes(ds)


def real_seeds(base: Path) -> dict[str, list[bytes]]:
    """First objects of each small series of the reference data; empty without them."""
    seeds: dict[str, list[bytes]] = {}
    for name in _REAL:
        seeds |= _folder_seeds(base / name, name)
    return seeds


def _folder_seeds(folder: Path, name: str) -> dict[str, list[bytes]]:
    files = [p for p in sorted(folder.rglob("*")) if p.is_file() and p.suffix in ("", ".dcm")]
    refs = [ObjectRef(p.as_uri(), p.stat().st_size, 0) for p in files]
    seeds = {}
    with ObjectReader() as reader:
        scanned = [scan_object(ref, reader) for ref in refs if ref.size_bytes <= _MAX_BYTES]
        for number, group in enumerate(group_series(scanned)):
            uris = [item.ref.uri for item in group.objects[:_PER_SERIES]]
            seeds[f"{name}#{number}"] = [reader.read(uri, _MAX_BYTES) for uri in uris]
    return seeds
