"""Measuring detections by the benchmarks' own rules; numpy alone."""
