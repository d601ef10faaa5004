"""What a declaration and a call ask for together; the options they come from."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.cli.options import SelectionOptions
from schemas.errors import InvalidInputError
from schemas.sources import DimseSettings, Selection
from tasks.sources.selection import (
    is_in_window,
    is_selected,
    narrowed,
    resolved,
    selection_digest,
    study_dates,
)

TODAY = date(2024, 3, 4)
_DAYS = st.dates(date(2024, 1, 1), date(2024, 3, 4))
_MODALITIES = ("PT", "CT", "MR")


@st.composite
def selections(draw: st.DrawFn) -> Selection:
    first, last = sorted((draw(_DAYS), draw(_DAYS)))
    chosen = draw(st.lists(st.sampled_from(_MODALITIES), unique=True))
    dates: dict[str, object] = {}
    if draw(st.booleans()):
        dates["since"] = first
    elif draw(st.booleans()):
        dates["last_days"] = (TODAY - first).days
    if draw(st.booleans()):
        dates["until"] = last
    return Selection.model_validate({**dates, "modalities": chosen})


@given(selections(), selections(), _DAYS, st.sampled_from(_MODALITIES))
def test_narrowed_is_what_both_select(
    declared: Selection, given_now: Selection, day: date, modality: str
) -> None:
    def takes(selection: Selection) -> bool:
        window = is_in_window(resolved(selection, TODAY), f"{day:%Y%m%d}")
        return window and is_selected(selection, modality, None)

    expected = takes(declared) and takes(given_now)
    try:
        both = narrowed(declared, given_now, TODAY, "pacs")
    except InvalidInputError:
        assert not expected
        return
    assert takes(both) == expected


def test_an_archive_is_asked_for_the_narrower_window() -> None:
    pacs = DimseSettings.model_validate(
        {"kind": "dimse", "host": "h", "port": 104, "ae_title": "P", "last_days": 30}
    )
    both = narrowed(pacs, Selection(until=date(2024, 2, 20)), TODAY, "pacs")
    assert both.host == "h"
    assert study_dates(both, TODAY) == "20240203-20240220"


def test_what_can_never_be_is_said() -> None:
    with pytest.raises(InvalidInputError, match="source pacs"):
        narrowed(Selection(modalities=("PT",)), Selection(modalities=("CT",)), TODAY, "pacs")


def test_the_digest_is_of_the_question_not_of_the_night() -> None:
    week = Selection(last_days=7)
    assert selection_digest(week) == selection_digest(Selection(last_days=7))
    assert selection_digest(week) != selection_digest(resolved(week, TODAY))
    assert selection_digest(week) != selection_digest(Selection(last_days=8))


def test_options_become_a_parameter_of_the_flow() -> None:
    options = SelectionOptions(
        since=datetime.fromisoformat("2024-01-02"), modality=["pt"], description=["*ac*"]
    )
    assert options.as_parameter() == {
        "since": "2024-01-02", "modalities": ["PT"], "descriptions": ["*ac*"],
    }  # fmt: skip
    assert SelectionOptions().as_parameter() is None


def test_options_that_contradict_each_other_are_refused() -> None:
    day = datetime.fromisoformat("2024-01-02")
    with pytest.raises(InvalidInputError, match="until lies before since"):
        SelectionOptions(since=day, until=day - timedelta(days=1)).as_parameter()
    with pytest.raises(InvalidInputError, match="not both"):
        SelectionOptions(since=day, last_days=3).as_parameter()
