"""What a DICOMweb server may do to us: redirect, stall, lie, flood."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from schemas.errors import InvalidInputError, RejectedObjectError, SourceUnavailableError
from schemas.sources import Attempts, DicomwebSettings
from tasks.sources.dicomweb import DicomwebSource
from tasks.sources.web import WebClient

Answer = tuple[int, dict[str, str], bytes]
_UIDS = ("1.2", "1.2.3", "1.2.3.4")


class FakePacs:
    """A server that answers what a test says; keeps the requests."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.answer: Callable[[str], Answer] = lambda _: (204, {}, b"")
        pacs = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                pacs.requests.append((self.path, dict(self.headers)))
                status, headers, body = pacs.answer(self.path)
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/base"

    def settings(self, **changes: object) -> DicomwebSettings:
        retry = Attempts(attempts=3, first_wait_s=0, max_wait_s=0.01, timeout_s=5)
        values: dict[str, object] = {"kind": "dicomweb", "url": self.url, "retry": retry}
        return DicomwebSettings.model_validate(values | changes)


@pytest.fixture
def pacs() -> Iterator[FakePacs]:
    fake = FakePacs()
    thread = threading.Thread(target=fake.server.serve_forever, args=(0.01,))
    thread.start()
    yield fake
    fake.server.shutdown()
    fake.server.server_close()
    thread.join()


@pytest.fixture
def client(pacs: FakePacs) -> Iterator[WebClient]:
    made = WebClient(pacs.settings())
    yield made
    made.close()


def _part(content: bytes) -> Answer:
    head = {"Content-Type": 'multipart/related; type="application/dicom"; boundary="b 1"'}
    return 200, head, b"--b 1\r\nContent-Type: application/dicom\r\n\r\n" + content + b"\r\n--b 1--"


def _failure(client: WebClient, max_bytes: int = 1000) -> tuple[str, str]:
    with pytest.raises(RejectedObjectError) as caught:
        client.instance(*_UIDS, max_bytes=max_bytes)
    return caught.value.reason_code, caught.value.detail


def test_an_instance_is_asked_for_as_stored_and_unpacked(pacs: FakePacs, client: WebClient) -> None:
    content = b"\r\n--b 2 DICM \r\n\r\n\0"
    pacs.answer = lambda _: _part(content)
    assert client.instance(*_UIDS, max_bytes=1000) == content
    ((path, headers),) = pacs.requests
    assert path == "/base/studies/1.2/series/1.2.3/instances/1.2.3.4"
    assert headers["Accept"] == 'multipart/related; type="application/dicom"; transfer-syntax=*'


def test_what_passes_is_tried_again_and_no_more_often_than_said(
    pacs: FakePacs, client: WebClient
) -> None:
    answers = [(503, {"Retry-After": "999999"}, b""), (502, {}, b""), _part(b"x")]
    pacs.answer = lambda _: answers[len(pacs.requests) - 1]
    assert client.instance(*_UIDS, max_bytes=10) == b"x"
    pacs.answer = lambda _: (503, {}, b"")
    assert _failure(client)[0] == "source_unavailable"
    assert len(pacs.requests) == 3 + 3


def test_a_dead_server_is_given_up_for_the_job(pacs: FakePacs, client: WebClient) -> None:
    pacs.answer = lambda _: (500, {}, b"")
    for _ in range(5):
        assert _failure(client)[0] == "source_unavailable"
    assert len(pacs.requests) == 3 * 3


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((404, {}, b""), "unreadable"),
        ((410, {}, b""), "unreadable"),
        ((403, {}, b""), "source_unavailable"),
        ((302, {"Location": "http://169.254.169.254/latest"}, b""), "source_unavailable"),
        ((200, {"Content-Type": "multipart/related"}, b"x"), "source_unavailable"),
        ((200, _part(b"")[1], b"--b 1\r\n\r\ncut o"), "source_unavailable"),
        ((200, {"Content-Encoding": "gzip"}, b"\x1f\x8b"), "source_unavailable"),
        (_part(b"x\r\n--b 1\r\n\r\ny"), "source_unavailable"),
        (_part(b"x" * 200_000), "oversized"),
    ],
)
def test_each_failure_of_an_instance_has_a_reason(
    pacs: FakePacs, client: WebClient, answer: Answer, reason: str
) -> None:
    pacs.answer = lambda _: answer
    code, detail = _failure(client)
    assert code == reason
    assert "1.2.3" not in detail


