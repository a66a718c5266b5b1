"""What experiments share that train variants on rendered scenes and compare them seed by seed.

Scenes with exact truth, runs that are kept when they are finished, and paired statistics.
"""
