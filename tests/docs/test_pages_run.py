"""What the documentation tells a reader to do works, in the order of the pages."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import lake
from tests.docs.pages import Block, Desk, blocks, words

pytestmark = pytest.mark.xdist_group("docs")

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]


def test_the_tutorial_runs(desk: Desk) -> None:
    languages = [block.language for block, _ in desk.printed]
    assert languages.count("bash") >= 8
    assert "python" in languages


def test_answers_look_as_shown(desk: Desk) -> None:
    compared = [(block, out) for block, out in desk.printed if block.shown]
    assert len(compared) >= 2
    for block, out in compared:
        assert words(block.shown or "") - words(out) == set(), block.code


def test_harmonisation_brings_the_centres_of_the_tutorial_together(desk: Desk) -> None:
    with lake.open(desk.folder / "lake", read_only=True) as lk:
        means = lk.sql(
            "SELECT centre, avg(value), avg(value_harmonised) FROM features_harmonised "
            "WHERE feature = 'suv_mean' GROUP BY centre ORDER BY centre"
        ).fetchall()
    (_, first, first_after), (_, second, second_after) = means
    assert abs(first_after - second_after) < 0.5 * abs(first - second)


def test_the_clinical_data_of_the_tutorial_reach_the_cohort(desk: Desk) -> None:
    with lake.open(desk.folder / "lake", read_only=True) as lk:
        (n,) = lk.sql("SELECT count(stage) FROM cohort WHERE modality = 'PT'").fetchall()[0]
    assert n > 0


def test_the_readme_example_runs(desk: Desk) -> None:
    bash, python = (_on_lake_of_tutorial(block) for block in blocks(ROOT / "README.md"))
    assert {"centre", "suv_mean_harmonised"} <= words(desk.run(bash))
    desk.run(python)


def _on_lake_of_tutorial(block: Block) -> Block:
    code = block.code.replace("demo/lake", "lake").replace(".venv/bin/", "")
    return Block(block.language, code)


def test_dynamic_and_gated_series(desk: Desk) -> None:
    """The table of the page holds both, and the curve of the lesion rises to its known end."""
    *commands, curves = blocks(DOCS / "how-to" / "dynamic-and-gated-series.md")
    answers = [desk.run(block) for block in commands]
    assert {"gate", "time", "FDG", "suv"} <= words(answers[-1])
    printed = desk.run(curves)
    assert "('t', 'z', 'y', 'x') (12, 12, 24, 24) SUVbw" in printed
    assert "   840 s + 600 s: SUV  6.44" in printed


def test_calibrating_spect(desk: Desk) -> None:
    """Counts become Bq/ml and SUV by the table that the page writes."""
    *commands, image = blocks(DOCS / "how-to" / "calibrate-spect.md")
    for block in commands:
        desk.run(block)
    assert desk.run(image).splitlines() == [
        "calibration/acquisition_start intevo-melp",
        "Bq/ml",
        "SUVbw",
    ]


def test_analysing_dynamic_pet(desk: Desk) -> None:
    """Ki of the two tumours is what the page says, and so is the image."""
    *commands, image = blocks(DOCS / "how-to" / "analyse-dynamic-pet.md")
    answers = [desk.run(block) for block in commands]
    found = dict(re.findall(r"(tumour_\d)\D+?([\d.]+)", answers[-1]))
    assert abs(float(found["tumour_1"]) - 0.0238) < 0.001
    assert abs(float(found["tumour_2"]) - 0.0548) < 0.001
    assert (desk.folder / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert "('z', 'y', 'x') ml/cm3/min 20.0 aorta" in desk.run(image)


def test_looking_at_a_series(desk: Desk) -> None:
    shown, python = blocks(DOCS / "how-to" / "look-at-a-series.md")
    assert {"mip.png", "planes.png", "fused.png", "histogram.png"} <= {
        name.rsplit("-")[-1] for name in desk.run(shown).split()
    }
    assert desk.run(python).splitlines() == ["mip True", "histogram True"]


def test_checking_scanners_with_phantoms(desk: Desk) -> None:
    """The phantom of the page gives its resolution back and meets EARL1."""
    (script,) = blocks(DOCS / "how-to" / "check-scanners-with-phantoms.md")
    printed = desk.run(script)
    assert re.search(r"FWHM z, y, x: \[[78]\.\d? +7\.[45] +7\.[45]\] mm", printed), printed
    assert "EARL1: pass" in printed


def test_reading_without_tracerlake(desk: Desk) -> None:
    (script,) = blocks(DOCS / "how-to" / "read-without-tracerlake.md")
    assert "import lake" not in script.code
    printed = desk.run(script)
    assert "patients" in printed
    assert "SUVbw" not in printed
    assert "Bq/ml" in printed or "CNTS" in printed or "g/ml" in printed


@pytest.mark.parametrize(
    "page", ["how-to/understand-quarantine.md", "explanation/zones-and-digests.md"]
)
def test_python_of_other_pages_runs(desk: Desk, page: str) -> None:
    for block in blocks(DOCS / page):
        code = block.code.replace("my-lake", "lake").replace("2026-01-31", "2100-01-31")
        desk.run(Block(block.language, code))


def _sql_of_pages() -> list[str]:
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        found += re.findall(r"```sql\n(.*?)```", text, flags=re.DOTALL)
        found += re.findall(r'tracerlake sql [\w-]+(?: --\w+ \d+)? "(.*?)"', text, flags=re.DOTALL)
    return [query for query in found if "GRANT" not in query]


def test_every_query_of_the_pages_is_valid(desk: Desk) -> None:
    queries = _sql_of_pages()
    assert len(queries) > 12
    with lake.open(desk.folder / "lake", read_only=True) as lk:
        for query in queries:
            assert lk.sql(query).to_arrow_table().num_columns > 0, query


def _options(command: Any) -> set[str]:
    """Options of a command; of a group, those of all its commands."""
    found = {o for p in command.params for o in (*p.opts, *p.secondary_opts)} | {"--help"}
    return found.union(*map(_options, getattr(command, "commands", {}).values()))


def test_commands_of_the_pages_exist_with_their_options() -> None:
    import typer

    from flows.cli.main import app

    group = typer.main.get_command(app)
    options = {
        name: _options(command)
        for name, command in group.commands.items()  # type: ignore[attr-defined]  # a TyperGroup
    }
    seen = set()
    for page in PAGES:
        text = page.read_text(encoding="utf-8").replace("\\\n", " ")
        code = "\n".join(re.findall(r"```(?:sh|bash|ini|text)\n(.*?)```", text, flags=re.DOTALL))
        for name, rest in re.findall(r"\btracerlake ([a-z][a-z-]+)\b([^\n]*)", code):
            assert name in options, (page.name, name)
            seen.add(name)
            unknown = set(re.findall(r"(?<!\S)--[a-z][a-z-]*", rest.split('"')[0])) - options[name]
            assert unknown == set(), (page.name, name)
    assert {"init", "ingest", "standardise", "features", "harmonise", "nightly", "serve"} <= seen
