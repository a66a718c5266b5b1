"""The fault campaign: every promise of docs/reliability.md at full counts (``make campaign``)."""
