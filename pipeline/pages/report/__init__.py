"""The report of a recipe: what was made, how good it is, and where to look closer."""
