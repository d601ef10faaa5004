"""The spool: what is acknowledged is on disk, whatever happens."""

from __future__ import annotations

import errno
import io
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pynetdicom import AE

from flows.receiving import receive
from schemas.errors import ConflictError, InvalidInputError
from tasks.sources import open_source, read_object
from tasks.sources.spool import Spool, SpoolSource
from tests.instances import ct_instance

_CT = "1.2.840.10008.5.1.4.1.1.2"


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """Port of a receiver in a thread."""
    ready, stop, said = threading.Event(), threading.Event(), list[str]()

    def say(text: str) -> None:
        said.append(text)
        ready.set()

    def run() -> None:
        receive(
            tmp_path / "spool", ae_title="LAKE", host="127.0.0.1", port=0, callers=["SCANNER"],
            say=say, stop=stop,
        )  # fmt: skip

    thread = threading.Thread(target=run)
    thread.start()
    assert ready.wait(20)
    yield int(said[0].split(":")[1].split()[0])
    stop.set()
    thread.join()


def _send(port: int, *objects: bytes, us: str = "SCANNER", them: str = "LAKE") -> list[int | None]:
    entity = AE(us)
    entity.add_requested_context(_CT)
    association: Any = entity.associate("127.0.0.1", port, ae_title=them)
    if not association.is_established:
        return []
    sent = [dcmread(io.BytesIO(data)) for data in objects]
    for data_set, data in zip(sent, objects, strict=True):
        data_set.SOPInstanceUID = dcmread(io.BytesIO(data)).SOPInstanceUID
    codes = [association.send_c_store(d).get("Status") for d in sent]
    association.release()
    return codes


def _kept(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "spool").glob("??/*"))


def test_what_is_pushed_is_kept_and_the_same_again_is_one_file(tmp_path: Path, port: int) -> None:
    objects = [ct_instance(1, 1, n) for n in range(3)]
    assert _send(port, *objects, objects[0]) == [0, 0, 0, 0]
    assert len(_kept(tmp_path)) == 3
    source = open_source(tmp_path / "spool")
    assert source.name == "spool"
    uids = [
        dcmread(io.BytesIO(read_object(r.uri, max_bytes=5000))).SOPInstanceUID
        for r in source.objects()
    ]
    assert sorted(uids) == [f"2.25.91.1.{n}" for n in range(3)]


def test_another_content_under_the_same_uid_is_a_second_file(tmp_path: Path, port: int) -> None:
    changed = ct_instance(1, 1, 1, description="changed")
    assert _send(port, ct_instance(1, 1, 1), changed) == [0, 0]
    assert len(_kept(tmp_path)) == 2


def test_only_those_who_may_send_under_our_name(tmp_path: Path, port: int) -> None:
    assert _send(port, ct_instance(1, 1, 1), us="STRANGER") == []
    assert _send(port, ct_instance(1, 1, 1), them="OTHER") == []
    assert _kept(tmp_path) == []


@pytest.mark.parametrize(
    ("number", "status"), [(errno.ENOSPC, 0xA700), (errno.EIO, 0x0110), (errno.EACCES, 0x0110)]
)
def test_what_could_not_be_kept_is_not_acknowledged(
    tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch, number: int, status: int
) -> None:
    def fail(_handle: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    (tmp_path / "spool" / "ab").mkdir(exist_ok=True)
    assert _send(port, ct_instance(1, 1, 1)) == [status]
    monkeypatch.undo()
    assert _kept(tmp_path) == []
    assert _send(port, ct_instance(1, 1, 1)) == [0]


def test_it_is_on_disk_before_it_is_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    real_fsync, real_replace = os.fsync, Path.replace

    def fsync(handle: int) -> None:
        done.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")
        real_fsync(handle)

    def replace(self: Path, target: Path) -> Path:
        done.append("renamed")
        return real_replace(self, target)

    spool = Spool(tmp_path / "spool")
    with spool.filling():
        monkeypatch.setattr(os, "fsync", fsync)
        monkeypatch.setattr(Path, "replace", replace)
        path = spool.keep(b"data")
    assert done == ["folder", "file", "renamed", "folder"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_one_receiver_a_spool_and_what_a_dead_one_left_unfinished_goes(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    with spool.filling():
        kept = spool.keep(b"data")
        (kept.parent / ".0123456789abcdef.part").write_bytes(b"ha")
        with pytest.raises(ConflictError, match="another receiver"), spool.filling():
            pass
    assert len(list(SpoolSource(tmp_path / "spool").objects())) == 1
    with spool.filling():
        assert [p.name for p in kept.parent.iterdir()] == [kept.name]


def test_a_port_that_is_taken_is_named(tmp_path: Path, port: int) -> None:
    with pytest.raises(InvalidInputError, match=str(port)):
        receive(tmp_path / "b", ae_title="L", host="127.0.0.1", port=port, say=lambda _: None)
