"""Pages that are served to one browser on this machine: guarded by a token, never seen from outside."""
