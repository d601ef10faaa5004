"""Keys of scanners and reconstructions."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset

from tasks.deidentify.pseudonyms import Pseudonymiser
from tasks.ingest.equipment import reconstruction_key, scanner_key

PSEUDONYMS = Pseudonymiser(b"0123456789abcdef")


def header(**values: str) -> Dataset:
    ds = Dataset()
    ds.Manufacturer, ds.ManufacturerModelName, ds.DeviceSerialNumber = "SIEMENS", "mCT", "4711"
    ds.StationName, ds.InstitutionName = "PET1", "Clinic"
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return ds


def test_one_scanner_has_one_key_wherever_it_stands() -> None:
    key = scanner_key(header(), PSEUDONYMS)
    assert key is not None
    assert len(key) == 19
    assert key == scanner_key(header(StationName="PET2", Manufacturer="Siemens"), PSEUDONYMS)
    assert key != scanner_key(header(DeviceSerialNumber="4712"), PSEUDONYMS)
    assert key != scanner_key(header(ManufacturerModelName="Vision"), PSEUDONYMS)
    assert key != scanner_key(header(), Pseudonymiser(b"another secret !"))


def test_without_a_serial_number_the_station_tells_scanners_apart() -> None:
    one, two = (
        scanner_key(header(DeviceSerialNumber="", StationName=s), PSEUDONYMS) for s in ("A", "B")
    )
    assert one != two


def test_no_vendor_no_key() -> None:
    assert scanner_key(Dataset(), PSEUDONYMS) is None


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({}, None),
        ({"reconstruction_algorithm": "BSREM", "is_psf_modelled": True, "penalty_beta": 350.0},
         "BSREM PSF beta 350"),
        ({"reconstruction_algorithm": "OSEM", "n_iterations": 3, "post_filter": "none",
          "post_filter_fwhm_mm": 0.0}, "OSEM 3i none"),
        ({"reconstruction_method": "BLOB-OS-TF", "convolution_kernel": None}, "BLOB-OS-TF"),
        ({"reconstruction_algorithm": "FBP", "ct_kernel": "B30f"}, "FBP B30f"),
    ],
)  # fmt: skip
def test_reconstruction(row: dict[str, object], expected: str | None) -> None:
    assert reconstruction_key(row) == expected
