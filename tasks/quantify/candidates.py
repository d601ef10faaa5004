"""The times that a series with DecayCorrection START may have been corrected to.

All that the header allows are computed. Some are for comparison only: they carry a remark that says
why they cannot be it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from schemas.errors import RejectedObjectError
from schemas.records import DecayCandidate
from tasks.quantify.decay import average_count_time
from tasks.quantify.facts import Facts, Frame
from tasks.quantify.times import gap_text, seconds_between
from tasks.quantify.trail import Trail

STATED: Final = "decay_correction_datetime"
PRIVATE: Final = "private_time"
SERIES: Final = "series_time"
BACK_COMPUTED: Final = "frame_reference_time"
ACQUISITION: Final = "acquisition_time"
INJECTION: Final = "injection"
FRAMES: Final = "own_frame"
VENDOR_RATIO: Final = "philips_ratio"

#: Candidates within this time agree, s (0.6 % of SUV for F-18).
AGREEMENT_S: Final = 60.0
#: Clock rounding between Series Time and Acquisition Time, s.
ROUNDING_S: Final = 1.0
#: A series time earlier than this before the first acquisition is not of the same session, s.
SESSION_S: Final = 12 * 3600.0
#: A time farther than this from the scan comes of a scrubbed date. It is not stored: next to
#: shifted dates it would tell the true ones.
_SCRUBBED_S: Final = 2 * 86400.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """A possible decay reference; `last` is later than `first` if slices do not agree on it.

    `remark` says why it is computed for comparison only; None if it may be the reference.
    """

    name: str
    first: datetime
    last: datetime
    remark: str | None = None

    @property
    def is_consistent(self) -> bool:
        """True if all slices give the same time within `AGREEMENT_S`."""
        return seconds_between(self.first, self.last) <= AGREEMENT_S

    @property
    def moment(self) -> datetime:
        """Middle of the times that the slices give."""
        return self.first + (self.last - self.first) / 2


def collect_candidates(facts: Facts, half_life_s: float, trail: Trail) -> list[Candidate]:
    """Compute every candidate, those for comparison only included.

    Raises
    ------
    RejectedObjectError
        `suv_decay_reference_missing`, `suv_frame_duration_missing`.
    """
    starts = acquisition_starts(facts)
    if len(starts) < len(facts.frames):
        raise RejectedObjectError(
            "suv_decay_reference_missing", "Acquisition Time (0008,0032) is absent in some slices"
        )
    start = min(starts)
    found = [
        c
        for c in (
            _private(facts, start, trail),
            _series(facts, start, trail),
            _back_computed(facts, half_life_s, trail),
        )
        if c is not None
    ]
    usable = {c.name for c in found if c.remark is None}
    if (
        PRIVATE not in usable
        and not facts.is_ge
        and any(f.duration_s is None for f in facts.frames)
    ):
        raise RejectedObjectError(
            "suv_frame_duration_missing", "Actual Frame Duration (0018,1242): expected > 0 ms"
        )
    remark = "the first acquisition is used only if there is nothing else" if usable else None
    return [*found, Candidate(ACQUISITION, start, start if usable else max(starts), remark)]


def acquisition_starts(facts: Facts) -> list[datetime]:
    """List the starts of the frames, as far as they are known."""
    return [f.acquisition for f in facts.frames if f.acquisition is not None]


def has_shared_start(facts: Facts) -> bool:
    """Tell if beds or frames at different times all carry the start of the whole acquisition.

    Then Acquisition Time (0008,0032) is constant while Frame Reference Time (0054,1300) is not,
    and nothing can be computed from the two together.
    """
    starts = set(acquisition_starts(facts))
    offsets = [f.frame_reference_s or 0.0 for f in facts.frames]
    return len(starts) == 1 and max(offsets) - min(offsets) > AGREEMENT_S


def _left_out(candidate: Candidate, trail: Trail, remark: str) -> Candidate:
    trail.note(f"{remark}: not used")
    return replace(candidate, remark=remark)


def _private(facts: Facts, start: datetime, trail: Trail) -> Candidate | None:
    moment = facts.vendor_reference
    if moment is None:
        return None
    found = Candidate(PRIVATE, moment, moment)
    if -AGREEMENT_S <= seconds_between(moment, start) <= SESSION_S:
        return found
    return _left_out(
        found, trail, "private decay reference (0009,xx0D) or (0071,xx22) does not fit"
    )


def _series(facts: Facts, start: datetime, trail: Trail) -> Candidate | None:
    if facts.series is None:
        trail.note("Series Time (0008,0031) absent or not the same in all slices: not used")
        return None
    found = Candidate(SERIES, facts.series, facts.series)
    before = seconds_between(facts.series, start)
    if -ROUNDING_S <= before <= SESSION_S:
        return found
    what = gap_text(before)
    remark = f"Series Time (0008,0031) is {what} before the first acquisition: another session"
    if before < 0:
        remark = (
            f"Series Time (0008,0031) is {what} after the first acquisition: "
            "that of later processing, or of scrubbed dates"
        )
    return _left_out(found, trail, remark)


def _back_computed(facts: Facts, half_life_s: float, trail: Trail) -> Candidate | None:
    moments = [_frame_start(f, half_life_s, is_ge=facts.is_ge) for f in facts.frames]
    known = [m for m in moments if m is not None]
    if len(known) < len(moments):
        trail.note("Frame Reference Time (0054,1300) absent or 0: no back-computation")
        return None
    found = Candidate(BACK_COMPUTED, min(known), max(known))
    if has_shared_start(facts):
        return _left_out(found, trail, "Acquisition Time is that of the whole scan in all beds")
    off = seconds_between(min(known), min(acquisition_starts(facts)))
    if "GATED" in facts.series_type and abs(off) > AGREEMENT_S:
        return _left_out(
            found, trail, "gated: the duration is that of one gate, the Frame Reference Time "
            "(0054,1300) that of the whole scan",
        )  # fmt: skip
    return found


def _frame_start(frame: Frame, half_life_s: float, *, is_ge: bool) -> datetime | None:
    """``t_acq - FrameReferenceTime + T_ave``; GE gives the start of the frame: without T_ave."""
    if frame.acquisition is None or frame.frame_reference_s is None:
        return None
    average = 0.0
    if not is_ge:
        if frame.duration_s is None:
            return None
        average = average_count_time(frame.duration_s, half_life_s)
        # The mean of a frame cannot come before its own T_ave: 0 means "not filled in" (old CPS).
        if frame.frame_reference_s < 0.9 * average:
            return None
    return frame.acquisition + timedelta(seconds=average - frame.frame_reference_s)


def compared(
    candidates: list[Candidate],
    chosen: Candidate | None,
    elapsed_to: Callable[[datetime], float],
    factor_after: Callable[[float], float],
    anchor: datetime,
) -> list[DecayCandidate]:
    """Describe candidates by the time from the injection and by the factor that each would give.

    Parameters
    ----------
    candidates : list of Candidate
        From `collect_candidates`.
    chosen : Candidate or None
        The one that counts; None if nothing settled it.
    elapsed_to : callable
        Seconds from the injection to a time; raises `RejectedObjectError` if that is not known.
    factor_after : callable
        Factor (SUVbw per rescaled value) for seconds from the injection.
    anchor : datetime
        First acquisition; times that lie days from it are not given.
    """
    reference = None if chosen is None else elapsed_to(chosen.moment)
    rows = []
    for candidate in candidates:
        is_chosen = chosen is not None and candidate.name == chosen.name
        near = None if is_chosen else anchor
        row = DecayCandidate(
            candidate.name, is_considered=candidate.remark is None, is_chosen=is_chosen,
            remark=candidate.remark,
        )  # fmt: skip
        first, middle, last = (
            _elapsed(t, elapsed_to, near)
            for t in (candidate.first, candidate.moment, candidate.last)
        )
        if first is not None and middle is not None:
            row = replace(row, first_s=first, last_s=last, factor=factor_after(middle))
            row = replace(row, difference_percent=_difference(row, reference, factor_after))
        rows.append(row)
    return rows


def _difference(
    row: DecayCandidate, reference: float | None, factor_after: Callable[[float], float]
) -> float | None:
    if row.factor is None or reference is None:
        return None
    return 100 * (row.factor / factor_after(reference) - 1)


def _elapsed(
    moment: datetime, elapsed_to: Callable[[datetime], float], near: datetime | None
) -> float | None:
    if near is not None and abs(seconds_between(near, moment)) > _SCRUBBED_S:
        return None
    try:
        return elapsed_to(moment)
    except RejectedObjectError:
        return None
