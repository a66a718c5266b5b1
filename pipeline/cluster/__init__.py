"""Videos as jobs of a batch scheduler: what to ask for, handing them in, how they stand."""
