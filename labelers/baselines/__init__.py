"""Baselines of one file each: the filled box, and OpenCV's background subtractors."""
