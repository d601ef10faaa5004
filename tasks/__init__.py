"""Pure functions on numpy, xarray, pyarrow and pydicom: no storage, no orchestration."""
