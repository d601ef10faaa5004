"""One column: its name, type, unit, meaning and where its values come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pyarrow as pa

#: The types a column may have, as users read them, with their Arrow form.
ARROW_TYPES: Final[dict[str, pa.DataType]] = {
    "string": pa.string(),
    "int": pa.int64(),
    "float": pa.float64(),
    "bool": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
    "list<string>": pa.list_(pa.string()),
    "list<float>": pa.list_(pa.float64()),
    "list<int>": pa.list_(pa.int64()),
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column, described once and used by every table that has it.

    Parameters
    ----------
    name : str
        Snake case, the field's own term, with the unit as suffix where there is one.
    type : str
        A key of `ARROW_TYPES`.
    description : str
        One sentence.
    unit : str or None
        UCUM or a plain name (``mm``, ``Bq``, ``s``, ``g/ml``); None where there is none.
    source : str
        DICOM attribute ``Keyword (gggg,eeee)``, or how the value is derived.
    volatile : bool
        True where the value depends on the run rather than on the data (times, run ids); left out
        when two lakes are compared.
    """

    name: str
    type: str
    description: str
    unit: str | None = None
    source: str = "derived"
    volatile: bool = False

    @property
    def arrow_type(self) -> pa.DataType:
        """The Arrow type of the column."""
        return ARROW_TYPES[self.type]

    @property
    def comment(self) -> str:
        """Description, unit and source in one line, as stored in the catalog."""
        unit = f" [{self.unit}]" if self.unit else ""
        return f"{self.description}{unit} Source: {self.source}."
