"""Real blood recordings and frame times of the BIDS examples."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from schemas.errors import InvalidInputError, KineticsRefusedError
from tasks.kinetics.bids_blood import read_bids_blood
from tasks.kinetics.compartments import frames_of
from tasks.kinetics.frames import frame_times
from tasks.kinetics.input_function import input_of_samples

pytestmark = pytest.mark.reference


@pytest.fixture
def examples(reference_data: Callable[[str], Path]) -> Path:
    return reference_data("bids-pet-examples")


def read(folder: Path, pattern: str) -> tuple[str, str]:
    (tsv,) = folder.glob(f"sub-01/ses-01/pet/*{pattern}_blood.tsv")
    return tsv.read_text(), tsv.with_suffix(".json").read_text()


def test_plasma_with_a_parent_fraction(examples: Path) -> None:
    """By hand: 33226.4655 Bq/ml at 70.002 s, 0.50774 of it unchanged at 120 s."""
    found = read_bids_blood(*read(examples / "pet003", "manual"))
    assert found.time_s[7] == pytest.approx(70.002)
    fraction = 1 - (1 - 0.50774032) * 70.002 / 120
    assert found.plasma[7] == pytest.approx(33226.4655 * fraction)
    # 110 min of samples are an input for 100 min of frames
    plasma = input_of_samples(frames_of(((12, 10.0), (8, 60.0), (9, 600.0))), found)
    assert int(np.argmax(plasma.mean)) in (6, 7)


def test_units_are_those_of_the_sidecar(examples: Path) -> None:
    """kBq/ml of the file, times the parent fraction: 43.31 x 0.5749 at 145 s."""
    found = read_bids_blood(*read(examples / "pet001", "manual"))
    assert found.time_s[1] == 145
    assert found.plasma[1] == pytest.approx(43.31e3 * 0.5749)
    whole = read_bids_blood(*read(examples / "pet001", "autosampler"))
    assert whole.plasma[1] == pytest.approx(0.26116603e3)
    assert len(whole.time_s) > 800


@pytest.mark.parametrize("name", ["pet001", "pet003"])
def test_durations_of_the_examples_are_ends_and_are_refused(examples: Path, name: str) -> None:
    """Both examples give the end of a frame as its duration: the frames overlap."""
    (path,) = (examples / name).glob("sub-01/ses-01/pet/*_pet.json")
    about = json.loads(path.read_text())
    start, end = (np.array(about[k], float) for k in ("FrameTimesStart", "FrameDuration"))
    with pytest.raises(KineticsRefusedError, match="frames_overlap"):
        frame_times(start, end)
    assert frame_times(start, end - start).gap_s.max() == 0


@pytest.mark.parametrize(
    ("tsv", "sidecar", "said"),
    [
        ("time\tx\n0\t1\n", "{}", "expected columns time"),
        ("", "{}", "expected columns time"),
        ("time\tplasma_radioactivity\n0\t1\n", "{}", "unit of time"),
        ("time\tplasma_radioactivity\n0\t1\n", "[]", "no object"),
        ("time\tplasma_radioactivity\n0\t1\n", "{", "not valid"),
        (
            "time\tplasma_radioactivity\n0\t1\n",
            '{"time": {"Units": "s"}, "plasma_radioactivity": {"Units": "uCi/cc"}}',
            "uCi/cc",
        ),
        (
            "time\tplasma_radioactivity\n0\tone\n",
            '{"time": {"Units": "s"}, "plasma_radioactivity": {"Units": "Bq/mL"}}',
            "row 2: plasma_radioactivity",
        ),
    ],
)
def test_wrong_recordings_are_refused(tsv: str, sidecar: str, said: str) -> None:
    with pytest.raises(InvalidInputError, match=said):
        read_bids_blood(tsv, sidecar)
