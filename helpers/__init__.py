"""What the notebooks call: plain functions and small classes, importable on Dask workers."""

__version__ = "0.1.0"
