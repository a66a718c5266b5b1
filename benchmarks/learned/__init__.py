"""What a network brings to the labels: ``python -m benchmarks.learned``."""
