"""How a run of 10,000 videos would go: simulated, not measured. ``python -m benchmarks.scale``."""
