"""SUV rules against the IBSI digital reference objects and real headers.

The objects are those of oncoray/suv_computation (CC BY 4.0). Where only their description is
public, the header is that of DRO_0_0 with the tag changed that the description names.
"""

from __future__ import annotations

import gzip
import io
import json
import math
import zipfile
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from schemas.records import SuvDerivation
from tasks.quantify import derive_suv
from tests.support.dicom_objects import convert_all, set_pixels
from tests.support.enhanced_objects import group, item, mapping

pytestmark = pytest.mark.reference
Folder = Callable[[str], Path]

W, H, D, HALF_LIFE = 70.0, 175.0, 3.6808e8, 6586.2
#: SUVbw per Bq/ml of DRO_0_0: W / (D exp(-lambda 3600 s)).
EXPECTED = W * 1000 / (D * 2 ** (-3600 / HALF_LIFE))


def read_zip(path: Path) -> tuple[list[Dataset], np.ndarray]:
    """PET slices by position, and the mask as [z, y, x]."""
    slices: list[Dataset] = []
    mask = None
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            content = archive.read(name)
            if name.endswith(".nii.gz"):
                image = nib.Nifti1Image.from_bytes(gzip.decompress(content))
                mask = np.asarray(image.dataobj).transpose(2, 1, 0) > 0
            elif "/PT/" in name and name.endswith(".dcm"):
                slices.append(pydicom.dcmread(io.BytesIO(content)))
    assert mask is not None
    slices.sort(key=lambda ds: float(ds.ImagePositionPatient[2]))
    return slices, mask


def suv(slices: list[Dataset], derivation: SuvDerivation) -> np.ndarray:
    stack = [
        ds.pixel_array * float(ds.RescaleSlope) * factor
        for ds, factor in zip(slices, derivation.factors, strict=True)
    ]
    return np.stack(stack)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("DRO_0_0", (0.20, 1.00, 4.00)),
        ("DRO_1_0", (0.20, 1.00, 4.00)),
        ("DRO_2_0", (0.20, 1.00, 4.00)),
        ("DRO_2_1", (0.20, 1.00, 4.00)),
        ("DRO_2_3", (0.189, 0.985, 3.977)),  # stored 5 / 26 / 105: rounded to integers
        ("DRO_2_4", (0.20, 1.00, 4.00)),
        ("DRO_3_0", (0.20, 1.00, 4.00)),
        ("DRO_3_1", (0.20, 1.00, 4.00)),
        ("DRO_3_3", (0.20, 1.00, 4.00)),
        ("DRO_4_0", (0.20, 1.00, 4.00)),
    ],
)
def test_reference_object(
    name: str, expected: tuple[float, float, float], reference_data: Folder
) -> None:
    slices, mask = read_zip(reference_data("ibsi-suv-dro") / f"{name}.zip")
    derivation = derive_suv(slices)
    inside = suv(slices, derivation)[mask]
    found = (inside.min(), np.median(inside), inside.max())
    assert found == pytest.approx(expected, rel=0.005)


@pytest.fixture(scope="module")
def default(reference_data: Folder) -> list[Dataset]:
    """Four headers of DRO_0_0."""
    slices, _ = read_zip(reference_data("ibsi-suv-dro") / "DRO_0_0.zip")
    for ds in slices[:4]:
        del ds.PixelData
    return slices[:4]


Change = Callable[[Dataset, Dataset], None]


def vary(default: list[Dataset], change: Change) -> SuvDerivation:
    """Derive SUV after `change(header, radiopharmaceutical item)` of every slice."""
    slices = deepcopy(default)
    for ds in slices:
        change(ds, ds.RadiopharmaceuticalInformationSequence[0])
    return derive_suv(slices)


def having(**values: object) -> Change:
    """Set attributes, on the radiopharmaceutical item where they belong there; None deletes."""

    def change(ds: Dataset, item: Dataset) -> None:
        for keyword, value in values.items():
            place = item if keyword.startswith("Radio") else ds
            if value is None:
                if keyword in place:
                    delattr(place, keyword)
            else:
                setattr(place, keyword, value)

    return change


