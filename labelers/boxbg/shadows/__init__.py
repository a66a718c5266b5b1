"""Deep shadow in boxes, told by where it lies."""
