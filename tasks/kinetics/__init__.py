"""Kinetics of dynamic PET: curves, input functions, graphical and reference tissue models."""
