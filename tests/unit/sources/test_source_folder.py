"""Folders: links, permissions, odd entries."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from schemas.errors import RejectedObjectError
from tasks.sources import is_link, open_source, read_object


def _uris(folder: Path) -> list[str]:
    return [r.uri for r in open_source(folder).objects()]


def _reason(uri: str) -> str:
    with pytest.raises(RejectedObjectError) as caught:
        read_object(uri, max_bytes=1000)
    return caught.value.reason_code


def test_depth_first_in_the_order_of_names(tmp_path: Path) -> None:
    for name in ("b/2", "b/1", "a/x/1", "c"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    names = [u.removeprefix(f"file://{tmp_path}/") for u in _uris(tmp_path)]
    assert names == ["c", "a/x/1", "b/1", "b/2"]


def test_links_inside_neither_loop_nor_double(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real/1").write_bytes(b"x")
    (tmp_path / "real/up").symlink_to(tmp_path)
    (tmp_path / "again").symlink_to(tmp_path / "real")
    (tmp_path / "file").symlink_to("real/1")
    assert _uris(tmp_path) == [f"file://{tmp_path}/real/1"]


def test_links_that_leave_are_listed_and_never_read(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"x")
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "folder").symlink_to(outside)
    (inside / "file").symlink_to(outside / "secret")
    refs = list(open_source(inside).objects())
    assert [r.uri for r in refs] == [f"link://{inside}/file", f"link://{inside}/folder"]
    assert all(is_link(r) for r in refs)
    assert {_reason(r.uri) for r in refs} == {"link_outside_source"}


def test_dangling_and_self_links_are_unreadable(tmp_path: Path) -> None:
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "itself").symlink_to(tmp_path / "itself")
    uris = _uris(tmp_path)
    assert len(uris) == 2
    assert {_reason(u) for u in uris} == {"unreadable"}


def test_a_pipe_is_listed_and_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (uri,) = _uris(tmp_path)
    assert _reason(uri) == "not_dicom"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_without_permission_is_not_lost(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o000)
    try:
        (uri,) = _uris(tmp_path)
        assert _reason(uri) == "unreadable"
    finally:
        (tmp_path / "closed").chmod(0o700)


def test_a_folder_uri_is_unreadable_not_a_crash(tmp_path: Path) -> None:
    assert _reason(f"file://{tmp_path}") == "unreadable"


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/M\xfcller.dcm"
    Path(os.fsdecode(name)).write_bytes(b"latin")
    (uri,) = _uris(tmp_path)
    assert uri.endswith("/M%FCller.dcm")
    assert read_object(uri, max_bytes=10) == b"latin"
