"""One remark about the data or the method."""

from __future__ import annotations

from typing import NamedTuple


class Finding(NamedTuple):
    """A plain ``(rule_id, severity, message)`` with names.

    Parameters
    ----------
    rule_id : str
        ``harmonise.`` and the rule.
    severity : str
        ``info``, ``warn`` or ``fail``.
    message : str
        A sentence with the features, batches and numbers concerned.
    """

    rule_id: str
    severity: str
    message: str
