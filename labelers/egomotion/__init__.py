"""Labelers for moving cameras: the camera's motion (homographies), and what moves or differs beside it.

``egoflow`` needs camera, residual and speed; ``egoflow-cut`` camera, background and grabcut; both see a clip
through a window of frames.
"""