def james(male: bool) -> float:
    return (1.10 * W - 128 * (W / H) ** 2) if male else (1.07 * W - 148 * (W / H) ** 2)


def ibw(male: bool) -> float:
    return 48 + 1.06 * (H - 152) if male else 45.5 + 0.91 * (H - 152)


def janma(male: bool) -> float:
    bmi = W / (H / 100) ** 2
    return 9270 * W / (6680 + 216 * bmi) if male else 9270 * W / (8780 + 244 * bmi)


@pytest.mark.parametrize(
    ("name", "kind", "formula"),
    [("2_1", "LBMJAMES128", james), ("2_2", "IBW", ibw), ("2_6", "LBMJANMA", janma)],
)
@pytest.mark.parametrize("sex", ["M", "F", "O"])
def test_gml_by_mass_and_sex(
    name: str, kind: str, formula: Callable[[bool], float], sex: str, default: list[Dataset]
) -> None:
    sides = {"M": [True], "F": [False], "O": [True, False]}[sex]
    mass = sum(formula(male) for male in sides) / len(sides)
    found = vary(default, having(Units="GML", SUVType=kind, PatientSex=sex))
    assert found.factors == pytest.approx([W / mass] * 4, rel=1e-9)
    assert found.value_unit == "g/ml"


def private_philips(suv_factor: str | None, activity_factor: str | None) -> Change:
    def change(ds: Dataset, item: Dataset) -> None:
        ds.Units, ds.Manufacturer = "CNTS", "Philips Medical Systems"
        block = ds.private_block(0x7053, "Philips PET Private Group", create=True)
        for element, value in ((0x00, suv_factor), (0x09, activity_factor)):
            if value is not None:
                block.add_new(element, "DS", value)

    return change


def test_2_4_counts_by_suv_factor(default: list[Dataset]) -> None:
    assert vary(default, private_philips("0.0005", None)).factors == (0.0005,) * 4


def test_2_5_counts_by_activity_factor(default: list[Dataset]) -> None:
    found = vary(default, private_philips(None, "2.0"))
    assert found.factors == pytest.approx([2 * EXPECTED] * 4, rel=1e-5)


def manufacturer_case(vendor: str, **values: object) -> Change:
    # GE: Frame Reference Time is the frame's start, so 0 for a frame that starts the scan.
    reference = 0.0 if vendor.startswith("GE") else 149605.0
    return having(Manufacturer=vendor, FrameReferenceTime=reference, **values)


VENDORS = ["SIEMENS", "GE MEDICAL SYSTEMS", "Philips Medical Systems", "Synthetic"]


@pytest.mark.parametrize("vendor", VENDORS)
def test_3_2_series_time_after_acquisition(vendor: str, default: list[Dataset]) -> None:
    found = vary(default, manufacturer_case(vendor, SeriesTime="123000.000000"))
    assert found.factors == pytest.approx([EXPECTED] * 4, rel=1e-6)
    assert found.rule == "BQML/START/frame_reference_time"


@pytest.mark.parametrize(
    ("vendor", "group", "creator", "element"),
    [
        ("SIEMENS", 0x0071, "SIEMENS MED PT", 0x22),
        ("GE MEDICAL SYSTEMS", 0x0009, "GEMS_PETD_01", 0x0D),
    ],
)
def test_3_3_private_reference(
    vendor: str, group: int, creator: str, element: int, default: list[Dataset]
) -> None:
    def change(ds: Dataset, item: Dataset) -> None:
        manufacturer_case(vendor, SeriesTime="123000.000000")(ds, item)
        block = ds.private_block(group, creator, create=True)
        block.add_new(element, "UN", b"20250101110000.000000 ")

    found = vary(default, change)
    assert found.factors == pytest.approx([EXPECTED] * 4, rel=1e-9)
    assert found.rule == "BQML/START/private_time"


