"""Rendered traffic with exact truth: scenes for the demo, the tests and small training runs."""
