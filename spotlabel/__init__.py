"""Pixel masks for box-annotated traffic video, and the detectors that learn from them."""
