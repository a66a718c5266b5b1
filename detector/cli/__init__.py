"""Commands of ``spotlabel`` that need the detector; :mod:`pipeline.cli` finds them by name, on demand."""
