"""The lake's memory of the content it uses, when the place it came from holds something else."""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Final

from lake import Transaction
from schemas.reasons import Outcome
from schemas.records import Row

#: Digits of the content's digest in the key of a row that was set aside.
_DIGITS: Final = 16


def aside_key(file_key: str, content_blake3: str) -> str:
    """Key of the row of content that has gone from its place.

    Examples
    --------
    >>> aside_key("ab12", "0123456789abcdef0123")
    'ab12@0123456789abcdef'
    """
    return f"{file_key}@{content_blake3[:_DIGITS]}"


def set_aside(tx: Transaction, rows: Iterable[Row], replaced: Container[str]) -> None:
    """Keep the row of every used object whose place now holds other content, under its own key.

    Without it, nothing would remember that a volume was made of that content, and what came in its
    place would be taken for the first one. If the same content is back, its row is the only one.

    Parameters
    ----------
    rows : iterable of Row
        Of table `files`, about to be written.
    replaced : container of str
        File keys that had an outcome before with another size or time.
    """
    offered = {str(r["file_key"]): r for r in rows if str(r["file_key"]) in replaced}
    if not offered:
        return
    present = tx.sql(
        "SELECT * FROM files WHERE outcome = $outcome AND file_key IN (SELECT unnest($keys))",
        {"outcome": str(Outcome.INGESTED), "keys": list(offered)},
    ).to_pylist()
    moved = [
        {**row, "file_key": aside_key(row["file_key"], row["content_blake3"])}
        for row in present
        if row["content_blake3"] != offered[row["file_key"]]["content_blake3"]
    ]
    if moved:
        tx.replace("files", moved, scope=("file_key",))
    back = [
        aside_key(key, str(row["content_blake3"]))
        for key, row in offered.items()
        if row["outcome"] == Outcome.INGESTED
    ]
    if back:
        tx.delete("files", {"file_key": back})