def test_a_redirect_is_not_followed_and_an_address_in_an_answer_never_asked(
    pacs: FakePacs,
) -> None:
    elsewhere = pacs.url.replace("/base", "/elsewhere")
    pacs.answer = lambda _: (301, {"Location": elsewhere}, b"")
    with pytest.raises(SourceUnavailableError, match="redirects are not followed"):
        list(DicomwebSource(pacs.settings()).objects())
    match = {"0020000D": {"Value": ["../../elsewhere"]}, "00081190": {"Value": [elsewhere]}}
    pacs.answer = lambda path: (200, {}, json.dumps([match] if "offset=0" in path else []).encode())
    (ref,) = DicomwebSource(pacs.settings(), "pacs").objects()
    assert ref.uri == "dicomweb://pacs/studies/..%2F..%2Felsewhere"
    assert all(path.startswith("/base/studies?") for path, _ in pacs.requests)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((401, {}, b""), "answers 401; check auth"),
        ((404, {}, b""), "check that url is the base"),
        ((200, {}, b"<html>"), "does not answer searches with DICOM JSON"),
        ((200, {}, b'[{"00080018": {}}]'), "has no UID"),
        ((500, {}, b""), "the server answers 500"),
    ],
)
def test_a_listing_that_fails_says_why(pacs: FakePacs, answer: Answer, message: str) -> None:
    pacs.answer = lambda _: answer
    with pytest.raises(SourceUnavailableError, match=message):
        list(DicomwebSource(pacs.settings()).objects())


def _uid(tag: str, value: str, **more: int) -> dict[str, object]:
    return {tag: {"Value": [value]}} | {t: {"Value": [v]} for t, v in more.items()}


@pytest.mark.parametrize("cap", [1, 2, 100])
@pytest.mark.parametrize("ignores_offset", [False, True])
def test_pages_end_whatever_the_server_makes_of_limit_and_offset(
    pacs: FakePacs, cap: int, ignores_offset: bool
) -> None:
    below: dict[str, list[dict[str, object]]] = {
        "studies": [_uid("0020000D", "1")],
        "series": [_uid("0020000E", "1.1")],
        "instances": [_uid("00080018", f"1.1.{n}") for n in range(5)],
    }

    def answer(path: str) -> Answer:
        plain, _, query = path.partition("?")
        given = dict(item.split("=") for item in query.split("&"))
        start = 0 if ignores_offset else int(given["offset"])
        stop = None if ignores_offset else start + min(cap, int(given["limit"]))
        return 200, {}, json.dumps(below[plain.rpartition("/")[2]][start:stop]).encode()

    pacs.answer = answer
    refs = list(DicomwebSource(pacs.settings(page_size=2), "pacs").objects())
    assert [r.uri.rpartition("/")[2] for r in refs] == [f"1.1.{n}" for n in range(5)]


def test_secrets_come_from_the_environment_or_a_closed_file(
    pacs: FakePacs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "secret"
    file.write_text("abc\n")
    settings = pacs.settings(auth="bearer", secret_file=str(file))
    with pytest.raises(InvalidInputError, match="chmod 0600"):
        WebClient(settings)
    file.chmod(0o600)
    monkeypatch.setenv("PACS", "user:word")
    for chosen, name, value in (
        (settings, "Authorization", "Bearer abc"),
        (pacs.settings(auth="basic", secret_env="PACS"), "Authorization", "Basic dXNlcjp3b3Jk"),
        (
            pacs.settings(auth="header", auth_header="X-Key", secret_env="PACS"),
            "X-Key", "user:word",
        ),
    ):  # fmt: skip
        client = WebClient(chosen)
        client.search(("studies",), {})
        client.close()
        assert pacs.requests[-1][1][name] == value
        assert value not in repr(chosen)
    monkeypatch.delenv("PACS")
    with pytest.raises(InvalidInputError, match="environment variable PACS"):
        WebClient(pacs.settings(auth="basic", secret_env="PACS"))


def test_nothing_logs_the_address_of_a_request(
    pacs: FakePacs, client: WebClient, caplog: pytest.LogCaptureFixture
) -> None:
    pacs.answer = lambda _: (500, {}, b"")
    with caplog.at_level(logging.INFO):
        _failure(client)
    assert "attempt 1 failed" in caplog.text
    assert "1.2.3" not in caplog.text
