"""SUV before and after de-identification on every header of all real series."""

from __future__ import annotations

import copy
import io
from collections import defaultdict
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset

from tasks.deidentify import Pseudonymiser, assert_derivation_preserved, deidentify
from tasks.ingest.attenuation import attenuation_correction
from tasks.ingest.reconstruction import reconstruction_columns
from tasks.quantify import derive_suv
from tasks.sources import ObjectReader, open_source

pytestmark = pytest.mark.reference

Data = Callable[[str], Path]
FOLDERS = (
    "pet-ge-sts001", "pet-siemens-qinhn0024/PET", "pet-nema-iq-1", "pet-single-slices",
    "pet-rwvm-seg-sr", "spect-lu177-scan1/image.zip", "ibsi-validation-sts", "ibsi1-ct-phantom",
    "dicom-seg", "nm-planar",
    *(f"ibsi-suv-dro/DRO_{n}.zip" for n in
      ("0_0", "1_0", "2_0", "2_1", "2_3", "2_4", "3_0", "3_1", "3_3", "4_0")),
)  # fmt: skip


@cache
def _series(place: Path) -> dict[str, list[Dataset]]:
    """All headers below a place by series."""
    found: dict[str, list[Dataset]] = defaultdict(list)
    with ObjectReader() as reader:
        for ref in open_source(place).objects():
            data = reader.read(ref.uri, 2**28)
            if data[128:132] == b"DICM":
                header = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True)
                found[str(header.SeriesInstanceUID)].append(header)
    return dict(found)


@pytest.mark.parametrize("name", FOLDERS)
def test_the_whole_derivation_is_the_same(name: str, reference_data: Data) -> None:
    folder, _, rest = name.partition("/")
    series = _series(reference_data(folder) / rest)
    assert series
    for secret in (bytes(16), b"another secret, another shift"):
        pseudonyms = Pseudonymiser(secret)
        for headers in series.values():
            after = derive_suv([deidentify(header, pseudonyms) for header in headers])
            assert_derivation_preserved(derive_suv(headers), after)


def _first(reference_data: Data, name: str, modality: str) -> Dataset:
    folder, _, rest = name.partition("/")
    for headers in _series(reference_data(folder) / rest).values():
        if headers[0].get("Modality") == modality:
            return headers[0]
    raise LookupError(name)


#: What the headers say, by eye: algorithm, TOF, PSF, iterations, subsets, filter, FWHM, kernel.
MADE = {
    ("pet-ge-sts001", "PT"): ("OSEM", False, False, None, None, None, None, None),
    ("pet-siemens-qinhn0024/PET", "PT"): ("OSEM", False, False, 2, 8, "gaussian", 7.0, None),
    ("spect-lu177-scan1/image.zip", "PT"): ("OSCGM", False, True, 48, 1, "none", 0.0, None),
    ("ibsi-suv-dro/DRO_0_0.zip", "PT"): ("OSEM", True, True, 4, 5, None, None, None),
    ("ibsi-validation-sts", "CT"): (None, None, None, None, None, None, None, "STANDARD"),
    ("pet-nema-iq-1", "PT"): (None,) * 8,
}
_COLUMNS = (
    "reconstruction_algorithm", "is_time_of_flight", "is_psf_modelled", "n_iterations",
    "n_subsets", "post_filter", "post_filter_fwhm_mm", "ct_kernel",
)  # fmt: skip


@pytest.mark.parametrize("place", sorted(MADE))
def test_how_real_series_were_made(place: tuple[str, str], reference_data: Data) -> None:
    row = reconstruction_columns(_first(reference_data, *place))
    assert tuple(row[name] for name in _COLUMNS) == MADE[place]


def test_a_real_ge_series_by_its_private_elements(reference_data: Data) -> None:
    """ "PET  7S 6IT 6 POST": the private elements say the same as the description."""
    path = reference_data("pet-single-slices") / "ge-discovery-st-private-0009-100d-jpegll.dcm"
    header = pydicom.dcmread(path, stop_before_pixels=True)
    by_words = reconstruction_columns(header)
    header.SeriesDescription = ""
    by_private = reconstruction_columns(header)
    names = ("n_iterations", "n_subsets", "post_filter", "post_filter_fwhm_mm")
    assert [by_words[n] for n in names] == [by_private[n] for n in names] == [6, 7, "gaussian", 6.0]


def test_real_attenuation_correction(reference_data: Data) -> None:
    for name in ("pet-ge-sts001", "pet-siemens-qinhn0024/PET", "spect-lu177-scan1/image.zip"):
        header = copy.deepcopy(_first(reference_data, name, "PT"))
        assert attenuation_correction(header) == (True, "CorrectedImage")
        del header.CorrectedImage
        assert attenuation_correction(header) == (True, "AttenuationCorrectionMethod")
        del header.AttenuationCorrectionMethod
        told = attenuation_correction(header)[0]
        assert told is (None if "qinhn" in name else True)
