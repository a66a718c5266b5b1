"""Attention maps measured as foreground masks, by the rules of CDnet."""
