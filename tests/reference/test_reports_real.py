"""A real report with its value map: what it says of itself must be in the tables."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from schemas.records import ConvertedSeries, Row
from tasks.deidentify.pseudonyms import IdentityPseudonymiser
from tests.support.dicom_objects import convert_all

pytestmark = pytest.mark.reference

Data = Callable[[str], Path]
#: Original UIDs of the PET and of the segmentation's series.
PET = "1.3.6.1.4.1.14519.5.2.1.2744.7002.261560220703676715130542397405"
SEG = "1.2.276.0.7230010.3.1.3.8323329.18591.1440001312.777032"


@pytest.fixture(scope="module")
def converted(reference_data: Data) -> dict[str, ConvertedSeries]:
    """Series by kind; identities kept, since the data are public."""
    folder = reference_data("pet-rwvm-seg-sr")
    made = convert_all(
        [path.read_bytes() for path in folder.glob("*.dcm")],
        pseudonymiser=IdentityPseudonymiser(),
        deidentify=False,
    )
    return {str(c.rows["series"][0]["series_kind"]): c for c in made}


def value(rows: list[Row], quantity: str, derivation: str | None = None) -> float:
    """Return the one value of a quantity."""
    (found,) = [
        r for r in rows if (r["quantity_name"], r["derivation_name"]) == (quantity, derivation)
    ]
    return float(str(found["value"]))


def test_values_of_the_report(converted: dict[str, ConvertedSeries]) -> None:
    rows = converted["report"].rows["measurements"]
    assert len(rows) == 22
    mean, volume = value(rows, "SUVbw", "Mean"), value(rows, "Volume")
    assert (mean, volume) == (6.01529, 33.5824)
    assert value(rows, "SUVbw", "Maximum") == 10.3814
    assert value(rows, "SUVbw", "Minimum") == 2.91136
    assert value(rows, "SUVbw", "Peak Value Within ROI") == 9.45534
    # TLG is mean times volume: an error of any of the three would show
    assert value(rows, "Total Lesion Glycolysis") == pytest.approx(mean * volume, rel=1e-5)
    units = {str(r["quantity_name"]): r["unit_code"] for r in rows}
    assert units["SUVbw"] == "{SUVbw}g/ml"
    assert (units["Volume"], units["Total Lesion Glycolysis"]) == ("ml", "g")


def test_what_was_measured(converted: dict[str, ConvertedSeries]) -> None:
    rows = converted["report"].rows["measurements"]
    said = {
        (r["tracking_label"], r["finding_code"], r["finding_site_code"], r["time_point"],
         r["measured_series_uid"], r["segmentation_series_uid"], r["segment_number"])
        for r in rows
    }  # fmt: skip
    # primary neoplasm (SRT M-80003) of the pharyngeal tonsil (SRT T-C5300)
    assert said == {
        ("primary_tumor", "SCT:86049000", "SCT:55940004", "1", PET, SEG, 1),
    }
    segments = converted["segmentation"].rows["segments"]
    assert [(s["segmentation_series_uid"], s["segment_number"]) for s in segments] == [(SEG, 1)]


def test_value_map(converted: dict[str, ConvertedSeries]) -> None:
    (row,) = converted["value_map"].rows["real_world_values"]
    assert (row["real_world_slope"], row["real_world_intercept"]) == (0.000375125, 0.0)
    assert (row["first_value_mapped"], row["last_value_mapped"]) == (0.0, 32761.0)
    assert (row["unit_code"], row["quantity_code"]) == ("{SUVbw}g/ml", "DCM:126400")
    assert row["measurement_method_codes"] == ["DCM:126410"]
    assert (row["mapped_series_uid"], row["n_mapped_instances"]) == (PET, 191)
    used = {m["mapping_series_uid"] for m in converted["report"].rows["measurements"]}
    assert used == {row["mapping_series_uid"]}
