"""The settings of a lake: one frozen model, read once from ``tracerlake.toml``."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from schemas.errors import InvalidInputError, LakeVersionError
from schemas.sources import SOURCE_NAME, SourceSettings
from schemas.tables import LAKE_FORMAT

SETTINGS_FILE: Final = "tracerlake.toml"

_BARE_KEY = re.compile(r"^[A-Za-z0-9_-]+$")
_URL_WITH_PASSWORD = re.compile(r"^[a-z]+://[^/@:]*:[^/@]+@")


class Limits(BaseModel):
    """Sizes beyond which an input object is refused rather than read.

    Parameters
    ----------
    max_object_bytes : int
        Largest DICOM object, in bytes.
    max_voxels : int
        Largest volume, in voxels.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_object_bytes: int = Field(default=4 * 2**30, gt=0)
    max_voxels: int = Field(default=1_000_000_000, gt=0)


class Retry(BaseModel):
    """How long a writer tries before it gives up.

    Parameters
    ----------
    attempts : int
        Attempts at one transaction.
    first_wait_s, max_wait_s : float
        Wait after the first failure (doubled each time, with jitter) and its ceiling.
    lock_timeout_s : float
        How long to wait for another writer to finish.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    attempts: int = Field(default=8, ge=1)
    first_wait_s: float = Field(default=0.05, gt=0)
    max_wait_s: float = Field(default=5.0, gt=0)
    lock_timeout_s: float = Field(default=120.0, ge=0)


class Maintenance(BaseModel):
    """What the nightly maintenance does.

    Parameters
    ----------
    nightly : bool
        Whether the nightly flow maintains the lake at its end.
    expire_after_days : float or None
        Age at which snapshots expire, except pinned ones and the present one; None: never.
    keep_run_reports : int
        Reports of so many of the last runs are kept, and those of runs that took in a series of a
        pinned snapshot.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    nightly: bool = True
    expire_after_days: float | None = Field(default=90.0, ge=0)
    keep_run_reports: int = Field(default=100, ge=1)


class PseudonymList(BaseModel):
    """A site's own list of pseudonyms.

    Parameters
    ----------
    file : Path
        CSV, or an export of gPAS; outside the lake, mode 0600.
    require_listed : bool
        Refuse patients that are not in it (``pseudonym_missing``) rather than give them a keyed
        pseudonym.
    issuer : str
        Issuer of the patient IDs in it that name none; empty: they stand for any issuer.
    domain : str
        Domain of gPAS, where the export has several.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: Path
    require_listed: bool = False
    issuer: str = ""
    domain: str = ""

    @field_validator("file")
    @classmethod
    def _is_absolute(cls, value: Path) -> Path:
        if not value.expanduser().is_absolute():
            raise ValueError("expected an absolute path")
        return value


class ProtocolFiles(BaseModel):
    """Which protocols the studies of a lake are held to.

    Parameters
    ----------
    file : Path or None
        For every centre without one of its own; None: the one that comes with tracerlake.
    centres : dict
        Centre code to file.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: Path | None = None
    centres: dict[str, Path] = Field(default_factory=dict)


class _KeyDirFromEnvironment(EnvSettingsSource):
    """``TRACERLAKE_KEY_DIR`` only: the environment must not turn one lake into another."""

    def __call__(self) -> dict[str, Any]:
        return {name: value for name, value in super().__call__().items() if name == "key_dir"}


