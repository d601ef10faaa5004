"""Declared sources: where a site's images are fetched from, as validated settings.

A declaration holds no secret, only the name of the environment variable or file that does, so it
may lie in ``tracerlake.toml``, travel to Dask workers and be printed.
"""

from __future__ import annotations

import ipaddress
from datetime import date
from pathlib import Path
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

#: What a source may be called: safe in URIs, on the command line and in tables.
SOURCE_NAME: Final = r"^[a-z][a-z0-9_-]{0,62}$"
_AE_TITLE: Final = r"^[!-\[\]-~](?:[ -\[\]-~]*[!-\[\]-~])?$"
#: An application entity title: 1 to 16 printable characters, no backslash, no blank at the ends.
AeTitle = Annotated[str, Field(min_length=1, max_length=16, pattern=_AE_TITLE)]


class _Declaration(BaseModel):
    """What every source has.

    Parameters
    ----------
    issuer : str
        Who issued the patient IDs of objects that name no Issuer of Patient ID (0010,0021). Give one
        to each source if centres may use the same numbers for different patients.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    issuer: str = Field(default="", max_length=64)


class FolderSettings(_Declaration):
    """A folder, archive, DICOMDIR or file under a name of its own.

    Parameters
    ----------
    path : Path
        Where it lies.
    """

    kind: Literal["folder"]
    path: Path


class SpoolSettings(_Declaration):
    """The spool folder of ``tracerlake receive``.

    Parameters
    ----------
    path : Path
        The folder that was given to the receiver.
    """

    kind: Literal["spool"]
    path: Path


class ObjectStoreSettings(_Declaration):
    """A prefix of an object store that fsspec knows.

    Parameters
    ----------
    url : str
        Such as ``s3://bucket/prefix``; the driver (``s3fs``, ``gcsfs``, ...) must be installed.
        Credentials come from the driver's own environment variables or files.
    endpoint_url : str or None
        Address of an S3-compatible server.
    """

    kind: Literal["object_store"]
    url: str
    endpoint_url: str | None = None

    @field_validator("url")
    @classmethod
    def _has_scheme_and_no_secret(cls, value: str) -> str:
        if "://" not in value:
            raise ValueError("expected a URL such as s3://bucket/prefix")
        return _without_secret(value)


class Selection(_Declaration):
    """What is taken from an archive: everything by default.

    Parameters
    ----------
    since, until : date or None
        Study dates (inclusive).
    last_days : int or None
        Only studies of the last so many days; not together with `since`.
    modalities : tuple of str
        Modality codes of series, such as ``PT`` and ``CT``; empty: all.
    descriptions : tuple of str
        Patterns (``*``, ``?``, case ignored) of which SeriesDescription must match one; empty: all.
    """

    since: date | None = None
    until: date | None = None
    last_days: int | None = Field(default=None, ge=0)
    modalities: tuple[Annotated[str, Field(pattern=r"^[A-Z0-9_]{1,16}$")], ...] = ()
    descriptions: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _one_window(self) -> Self:
        if self.since is not None and self.last_days is not None:
            raise ValueError("give since or last_days, not both")
        if self.since is not None and self.until is not None and self.until < self.since:
            raise ValueError("until lies before since")
        return self


class Attempts(_Declaration):
    """How a remote source is asked again after a failure that may pass.

    Parameters
    ----------
    attempts : int
        Attempts at one request.
    first_wait_s, max_wait_s : float
        Wait after the first failure (doubled each time, with jitter) and its ceiling.
    timeout_s : float
        How long to wait for an answer, and for each part of it.
    """

    attempts: int = Field(default=5, ge=1, le=20)
    first_wait_s: float = Field(default=0.5, ge=0)
    max_wait_s: float = Field(default=30.0, ge=0)
    timeout_s: float = Field(default=60.0, gt=0)


class DicomwebSettings(Selection):
    """An archive that speaks DICOMweb (QIDO-RS and WADO-RS).

    Parameters
    ----------
    url : str
        Base URL of the service, such as ``https://pacs.example.org/dicom-web``. Nothing outside it
        is ever asked.
    auth : str
        ``none``, ``bearer`` (the secret is a token), ``basic`` (``user:password``) or ``header``
        (the secret is the value of `auth_header`).
    auth_header : str
        Name of the header for ``header``.
    secret_env, secret_file : str, Path or None
        Environment variable or file (mode 0600) that holds the secret; one of them.
    ca_file : Path or None
        Certificates of the authority that signed the server's; None: those of the system.
    client_certificate, client_key : Path or None
        For servers that ask for a certificate.
    allow_plain_http : bool
        Send the secret over ``http://`` to another machine all the same.
    page_size : int
        Matches asked for at once.
    retry
        See `Attempts`.
    """

    kind: Literal["dicomweb"]
    url: str
    auth: Literal["none", "bearer", "basic", "header"] = "none"
    auth_header: str = Field(default="Authorization", pattern=r"^[A-Za-z0-9-]+$")
    secret_env: str | None = Field(default=None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    secret_file: Path | None = None
    ca_file: Path | None = None
    client_certificate: Path | None = None
    client_key: Path | None = None
    allow_plain_http: bool = False
    page_size: int = Field(default=1000, ge=1, le=100_000)
    retry: Attempts = Field(default_factory=Attempts)

    @field_validator("url")
    @classmethod
    def _is_base_url(cls, value: str) -> str:
        parts = urlsplit(_without_secret(value))
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("expected http:// or https://host[:port]/path")
        if parts.query or parts.fragment:
            raise ValueError("holds a query or fragment; give the base URL only")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _secret_is_where_it_should_be(self) -> Self:
        places = (self.secret_env is not None) + (self.secret_file is not None)
        if places != (0 if self.auth == "none" else 1):
            raise ValueError(
                "auth bearer, basic or header needs secret_env or secret_file, and none neither"
            )
        plain = self.url.startswith("http://") and not _is_loopback(self.url)
        if self.auth != "none" and plain and not self.allow_plain_http:
            raise ValueError("the secret would be sent over plain http; use https")
        if (self.client_key is not None) and self.client_certificate is None:
            raise ValueError("client_key without client_certificate")
        return self


class DimseSettings(Selection):
    """An archive that speaks DIMSE: asked by C-FIND, brought by C-MOVE to our own port.

    Parameters
    ----------
    host, port
        Of the archive.
    ae_title : str
        Of the archive.
    own_ae_title, own_host, own_port
        Ours. The archive must know them as a move destination. `own_host` is the interface that the
        objects arrive at, ``0.0.0.0`` for all of this machine.
    idle_timeout_s : float
        How long a retrieval may go without any sign of progress.
    retry
        See `Attempts`.
    """

    kind: Literal["dimse"]
    host: str = Field(pattern=r"^[A-Za-z0-9.:-]+$")
    port: int = Field(ge=1, le=65535)
    ae_title: AeTitle
    own_ae_title: AeTitle = "TRACERLAKE"
    own_host: str = "0.0.0.0"  # noqa: S104  the archive calls from another machine
    own_port: int = Field(default=11112, ge=1, le=65535)
    idle_timeout_s: float = Field(default=300.0, gt=0)
    retry: Attempts = Field(default_factory=Attempts)


#: Any declared source, told apart by its `kind`.
SourceSettings = Annotated[
    FolderSettings | SpoolSettings | ObjectStoreSettings | DicomwebSettings | DimseSettings,
    Field(discriminator="kind"),
]


def _without_secret(url: str) -> str:
    parts = urlsplit(url)
    if parts.username is not None or parts.password is not None:
        raise ValueError("holds a user or password; use secret_env or secret_file instead")
    return url


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
