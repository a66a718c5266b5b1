"""What people corrected: kept apart from what is made, and put before it; no run overwrites it."""

from spotlabel.labelers.masks.corrected import Decision
from spotlabel.pipeline.manual.corrections import Correction, Corrections, Key
from spotlabel.pipeline.manual.fit import Fitted, Why, fit, has_twin
from spotlabel.pipeline.manual.store import drop_manual, put_manual, read_manual

__all__ = [
    "Correction",
    "Corrections",
    "Decision",
    "Fitted",
    "Key",
    "Why",
    "drop_manual",
    "fit",
    "has_twin",
    "put_manual",
    "read_manual",
]
