"""What no program that keeps its promises can be faster than: the same bytes, once, in C."""

from __future__ import annotations

import os
from pathlib import Path

from blake3 import blake3
from numcodecs import blosc


def read_files(source: Path) -> None:
    """Read every file."""
    for path in sorted(source.rglob("*.dcm")):
        path.read_bytes()


def read_hash_and_compress(source: Path, out: Path, plane_bytes: int) -> None:
    """Read every file into the same memory, digest it, compress its end, write the result.

    The digest and the compressor are the quickest that are in use here (BLAKE3; LZ4 after a shuffle
    by byte), everything lies in the processor's cache, and nobody looks at a header.
    """
    memory = bytearray(0)
    with (out / "compressed").open("wb", buffering=0) as stream:
        for path in sorted(source.rglob("*.dcm")):
            handle = os.open(path, os.O_RDONLY)
            size = os.fstat(handle).st_size
            if size > len(memory):
                memory = bytearray(size)
            view = memoryview(memory)[:size]
            os.readv(handle, [view])
            os.close(handle)
            blake3(view).digest()
            pixels = view[size - plane_bytes :]
            stream.write(blosc.compress(pixels, b"lz4", 1, blosc.SHUFFLE, typesize=2))
