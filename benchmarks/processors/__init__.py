"""What other processors make of the same frames: ``python -m benchmarks.processors``."""
