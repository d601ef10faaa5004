"""What runs on Dask workers: tasks and volume storage; no catalog, no Prefect."""
