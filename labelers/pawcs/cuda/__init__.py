"""PAWCS on a GPU; import only where numba finds CUDA or its simulator (see ``pawcs.devices``)."""
