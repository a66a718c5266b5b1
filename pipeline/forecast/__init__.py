"""Forecasts: what labelling will take in time, memory and room, before anything is run."""
