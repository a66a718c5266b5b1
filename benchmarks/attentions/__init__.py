"""What does attention from masks bring over attention without? Seven detectors on the same rendered scenes.

``python -m benchmarks.attentions --help``.
"""
