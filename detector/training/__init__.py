"""Training a detector on labelled videos."""
