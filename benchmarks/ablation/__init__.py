"""Does attention help? Variants of SpotNet trained on small synthetic scenes, with paired statistics.

Each scene shows annotated vehicles on a road and identical, un-annotated ones off it: only their place
tells them apart, which is where SpotNet's paper expects attention to help.
``python -m benchmarks.ablation --help``.
"""
