"""The wheel holds the four packages as they are in the tree, and nothing else."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from configparser import ConfigParser
from email.parser import HeaderParser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = ("schemas", "tasks", "lake", "flows")
#: What Python leaves behind; never part of a release.
LEFT_BEHIND = {"__pycache__", ".mypy_cache", ".ruff_cache"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    out = tmp_path_factory.mktemp("dist")
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = out.glob("*.whl")
    return zipfile.ZipFile(path)


def tree() -> dict[str, Path]:
    """Files of the packages by their path in the tree."""
    return {
        str(path.relative_to(ROOT)): path
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and not LEFT_BEHIND & set(path.parts) and path.suffix != ".pyc"
    }


def held(wheel: zipfile.ZipFile) -> set[str]:
    return {name for name in wheel.namelist() if ".dist-info/" not in name}


def test_it_holds_exactly_the_files_of_the_packages(wheel: zipfile.ZipFile) -> None:
    assert held(wheel) == set(tree())


def test_contents_are_those_of_the_tree(wheel: zipfile.ZipFile) -> None:
    changed = [name for name, path in tree().items() if wheel.read(name) != path.read_bytes()]
    assert changed == []


def test_nothing_else_is_at_the_top(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    (information,) = (top for top in tops if top.endswith(".dist-info"))
    assert tops == {*PACKAGES, information}


def test_data_files_and_types_are_in(wheel: zipfile.ZipFile) -> None:
    names = held(wheel)
    assert {f"{package}/py.typed" for package in PACKAGES} <= names
    assert "flows/report/template.html" in names
    assert {f"tasks/clinical/mappings/{name}.toml" for name in ("redcap", "fhir")} <= names


def test_every_folder_with_python_is_a_package(wheel: zipfile.ZipFile) -> None:
    names = held(wheel)
    folders = {name.rpartition("/")[0] for name in names if name.endswith(".py")}
    assert [folder for folder in sorted(folders) if f"{folder}/__init__.py" not in names] == []


def test_the_command_is_a_console_script(wheel: zipfile.ZipFile) -> None:
    entry_points = ConfigParser()
    entry_points.read_string(_information(wheel, "entry_points.txt"))
    assert dict(entry_points["console_scripts"]) == {"tracerlake": "flows.cli.main:main"}
    from flows.cli.main import main

    assert callable(main)


def test_metadata(wheel: zipfile.ZipFile) -> None:
    metadata = HeaderParser().parsestr(_information(wheel, "METADATA"))
    assert metadata["Name"] == "tracerlake"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] in {">=3.11,<3.14", "<3.14,>=3.11"}
    assert "Typing :: Typed" in metadata.get_all("Classifier", [])
    assert _information(wheel, "licenses/LICENSE").lstrip().startswith("Apache License")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert readme.strip() in _information(wheel, "METADATA")


def test_it_is_pure_python(wheel: zipfile.ZipFile) -> None:
    assert re.search(r"^Tag: py3-none-any$", _information(wheel, "WHEEL"), flags=re.MULTILINE)


def _information(wheel: zipfile.ZipFile, name: str) -> str:
    (path,) = (n for n in wheel.namelist() if n.endswith(f".dist-info/{name}"))
    return wheel.read(path).decode()
