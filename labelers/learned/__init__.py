"""Learned evidence: a network that tells the object in a box from what surrounds it; see ``docs/learned.md``.

A *box segmenter* is an ONNX file that takes the crop around a box and gives the probability that a pixel
belongs to the box's object. A general one, taught by others on other pictures, is called the teacher here.
"""
