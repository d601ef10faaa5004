"""Requests to one DICOMweb server: only below its base URL, bounded, with retry."""

from __future__ import annotations

import base64
import json
import os
import ssl
import stat
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlencode

from schemas.errors import InvalidInputError, RejectedObjectError, SourceUnavailableError
from schemas.sources import DicomwebSettings
from tasks.sources.multipart import only_part
from tasks.sources.retry import PassingError, persist

if TYPE_CHECKING:
    import httpx

#: Answers to searches are refused beyond this.
_MAX_JSON_BYTES: Final = 256 * 2**20
#: Room for the head of the part and the boundaries.
_MULTIPART_BYTES: Final = 64 * 1024
#: After so many requests in a row that failed for good, the server is not asked any more.
_GIVE_UP: Final = 3
_PASSING: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_INSTANCE: Final = 'multipart/related; type="application/dicom"; transfer-syntax=*'


class WebClient:
    """A connection to the server of a declared source. Not to be shared between threads.

    Requests go to the transport directly: no redirects are followed, no proxy, cookie or ``.netrc``
    of the environment is used, nothing logs the address of a request (it holds UIDs), and a URL
    found in an answer is never asked. So nothing outside the base URL is reached.

    Parameters
    ----------
    settings : DicomwebSettings
        The declared source.

    Raises
    ------
    InvalidInputError
        If the secret or a certificate is not where the settings say.
    """

    def __init__(self, settings: DicomwebSettings) -> None:
        import httpx

        self._settings = settings
        self._headers = {"Accept-Encoding": "identity", **_authorisation(settings)}
        self._transport = httpx.HTTPTransport(verify=_tls(settings), trust_env=False)
        self._failed_in_a_row = 0

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()

    def search(self, path: tuple[str, ...], query: Mapping[str, str]) -> list[Mapping[str, object]]:
        """Ask QIDO-RS.

        Parameters
        ----------
        path : tuple of str
            Below the base URL, such as ``("studies", uid, "series")``.
        query : mapping
            Keys and paging.

        Returns
        -------
        list of mapping
            DICOM JSON data sets; empty if nothing matches.

        Raises
        ------
        SourceUnavailableError
            If the server does not answer, refuses, or answers something else.
        """
        url = self._url(path) + (f"?{urlencode(query)}" if query else "")
        try:
            status, _, body = self._ask(url, "application/dicom+json", _MAX_JSON_BYTES)
        except RejectedObjectError:
            raise SourceUnavailableError(
                f"{self._settings.url} answers a search with too much at once; lower page_size"
            ) from None
        if status == 204 or (status == 404 and len(path) > 1):  # gone since it was listed
            return []
        if status != 200:
            raise self._refused(status)
        try:
            found = json.loads(body)
        except ValueError:
            found = None
        if not isinstance(found, list) or not all(isinstance(f, dict) for f in found):
            raise SourceUnavailableError(
                f"{self._settings.url} does not answer searches with DICOM JSON; "
                "check that url is the base of its DICOMweb service"
            )
        return found

    def instance(self, study: str, series: str, instance: str, max_bytes: int) -> bytes:
        """Fetch one instance by WADO-RS, as stored (any transfer syntax).

        Raises
        ------
        RejectedObjectError
            ``source_unavailable`` (asked for again in the next run), ``unreadable`` (the server no
            longer has it), ``oversized``.
        """
        url = self._url(("studies", study, "series", series, "instances", instance))
        try:
            status, content_type, body = self._ask(url, _INSTANCE, max_bytes + _MULTIPART_BYTES)
        except SourceUnavailableError:
            raise RejectedObjectError("source_unavailable", "the server does not answer") from None
        if status in {404, 410}:
            raise RejectedObjectError("unreadable", "the server lists it and does not have it")
        if status != 200:
            raise RejectedObjectError("source_unavailable", f"the server answers {status}")
        try:
            return only_part(content_type, body)
        except ValueError as error:
            raise RejectedObjectError("source_unavailable", f"the server sends {error}") from None

    def _url(self, path: tuple[str, ...]) -> str:
        return "/".join((self._settings.url, *(quote(part, safe="") for part in path)))

    def _ask(self, url: str, accept: str, limit: int) -> tuple[int, str, bytes]:
        if self._failed_in_a_row >= _GIVE_UP:
            raise SourceUnavailableError(f"{self._settings.url} was given up for this job")
        try:
            answer = persist(lambda: self._once(url, accept, limit), self._settings.retry)
        except PassingError as error:
            self._failed_in_a_row += 1
            raise SourceUnavailableError(f"{self._settings.url}: {error}") from None
        self._failed_in_a_row = 0
        return answer

    def _once(self, url: str, accept: str, limit: int) -> tuple[int, str, bytes]:
        import httpx

        seconds = self._settings.retry.timeout_s
        request = httpx.Request(
            "GET",
            url,
            headers={**self._headers, "Accept": accept},
            extensions={"timeout": httpx.Timeout(seconds).as_dict()},
        )
        try:
            response = self._transport.handle_request(request)
            try:
                body = _read(response, limit)
            finally:
                response.close()
        except httpx.TransportError as error:
            raise PassingError(f"no answer ({type(error).__name__})") from None
        if response.status_code in _PASSING:
            wait = _retry_after(response)
            raise PassingError(f"the server answers {response.status_code}", wait)
        return response.status_code, response.headers.get("content-type", ""), body

    def _refused(self, status: int) -> SourceUnavailableError:
        hints = {
            401: "check auth and the secret",
            403: "this account may not search",
            404: "check that url is the base of its DICOMweb service",
        }
        hint = hints.get(status, "redirects are not followed; give the final URL")
        return SourceUnavailableError(f"{self._settings.url} answers {status}; {hint}")


