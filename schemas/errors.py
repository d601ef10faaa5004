"""The one tree of errors, grouped by what a handler would do; every class has a stable ``kind``.

Messages say what was expected, what came and for which object. They never hold a patient value:
identifiers in them are pseudonymised UIDs, reason codes and paths the user typed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar


class TracerlakeError(Exception):
    """Base of all errors that a user of tracerlake may meet and act on."""

    kind: ClassVar[str] = "error"


class NotFoundInLakeError(TracerlakeError, LookupError):
    """A series, table, snapshot or lake that was asked for does not exist."""

    kind = "not_found"


class ConflictError(TracerlakeError, RuntimeError):
    """Two writers, or two versions of one thing, disagree; trying again may help."""

    kind = "conflict"


class InvalidInputError(TracerlakeError, ValueError):
    """What the user gave (an option, a path, a setting, SQL) cannot be used as it is."""

    kind = "invalid_input"


class SchemaViolationError(InvalidInputError):
    """Rows offered to a table do not fit its declared columns."""

    kind = "schema_violation"


class LakeVersionError(TracerlakeError, RuntimeError):
    """The lake was written by a version whose format this one does not know."""

    kind = "lake_version"


class StorageError(TracerlakeError, OSError):
    """The lake's catalog, tables or volumes cannot be read or written."""

    kind = "storage"


class AccountingError(TracerlakeError, RuntimeError):
    """Objects that were listed and outcomes that were counted do not add up: a fault of ours."""

    kind = "accounting"


class ClusterError(TracerlakeError, ConnectionError):
    """The Dask cluster does not answer, or lost the work for good."""

    kind = "cluster"


class SourceUnavailableError(TracerlakeError, ConnectionError):
    """A source does not answer, refuses us, or answers what is not its protocol; try later."""

    kind = "source_unavailable"


class RejectedObjectError(TracerlakeError, ValueError):
    """One input object (file, series, ROI) is unusable; it becomes a quarantine row, not a crash.

    Parameters
    ----------
    reason_code : str
        One of `schemas.reasons.REASONS`.
    detail : str
        What was expected and what came, without patient values.
    attributes : sequence of str
        DICOM keywords of what has to be looked at, such as ``("PixelSpacing",)``. Empty: those
        that `detail` names, or else those that the reason always involves
        (`schemas.reasons.REASON_ATTRIBUTES`).
    """

    kind = "rejected_object"

    def __init__(self, reason_code: str, detail: str, attributes: Sequence[str] = ()) -> None:
        super().__init__(f"{reason_code}: {detail}")
        self.reason_code = reason_code
        self.detail = detail
        self.attributes = tuple(attributes)

    def __reduce__(
        self,
    ) -> tuple[type[RejectedObjectError], tuple[str, str, tuple[str, ...]]]:
        """Survive the way between Dask processes (the default would pass one argument)."""
        return (type(self), (self.reason_code, self.detail, self.attributes))


class KineticsRefusedError(TracerlakeError, ValueError):
    """A dynamic series or a curve that a kinetic model cannot be applied to: becomes a finding.

    Parameters
    ----------
    reason_code : str
        One of `schemas.kinetics.KINETIC_REFUSALS`.
    detail : str
        What was expected and what came, without patient values.
    """

    kind = "kinetics_refused"

    def __init__(self, reason_code: str, detail: str) -> None:
        super().__init__(f"{reason_code}: {detail}")
        self.reason_code = reason_code
        self.detail = detail

    def __reduce__(self) -> tuple[type[KineticsRefusedError], tuple[str, str]]:
        """Survive the way between Dask processes (the default would pass one argument)."""
        return (type(self), (self.reason_code, self.detail))
