"""Two label versions of the same videos: what changed, per frame and per box."""
