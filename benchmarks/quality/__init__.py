"""Every labeler against pixel ground truth, into docs/quality.md; start at ``__main__``.

What is measured stands in ``tables``: a labeler or preset more is a line there.
"""
