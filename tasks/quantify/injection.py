"""When the radiopharmaceutical was injected: with a date, or by time of day alone."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Final

from schemas.errors import RejectedObjectError
from tasks.quantify.facts import Facts
from tasks.quantify.times import seconds_between
from tasks.quantify.trail import Trail

#: Injection may come this long after the reference (dynamic series, clocks apart), s.
_EARLY: Final = 3600.0
#: Longer half-lives are imaged on later days, so that a time of day says nothing, s.
_LONGEST_FOR_TIME_ONLY: Final = 41400.0
#: After this many half-lives a time of day is more likely wrong than late.
_MAX_HALF_LIVES: Final = 6.0


def injection_moment(
    facts: Facts, reference: datetime, half_life_s: float
) -> tuple[datetime, bool]:
    """Find the moment of injection, and whether its date came from the header.

    Parameters
    ----------
    facts : Facts
        Radiopharmaceutical Start DateTime (0018,1078) is used if the first acquisition lies
        between -1 h and two half-lives after it; otherwise its date is taken as scrubbed and the
        time of day is put on the day of `reference`, or the day before.
    reference : datetime
        Decay reference, or first acquisition.

    Raises
    ------
    RejectedObjectError
        `suv_injection_time_missing`, `suv_injection_time_implausible`.
    """
    dated = facts.injection_datetime
    starts = [f.acquisition for f in facts.frames if f.acquisition is not None]
    anchor = min(starts, default=reference)
    if (
        dated is not None
        and facts.has_dates
        and -_EARLY <= seconds_between(dated, anchor) < 2 * half_life_s
    ):
        return dated, True
    clock = facts.injection_time or _unscrubbed_clock(dated)
    if clock is None:
        raise RejectedObjectError(
            "suv_injection_time_missing", "no usable (0018,1078) or (0018,1072)"
        )
    if half_life_s >= _LONGEST_FOR_TIME_ONLY:
        raise RejectedObjectError(
            "suv_injection_time_implausible" if dated else "suv_injection_time_missing",
            f"half-life {half_life_s:g} s: expected a date-time (0018,1078) that fits the scan",
        )
    return _on_day_of(reference, clock, half_life_s), False


def _unscrubbed_clock(dated: datetime | None) -> time | None:
    """Time of day of a date-time whose date is not to be believed; midnight is no time either."""
    return None if dated is None or dated.time() == time(0) else dated.time()


def _on_day_of(reference: datetime, clock: time, half_life_s: float) -> datetime:
    moment = datetime.combine(reference.date(), clock)
    uptake = seconds_between(moment, reference)
    if uptake < -_EARLY:
        moment -= timedelta(days=1)
    elif uptake > 86400 - _EARLY:  # scan just before, injection just after midnight
        moment += timedelta(days=1)
    uptake = seconds_between(moment, reference)
    if uptake > _MAX_HALF_LIVES * half_life_s:
        raise RejectedObjectError(
            "suv_injection_time_implausible",
            f"(0018,1072) is {uptake:.0f} s before the reference, over "
            f"{_MAX_HALF_LIVES:g} half-lives",
        )
    return moment


def record_injection(
    facts: Facts, moment: datetime, reference: datetime, trail: Trail, *, dated: bool
) -> float:
    """Note the injection in `trail` and return the time from injection to `reference` (s)."""
    uptake = seconds_between(moment, reference)
    trail.injection = moment if facts.has_dates else None
    trail.uptake_time_s = uptake
    source = "Start DateTime (0018,1078)" if dated else "Start Time (0018,1072), day of the scan"
    trail.note(f"t_adm from Radiopharmaceutical {source}; reference - t_adm = {uptake:.3f} s")
    if not dated and facts.injection_datetime is not None:
        trail.find("SUV-TIME", "warn", "the date of (0018,1078) does not fit the scan: time only")
    if uptake < -60:
        trail.find("SUV-CLOCK", "fail", f"injection {-uptake:.0f} s after the decay reference")
    return uptake
