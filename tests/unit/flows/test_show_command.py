"""`tracerlake show` as it is typed: files, and errors that say what to do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows.cli.main import app
from schemas.errors import TracerlakeError
from tests.support import shown_lake as known


@pytest.fixture(scope="module")
def location(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("shown") / "lake"
    known.make_shown_lake(made)
    return made


def show(location: Path, *arguments: str | Path) -> str:
    done = CliRunner().invoke(app, ["show", str(location), *map(str, arguments)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


def test_all_pictures_go_into_a_folder(location: Path, tmp_path: Path) -> None:
    out = show(location, known.PATIENT, "-o", tmp_path / "new" / "pictures")
    names = ["mip", "planes", "fused", "histogram"]
    paths = [tmp_path / "new" / "pictures" / f"{known.PATIENT}-{name}.png" for name in names]
    assert re.sub(r"\s", "", out) == "".join(map(str, paths))
    assert all(path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n") for path in paths)


def test_one_picture_goes_into_a_file_and_holds_no_text_but_its_own(
    location: Path, tmp_path: Path
) -> None:
    file = tmp_path / "a.png"
    show(location, "111", "--view", "planes", "--at", "76,24,155", "--field", "60", "-o", file)
    png = file.read_bytes()
    assert b"tEXt" not in png
    plain = tmp_path / "b.png"
    show(location, "111", "--view", "planes", "--at", "76,24,155", "--field", "60",
         "--roi", "none", "-o", plain)  # fmt: skip
    assert plain.read_bytes() != png  # without outlines


def test_what_is_not_there_is_said_once_and_the_rest_drawn(location: Path, tmp_path: Path) -> None:
    out = show(location, known.OTHER, "-o", tmp_path)
    assert "no fused: the lake has no CT" in out
    assert (tmp_path / f"{known.OTHER}-mip.png").is_file()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nobody"], "no series and no patient 'nobody'"),
        (["2.25.1"], "fits 5 series"),
        (["121", "--view", "mip"], "mip cannot be drawn: .* this is CT"),
        (["121", "--view", "fused"], "fused cannot be drawn"),
        (["111", "--window", "7"], "--window: expected two numbers"),
        (["111", "--window", "7,0"], "7 is not below 0"),
        (["111", "--window", "0,inf"], "expected two numbers"),
        (["111", "--at", "1,2"], "--at: expected x,y,z"),
        (["111", "--at", "spleen"], "no ROI 'spleen'"),
        (["111", "--at", "0,0,999"], "outside the volume"),
        (["111", "--roi", "spleen"], "there are: lesion_1, lesion_2, liver"),
        (["111", "--frame", "3"], "no frames"),
        (["111", "--quantity", "cups"], "cups"),
        (["111", "--zone", "standard", "--profile", "x"], "no such standard volume"),
        (["241"], "it is a report"),
        (
            ["111", "--view", "mip", "--view", "planes", "-o", "one.png"],
            "2 pictures do not go into one file",
        ),
        (["111", "--view", "mip", "-o", "/dev/null/x.png"], "cannot write"),
    ],
)
def test_errors_say_what_to_do(location: Path, arguments: list[str], said: str) -> None:
    with pytest.raises(TracerlakeError, match=said):
        show(location, *arguments)
