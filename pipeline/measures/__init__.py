"""Measures: masks against pixel ground truth, over areas and along outlines."""
