"""The truth itself: exact curves against numerical integration and published relations."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp

from tasks.kinetics.compartments import ExponentialSum, Term, TwoTissue, feng_input, frames_of

MODELS = [
    TwoTissue(0.1, 0.15),
    TwoTissue(0.1, 0.15, 0.05),
    TwoTissue(0.3, 0.3, 0.08, 0.06),
    TwoTissue(0.102, 0.130, 0.062, 0.0068, 0.05),
]


@pytest.mark.parametrize("model", MODELS)
def test_curves_solve_the_differential_equations(model: TwoTissue) -> None:
    plasma = feng_input()

    def change(t: float, c: np.ndarray[tuple[int], np.dtype[np.float64]]) -> list[float]:
        free, bound = c
        supply = model.k1 * float(plasma.at(np.array(t)))
        return [
            supply - (model.k2 + model.k3) * free + model.k4 * bound,
            model.k3 * free - model.k4 * bound,
        ]

    at = np.array([0.3, 2.0, 15.0, 60.0])
    solved = solve_ivp(change, (0, 60), [0, 0], t_eval=at, rtol=1e-10, atol=1e-12, max_step=0.05)
    blood = model.blood_fraction
    expected = (1 - blood) * solved.y.sum(axis=0) + blood * plasma.at(at)
    np.testing.assert_allclose(model.curve(plasma).at(at), expected, rtol=1e-7)


def test_frame_means_are_exact() -> None:
    curve = TwoTissue(0.3, 0.3, 0.08, 0.06).curve(feng_input())
    times = frames_of(((3, 10.0), (2, 600.0)), -5.0)
    found = curve.frame_means(times)
    for start, end, mean in zip(times.start_s / 60, times.end_s / 60, found, strict=True):
        exact, _ = quad(lambda t: float(curve.at(np.array(t))), max(start, 0), end, epsrel=1e-12)
        assert mean == pytest.approx(exact / (end - start), rel=1e-9)


def test_net_rate_and_volume_of_distribution_by_hand() -> None:
    assert TwoTissue(0.1, 0.15, 0.05).ki == pytest.approx(0.1 * 0.05 / 0.2)
    assert TwoTissue(0.3, 0.3, 0.08, 0.04).vt == pytest.approx(3.0)
    assert TwoTissue(0.3, 0.2).vt == pytest.approx(1.5)


def test_the_feng_input_peaks_where_its_paper_shows_it() -> None:
    minutes = np.linspace(0, 60, 6001)
    values = feng_input().at(minutes)
    assert 0.15 < minutes[np.argmax(values)] < 0.35
    assert values[0] == pytest.approx(0, abs=1e-12)


def test_what_has_no_form_of_this_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="own"):
        ExponentialSum((Term(1.0, 0.0, -0.1),)).convolved(0.1)
    with pytest.raises(ValueError, match="without exponential"):
        ExponentialSum((Term(1.0, 1.0, 0.0),)).integral()
