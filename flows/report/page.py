"""What all reports share: one look, values as text, one file written at once."""

from __future__ import annotations

import base64
import os
from datetime import datetime
from functools import cache
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, FunctionLoader, select_autoescape

from schemas.errors import StorageError


def render(template: str, **values: object) -> str:
    """Fill a template of this folder; everything that is filled in is escaped."""
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> Environment:
    """Keep the compiled templates: most nights, filling them in takes less than compiling them."""
    environment = Environment(
        loader=FunctionLoader(_source), autoescape=select_autoescape(default=True)
    )
    environment.filters["cell"] = cell
    return environment


def _source(name: str) -> str:
    return files("flows.report").joinpath(name).read_text(encoding="utf-8")


def write_page(path: Path, html: str) -> Path:
    """Write a report so that nobody ever sees half of it; returns its absolute path.

    Raises
    ------
    StorageError
        It cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(html, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from error
    return path.resolve()


def data_url(png: bytes) -> str:
    """Return a picture as part of the page."""
    return "data:image/png;base64," + base64.b64encode(png).decode()


def cell(value: object) -> str:
    """Text of a table's cell.

    Examples
    --------
    >>> cell(None), cell(0.123456), cell(["a", "b"]), cell(12345)
    ('', '0.1235', 'a, b', '12,345')
    """
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, list):
        return ", ".join(str(v) for v in value)
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
