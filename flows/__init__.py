"""Prefect flows and the command line: read from the lake, call tasks over Dask, write to the lake."""