@pytest.mark.parametrize("vendor", VENDORS)
def test_3_4_no_decay_correction_per_slice(vendor: str, default: list[Dataset]) -> None:
    slices = deepcopy(default)
    starts = [3600, 3600, 3900, 3900]
    for ds, start in zip(slices, starts, strict=True):
        ds.Manufacturer, ds.DecayCorrection = vendor, "NONE"
        ds.CorrectedImage = ["NORM", "DTIM", "ATTN", "SCAT", "RAN"]
        ds.AcquisitionTime = "110000" if start == 3600 else "110500"
    rate = math.log(2) / HALF_LIFE
    x = rate * 300
    expected = [W * 1000 / D * x / (1 - math.exp(-x)) * math.exp(rate * s) for s in starts]
    assert derive_suv(slices).factors == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("vendor", VENDORS)
def test_3_5_series_time_is_acquisition_time(vendor: str, default: list[Dataset]) -> None:
    found = vary(default, manufacturer_case(vendor))
    assert found.factors == pytest.approx([EXPECTED] * 4, rel=1e-9)
    assert found.rule == "BQML/START/series_time"


@pytest.fixture(scope="module")
def default_object(reference_data: Folder) -> tuple[list[Dataset], np.ndarray]:
    """All slices of DRO_0_0 with pixels, and the mask."""
    return read_zip(reference_data("ibsi-suv-dro") / "DRO_0_0.zip")


def enhanced_object(slices: list[Dataset], rates: list[float] | None = None) -> Dataset:
    """DRO_0_0 as one Enhanced PET object; stored values over `rates`, slopes times them."""
    first = slices[0]
    ds = deepcopy(first)
    ds.SOPClassUID, ds.NumberOfFrames = "1.2.840.10008.5.1.4.1.1.130", len(slices)
    ds.ImageType = ["DERIVED", "PRIMARY", "VOLUME", "NONE"]
    ds.DecayCorrected, ds.DecayCorrectionDateTime = "YES", "20250101110000"
    ds.AttenuationCorrected, ds.ScatterCorrected = "YES", "YES"
    for keyword in (
        "Units", "DecayCorrection", "CorrectedImage", "SeriesType", "FrameReferenceTime",
        "ActualFrameDuration", "AcquisitionDate", "AcquisitionTime", "RescaleSlope",
        "RescaleIntercept", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing",
    ):  # fmt: skip
        if keyword in ds:
            delattr(ds, keyword)
    rates = rates or [1.0] * len(slices)
    stored = np.stack([s.pixel_array / r for s, r in zip(slices, rates, strict=True)])
    set_pixels(ds, np.round(stored).astype(first.pixel_array.dtype))
    measures: dict[str, object] = {"PixelSpacing": list(first.PixelSpacing), "SliceThickness": "4"}
    orientation: dict[str, object] = {
        "ImageOrientationPatient": list(first.ImageOrientationPatient)
    }
    shared: dict[str, dict[str, object]] = {
        "PixelMeasuresSequence": measures, "PlaneOrientationSequence": orientation,
    }  # fmt: skip
    ds.SharedFunctionalGroupsSequence = group({k: group(v) for k, v in shared.items()})
    ds.PerFrameFunctionalGroupsSequence = [
        _enhanced_frame(s, r) for s, r in zip(slices, rates, strict=True)
    ]
    return ds


def _enhanced_frame(ds: Dataset, rate: float) -> Dataset:
    slope = float(ds.RescaleSlope) * rate
    content = {
        "FrameAcquisitionDateTime": "20250101110000",
        "FrameReferenceDateTime": "20250101110229.605",
        "FrameAcquisitionDuration": 300e3,
    }
    groups: dict[str, dict[str, object]] = {
        "PlanePositionSequence": {"ImagePositionPatient": list(ds.ImagePositionPatient)},
        "FrameContentSequence": content,
        "PixelValueTransformationSequence": {
            "RescaleSlope": f"{slope:.10g}", "RescaleIntercept": "0", "RescaleType": "US",
        },
        "RealWorldValueMappingSequence": mapping("Bq/ml", slope),
    }  # fmt: skip
    return item({name: group(said) for name, said in groups.items()})


