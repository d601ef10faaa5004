"""The pages that are made from the code say what the code says."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from pydantic import BaseModel

from lake.settings import LakeSettings, Limits, Maintenance, ProtocolFiles, Retry, make_settings
from schemas.tables import TABLES

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference", ROOT / "tools" / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_committed_pages_are_fresh(reference: ModuleType) -> None:
    assert reference.stale(ROOT / "docs" / "reference") == [], "run: make docs"


def test_no_page_is_left_over(reference: ModuleType) -> None:
    present = {path.name for path in (ROOT / "docs" / "reference").glob("*.md")}
    of_its_own = {  # made by tests.support.standard_table, and by tools/suv_compliance.py
        "deidentification-differences.md",
        "suv-compliance.md",
    }
    assert present == set(reference.pages()) | of_its_own


def test_a_changed_or_absent_page_is_stale(reference: ModuleType, tmp_path: Path) -> None:
    for name, text in reference.pages().items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert reference.stale(tmp_path) == []
    (tmp_path / "cli.md").write_text("# Command line\n", encoding="utf-8")
    (tmp_path / "tables.md").unlink()
    assert sorted(reference.stale(tmp_path)) == ["cli.md", "tables.md"]


def test_every_column_has_a_row(reference: ModuleType) -> None:
    page = reference.tables_page()
    for table in TABLES.values():
        section = page.split(f"## {table.name}\n")[1].split("\n## ")[0]
        assert [line for line in table.columns if f"\n| `{line}` | " not in section] == []


def test_every_command_and_option_is_there(reference: ModuleType) -> None:
    page = reference.cli_page()
    for text in ("## ingest\n", "## sql\n", "--snapshot", "--cron", "--keep-identity", "--dask"):
        assert text in page


def test_pages_do_not_depend_on_the_terminal() -> None:
    command = [sys.executable, str(ROOT / "tools" / "reference.py"), "--check"]
    for columns in ("40", "200"):
        done = subprocess.run(
            command,
            env={"COLUMNS": columns, "PATH": ""},
            capture_output=True,
            text=True,
            cwd=ROOT,
            check=False,
        )
        assert done.returncode == 0, done.stderr


def test_settings_page_names_every_key_with_its_default() -> None:
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    shown = dict(re.findall(r"^\| `([a-z_.]+)` \| (.+?) \|", page, flags=re.MULTILINE))
    settings = make_settings({"lake_id": "0123456789abcdef"})
    groups: dict[str, type[BaseModel]] = {
        "limits": Limits,
        "retry": Retry,
        "maintenance": Maintenance,
        "protocol": ProtocolFiles,
    }
    expected: dict[str, object] = {}
    for name in LakeSettings.model_fields:
        if name in groups:
            group = getattr(settings, name)
            expected |= {f"{name}.{key}": getattr(group, key) for key in groups[name].model_fields}
        elif name not in {"lake_id", "key_dir"}:
            expected[name] = getattr(settings, name)
    words: dict[object, str] = {"None": "none", "[]": "none", "True": "`true`", "{}": "empty"}
    assert set(shown) == set(expected) | {"lake_id", "key_dir"}
    for name, value in expected.items():
        assert shown[name] == words.get(str(value), f"`{value}`"), name


def test_settings_example_is_valid() -> None:
    import tomllib

    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```toml\n(.+?)```", page, flags=re.DOTALL)
    settings = make_settings(tomllib.loads(example))
    assert settings.retry.lock_timeout_s == 600.0
    assert settings.centres["Klinik B"] == "B"
