"""Commands that need the detector; :mod:`spotlabel.pipeline.cli` finds them by name, on demand."""
