"""Findings: what a person should look at although the data were usable."""
