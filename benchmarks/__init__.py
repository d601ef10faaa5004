"""Measurements against peers and physical limits, always as ratios within one run."""