def enhanced_suv(ds: Dataset, mask: np.ndarray) -> tuple[tuple[float, float, float], object]:
    """SUV in the mask as (min, median, max) by the whole way through ingestion, and the rule."""
    (converted,) = convert_all([ds])
    (volume,) = converted.raw
    assert volume.suv_factor is not None, converted.rows["series"]
    inside = (volume.values() * volume.suv_factor[:, None, None])[mask]
    found = (float(inside.min()), float(np.median(inside)), float(inside.max()))
    return found, converted.rows["series"][0]["suv_rule"]


def _object_7_0_0(slices: list[Dataset]) -> Dataset:
    return enhanced_object(slices)


def _object_7_1_0(slices: list[Dataset]) -> Dataset:
    return enhanced_object(slices, [1.0 / (1 + i % 2) for i in range(len(slices))])


def _object_7_2_0(slices: list[Dataset]) -> Dataset:
    ds = enhanced_object(slices)
    for frame in ds.PerFrameFunctionalGroupsSequence:
        (mapped,) = frame.RealWorldValueMappingSequence
        mapped.MeasurementUnitsCodeSequence[0].CodeValue = "{SUVbw}g/ml"
        mapped.RealWorldValueSlope *= EXPECTED
    return ds


def _object_7_3_0(slices: list[Dataset]) -> Dataset:
    ds = enhanced_object(slices)
    ds.SeriesTime = "123000"
    return ds


def _object_7_3_1(slices: list[Dataset]) -> Dataset:
    """Not corrected: every frame holds what had not decayed by its own moment."""
    ds = enhanced_object(slices)
    ds.DecayCorrected = "NO"
    del ds.DecayCorrectionDateTime
    for i, frame in enumerate(ds.PerFrameFunctionalGroupsSequence):
        delay = 300 * (i // 10)
        content = frame.FrameContentSequence[0]
        content.FrameAcquisitionDateTime = f"2025010111{delay // 60:02d}00"
        content.FrameReferenceDateTime = f"2025010111{delay // 60 + 2:02d}29.605"
        decayed = 2 ** (-(delay + 149.605) / HALF_LIFE)
        frame.RealWorldValueMappingSequence[0].RealWorldValueSlope *= decayed
    return ds


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (_object_7_0_0, "BQML/START/decay_correction_datetime"),
        (_object_7_1_0, "BQML/START/decay_correction_datetime"),
        (_object_7_2_0, "GML/BW"),
        (_object_7_3_0, "BQML/START/decay_correction_datetime"),
        (_object_7_3_1, "BQML/NONE/frame_reference_datetime"),
    ],
)
def test_7_enhanced_pet(
    change: Callable[[list[Dataset]], Dataset],
    rule: str,
    default_object: tuple[list[Dataset], np.ndarray],
) -> None:
    """Objects made from DRO_0_0 as each line of the list describes."""
    slices, mask = default_object
    found, used = enhanced_suv(change(slices), mask)
    assert found == pytest.approx((0.20, 1.00, 4.00), rel=0.005)
    assert used == rule


OVER_MIDNIGHT = {
    "SeriesDate": "20250102",
    "AcquisitionDate": "20250102",
    "StudyDate": "20250102",
    "SeriesTime": "003000",
    "AcquisitionTime": "003000",
    "RadiopharmaceuticalStartTime": "233000",
}


@pytest.mark.parametrize(
    "changes",
    [
        {"DecayCorrection": "START"},  # 0_0
        {"RadionuclideTotalDose": "368.08"},  # 3_0
        {"RadiopharmaceuticalStartTime": None},  # 4_0
        {"RadiopharmaceuticalStartDateTime": None},  # 4_1
        {**OVER_MIDNIGHT, "RadiopharmaceuticalStartDateTime": None},  # 4_2
        {**OVER_MIDNIGHT, "RadiopharmaceuticalStartDateTime": "20250101233000"},  # 4_3
        {  # 4_4
            **OVER_MIDNIGHT,
            "RadiopharmaceuticalStartDateTime": "20250101233000",
            "AcquisitionDate": "19000101",
        },
        {  # 4_4, all dates but that of the injection
            **OVER_MIDNIGHT,
            "RadiopharmaceuticalStartDateTime": "20250101233000",
            "AcquisitionDate": "19000101",
            "SeriesDate": "19000101",
            "StudyDate": "19000101",
        },
        {"PatientWeight": "70000"},
        {"PatientSize": None},
    ],
)
def test_same_suv_whatever_the_header(changes: dict[str, object], default: list[Dataset]) -> None:
    found = vary(default, having(**changes))
    assert found.factors == pytest.approx([EXPECTED] * 4, rel=1e-4)
    assert found.uptake_time_s == pytest.approx(3600, abs=1)


