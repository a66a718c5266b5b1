"""Networks, each built from its parts: a backbone, heads, and whatever joins them."""
