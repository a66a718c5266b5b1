"""Disk and processes: datasets, stores, stages, running, the command line."""
