"""Kinetic profiles are checked when they are made and read from TOML."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest

from schemas.errors import InvalidInputError, KineticsRefusedError
from schemas.kinetics import (
    KINETIC_PROFILES,
    KINETIC_REFUSALS,
    MODELS,
    PARAMETERS,
    KineticProfile,
    load_kinetic_profile,
)

GOOD = 'kind = "kinetic"\nprofile_id = "a/1"\nmodel = "logan"\n'


def test_every_model_has_parameters_and_a_profile() -> None:
    assert set(MODELS) == set(PARAMETERS) == {p.model for p in KINETIC_PROFILES.values()}
    assert all(text.endswith(".") for text in KINETIC_REFUSALS.values())


def test_digests_tell_profiles_apart() -> None:
    digests = {p.digest() for p in KINETIC_PROFILES.values()}
    assert len(digests) == len(KINETIC_PROFILES)
    patlak = KINETIC_PROFILES["patlak/1"]
    assert replace(patlak, t_star_min=21.0).digest() != patlak.digest()


def test_toml_makes_a_profile() -> None:
    profile = load_kinetic_profile(GOOD + "t_star_min = 40\nn_basis = 50\nweighting = 'uniform'\n")
    assert profile == KineticProfile("a/1", "logan", 40.0, n_basis=50, weighting="uniform")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind = ", "not valid TOML"),
        ('kind = "standard"', 'expected "kinetic"'),
        ('kind = "kinetic"\nmodel = "patlak"', "missing"),
        (GOOD + "speed = 1", "unknown profile keys"),
        (GOOD + 't_star_min = "soon"', "t_star_min"),
        (GOOD + "n_basis = 2.5", "n_basis"),
        (GOOD + "weighting = 1", "weighting"),
        (GOOD + "t_star_min = true", "t_star_min"),
        (GOOD + "t_star_min = -1", "t_star_min >= 0"),
        (GOOD.replace("logan", "magic"), "a model of patlak"),
        (GOOD.replace("logan", "ratio"), "t_star_min"),
        (GOOD + "minimum_frames = 2", "3 frames"),
        (GOOD + "max_deviation = 0", "max_deviation"),
        (GOOD + "theta_min_per_min = 1", "theta_min < theta_max"),
        (GOOD + "input_hottest_share = 0", "input_hottest_share"),
        (GOOD + "k2_reference_per_min = 0", "k2_reference_per_min > 0"),
    ],
)
def test_wrong_profiles_are_refused(text: str, said: str) -> None:
    with pytest.raises(InvalidInputError, match=said):
        load_kinetic_profile(text)


def test_refusals_survive_the_way_between_processes() -> None:
    error = pickle.loads(pickle.dumps(KineticsRefusedError("kinetics.few_frames", "got 2")))
    assert (error.reason_code, error.detail) == ("kinetics.few_frames", "got 2")
