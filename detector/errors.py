"""Errors of training and detection that a user can act on."""

from __future__ import annotations

from spotlabel.pipeline.errors import SpotlabelError


class TrainingError(SpotlabelError):
    """Training that cannot start or go on."""


class PredictionError(SpotlabelError):
    """Detection that cannot be done as asked."""


class TeachingError(SpotlabelError):
    """A student that cannot be taught."""
