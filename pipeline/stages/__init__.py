"""The two stages of label making, each for one sequence: evidence (slow) and masks (fast)."""
