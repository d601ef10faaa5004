"""Radioactive decay: during a frame, and back to a reference time."""

from __future__ import annotations

import math


def decay_constant(half_life_s: float) -> float:
    """Decay constant lambda = ln 2 / T1/2 (1/s)."""
    return math.log(2) / half_life_s


def remaining_fraction(elapsed_s: float, half_life_s: float) -> float:
    """Fraction exp(-lambda t) of the activity left after `elapsed_s`.

    Examples
    --------
    >>> remaining_fraction(6586.2, 6586.2)
    0.5
    """
    return float(2.0 ** (-elapsed_s / half_life_s))


def frame_decay_factor(duration_s: float, half_life_s: float) -> float:
    """Ratio of the activity at frame start to its mean over the frame: x / (1 - exp(-x)).

    x = lambda T. Also the factor (DCF) that corrects a frame's mean to its start.

    Examples
    --------
    >>> round(frame_decay_factor(6586.2, 6586.2), 6)  # ln 2 / (1 - 1/2)
    1.386294
    """
    x = decay_constant(half_life_s) * duration_s
    return x / -math.expm1(-x) if x > 1e-12 else 1.0


def average_count_time(duration_s: float, half_life_s: float) -> float:
    """Time T_ave (s) after frame start at which the activity equals its mean over the frame.

    T_ave = ln(x / (1 - exp(-x))) / lambda with x = lambda T; slightly below T / 2.

    Examples
    --------
    >>> round(average_count_time(300, 6586.2), 3)
    149.605

    References
    ----------
    DICOM PS3.3 C.8.9.4.1.5 (Frame Reference Time).
    """
    x = decay_constant(half_life_s) * duration_s
    if x < 1e-6:
        return duration_s / 2
    return math.log(frame_decay_factor(duration_s, half_life_s)) / decay_constant(half_life_s)
