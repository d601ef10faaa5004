"""SUV rules against the IBSI digital reference objects and real headers.

The objects are those of oncoray/suv_computation (CC BY 4.0), or made from their descriptions by
`tasks.simulate.reference_objects` where only these are public.
"""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset

from tasks.quantify import derive_suv
from tasks.simulate.dicom_reference import reference_object
from tasks.simulate.reference_objects import REFERENCE_OBJECTS
from tools import suv_compliance as compliance

pytestmark = pytest.mark.reference
Folder = Callable[[str], Path]

HALF_LIFE = 6586.2
TARGET = (0.20, 1.00, 4.00)

#: Why each object that must be refused is refused.
REASONS = {
    "DRO_error_2_0": "suv_weight_missing",
    "DRO_error_2_1": "suv_weight_missing",
    "DRO_error_2_2": "suv_sex_missing",
    "DRO_error_2_3": "suv_sex_missing",
    "DRO_error_2_4": "suv_size_missing",
    "DRO_error_2_5": "suv_size_missing",
    "DRO_error_2_6": "suv_counts_without_factor",
    "DRO_error_2_7": "suv_units_unsupported",
    "DRO_error_3_0": "suv_dose_missing",
    "DRO_error_3_1": "suv_dose_missing",
    "DRO_error_3_2": "suv_frame_duration_missing",
    "DRO_error_4_0": "suv_injection_time_missing",
    "DRO_error_4_1": "suv_injection_time_missing",
    "DRO_error_4_2": "suv_injection_time_implausible",
    "DRO_error_5_0": "suv_half_life_missing",
}


@pytest.mark.parametrize("name", REFERENCE_OBJECTS)
def test_rebuilt_object(name: str) -> None:
    found = compliance.measure_rebuilt(name)
    if name in REASONS:
        assert (found.suv, found.rule) == (None, REASONS[name])
    else:
        assert found.suv == pytest.approx(TARGET, rel=0.005), found.rule


def test_original_objects_and_the_published_table(reference_data: Folder) -> None:
    """The list's objects are ours, the public ones are right, and the page says what comes out."""
    folder = reference_data("ibsi-suv-dro")
    with (folder / "DRO_list-round3.csv").open(newline="", encoding="utf-8") as stream:
        listed = {row["ID"]: row["SUVmax_expected"] for row in csv.DictReader(stream)}
    assert list(listed) == list(REFERENCE_OBJECTS)
    assert {name for name, expected in listed.items() if expected == "ERROR"} == set(REASONS)
    measured = list(compliance.measure_all(folder))
    originals = {m.name: m.suv for m in measured if m.source.startswith("original")}
    assert len(originals) == 10
    # Stored 5 / 26 / 105: exact arithmetic on rounded integers.
    assert originals.pop("DRO_2_3") == pytest.approx((0.1894, 0.9847, 3.9766), rel=1e-3)
    for name, suv in originals.items():
        assert suv == pytest.approx(TARGET, rel=0.005), name
    assert compliance.page(measured) == compliance.PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("DRO_3_2_1", "BQML/START/frame_reference_time"),
        ("DRO_3_3_0", "BQML/START/private_time"),
        ("DRO_3_3_1", "BQML/START/private_time"),
        ("DRO_3_4_0", "BQML/NONE/per_slice"),
        ("DRO_3_5_2", "BQML/START/series_time"),
        ("DRO_4_4", "BQML/START/frame_reference_time"),
        ("DRO_7_0_0", "BQML/START/decay_correction_datetime"),
        ("DRO_7_3_1", "BQML/NONE/frame_reference_datetime"),
    ],
)
def test_rule_that_an_object_is_about(name: str, rule: str) -> None:
    assert compliance.measure_rebuilt(name).rule == rule


def test_factor_by_hand() -> None:
    """70000 g / (368.08 MBq 2^(-3600 / 6586.2)), DRO_0_0."""
    found = derive_suv(reference_object("DRO_0_0"))
    assert found.factors == pytest.approx([2.777781e-4] * 20, rel=1e-6)


def header_from_json(row: dict[str, object]) -> Dataset:
    ds, item = Dataset(), Dataset()
    ds.Modality = "PT"
    for keyword, value in row.items():
        content = value.strip() if isinstance(value, str) else value
        if keyword == "PhilipsPETPrivateGroup":
            assert isinstance(value, dict)
            for name, element in (
                ("SUVScaleFactor", 0x1000),
                ("ActivityConcentrationScaleFactor", 0x1009),
            ):
                if name in value:  # the private creator is missing, as after de-identification
                    ds.add_new((0x7053, element), "DS", value[name].strip())
        elif keyword.startswith("Radio"):
            setattr(item, keyword, content)
        else:
            setattr(ds, keyword, content)
    ds.RadiopharmaceuticalInformationSequence = [item]
    return ds


