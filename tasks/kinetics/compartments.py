"""Compartment models with exact curves: truth for tests and simulated studies.

The input is that of Feng et al., a sum of exponentials times polynomials, so that the response of
one and two tissue compartments, and its means over frames, follow without numerical integration.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from schemas.geometry import FloatArray
from tasks.kinetics.frames import FrameTimes


@dataclass(frozen=True)
class Term:
    """``(constant + linear t) exp(rate t)``, t in min and not before 0."""

    constant: float
    linear: float
    rate: float


@dataclass(frozen=True)
class ExponentialSum:
    """A curve that is 0 before t = 0 and a sum of `terms` from then on."""

    terms: tuple[Term, ...]

    def at(self, t_min: FloatArray) -> FloatArray:
        """Values at times in min."""
        t = np.asarray(t_min, dtype=np.float64)
        after = np.maximum(t, 0.0)
        total = np.zeros_like(after)
        for term in self.terms:
            total += (term.constant + term.linear * after) * np.exp(term.rate * after)
        return np.where(t >= 0, total, 0.0)

    def scaled(self, factor: float) -> ExponentialSum:
        """Return the curve times a factor."""
        return ExponentialSum(
            tuple(Term(factor * t.constant, factor * t.linear, t.rate) for t in self.terms)
        )

    def plus(self, other: ExponentialSum) -> ExponentialSum:
        """Return the sum of two curves."""
        return ExponentialSum(self.terms + other.terms)

    def integral(self) -> ExponentialSum:
        """Integral from 0.

        Raises
        ------
        ValueError
            For a term ``t`` without decay, whose integral is no sum of this kind.
        """
        found: list[Term] = []
        for term in self.terms:
            a, b, rate = term.constant, term.linear, term.rate
            if rate == 0:
                if b:
                    raise ValueError("a term t without exponential has no integral of this form")
                found.append(Term(0.0, a, 0.0))
            else:
                start = a / rate - b / rate**2
                found += [Term(start, b / rate, rate), Term(-start, 0.0, 0.0)]
        return ExponentialSum(tuple(found))

    def convolved(self, rate_per_min: float) -> ExponentialSum:
        """Convolution with ``exp(-rate t)``.

        Raises
        ------
        ValueError
            If the rate is one of the curve's own.
        """
        found: list[Term] = []
        for term in self.terms:
            a, b, gap = term.constant, term.linear, term.rate + rate_per_min
            if abs(gap) < 1e-9:
                raise ValueError(f"rate {rate_per_min:g} is one of the curve's own")
            start = a / gap - b / gap**2
            found += [Term(start, b / gap, term.rate), Term(-start, 0.0, -rate_per_min)]
        return ExponentialSum(tuple(found))

    def frame_means(self, times: FrameTimes) -> FloatArray:
        """Exact means over frames; (t,)."""
        start, end = times.start_s / 60.0, times.end_s / 60.0
        total = _antiderivative(self.terms, end) - _antiderivative(self.terms, start)
        means: FloatArray = total / (end - start)
        return means


def _antiderivative(terms: tuple[Term, ...], t_min: FloatArray) -> FloatArray:
    t = np.maximum(t_min, 0.0)
    total = np.zeros_like(t)
    for term in terms:
        a, b, rate = term.constant, term.linear, term.rate
        if rate == 0:
            total += a * t + b * t**2 / 2.0
        else:
            total += ((a / rate - b / rate**2) + b / rate * t) * np.exp(rate * t)
    return total


#: Feng's FDG input: amplitudes (relative to each other) and rates in 1/min.
_A1, _A2, _A3 = 851.1225, 21.8798, 20.8113
_L1, _L2, _L3 = -4.133859, -0.1190996, -0.01043449


def feng_input(scale: float = 1.0) -> ExponentialSum:
    """Plasma input of FDG after a bolus.

    ``(A1 t - A2 - A3) exp(l1 t) + A2 exp(l2 t) + A3 exp(l3 t)``.

    References
    ----------
    Feng, Huang, Wang, Int J Biomed Comput 32 (1993) 95, model 2 and its table of FDG.

    Examples
    --------
    >>> round(float(feng_input().at(np.array(0.0))), 9)
    0.0
    """
    terms = (Term(-_A2 - _A3, _A1, _L1), Term(_A2, 0.0, _L2), Term(_A3, 0.0, _L3))
    return ExponentialSum(terms).scaled(scale)


@dataclass(frozen=True)
class TwoTissue:
    """Rate constants of the two-tissue model, 1/min (`k1` ml/cm3/min); `k4` 0: irreversible.

    Parameters
    ----------
    blood_fraction : float
        Share of blood in a voxel; the rest is tissue.
    """

    k1: float
    k2: float
    k3: float = 0.0
    k4: float = 0.0
    blood_fraction: float = 0.0

    @property
    def ki(self) -> float:
        """Net rate of uptake of tissue, ml/cm3/min: ``k1 k3 / (k2 + k3)``.

        Examples
        --------
        >>> round(TwoTissue(0.1, 0.15, 0.05).ki, 9)
        0.025
        """
        return self.k1 * self.k3 / (self.k2 + self.k3)

    @property
    def vt(self) -> float:
        """Volume of distribution of tissue, ml/cm3: ``k1 / k2 (1 + k3 / k4)``."""
        return self.k1 / self.k2 * (1.0 + (self.k3 / self.k4 if self.k3 else 0.0))

    def curve(self, plasma: ExponentialSum) -> ExponentialSum:
        """Exact curve of a voxel: tissue and blood (which has the activity of plasma).

        References
        ----------
        Gunn, Gunn, Cunningham, J Cereb Blood Flow Metab 21 (2001) 635, table 1.
        """
        tissue = self._tissue(plasma).scaled(1.0 - self.blood_fraction)
        return tissue.plus(plasma.scaled(self.blood_fraction)) if self.blood_fraction else tissue

    def _tissue(self, plasma: ExponentialSum) -> ExponentialSum:
        if self.k3 == 0:
            return plasma.convolved(self.k2).scaled(self.k1)
        total = self.k2 + self.k3 + self.k4
        root = math.sqrt(total**2 - 4.0 * self.k2 * self.k4)
        fast, slow = (total + root) / 2.0, (total - root) / 2.0
        if self.k4 == 0:
            slow = 0.0
        gain = self.k1 / (fast - slow)
        early = plasma.convolved(fast).scaled(gain * (fast - self.k3 - self.k4))
        kept = plasma.convolved(slow) if slow else plasma.integral()
        return early.plus(kept.scaled(gain * (self.k3 + self.k4 - slow)))


#: Frames of a 60 minute FDG study: number and seconds of each.
FDG_FRAMES: Final = ((12, 10.0), (8, 15.0), (6, 30.0), (3, 60.0), (10, 300.0))


def frames_of(plan: tuple[tuple[int, float], ...], first_start_s: float = 0.0) -> FrameTimes:
    """Frames without gaps, from number and length of each.

    Examples
    --------
    >>> frames_of(((2, 5.0), (1, 10.0))).start_s.tolist()
    [0.0, 5.0, 10.0]
    """
    duration = np.concatenate([np.full(n, seconds) for n, seconds in plan])
    return FrameTimes(first_start_s + np.cumsum(duration) - duration, duration)
