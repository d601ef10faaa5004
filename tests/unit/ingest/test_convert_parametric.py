"""Parametric maps written by highdicom: values, units and quantities survive bit by bit."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from highdicom.pm import ParametricMap, RealWorldValueMapping
from highdicom.sr import CodedConcept
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import JPEG2000Lossless, RLELossless

from lake.volumes.lazy import open_lazy
from lake.volumes.write import write_raw
from schemas.records import ConvertedSeries
from schemas.tables import TABLES
from tasks.deidentify.pseudonyms import Pseudonymiser
from tests.support.dicom_objects import SECRET, SERIES, convert_all, pet_series, reasons
from tests.support.enhanced_objects import complete

SHAPE = (4, 33, 37)
ADC = CodedConcept("113041", "DCM", "Apparent Diffusion Coefficient")
MM2_PER_S = CodedConcept("mm2/s", "UCUM", "mm2/s")


def source() -> list[Dataset]:
    slices = pet_series(SHAPE[0], *SHAPE[1:])
    return [complete(ds) for ds in slices]


def linear(
    slope: float = 1.0,
    intercept: float = 0.0,
    unit: CodedConcept = MM2_PER_S,
    quantity: CodedConcept | None = ADC,
    value_range: tuple[float, float] = (-1e30, 1e30),
) -> RealWorldValueMapping:
    return RealWorldValueMapping(
        lut_label="A",
        lut_explanation="a map",
        unit=unit,
        value_range=value_range,
        slope=slope,
        intercept=intercept,
        quantity_definition=quantity,
    )


def _mapping(values: NDArray[Any]) -> RealWorldValueMapping:
    return linear() if values.dtype.kind == "f" else linear(value_range=(0, 65535))


def parametric_map(
    values: NDArray[Any],
    mappings: Sequence[RealWorldValueMapping] | None = None,
    number: int = 1,
    **options: Any,
) -> Dataset:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = ParametricMap(
            source_images=source(),
            pixel_array=values,
            series_instance_uid=SERIES + ".55",
            series_number=5,
            sop_instance_uid=f"{SERIES}.55.{number}",
            instance_number=number,
            manufacturer="A",
            manufacturer_model_name="B",
            software_versions="1",
            device_serial_number="1",
            contains_recognizable_visual_features=False,
            real_world_value_mappings=list(mappings or [_mapping(values)]),
            window_center=0,
            window_width=1,
            **options,
        )
    assert isinstance(made, Dataset)
    return made


def only(objects: Sequence[Dataset]) -> ConvertedSeries:
    (converted,) = convert_all(objects)
    return converted


def random_values(dtype: str) -> NDArray[Any]:
    """Values of every magnitude, with not-a-number, infinity and minus zero among them."""
    rng = np.random.default_rng(7)
    if np.dtype(dtype).kind == "u":
        return rng.integers(0, 60000, SHAPE).astype(dtype)
    values = (rng.normal(size=SHAPE) * 10.0 ** rng.integers(-30, 30, SHAPE)).astype(dtype)
    values[0, 0, :3] = np.nan, np.inf, -0.0
    return values


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint16"])
def test_values_bit_by_bit(dtype: str) -> None:
    values = random_values(dtype)
    converted = only([parametric_map(values)])
    assert reasons(converted) == ["ingested"]
    (volume,) = converted.raw
    assert volume.stored.dtype == np.dtype(dtype)
    assert volume.stored.tobytes() == values.tobytes()
    (image,) = convert_all(source())
    np.testing.assert_array_equal(volume.geometry.affine, image.raw[0].geometry.affine)
    assert volume.value_unit == "mm2/s"
    assert volume.attributes["quantity_code"] == "DCM:113041"
    assert volume.suv_factor is None


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless])
def test_integers_compressed(syntax: str) -> None:
    values = random_values("uint16")
    converted = only(
        [
            parametric_map(
                values, [linear(0.5, -3.0, value_range=(0, 65535))], transfer_syntax_uid=syntax
            )
        ]
    )
    (volume,) = converted.raw
    np.testing.assert_array_equal(volume.stored, values)
    np.testing.assert_array_equal(volume.values(), (values * 0.5 - 3.0).astype(np.float32))


def test_row_says_that_it_is_no_image() -> None:
    converted = only([parametric_map(random_values("float32"))])
    (row,) = converted.rows["series"]
    pseudonymiser = Pseudonymiser(SECRET)
    assert row["series_kind"] == "parametric"
    assert row["modality"] == "OT"
    assert row["suv_status"] == "not_applicable"
    assert row["patient_key"] == pseudonymiser.patient_key("4711", "")
    assert set(row) <= set(TABLES["series"].columns)
    assert "Mustermann" not in str(converted.rows) + str(converted.raw[0].attributes)


def test_round_trip_through_the_lake(tmp_path: Path) -> None:
    values = random_values("float32")
    (volume,) = only([parametric_map(values)]).raw
    row = write_raw(str(tmp_path), "1.2.3", volume)
    found = open_lazy(str(tmp_path), str(row["volume_path"]), quantity="stored").to_numpy()
    assert found.tobytes() == values.tobytes()
    native = open_lazy(str(tmp_path), str(row["volume_path"]), quantity="native")
    assert native.attrs["units"] == "mm2/s"
    np.testing.assert_array_equal(native.to_numpy(), values)
    assert (row["dtype"], row["value_unit"]) == ("float32", "mm2/s")


def test_quantities_of_one_series_are_volumes_of_their_own() -> None:
    first, second = random_values("float32"), random_values("float32")[::-1].copy()
    blood = linear(
        unit=CodedConcept("ml/min/g", "UCUM", "ml/min/g"),
        quantity=CodedConcept("113055", "DCM", "Regional Cerebral Blood Flow"),
    )
    converted = only([parametric_map(first), parametric_map(second, [blood], number=2)])
    assert reasons(converted) == ["ingested", "ingested"]
    by_unit = {v.value_unit: v for v in converted.raw}
    assert by_unit["mm2/s"].stored.tobytes() == first.tobytes()
    assert by_unit["ml/min/g"].stored.tobytes() == second.tobytes()
    assert {v.part.label for v in converted.raw} == {
        "image type 1: DCM:113041", "image type 2: DCM:113055",
    }  # fmt: skip


def test_the_same_map_twice_is_a_duplicate() -> None:
    values = random_values("float32")
    converted = only([parametric_map(values), parametric_map(values, number=2)])
    assert reasons(converted) == ["duplicate", "ingested"]


def mapping_of(ds: Dataset) -> Dataset:
    found = ds.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence[0]
    assert isinstance(found, Dataset)
    return found


def _no_mapping(ds: Dataset) -> None:
    del ds.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence


def _no_unit(ds: Dataset) -> None:
    del mapping_of(ds).MeasurementUnitsCodeSequence


def _table(ds: Dataset) -> None:
    del mapping_of(ds).RealWorldValueSlope
    mapping_of(ds).RealWorldValueLUTData = [1.0, 2.0]


def _name_as_unit(ds: Dataset) -> None:
    mapping_of(ds).MeasurementUnitsCodeSequence[0].CodeValue = "Mustermann"


def _cut(ds: Dataset) -> None:
    ds.FloatPixelData = ds.FloatPixelData[:100]


def _no_pixels(ds: Dataset) -> None:
    del ds.FloatPixelData


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (_no_mapping, "missing_attribute"),
        (_no_unit, "missing_attribute"),
        (_table, "unsupported_object"),
        (_name_as_unit, "deidentification_failed"),
        (_cut, "truncated"),
        (_no_pixels, "missing_attribute"),
    ],
)
def test_what_is_refused(spoil: Any, reason: str) -> None:
    ds = parametric_map(random_values("float32"))
    spoil(ds)
    converted = only([ds])
    assert reasons(converted) == [reason]
    assert converted.raw == ()
