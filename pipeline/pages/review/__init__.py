"""The review: doubtful boxes one by one, decided by a person with a key each."""
