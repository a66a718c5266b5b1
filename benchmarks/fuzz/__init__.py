"""Mutated files of every kind that is read: refused in a line, or taken for something that makes sense."""
