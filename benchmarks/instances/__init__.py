"""Whose pixels: owners measured on rendered scenes, whose instances are known exactly."""
