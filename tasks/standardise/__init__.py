"""Volumes onto a standard grid, orientation and resolution."""

from tasks.standardise.grid import grid_for
from tasks.standardise.resample import resample, resample_mask
from tasks.standardise.volume import standardise

__all__ = ["grid_for", "resample", "resample_mask", "standardise"]
