"""Harmonisation of features between centres: ComBat, its guards, and how well it worked."""

from tasks.harmonise.assessment import compare, eta_squared, kruskal_wallis
from tasks.harmonise.combat import CombatHarmoniser
from tasks.harmonise.covariates import CovariateTable
from tasks.harmonise.engines import harmoniser
from tasks.harmonise.finding import Finding
from tasks.harmonise.guards import GuardLimits, check
from tasks.harmonise.interface import METHODS, HarmonisationModel, Harmoniser
from tasks.harmonise.model import CombatModel
from tasks.harmonise.neurocombat import NeuroCombatHarmoniser
from tasks.harmonise.table import HarmonisationResult, harmonise_long, transform_long

__all__ = [
    "METHODS",
    "CombatHarmoniser",
    "CombatModel",
    "CovariateTable",
    "Finding",
    "GuardLimits",
    "HarmonisationModel",
    "HarmonisationResult",
    "Harmoniser",
    "NeuroCombatHarmoniser",
    "check",
    "compare",
    "eta_squared",
    "harmonise_long",
    "harmoniser",
    "kruskal_wallis",
    "transform_long",
]
