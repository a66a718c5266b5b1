"""The tables of the papers, made anew: ``python -m benchmarks.reproduce TABLE``."""
