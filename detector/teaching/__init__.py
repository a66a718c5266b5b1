"""Students: small networks that learn from a large one what the objects of one video look like.

Only tensors are known here: what is taught, and to whom, is decided in :mod:`spotlabel.labelers.learned`.
"""
