"""Recipes: one YAML file per dataset."""
