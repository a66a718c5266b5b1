"""The command line: ``spotlabel``."""

from spotlabel.pipeline.cli.main import main

__all__ = ["main"]
