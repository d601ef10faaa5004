"""Protocols: rules as data, held against series, visits and clinical values."""
