"""A prefix of an object store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import fsspec  # type: ignore[import-untyped]
import pytest

from schemas.errors import InvalidInputError, RejectedObjectError
from schemas.sources import ObjectStoreSettings
from tasks.sources import Connections, ObjectReader, open_declared


@pytest.fixture
def connections() -> Iterator[Connections]:
    store = fsspec.filesystem("memory")
    for name in ("in/b/1 x.dcm", "in/a.dcm", "other/c.dcm"):
        store.pipe_file(f"/bucket/{name}", name.encode())
    settings = ObjectStoreSettings(kind="object_store", url="memory://bucket/in")
    yield Connections({"bucket": settings})
    store.rm("/bucket", recursive=True)


def test_only_what_lies_below_the_prefix_in_the_order_of_names(connections: Connections) -> None:
    refs = list(open_declared("bucket", connections).objects())
    assert [r.uri for r in refs] == [
        "object-store://bucket/a.dcm",
        "object-store://bucket/b/1%20x.dcm",
    ]
    with ObjectReader(connections) as reader:
        assert reader.read(refs[1].uri, 100) == b"in/b/1 x.dcm"
        assert reader.read_head(refs[1].uri, 2) == b"in"
    assert all(r.modified_ns > 0 for r in refs)


def test_nothing_beside_the_prefix_can_be_named(connections: Connections) -> None:
    with ObjectReader(connections) as reader:
        for uri in ("object-store://bucket/../other/c.dcm", "object-store://bucket/%2e%2e/x"):
            with pytest.raises(RejectedObjectError, match="unreadable"):
                reader.read(uri, 100)


def test_a_driver_that_is_not_installed_is_named(tmp_path: Path) -> None:
    settings = ObjectStoreSettings(kind="object_store", url="adl://bucket/x")
    with pytest.raises(InvalidInputError, match="install"):
        list(open_declared("a", Connections({"a": settings})).objects())


def test_a_source_that_is_not_declared_any_more_is_unavailable() -> None:
    with ObjectReader() as reader:
        for uri in ("object-store://gone/x", "dicomweb://gone/studies/1/series/2/instances/3"):
            with pytest.raises(RejectedObjectError, match="not declared"):
                reader.read(uri, 100)
