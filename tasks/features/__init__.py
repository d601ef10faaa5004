"""Features of regions of interest."""
