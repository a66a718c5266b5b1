"""Labelers and mask rules: pixels in, evidence and masks out. Arrays only."""
