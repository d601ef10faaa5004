"""Declared sources: what is refused, with words that help and without the value."""

from __future__ import annotations

import pickle
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

from lake.settings import dump_settings, make_settings
from schemas.errors import InvalidInputError
from schemas.sources import DicomwebSettings

_WEB = {"kind": "dicomweb", "url": "https://pacs.example.org/dicom-web"}
_DIMSE = {"kind": "dimse", "host": "pacs", "port": 104, "ae_title": "PACS"}


def _declared(source: Mapping[str, object], name: str = "pacs") -> dict[str, object]:
    return {"lake_id": "0123456789abcdef", "sources": {name: source}}


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({**_WEB, "url": "https://user:pass@pacs"}, "user or password"),
        ({**_WEB, "url": "ftp://pacs"}, "expected http"),
        ({**_WEB, "url": "https://pacs?token=1"}, "query or fragment"),
        ({**_WEB, "token": "abc"}, "Extra inputs"),
        ({**_WEB, "auth": "bearer"}, "needs secret_env or secret_file"),
        ({**_WEB, "secret_env": "PACS"}, "needs secret_env or secret_file, and none neither"),
        ({**_WEB, "url": "http://pacs", "auth": "basic", "secret_env": "P"}, "plain http"),
        ({**_WEB, "since": "2024-01-01", "last_days": 3}, "not both"),
        ({**_WEB, "since": "2024-01-02", "until": "2024-01-01"}, "before since"),
        ({**_WEB, "modalities": ["pt"]}, "pattern"),
        ({**_WEB, "client_key": "k"}, "without client_certificate"),
        ({**_DIMSE, "ae_title": "A" * 17}, "at most 16"),
        ({**_DIMSE, "ae_title": "A\\B"}, "pattern"),
        ({**_DIMSE, "port": 0}, "greater than"),
        ({"kind": "ftp"}, "does not match any of the expected tags"),
        ({"kind": "object_store", "url": "bucket"}, "s3://"),
        ({"path": "x"}, "kind"),
    ],
)
def test_what_cannot_work_is_refused(source: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message) as caught:
        make_settings(_declared(source))
    assert "pass" not in str(caught.value).replace("password", "")


@pytest.mark.parametrize("name", ["PACS", "a/b", "", "a b", "1a", "../x"])
def test_names_are_safe_in_uris_and_paths(name: str) -> None:
    with pytest.raises(InvalidInputError, match="sources"):
        make_settings(_declared(_WEB, name))


def test_declarations_survive_their_file_and_the_way_to_a_worker() -> None:
    settings = make_settings(
        _declared({**_WEB, "modalities": ["PT"], "retry": {"attempts": 2}, "since": "2024-01-01"})
        | {"retrieval_dir": "/secure/retrieved", "centres": {"A": "a"}}
    )
    assert make_settings(tomllib.loads(dump_settings(settings))) == settings
    assert pickle.loads(pickle.dumps(settings.sources)) == settings.sources
    assert settings.retrieval_folder == Path("/secure/retrieved")


def test_a_secret_may_go_over_plain_http_to_this_machine() -> None:
    for host in ("localhost", "127.0.0.1", "[::1]"):
        DicomwebSettings(kind="dicomweb", url=f"http://{host}:8042/", auth="basic", secret_env="P")


def test_retrieved_objects_lie_in_the_cache_folder_of_the_account(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    settings = make_settings({"lake_id": "0123456789abcdef"})
    assert settings.retrieval_folder == Path("/cache/tracerlake/retrieval/0123456789abcdef")
