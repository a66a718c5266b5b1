"""Upkeep: what is made already, what is stale and why, and whose share of the work it is."""
