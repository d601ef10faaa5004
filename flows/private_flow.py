"""Flows whose paths Prefect never sees.

Prefect keeps the parameters of every run in its database. A path often holds a person's name, so
only names of declared sources are kept; a path is stored as ``<path>``. (A *schedule* has to keep
what it was given: declare its sources by name.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

from prefect import Flow

from flows.orchestration import heartbeat_if_watched

P = ParamSpec("P")
R = TypeVar("R")

#: Parameters that hold paths, or UIDs of series as they came.
_PATHS: Final = frozenset(
    {
        "sources",
        "redcap",
        "fhir",
        "redcap_mapping",
        "fhir_mapping",
        "profile_file",
        "blood_samples",
        "fill",
        "limits",
        "series",
    }
)
HIDDEN: Final = "<path>"


class PrivateFlow(Flow[P, R]):
    """A flow that hands its paths to its function only, and has no needless heartbeat."""

    def serialize_parameters(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Parameters as Prefect stores them."""
        return super().serialize_parameters(without_paths(parameters))

    if not TYPE_CHECKING:  # Prefect's own overloads say what a call takes and returns

        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            """Run the flow in this process."""
            with heartbeat_if_watched():
                return super().__call__(*args, **kwargs)


def private_flow(name: str) -> Callable[[Callable[P, R]], PrivateFlow[P, R]]:
    """Make a function a flow, as `prefect.flow` does, that keeps its paths to itself."""

    def wrap(function: Callable[P, R]) -> PrivateFlow[P, R]:
        return PrivateFlow(function, name=name, persist_result=False, validate_parameters=False)

    return wrap


def without_paths(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Replace paths in the parameters of a flow.

    Examples
    --------
    >>> without_paths({"sources": ["pacs", "/data/Doe, Jane"], "workers": 2})
    {'sources': ['pacs', '<path>'], 'workers': 2}
    """
    return {k: _without_path(v) if k in _PATHS else v for k, v in parameters.items()}


def _without_path(value: object) -> object:
    if isinstance(value, (list, tuple)):
        return [_without_path(item) for item in value]
    is_path = isinstance(value, str) and any(sign in value for sign in "/\\.")
    return HIDDEN if is_path else value
