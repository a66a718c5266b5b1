"""Moving cameras: how the camera moved, and what moves beside it."""
