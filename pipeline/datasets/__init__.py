"""Readers: one module per dataset layout, each turning a folder into sequences."""
