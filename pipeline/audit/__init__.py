"""How good made masks are, measured by what people corrected."""
