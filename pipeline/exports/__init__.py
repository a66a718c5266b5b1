"""Exports: what is in mask stores, object by object, in the formats that other tools read."""