class LakeSettings(BaseSettings):
    """Everything that can be set about a lake.

    Parameters
    ----------
    format : int
        Format of the lake; see `schemas.tables.LAKE_FORMAT`.
    lake_id : str
        Random name given at creation.
    catalog : str or None
        ``postgresql://...`` of a shared catalog; None for ``catalog.sqlite`` in the lake folder.
    data, volumes : str or None
        Where Parquet files and volumes lie; None for ``tables/`` and ``volumes/`` in the folder.
    deidentify : bool
        False only for phantoms and public data.
    secondary_capture : str
        ``refuse``: Secondary Capture is ignored, since identity may be burned into its pixels;
        ``monochrome``: grey ones are kept as planar images, each with a finding. Those that say
        that identity is burned in are refused in any case.
    centres : dict
        Institution name as in DICOM to centre code. It stays in the settings file; tables hold
        only the codes.
    key_dir : Path or None
        Folder of the secret key and the re-identification table, outside the lake. Default:
        ``$TRACERLAKE_KEY_DIR``, then ``~/.config/tracerlake/keys/<lake_id>``.
    pseudonyms : PseudonymList or None
        The site's own list of pseudonyms; see `PseudonymList`.
    standard_profiles : list of str
        Standard profiles whose volumes every `standardise` makes beside those of its arguments.
    spect_calibrations : Path or None
        The site's table of SPECT calibration factors (TOML), outside the lake, since its dates of
        validity are real ones; see `schemas.spect_calibrations`.
    limits, retry, maintenance, protocol
        See `Limits`, `Retry`, `Maintenance` and `ProtocolFiles`.
    sources : dict
        Declared sources by name; see `schemas.sources`.
    settle_s : float
        A file modified less than this before it was listed is looked at again this much later; if
        it changed, somebody is writing it and it is left for the next run. 0: no second look.
    retrieval_dir : Path or None
        Where objects of remote sources lie between retrieval and commit, outside the lake; on a
        Dask cluster a folder that all machines share. Default: ``tracerlake/retrieval/<lake_id>``
        in ``$XDG_CACHE_HOME`` or ``~/.cache``.
    """

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix="TRACERLAKE_")

    format: int = LAKE_FORMAT
    lake_id: str = Field(pattern=r"^[a-z0-9]{8,64}$")
    catalog: str | None = None
    data: str | None = None
    volumes: str | None = None
    deidentify: bool = True
    secondary_capture: Literal["refuse", "monochrome"] = "refuse"
    centres: dict[str, str] = Field(default_factory=dict)
    key_dir: Path | None = None
    pseudonyms: PseudonymList | None = None
    standard_profiles: list[str] = Field(default_factory=list)
    spect_calibrations: Path | None = None
    limits: Limits = Field(default_factory=Limits)
    retry: Retry = Field(default_factory=Retry)
    maintenance: Maintenance = Field(default_factory=Maintenance)
    protocol: ProtocolFiles = Field(default_factory=ProtocolFiles)
    sources: dict[Annotated[str, Field(pattern=SOURCE_NAME)], SourceSettings] = Field(
        default_factory=dict
    )
    settle_s: float = Field(default=2.0, ge=0, le=3600)
    retrieval_dir: Path | None = None

    @field_validator("spect_calibrations")
    @classmethod
    def _is_absolute(cls, value: Path | None) -> Path | None:
        if value is not None and not value.expanduser().is_absolute():
            raise ValueError("expected an absolute path")
        return value

    @field_validator("catalog")
    @classmethod
    def _catalog_is_postgresql(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if not value.startswith(("postgresql://", "postgres://")):
            raise ValueError(
                "expected postgresql://[user@]host[:port]/database, or nothing for SQLite"
            )
        if _URL_WITH_PASSWORD.match(value):
            raise ValueError("holds a password; put it into ~/.pgpass or PGPASSWORD instead")
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take the settings file first, then the key folder of the environment."""
        del env_settings, dotenv_settings, file_secret_settings
        return init_settings, _KeyDirFromEnvironment(settings_cls)

    @property
    def key_folder(self) -> Path:
        """Folder of the key store, with the default filled in."""
        if self.key_dir is not None:
            return self.key_dir.expanduser()
        return Path.home() / ".config" / "tracerlake" / "keys" / self.lake_id

    @property
    def retrieval_folder(self) -> Path:
        """Folder of retrieved objects, with the default filled in."""
        if self.retrieval_dir is not None:
            return self.retrieval_dir.expanduser().absolute()
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        return cache / "tracerlake" / "retrieval" / self.lake_id


def make_settings(values: Mapping[str, object]) -> LakeSettings:
    """Validate settings.

    Raises
    ------
    InvalidInputError
        Naming each key and what is wrong with it (never its value).
    """
    try:
        return LakeSettings(**dict(values))  # type: ignore[arg-type]
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise InvalidInputError(f"lake settings: {'; '.join(lines)}") from None


def read_settings(path: Path) -> LakeSettings:
    """Read ``tracerlake.toml``.

    Raises
    ------
    LakeVersionError
        If the lake was made by a newer version, or before the first release.
    InvalidInputError
        If the file is no TOML or has unknown or wrong keys.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"{path} is not valid TOML: {error}") from error
    found = values.get("format")
    if not isinstance(found, int):
        raise InvalidInputError(f"{path}: 'format' must be a whole number")
    if found > LAKE_FORMAT:
        raise LakeVersionError(
            f"{path.parent} has lake format {found}; this version of tracerlake knows formats up "
            f"to {LAKE_FORMAT}. Install a newer tracerlake (pip install -U tracerlake)."
        )
    if found < LAKE_FORMAT:
        raise LakeVersionError(
            f"{path.parent} has lake format {found}, which is older than the first release; make a "
            "new lake with this version of tracerlake and ingest again."
        )
    return make_settings(values)


def dump_settings(settings: LakeSettings) -> str:
    """Write settings as TOML; keys at their default stay out, so that defaults can improve."""
    chosen = settings.model_dump(mode="json", exclude_defaults=True)
    if chosen.get("key_dir") == os.environ.get("TRACERLAKE_KEY_DIR"):
        chosen.pop("key_dir", None)  # of this session, not of the lake
    chosen = {"format": settings.format, **chosen}
    scalars = {k: v for k, v in chosen.items() if not isinstance(v, dict)}
    lines = [
        "# Settings of a tracerlake; lake.settings.LakeSettings says what each one means.",
        *_toml_lines(scalars),
    ]
    for name, table in chosen.items():
        if isinstance(table, dict):
            lines += _toml_table(name, table)
    return "\n".join(lines) + "\n"


def _toml_table(name: str, table: Mapping[str, Any]) -> list[str]:
    """Write a table and those inside it."""
    plain = {k: v for k, v in table.items() if not isinstance(v, dict)}
    lines = ["", f"[{name}]", *_toml_lines(plain)] if plain else []
    for inner, values in table.items():
        if isinstance(values, dict):
            lines += _toml_table(f"{name}.{inner}", values)
    return lines


def _toml_lines(values: Mapping[str, object]) -> list[str]:
    # Strings, whole numbers, finite floats and booleans are written alike in JSON and TOML,
    # except DEL, which TOML wants escaped.
    def text(value: object) -> str:
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")

    return [
        f"{key if _BARE_KEY.match(key) else text(key)} = {text(value)}"
        for key, value in values.items()
        if value is not None
    ]
