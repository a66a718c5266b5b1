"""PAWCS, change detection by word consensus, compiled with numba.

After St-Charles, Bilodeau and Bergevin, "A Self-Adjusting Approach to Change Detection Based on Background
Word Consensus" (WACV 2015) and "Universal Background Subtraction Using Word Consensus Models" (TIP 2016).
"""

from spotlabel.labelers.pawcs.labeler import Pawcs, PawcsDistance, PawcsHeld
from spotlabel.labelers.pawcs.settings import PawcsSettings

__all__ = ["Pawcs", "PawcsDistance", "PawcsHeld", "PawcsSettings"]
