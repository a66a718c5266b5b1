"""Masks that people have drawn in other tools, on their way to the store of corrections."""
