"""Videos as jobs of a batch scheduler: what they request, handing them in, how they stand."""
