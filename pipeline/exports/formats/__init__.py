"""Formats of exports, a module each."""
