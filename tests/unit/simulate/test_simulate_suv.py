"""SUV by hand from the written headers against the painted truth, dialect by dialect.

Blur and noise are off in `all_dialects`; the calibration error of the centre remains and is known.
The formulas are written out here and share no code with the simulator or with `tasks.quantify`.
"""

from __future__ import annotations

import csv
import math
from datetime import datetime
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

LN2 = math.log(2.0)


def _slices(root: Path, centre: str) -> list[Dataset]:
    found = [pydicom.dcmread(path) for path in root.glob(f"dicom/{centre}/*/PT/*.dcm")]
    return sorted(found, key=lambda ds: float(ds.ImagePositionPatient[2]))


def _moment(date: str, time: str) -> datetime:
    text = date + time.ljust(7, ".").ljust(13, "0")
    return datetime.strptime(text, "%Y%m%d%H%M%S.%f")  # noqa: DTZ007  DICOM times have no zone


def _injection(ds: Dataset) -> datetime:
    item = ds.RadiopharmaceuticalInformationSequence[0]
    return _moment(ds.AcquisitionDate, item.RadiopharmaceuticalStartTime)


def _suv_image(slices: list[Dataset], per_slice: list[float]) -> np.ndarray:
    return np.stack(
        [
            ds.pixel_array.astype(float) * float(ds.RescaleSlope) * factor
            for ds, factor in zip(slices, per_slice, strict=True)
        ]
    )


def _isotope(ds: Dataset) -> tuple[float, float, float]:
    item = ds.RadiopharmaceuticalInformationSequence[0]
    weight_g = float(ds.PatientWeight) * 1000.0
    return float(item.RadionuclideTotalDose), LN2 / float(item.RadionuclideHalfLife), weight_g


def _start_factor(ds: Dataset, reference: datetime) -> float:
    dose, rate, weight_g = _isotope(ds)
    wait = (reference - _injection(ds)).total_seconds()
    return weight_g / (dose * math.exp(-rate * wait))


def _earliest(slices: list[Dataset]) -> datetime:
    return min(_moment(ds.AcquisitionDate, ds.AcquisitionTime) for ds in slices)


def _factors(centre: str, slices: list[Dataset]) -> list[float]:
    first = slices[0]
    dose, rate, weight_g = _isotope(first)
    if centre == "A":
        return [_start_factor(ds, _earliest(slices)) for ds in slices]
    if centre == "B":
        text = first.private_block(0x0009, "GEMS_PETD_01")[0x0D].value
        return [_start_factor(ds, _moment(text[:8], text[8:])) for ds in slices]
    if centre == "C":
        suv_factor = float(first.private_block(0x7053, "Philips PET Private Group")[0x00].value)
        return [suv_factor for _ in slices]
    if centre == "D":
        return [weight_g / dose for _ in slices]
    if centre == "E":
        frame_s = float(first.ActualFrameDuration) / 1000.0
        factors = []
        for ds in slices:
            start = _moment(ds.AcquisitionDate, ds.AcquisitionTime)
            wait = (start - _injection(ds)).total_seconds()
            mean_of_frame = (1.0 - math.exp(-rate * frame_s)) / (rate * frame_s)
            factors.append(weight_g / (dose * 1e6 * math.exp(-rate * wait) * mean_of_frame))
        return factors
    return [1.0 for _ in slices]


def _lesions(root: Path, centre: str) -> list[dict[str, str]]:
    with (root / "truth/truth.csv").open(newline="") as stream:
        return [row for row in csv.DictReader(stream) if row["centre"] == centre]


def _values_inside(
    image: np.ndarray, slices: list[Dataset], row: dict[str, str], margin_mm: float
) -> np.ndarray:
    x0, y0, _ = (float(v) for v in slices[0].ImagePositionPatient)
    dy, dx = (float(v) for v in slices[0].PixelSpacing)
    z = np.array([float(ds.ImagePositionPatient[2]) for ds in slices])[:, None, None]
    y = (y0 + dy * np.arange(image.shape[1]))[None, :, None]
    x = (x0 + dx * np.arange(image.shape[2]))[None, None, :]
    away = np.sqrt(
        (x - float(row["x_mm"])) ** 2
        + (y - float(row["y_mm"])) ** 2
        + (z - float(row["z_mm"])) ** 2
    )
    return image[away < float(row["radius_mm"]) - margin_mm]


