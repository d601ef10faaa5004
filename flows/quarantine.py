"""What is in quarantine: a choice of it, grouped by reason, and all that is known of one object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pyarrow as pa
from pydicom.uid import UID

from flows.accepting import ACCEPTABLE, CONFLICTING
from lake import Lake
from schemas.errors import InvalidInputError, NotFoundInLakeError
from schemas.reasons import QUARANTINE_REASONS
from schemas.records import Row
from schemas.remedies import REMEDIES

#: A key may be shortened to this many characters, if it is still one object's.
_SHORTEST_KEY: Final = 6
_CHOICE: Final = (
    "($reason IS NULL OR reason_code = $reason) AND ($source IS NULL OR source_name = $source) "
    "AND ($series IS NULL OR series_instance_uid = $series)"
)


@dataclass(frozen=True, slots=True)
class Choice:
    """Part of the quarantine.

    Parameters
    ----------
    reason, source, series : str or None
        Reason code, name of the source, pseudonymised Series Instance UID; None: any.
    """

    reason: str | None = None
    source: str | None = None
    series: str | None = None

    def __post_init__(self) -> None:
        if self.reason is not None and self.reason not in QUARANTINE_REASONS:
            codes = ", ".join(sorted(QUARANTINE_REASONS))
            raise InvalidInputError(f"no reason code {self.reason!r}; there are: {codes}")

    @property
    def parameters(self) -> dict[str, str | None]:
        """Values of the placeholders of a query."""
        return {"reason": self.reason, "source": self.source, "series": self.series}


def grouped(lk: Lake, choice: Choice) -> pa.Table:
    """One row per reason and source: how many objects and series, and the attributes involved.

    Returns
    -------
    pyarrow.Table
        Columns reason_code, source_name, objects, series, reason_tags, meaning.
    """
    found = lk.sql(
        "SELECT reason_code, source_name, count(*) AS objects, "  # noqa: S608
        "count(DISTINCT series_instance_uid) AS series, "
        "array_to_string(list_sort(list_distinct(flatten(list(reason_tags)))), ', ') AS attributes "
        f"FROM quarantine WHERE {_CHOICE} GROUP BY ALL "
        "ORDER BY objects DESC, reason_code, source_name",
        choice.parameters,
    ).to_arrow_table()
    codes = found.column("reason_code").to_pylist()
    meaning = pa.array([QUARANTINE_REASONS.get(code, "") for code in codes], pa.string())
    return found.append_column("meaning", meaning)


def chosen_rows(lk: Lake, choice: Choice) -> list[Row]:
    """Rows of the quarantine, by reason, series and key."""
    table = lk.sql(
        f"SELECT * FROM quarantine WHERE {_CHOICE} "  # noqa: S608
        "ORDER BY reason_code, series_instance_uid, file_key",
        choice.parameters,
    ).to_arrow_table()
    rows: list[Row] = table.to_pylist()
    return rows


def find(lk: Lake, name: str) -> list[Row]:
    """Quarantined objects of a series, or the one whose file key begins so.

    Raises
    ------
    NotFoundInLakeError
        If there is none.
    InvalidInputError
        If several keys begin so.
    """
    rows: list[Row] = (
        lk.sql(
            "SELECT * FROM quarantine WHERE series_instance_uid = $name "
            "OR (starts_with(file_key, $name) AND length($name) >= $shortest) ORDER BY file_key",
            {"name": name, "shortest": _SHORTEST_KEY},
        )
        .to_arrow_table()
        .to_pylist()
    )
    if not rows:
        raise NotFoundInLakeError(
            f"nothing in quarantine is of series {name!r} or has a file key beginning with it "
            f"({_SHORTEST_KEY} characters or more); see `tracerlake quarantine list`"
        )
    exact = [row for row in rows if row["file_key"] == name]
    if exact:  # the row of content that has gone from a place begins with the key of that place
        return exact
    if len(rows) > 1 and any(row["series_instance_uid"] != name for row in rows):
        raise InvalidInputError(f"{len(rows)} file keys begin with {name!r}; give more of it")
    return rows


def to_retry(lk: Lake, choice: Choice, only: str | None, *, accept_changed: bool) -> list[Row]:
    """Rows of the objects to look at again.

    Parameters
    ----------
    choice : Choice
        Part of the quarantine.
    only : str or None
        File key of one object, or its beginning.
    accept_changed : bool
        Leave those in conflict with what the lake uses.

    Raises
    ------
    NotFoundInLakeError, InvalidInputError
        As `find`; and if none of the objects is in conflict.
    """
    rows = chosen_rows(lk, choice)
    if only is not None:
        named = {row["file_key"] for row in find(lk, only)}
        rows = [row for row in rows if row["file_key"] in named]
    if not accept_changed:
        return rows
    acceptable = [row for row in rows if row["reason_code"] in ACCEPTABLE]
    if choice.series is not None and only is None:  # what was superseded comes back by name only
        acceptable = [row for row in acceptable if row["reason_code"] == CONFLICTING]
    if not acceptable:
        raise InvalidInputError("none of these objects is in conflict with one that the lake uses")
    return acceptable


def series_outcomes(lk: Lake, series_instance_uid: object) -> dict[str, int]:
    """How the objects of a series ended: objects by outcome or reason."""
    return dict(
        lk.sql(
            "SELECT coalesce(reason_code, outcome), count(*) FROM files "
            "WHERE series_instance_uid = $series GROUP BY ALL ORDER BY ALL",
            {"series": series_instance_uid},
        ).fetchall()
    )


def object_kind(row: Row) -> str:
    """Name of an object's SOP class, or that it is not known."""
    uid = row.get("sop_class_uid")
    return UID(str(uid)).name if uid else "not known"


def remedy(reason_code: object) -> str:
    """Say what a person can do."""
    return REMEDIES.get(str(reason_code), "Report it; the sentence says what was found.")
