"""PAWCS on a GPU."""
