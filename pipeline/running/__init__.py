"""Running stages over many videos: each in a process of its own, scheduled by joblib."""
