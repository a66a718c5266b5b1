"""Tensors: what trains on the masks, and how it is measured."""
