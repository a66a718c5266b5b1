"""Labelling on clusters through Dask; see docs/dask.md."""
