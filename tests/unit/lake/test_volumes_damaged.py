"""A volume whose bytes were damaged on disk is refused; decoding it could end the process."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import lake
from lake.verify import verify
from lake.volumes import open_lazy, read_raw, volume_digest, write_raw
from lake.volumes.read import is_intact
from lake.volumes.shard import EMPTY
from schemas.errors import StorageError
from schemas.geometry import Geometry
from schemas.volume import RawVolume

Damage = Callable[[Path], None]
#: Bytes of the index of `random_volume`: 2 x 2 x 2 chunks of 64 x 64 x 64, and a checksum.
N_CHUNKS = 8


def random_volume() -> RawVolume:
    stored = np.random.default_rng(3).integers(0, 1000, (128, 128, 128)).astype(np.int16)
    grid = Geometry((128, 128, 128), np.eye(4))
    return RawVolume(stored, np.ones(128), np.zeros(128), grid, "Bq/ml")


def shard_of(folder: Path) -> Path:
    return max((p for p in folder.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)


def overwrite(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as stream:
        stream.seek(offset)
        stream.write(data)


def first_chunk(path: Path) -> int:
    """Offset of the chunk that comes first in the index, which starts the file."""
    return int(np.frombuffer(path.read_bytes()[:8], "<u8")[0])


DAMAGES: dict[str, Damage] = {
    "end cut off": lambda p: os.truncate(p, p.stat().st_size - 1),
    "most cut off": lambda p: os.truncate(p, p.stat().st_size // 3),
    "index cut off": lambda p: os.truncate(p, 16 * N_CHUNKS - 4),
    "empty": lambda p: os.truncate(p, 0),
    "gone": lambda p: p.unlink(),
    "chunk says it is longer": lambda p: overwrite(p, first_chunk(p) + 12, b"\xff\xff\xff\x7f"),
    "chunk decodes to more": lambda p: overwrite(p, first_chunk(p) + 4, b"\xff\xff\xff\x7f"),
    "offset beyond the file": lambda p: overwrite(p, 0, (2**62).to_bytes(8, "little")),
    "offset is absurd": lambda p: overwrite(p, 0, (2**63 + 5).to_bytes(8, "little")),
    "length is zero": lambda p: overwrite(p, 8, bytes(8)),
    "zeros": lambda p: overwrite(p, 0, bytes(p.stat().st_size)),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_damaged_bytes_are_a_storage_error(tmp_path: Path, damage: Damage) -> None:
    row = write_raw(str(tmp_path), "1.2", random_volume())
    path = str(row["volume_path"])
    damage(shard_of(tmp_path / path))
    with pytest.raises(StorageError, match=r"'stored' of volume .* verify"):
        read_raw(str(tmp_path), path)
    with pytest.raises(StorageError, match="'stored' of volume"):
        open_lazy(str(tmp_path), path).to_numpy()
    with pytest.raises(StorageError):
        volume_digest(str(tmp_path), path)
    assert not is_intact(str(tmp_path), path, str(row["content_blake3"]))


def test_an_empty_chunk_is_no_damage(tmp_path: Path) -> None:
    """A chunk of zeros is not stored; the index says so."""
    volume = random_volume()
    volume.stored[64:] = 0
    path = str(write_raw(str(tmp_path), "1.2", volume)["volume_path"])
    index = np.frombuffer(shard_of(tmp_path / path).read_bytes()[: 16 * N_CHUNKS], "<u8")
    assert (index == EMPTY).any()
    np.testing.assert_array_equal(read_raw(str(tmp_path), path).stored, volume.stored)


def test_verify_names_the_volume(tmp_path: Path) -> None:
    with lake.create(tmp_path / "lake") as lk:
        row = write_raw(lk.volumes_root, "1.2", random_volume())
        lk.commit(lambda tx: tx.insert("volumes", [row]), message="one volume")
        assert verify(lk) == []
        shard = shard_of(Path(lk.volumes_root) / str(row["volume_path"]))
        overwrite(shard, first_chunk(shard) + 12, b"\xff\xff\xff\x7f")
        (problem,) = verify(lk)
        assert problem.kind == "damaged_volume"
