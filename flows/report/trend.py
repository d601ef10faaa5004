"""Is this run like the ones before it? Judged by the median, shown as bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Final

#: Fewer earlier runs than this say nothing.
_LEAST_RUNS: Final = 3
#: Median absolute deviation to standard deviation of a normal distribution.
_MAD_TO_SD: Final = 1.4826
_LIMIT_SD: Final = 3.0
#: Differences below this are never called unusual: half the median, 5 percentage points.
_FLOOR_OF_MEDIAN: Final = 0.5
_FLOOR_SHARE: Final = 0.05
_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM = 900, 150, 8, 26, 34


@dataclass(frozen=True)
class RunPoint:
    """One run of the row.

    Parameters
    ----------
    n_changed, n_quarantined : int
        New and changed objects, and how many of them ended in quarantine.
    objects_per_s : float or None
        Of the whole run.
    """

    run_id: str
    started_at: datetime
    n_changed: int
    n_quarantined: int
    objects_per_s: float | None

    @property
    def quarantine_share(self) -> float | None:
        """Quarantined part of the new and changed objects; None without any."""
        return self.n_quarantined / self.n_changed if self.n_changed else None


@dataclass(frozen=True)
class Verdict:
    """A sentence, and whether a person should look."""

    sentence: str
    is_unusual: bool


def is_unusual(value: float, earlier: Sequence[float], floor: float) -> bool:
    """Say whether a value lies far from those before it.

    Parameters
    ----------
    value : float
        Of this run.
    earlier : sequence of float
        Of the runs before it.
    floor : float
        Distance from their median that is never unusual.

    Examples
    --------
    >>> is_unusual(90, [10, 12, 11, 9], floor=5), is_unusual(14, [10, 12, 11, 9], floor=5)
    (True, False)

    References
    ----------
    Leys et al., J Exp Soc Psychol 2013;49:764: median and MAD with a limit of 3.
    """
    middle = median(earlier)
    spread = _MAD_TO_SD * median(abs(v - middle) for v in earlier)
    return abs(value - middle) > max(_LIMIT_SD * spread, floor)


def verdicts(run: RunPoint, earlier: Sequence[RunPoint]) -> list[Verdict]:
    """Hold the number of objects and the share of quarantine against the runs before."""
    if len(earlier) < _LEAST_RUNS:
        return [Verdict(f"Fewer than {_LEAST_RUNS} earlier runs: nothing to compare with.", False)]
    counts = [float(r.n_changed) for r in earlier]
    odd = is_unusual(float(run.n_changed), counts, _FLOOR_OF_MEDIAN * median(counts))
    found = [Verdict(
        f"{run.n_changed:,} new or changed objects; the {len(counts)} runs before had "
        f"{min(counts):,.0f} to {max(counts):,.0f}, median {median(counts):,.0f}.", odd,
    )]  # fmt: skip
    shares = [r.quarantine_share for r in earlier if r.quarantine_share is not None]
    share = run.quarantine_share
    if share is not None and len(shares) >= _LEAST_RUNS:
        found.append(Verdict(
            f"{share:.1%} of them in quarantine; the runs before had {min(shares):.1%} to "
            f"{max(shares):.1%}, median {median(shares):.1%}.",
            is_unusual(share, shares, _FLOOR_SHARE),
        ))  # fmt: skip
    return found


def trend_svg(runs: Sequence[RunPoint]) -> str:
    """Bars of new and changed objects by run, the quarantined part in orange; the last is this run.

    Bars end at three times the median, so that a first run over years does not flatten all others;
    longer ones are cut open, and every bar has its number.

    Parameters
    ----------
    runs : sequence of RunPoint
        Oldest first.

    Returns
    -------
    str
        SVG element; numbers and dates only.
    """
    top = max(1.0, 3.0 * median(r.n_changed for r in runs), float(runs[-1].n_changed))
    step = min((_WIDTH - 2 * _LEFT) / len(runs), 110.0)
    bars = [_bar(run, _LEFT + i * step, step, top, run is runs[-1]) for i, run in enumerate(runs)]
    width = round(_LEFT * 2 + step * len(runs))
    return (
        f'<svg width="{width}" height="{_HEIGHT}" viewBox="0 0 {width} {_HEIGHT}" role="img" '
        f'aria-label="New and changed objects by run">{"".join(bars)}</svg>'
    )


def _bar(run: RunPoint, left: float, step: float, top: float, is_this: bool) -> str:
    room = _HEIGHT - _TOP - _BOTTOM
    base = _HEIGHT - _BOTTOM
    height = room * min(run.n_changed / top, 1.0)
    part = height * (run.quarantine_share or 0.0)
    width, middle = step * 0.62, left + step / 2
    colour = "#0072b2" if is_this else "#a9bccb"
    x = middle - width / 2
    parts = [
        _rect(x, base - height, width, max(height, 0.8), colour),
        _rect(x, base - part, width, part, "#d55e00"),
        _text(middle, base - height - 6, f"{run.n_changed:,}", is_this),
        _text(middle, base + 14, f"{run.started_at:%d %b}", is_this),
        _text(middle, base + 27, f"{run.started_at:%H:%M}", is_this),
    ]
    if run.n_changed > top:
        y = base - height * 0.7
        parts.append(
            f'<path d="M{x - 2:.1f} {y + 5:.1f} L{x + width + 2:.1f} {y - 5:.1f}" '
            'stroke="#fff" stroke-width="5"/>'
        )
    return "".join(parts)


def _rect(x: float, y: float, width: float, height: float, colour: str) -> str:
    size = f'width="{width:.1f}" height="{height:.1f}"'
    return f'<rect x="{x:.1f}" y="{y:.1f}" {size} fill="{colour}"/>'


def _text(x: float, y: float, text: str, is_bold: bool) -> str:
    weight = ' font-weight="600"' if is_bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle"{weight}>{text}</text>'
