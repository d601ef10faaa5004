"""The report of a lake: one HTML file without external resources."""
