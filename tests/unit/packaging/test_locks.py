"""The lock files: hashed, complete, without index addresses; versions agree."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[3]
LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-build.lock")
PYTHONS = ("3.11", "3.12", "3.13")


@cache
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def entries(lock: str) -> list[tuple[Requirement, int]]:
    """Requirements of a lock file, each with its number of hashes."""
    text = (ROOT / lock).read_text(encoding="utf-8").replace("\\\n", " ")
    found = []
    for line in text.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            requirement, *hashes = re.split(r"\s+--hash=", line.strip())
            found.append((Requirement(requirement), len(hashes)))
    return found


def pinned(lock: str, python: str) -> dict[str, str]:
    """Version by package for a version of Python on Linux."""
    environment = {
        "python_version": python, "python_full_version": f"{python}.0", "sys_platform": "linux",
        "platform_system": "Linux", "platform_machine": "x86_64", "os_name": "posix",
        "implementation_name": "cpython", "platform_python_implementation": "CPython", "extra": "",
    }  # fmt: skip
    return {
        canonicalize_name(r.name): next(iter(r.specifier)).version
        for r, _ in entries(lock)
        if _applies(r.marker, environment)
    }


def _applies(marker: Marker | None, environment: dict[str, str]) -> bool:
    return marker is None or marker.evaluate(environment)


@pytest.mark.parametrize("lock", LOCKS)
def test_everything_is_pinned_and_hashed(lock: str) -> None:
    found = entries(lock)
    assert found
    for requirement, n_hashes in found:
        operators = [s.operator for s in requirement.specifier]
        assert operators == ["=="], requirement
        assert n_hashes > 0, requirement
        assert requirement.url is None, requirement


@pytest.mark.parametrize("lock", LOCKS)
def test_no_lock_says_where_packages_come_from(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    for option in ("--index-url", "--extra-index-url", "--find-links", "--trusted-host", "://"):
        assert option not in text


@pytest.mark.parametrize("python", PYTHONS)
def test_every_requirement_is_locked_in_its_range(python: str) -> None:
    versions = pinned("requirements.lock", python)
    for text in project()["project"]["dependencies"]:
        requirement = Requirement(text)
        version = versions[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), f"{requirement}: {version} is locked"


@pytest.mark.parametrize(
    ("lock", "group"), [("requirements-dev.lock", "dev"), ("requirements-build.lock", "build")]
)
@pytest.mark.parametrize("python", PYTHONS)
def test_every_requirement_of_a_group_is_locked(lock: str, group: str, python: str) -> None:
    versions = pinned(lock, python)
    for text in project()["dependency-groups"][group]:
        requirement = Requirement(text)
        version = versions[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), f"{requirement}: {version} is locked"


@pytest.mark.parametrize("python", PYTHONS)
def test_users_and_developers_run_the_same_versions(python: str) -> None:
    users, developers = pinned("requirements.lock", python), pinned("requirements-dev.lock", python)
    assert {n: developers.get(n) for n in users} == users


def test_duckdb_and_its_extensions_are_of_one_version() -> None:
    versions = pinned("requirements.lock", "3.12")
    names = ["duckdb", *(f"duckdb-extension-{x}" for x in ("ducklake", "sqlite", "postgres"))]
    assert len({versions[name] for name in names}) == 1


def test_caps_of_dependencies_say_why() -> None:
    lines = (ROOT / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    exact = [line for line in lines if re.match(r'\s*"[A-Za-z].*(==|,<\d+\.\d)', line)]
    exact = [line for line in exact if "duckdb-extension" not in line]  # said beside duckdb
    assert exact
    assert [line.strip() for line in exact if "#" not in line] == []


def test_the_build_requirement_is_in_the_build_group() -> None:
    build = {Requirement(t).name for t in project()["dependency-groups"]["build"]}
    assert {Requirement(t).name for t in project()["build-system"]["requires"]} <= build


def test_the_changelog_knows_the_version() -> None:
    version = project()["project"]["version"]
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## \[([^\]]+)\](.*)$", text, flags=re.MULTILINE)
    assert headings
    assert headings[0][0] == "Unreleased"
    released = [name for name, _ in headings[1:]]
    # before its first release a version is under Unreleased; afterwards it is the newest heading
    assert not released or released[0] == version
    assert all(re.match(r" - \d{4}-\d{2}-\d{2}$", date) for _, date in headings[1:])
    assert re.fullmatch(r"\d+\.\d+\.\d+", version)


def test_the_installed_version_is_that_of_the_project() -> None:
    from importlib.metadata import version

    assert version("tracerlake") == project()["project"]["version"]
