"""Code blocks of Markdown pages, and running them as a reader would."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_WORD = re.compile(r"[A-Za-z_][\w.]*")


@dataclass(frozen=True)
class Block:
    """A block to run, and the answer that the page shows below it."""

    language: str
    code: str
    shown: str | None = None


def blocks(page: Path) -> list[Block]:
    """Blocks of a page that a reader is to run: ``bash`` and ``python``, in order.

    Python blocks that follow each other are one script, as in a notebook. ``sh``, ``toml`` and the
    like are examples with a reader's own paths and are not run.
    """
    found = _BLOCK.findall(page.read_text(encoding="utf-8"))
    listed: list[Block] = []
    for (language, code), (following, text) in zip(found, [*found[1:], ("", "")], strict=True):
        if language in {"bash", "python"}:
            shown = text if following == "text" and language == "bash" else None
            listed.append(Block(language, code, shown))
    merged: list[Block] = []
    for language, group in groupby(listed, key=lambda b: b.language):
        members = list(group)
        if language == "python":
            merged.append(Block("python", "\n".join(b.code for b in members)))
        else:
            merged.extend(members)
    return merged


@dataclass
class Desk:
    """A reader's folder and environment; `printed` keeps what each block wrote."""

    folder: Path
    environment: Mapping[str, str]
    printed: list[tuple[Block, str]] = field(default_factory=list)

    def run(self, block: Block) -> str:
        """Run a block; fail with what it wrote if it does."""
        if block.language == "bash":
            command = ["bash", "-euo", "pipefail", "-c", block.code]
        else:
            command = [sys.executable, "-W", "error::DeprecationWarning:__main__", "-c", block.code]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True,
            timeout=240, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == 0, f"{block.code}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr, done.stderr
        self.printed.append((block, done.stdout))
        return done.stdout


def words(text: str) -> set[str]:
    """Words of an answer, without numbers and frames."""
    return set(_WORD.findall(text))
