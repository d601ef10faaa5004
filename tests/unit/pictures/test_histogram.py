"""Histograms and references by hand."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from tasks.pictures.histogram import Reference, histogram, histogram_edges, histogram_png
from tasks.segment.references import reference_tissue

EDGES = np.array([0.0, 1.0, 2.0, 4.0])


def test_volume_by_value_over_pieces() -> None:
    pieces = [np.array([[0.0, 0.09, 0.1], [0.99, 1.0, np.nan]]), np.array([3.9, 4.0, 99.0, -1.0])]
    found = histogram(pieces, EDGES, voxel_volume_ml=0.25, body_from=0.1)
    assert found.volume_ml.tolist() == [0.5, 0.25, 0.25]
    assert found.beyond_ml == 0.5
    assert found.total_ml == 1.5


def test_bins_reach_to_the_hottest_region() -> None:
    assert histogram_edges((0.0, 7.0), 3.0)[-1] == 7.0
    assert histogram_edges((0.0, 7.0), 20.0)[-1] == pytest.approx(21.0)


@pytest.mark.parametrize(
    ("label", "code", "tissue"),
    [
        ("liver", None, "liver"),
        ("Liver right lobe ref", None, "liver"),
        ("leber_referenz", None, "liver"),
        ("mediastinal blood pool", None, "blood pool"),
        ("aorta_descending", None, "blood pool"),
        ("segment", None, None),
        ("", "SCT:10200004", "liver"),
        ("roi", "SRT:T-62000", "liver"),
        (None, "SCT:15825003", "blood pool"),
        # lesions in a reference organ are no reference
        ("lesion_2_liver", None, None),
        ("liver metastasis", "SCT:10200004", None),
        ("lesion_2_liver_lateral", None, None),
        ("mediastinum", None, None),
        ("liver aorta", None, None),
        (None, None, None),
    ],
)
def test_reference_tissues_by_label_and_code(
    label: str | None, code: str | None, tissue: str | None
) -> None:
    assert reference_tissue(label, code) == tissue


def test_the_picture_shows_what_it_is_given() -> None:
    body = histogram([np.linspace(0.0, 6.0, 1000)], EDGES, 1.0, 0.1)
    hot = histogram([np.full(20, 3.0)], EDGES, 1.0, -np.inf)
    liver = Reference("liver", 2.0, 0.2, 30.0)
    plain = histogram_png(body, None, [], "SUVbw")
    width, height = struct.unpack(">II", plain[16:24])
    assert (width, height) == (760, 420)
    assert plain == histogram_png(body, None, [], "SUVbw")
    pictures = {plain, histogram_png(body, ("lesion", hot), [], "SUVbw"),
                histogram_png(body, None, [liver], "SUVbw")}  # fmt: skip
    assert len(pictures) == 3
    nothing = histogram([np.zeros(3)], EDGES, 1.0, 0.1)
    assert histogram_png(nothing, None, [], "CNTS").startswith(b"\x89PNG")