def test_3_1_admin(default: list[Dataset]) -> None:
    found = vary(default, having(DecayCorrection="ADMIN"))
    assert found.factors == pytest.approx([W * 1000 / D] * 4, rel=1e-12)


def nuclide(half_life: float, code: str, meaning: str, **values: object) -> Change:
    def change(ds: Dataset, item: Dataset) -> None:
        item.RadionuclideHalfLife = str(half_life)
        item.RadionuclideCodeSequence[0].CodeValue = code
        item.RadionuclideCodeSequence[0].CodeMeaning = meaning
        having(**values)(ds, item)

    return change


def test_4_5_zirconium_after_three_days(default: list[Dataset]) -> None:
    start = "20241229110000"
    change = nuclide(
        282276, "C-168A4", "^89^Zirconium", RadiopharmaceuticalStartDateTime=start,
        RadiopharmaceuticalStartTime="110000",
    )  # fmt: skip
    expected = W * 1000 / (D * 2 ** (-3 * 86400 / 282276))
    assert vary(default, change).factors == pytest.approx([expected] * 4, rel=1e-6)


def test_5_0_gallium(default: list[Dataset]) -> None:
    expected = W * 1000 / (D * 2 ** (-3600 / 4057.74))
    found = vary(default, nuclide(4057.74, "C-131A3", "^68^Gallium"))
    assert found.factors == pytest.approx([expected] * 4, rel=1e-4)


ZR = (282276, "C-168A4", "^89^Zirconium")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (having(PatientWeight=None), "suv_weight_missing"),  # error_2_0
        (having(PatientWeight="0"), "suv_weight_missing"),  # error_2_1
        (having(Units="GML", SUVType="IBW", PatientSex=None), "suv_sex_missing"),  # error_2_2
        (having(Units="GML", SUVType="IBW", PatientSex="X"), "suv_sex_missing"),  # error_2_3
        (having(Units="GML", SUVType="IBW", PatientSize=None), "suv_size_missing"),  # error_2_4
        (having(Units="GML", SUVType="IBW", PatientSize="0"), "suv_size_missing"),  # error_2_5
        (private_philips(None, None), "suv_counts_without_factor"),  # error_2_6
        (private_philips("0.0", "0.0"), "suv_counts_without_factor"),
        (having(Units="PROPCNTS"), "suv_units_unsupported"),  # error_2_7
        (having(RadionuclideTotalDose=None), "suv_dose_missing"),  # error_3_0
        (having(RadionuclideTotalDose="-368080000"), "suv_dose_missing"),  # error_3_1
        (having(ActualFrameDuration=None), "suv_frame_duration_missing"),  # error_3_2
        (
            having(RadiopharmaceuticalStartTime=None, RadiopharmaceuticalStartDateTime=None),
            "suv_injection_time_missing",
        ),  # error_4_0
        (
            nuclide(*ZR, RadiopharmaceuticalStartDateTime=None),
            "suv_injection_time_missing",
        ),  # error_4_1
        (
            nuclide(*ZR, RadiopharmaceuticalStartDateTime="19000101100000"),
            "suv_injection_time_implausible",
        ),  # error_4_2
        (having(RadionuclideHalfLife=None), "suv_half_life_missing"),  # error_5_0
    ],
)
def test_must_refuse(change: Change, reason: str, default: list[Dataset]) -> None:
    found = vary(default, change)
    assert (found.status, found.reason_code, found.factors) == ("refused", reason, ())


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
