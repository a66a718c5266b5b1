"""VOC's average precision for the tests: plain Python in exact fractions, pixel by pixel, slow."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise


def pixels(box):
    """Pixels of a box of inclusive corners, all whole numbers."""
    x0, y0, x1, y1 = box
    return {(x, y) for x in range(x0, x1 + 1) for y in range(y0, y1 + 1)}


def overlap(a, b):
    first, second = pixels(a), pixels(b)
    together = len(first | second)
    return Fraction(len(first & second), together) if together else Fraction(0)


def outcomes(objects, found, iou):
    """True, False or None (does not count) for each detection, surest first, and the objects that count.

    objects: [(picture, box, difficult)]; found: [(picture, score, box)].
    """
    used = set()
    results = []
    for picture, _, box in sorted(found, key=lambda row: -row[1]):
        best, best_overlap = None, Fraction(-1)
        for k, (other, candidate, _difficult) in enumerate(objects):
            if other == picture and overlap(box, candidate) > best_overlap:
                best, best_overlap = k, overlap(box, candidate)
        if best is None or best_overlap < iou:
            results.append(False)
        elif objects[best][2]:
            results.append(None)
        else:
            results.append(best not in used)
            used.add(best)
    return results, sum(not difficult for _, _, difficult in objects)


def figures(objects, found, iou=Fraction(1, 2)):
    """(11-point AP, area AP) of one class; at least one object that counts."""
    results, count = outcomes(objects, found, iou)
    hits, curve = 0, []
    for n, hit in enumerate([r for r in results if r is not None], 1):
        hits += hit
        curve.append((Fraction(hits, count), Fraction(hits, n)))
    levels = [Fraction(k, 10) for k in range(11)]
    eleven = sum(max((p for r, p in curve if r >= level), default=Fraction(0)) for level in levels) / 11
    recalls = sorted({Fraction(0), *(r for r, _ in curve)})
    area = sum((high - low) * max(p for r, p in curve if r >= high) for low, high in pairwise(recalls))
    return float(eleven), float(area)