def _read(response: httpx.Response, limit: int) -> bytes:
    encoding = response.headers.get("content-encoding", "identity").lower()
    if encoding != "identity":
        raise PassingError("a compressed answer, which was not asked for")
    body = bytearray()
    for chunk in response.iter_raw():
        body += chunk
        if len(body) > limit:
            raise RejectedObjectError("oversized", f"expected at most {limit} bytes")
    return bytes(body)


def _retry_after(response: httpx.Response) -> float | None:
    text = response.headers.get("retry-after", "")
    return float(text) if text.isdecimal() and len(text) < 7 else None


def _authorisation(settings: DicomwebSettings) -> dict[str, str]:
    if settings.auth == "none":
        return {}
    secret = _secret(settings)
    if settings.auth == "bearer":
        return {"Authorization": f"Bearer {secret}"}
    if settings.auth == "basic":
        return {"Authorization": f"Basic {base64.b64encode(secret.encode()).decode()}"}
    return {settings.auth_header: secret}


def _secret(settings: DicomwebSettings) -> str:
    if settings.secret_env is not None:
        secret = os.environ.get(settings.secret_env, "").strip()
        place = f"the environment variable {settings.secret_env}"
    else:
        secret, place = _secret_of_file(settings), f"{settings.secret_file}"
    if not secret or not secret.isprintable():
        raise InvalidInputError(f"the secret of {settings.url} is not in {place}; put it there")
    return secret


def _secret_of_file(settings: DicomwebSettings) -> str:
    path = settings.secret_file
    assert path is not None  # validated with the settings
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise InvalidInputError(f"{path} may be read by others; run: chmod 0600 {path}")
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _tls(settings: DicomwebSettings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
        if settings.client_certificate is not None:
            context.load_cert_chain(settings.client_certificate, settings.client_key)
    except (OSError, ssl.SSLError) as error:
        name = type(error).__name__
        raise InvalidInputError(f"a certificate of {settings.url} cannot be read: {name}") from None
    return context
