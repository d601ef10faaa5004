"""What the user types, and what is said when it cannot be used."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from schemas.errors import InvalidInputError
from tasks.sources import open_source
from tasks.sources.uris import make_uri, parse_uri


def test_kind_is_the_default_name_since_paths_may_name_people(tmp_path: Path) -> None:
    folder = tmp_path / "Mustermann"
    folder.mkdir()
    (folder / "1.dcm").write_bytes(b"x")
    with zipfile.ZipFile(folder / "b.zip", "w") as archive:
        archive.writestr("1", b"x")
    assert open_source(folder).name == "folder"
    assert open_source(folder / "1.dcm").name == "file"
    assert open_source(folder / "b.zip").name == "archive"
    assert open_source(str(folder), name="centre A").name == "centre A"


def test_a_file_and_a_file_uri(tmp_path: Path) -> None:
    path = tmp_path / "1 x.dcm"
    path.write_bytes(b"x")
    (ref,) = open_source(make_uri("file", path)).objects()
    assert ref.uri == make_uri("file", path)
    assert ref.size_bytes == 1


def _pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe")
    return folder / "pipe"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: p / "nowhere", "does not exist"),
        (lambda p: p, "empty folder"),
        (lambda p: (p / "zero").touch() or p / "zero", "empty file"),
        (_pipe, "neither a folder nor a file"),
        (lambda p: "s3://bucket/key", "expected a file, zip, tar or link URI"),
        (lambda p: "zip:///a.zip!b", "expected a path or a file"),
    ],
)
def test_errors_say_what_to_do(tmp_path: Path, make: object, message: str) -> None:
    location = make(tmp_path)  # type: ignore[operator]
    with pytest.raises(InvalidInputError, match=message):
        open_source(location)


def test_uris_split_at_the_one_separator() -> None:
    uri = make_uri("zip", Path("/a!b/c.zip"), "d!e/ü.dcm")
    assert uri.count("!") == 1
    assert parse_uri(uri) == ("zip", Path("/a!b/c.zip"), "d!e/ü.dcm")
    assert parse_uri(make_uri("tar", Path("/x.tar"))).member is None
