"""Everything that only a GPU can tell, in minutes: ``python -m benchmarks.gpu``.

Runs from the root of a checkout, installed or not: ``spotlabel/`` there holds links to the four folders. What
is missing is told with the parts that it stops; ``scripts/gpu-wheels.sh`` gathers the wheels to bring along.
"""
