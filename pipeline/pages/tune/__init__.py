"""The tuner: mask settings moved by hand, the mask of a frame beside them."""
