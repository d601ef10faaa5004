"""Regions of interest on an image grid: from contours, from masks, from thresholds."""
