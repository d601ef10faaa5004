"""Whatever highdicom writes into a report is read back, value for value."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.sr.codedict import codes

from tests.support.dicom_objects import convert_all
from tests.support.reports import measurement, report, volumetric_group

STATISTICS = {
    "SCT:56851009": codes.SCT.Maximum, "SCT:373098007": codes.SCT.Mean,
    "SCT:255605001": codes.SCT.Minimum, None: None,
}  # fmt: skip
VALUES = st.floats(allow_nan=False, allow_infinity=False, width=64).filter(
    lambda v: v == 0 or 1e-300 < abs(v) < 1e300
)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(VALUES, st.sampled_from(list(STATISTICS))), min_size=1, max_size=4),
        min_size=1,
        max_size=3,
    )
)
def test_values_come_back_in_order(groups: list[list[tuple[float, str | None]]]) -> None:
    written = [
        volumetric_group([measurement(value, STATISTICS[name]) for value, name in group])
        for group in groups
    ]
    (made,) = convert_all([report(written)])
    rows = made.rows["measurements"]
    assert [(r["group_index"], r["value"], r["derivation_code"]) for r in rows] == [
        (number, value, name)
        for number, group in enumerate(groups, start=1)
        for value, name in group
    ]
