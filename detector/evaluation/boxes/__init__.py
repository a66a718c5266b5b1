"""Detections against the boxes of a recipe's own dataset, whatever reader they come from."""
