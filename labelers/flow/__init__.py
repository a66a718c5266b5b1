"""Labelers from dense optical flow alone: as in the paper, and as in the released scripts."""
