"""Volumes onto a standard grid, orientation and resolution."""

from tasks.standardise.grid import grid_for
from tasks.standardise.labels import resample_mask
from tasks.standardise.resample import resample
from tasks.standardise.volume import standardise, standardised_blocks

__all__ = ["grid_for", "resample", "resample_mask", "standardise", "standardised_blocks"]
