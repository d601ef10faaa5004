"""Prefect flows and the command line: lake -> tasks (over Dask) -> lake."""
