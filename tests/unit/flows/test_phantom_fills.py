"""What a user says of fillings, in a file or as options, arrives as it was said."""

from __future__ import annotations

from datetime import time
from pathlib import Path

import pytest

from flows.cli.qc import FillOptions
from flows.phantom_candidates import read_fills
from schemas.errors import InvalidInputError
from tasks.phantom.fill import Fill, fill_of


def test_entries_of_a_file_by_series(tmp_path: Path) -> None:
    path = tmp_path / "fill.toml"
    path.write_text(
        '[[phantom]]\nseries = "1.2.3"\nkind = "cylinder"\nactivity_mbq = 42.1\n'
        "volume_ml = 6283\nassay_time = 09:12:00\n"
    )
    assert read_fills(path) == {
        "1.2.3": Fill("cylinder", activity_mbq=42.1, volume_ml=6283.0, assay_time=time(9, 12))
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[phantom]", "cannot be read"),
        ("[[phantom]]\nratio = 10", "each with its series"),
        ('[[phantom]]\nseries = "1.2.3"\ncolour = "red"', "unknown keys colour"),
    ],
)
def test_wrong_files_are_refused_by_name(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "fill.toml"
    path.write_text(text)
    with pytest.raises(InvalidInputError, match=said):
        read_fills(path)
    with pytest.raises(InvalidInputError, match=r"none\.toml: cannot be read"):
        read_fills(tmp_path / "none.toml")


def test_options_say_only_what_was_given() -> None:
    assert FillOptions().as_parameter() is None
    said = FillOptions(kind="iq", ratio=10.0, assay_time="10:00:00").as_parameter()
    assert said == {"kind": "iq", "ratio": 10.0, "assay_time": "10:00:00"}
    assert fill_of(said) == Fill("iq", ratio=10.0, assay_time=time(10))