@pytest.mark.parametrize(
    ("name", "weight_g", "dose_bq", "uptake_s"),
    [
        ("BQML_AC_DT_lessThan_S_DT_SIEMENS", 65e3, 225e6, 3255),
        ("CPS_AND_BQML_AC_DT_-_S_DT", 69e3, 388e6, 3791.234),
        ("GE_MEDICAL_AND_BQML", 52e3, 152022720, 4281),
        ("PHILIPS_BQML", 64e3, 126e6, 3657),
        ("RADIOPHARM_DATETIME_UNDEFINED", 102e3, 412e6, 3871.843),
        ("SIEMENS", 67e3, 374e6, 8264),
    ],
)
def test_real_header(
    name: str, weight_g: float, dose_bq: float, uptake_s: float,
    reference_data: Folder,
) -> None:  # fmt: skip
    """Expected by hand: W / (D 2^(-t/T)), t from injection to the series' decay reference."""
    path = reference_data("calc_suv_meta") / f"{name}-instances.json"
    found = derive_suv([header_from_json(row) for row in json.loads(path.read_text())])
    expected = weight_g / (dose_bq * 2 ** (-uptake_s / HALF_LIFE))
    assert found.factors == pytest.approx([expected] * 3, rel=2e-4)


@pytest.mark.parametrize(
    ("name", "vendor_factor"),
    [("PHILIPS_CNTS_AND_BQML_SUV", 0.000551), ("PHILIPS_CNTS_AND_SUV", 0.000728)],
)
def test_real_header_philips_counts(
    name: str, vendor_factor: float, reference_data: Folder
) -> None:
    path = reference_data("calc_suv_meta") / f"{name}-instances.json"
    found = derive_suv([header_from_json(row) for row in json.loads(path.read_text())])
    assert found.factors == pytest.approx([vendor_factor] * 3, rel=1e-3)


def test_philips_ratio_settles_the_decay_reference(reference_data: Folder) -> None:
    """Series time and back-computation differ by 12.5 %; the vendor's ratio knows."""
    path = reference_data("calc_suv_meta") / "PHILIPS_BQML-instances.json"
    found = derive_suv([header_from_json(row) for row in json.loads(path.read_text())])
    assert found.factors[0] == pytest.approx(0.003515736 / 4.709921, rel=1e-3)
    assert found.decay_reference_spread_percent == pytest.approx(12.49, abs=0.01)
    assert "SUV-REFERENCE" in {rule for rule, _, _ in found.findings}


def headers(folder: Path) -> list[Dataset]:
    paths = [p for p in sorted(folder.rglob("*")) if p.is_file()]
    found: list[Dataset] = []
    for path in paths:
        try:
            ds = pydicom.dcmread(path, stop_before_pixels=True)
        except pydicom.errors.InvalidDicomError:
            continue
        if ds.get("Modality") == "PT":
            found.append(ds)
    return found


def test_siemens_multi_bed(reference_data: Folder) -> None:
    found = derive_suv(headers(reference_data("pet-siemens-qinhn0024") / "PET"))
    assert found.factors == pytest.approx([2.944804e-4] * 299, rel=1e-6)


def test_ge_with_the_scan_start_in_every_bed(reference_data: Folder) -> None:
    """71 kg, 388.777472 MBq, 2711 s, 6588 s: 71000 / (388777472 * 2^(-2711 / 6588))."""
    found = derive_suv(headers(reference_data("pet-ge-sts001")))
    assert found.factors == pytest.approx([2.4290297e-4] * 267, rel=1e-6)
    assert found.findings == ()


def test_phantom_without_anything_is_refused_by_name(reference_data: Folder) -> None:
    found = derive_suv(headers(reference_data("pet-nema-iq-1")))
    assert (found.status, found.reason_code, found.value_unit) == (
        "refused",
        "suv_units_missing",
        "1",
    )


def test_spect_stored_as_pet_and_corrected_to_injection(reference_data: Folder) -> None:
    slices = []
    with zipfile.ZipFile(reference_data("spect-lu177-scan1") / "image.zip") as archive:
        for name in archive.namelist()[:20]:
            content = io.BytesIO(archive.read(name))
            slices.append(pydicom.dcmread(content, stop_before_pixels=True))
    found = derive_suv(slices)
    assert found.factors == pytest.approx([92987 / 7210425599.6395] * 20, rel=1e-9)
    assert found.rule == "BQML/ADMIN"


@pytest.mark.parametrize(
    ("name", "expected_uptake_s"),
    [
        ("ge-discovery-st-private-0009-100d-jpegll.dcm", 5316),
        ("siemens-acrin-flt-028-DYNAMIC.dcm", 1.1),
    ],
)
def test_single_slices(name: str, expected_uptake_s: float, reference_data: Folder) -> None:
    ds = pydicom.dcmread(reference_data("pet-single-slices") / name, stop_before_pixels=True)
    assert derive_suv([ds]).uptake_time_s == pytest.approx(expected_uptake_s, abs=0.5)