@pytest.mark.parametrize(
    ("centre", "units", "decay"),
    [
        ("A", "BQML", "START"),
        ("B", "BQML", "START"),
        ("C", "CNTS", "START"),
        ("D", "BQML", "ADMIN"),
        ("E", "BQML", "NONE"),
        ("F", "GML", "START"),
    ],
)
def test_suv_from_the_headers_is_the_painted_suv(
    all_dialects: Path, centre: str, units: str, decay: str
) -> None:
    slices = _slices(all_dialects, centre)
    assert {(ds.Units, ds.DecayCorrection) for ds in slices} == {(units, decay)}
    image = _suv_image(slices, _factors(centre, slices))
    compared = 0
    for row in _lesions(all_dialects, centre):
        values = _values_inside(image, slices, row, margin_mm=7.0)
        if values.size == 0:
            continue
        expected = float(row["true_suv"]) * float(row["calibration_factor"])
        np.testing.assert_allclose(values, expected, rtol=0.005)
        compared += values.size
    assert compared > 0


def test_true_activity_is_the_stored_activity_at_the_decay_reference(all_dialects: Path) -> None:
    for centre in ("A", "B"):
        slices = _slices(all_dialects, centre)
        bqml = _suv_image(slices, [1.0] * len(slices))
        row = _lesions(all_dialects, centre)[0]
        values = _values_inside(bqml, slices, row, margin_mm=7.0)
        expected = float(row["true_activity_bqml"]) * float(row["calibration_factor"])
        np.testing.assert_allclose(values, expected, rtol=0.005)


def test_siemens_has_a_slope_per_slice_and_ge_one(small_cohort: Path) -> None:
    def slopes(patient: str) -> list[float]:
        paths = (small_cohort / "dicom" / patient[4] / patient / "PT").iterdir()
        return [float(pydicom.dcmread(p, stop_before_pixels=True).RescaleSlope) for p in paths]

    siemens = slopes("SIM-A-001")
    assert len(set(siemens)) > 0.9 * len(siemens)
    assert len(set(slopes("SIM-B-001"))) == 1


def test_frame_reference_time_gives_the_scan_start_back(all_dialects: Path) -> None:
    """Acquisition time - frame reference time + time of mean activity = decay reference."""
    for centre in ("A", "C", "D", "E", "F"):
        slices = _slices(all_dialects, centre)
        _, rate, _ = _isotope(slices[0])
        assert len({ds.AcquisitionTime for ds in slices}) > 2, "several bed positions"
        for ds in slices:
            lt = rate * float(ds.ActualFrameDuration) / 1000.0
            mean_at = math.log(lt / (1.0 - math.exp(-lt))) / rate
            start = _moment(ds.AcquisitionDate, ds.AcquisitionTime)
            after = (start - _earliest(slices)).total_seconds()
            assert after - float(ds.FrameReferenceTime) / 1000.0 + mean_at == pytest.approx(
                0, abs=2e-3
            )


def test_ge_series_time_is_later_than_every_acquisition(all_dialects: Path) -> None:
    slices = _slices(all_dialects, "B")
    series = _moment(slices[0].SeriesDate, slices[0].SeriesTime)
    assert all(series > _moment(ds.AcquisitionDate, ds.AcquisitionTime) for ds in slices)
    item = slices[0].RadiopharmaceuticalInformationSequence[0]
    assert "RadiopharmaceuticalStartDateTime" not in item


def test_philips_factors_agree(all_dialects: Path) -> None:
    slices = _slices(all_dialects, "C")
    block = slices[0].private_block(0x7053, "Philips PET Private Group")
    ratio = float(block[0x00].value) / float(block[0x09].value)
    assert ratio == pytest.approx(_start_factor(slices[0], _earliest(slices)), rel=1e-6)


def test_philips_slices_run_from_the_feet_up(all_dialects: Path) -> None:
    by_number = {}
    for centre in ("A", "C"):
        slices = sorted(_slices(all_dialects, centre), key=lambda ds: int(ds.InstanceNumber))
        by_number[centre] = [float(ds.ImagePositionPatient[2]) for ds in slices]
    assert by_number["A"] == sorted(by_number["A"], reverse=True)
    assert by_number["C"] == sorted(by_number["C"])
