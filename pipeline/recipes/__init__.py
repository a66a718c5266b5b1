"""Recipes: a YAML file, ``--set`` on top of it, the presets it may name; read, checked and typed."""
