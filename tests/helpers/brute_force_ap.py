"""An independent evaluator for the tests: plain Python, no numpy, written for reading and not for speed."""

from __future__ import annotations

from fractions import Fraction


def overlap(a, b):
    """IoU of two boxes (left, top, width, height)."""
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / (a[2] * a[3] + b[2] * b[3] - width * height)


def strictly_inside(box, region):
    return (
        box[0] > region[0]
        and box[1] > region[1]
        and box[0] + box[2] < region[0] + region[2]
        and box[1] + box[3] < region[1] + region[3]
    )


def clamped(box, image):
    """A box as UA-DETRAC's format check leaves it: the corner moves, the size is cut at the far border."""
    height, width = image
    left, top = min(max(box[0], 1), width), min(max(box[1], 1), height)
    return (left, top, min(box[2], width - left + 1), min(box[3], height - top + 1))


def ignored_share(box, regions, image):
    """Share of a clamped box of whole numbers that UA-DETRAC's regions cover, pixel by pixel."""
    height, width = image
    left, top, w, h = box
    covered = sum(
        any(r[0] <= x <= r[0] + r[2] and r[1] <= y <= r[1] + r[3] for r in regions)
        for y in range(top + 1, min(top + h, height) + 1)
        for x in range(left + 1, min(left + w, width) + 1)
    )
    return Fraction(covered, w * h)


def detrac_frames(frames, regions, image):
    """Frames as UA-DETRAC's rules leave them: boxes clamped, those half or more in ``regions`` gone."""
    kept = []
    for frame in frames:
        found = [(score, clamped(box, image)) for score, box in frame["found"]]
        found = [f for f in found if ignored_share(f[1], regions, image) < Fraction(1, 2)]
        kept.append({"objects": frame["objects"], "regions": [], "found": found})
    return kept


def judge(frames, iou=0.7):
    """Outcomes (score, hit) of all frames, in order, and the number of objects.

    Each frame: {"objects": [box], "regions": [box], "found": [(score, box)]}.
    """
    outcomes, objects = [], 0
    for frame in frames:
        objects += len(frame["objects"])
        free = list(frame["objects"])
        found = [f for f in frame["found"] if not any(strictly_inside(f[1], r) for r in frame["regions"])]
        for score, box in sorted(found, key=lambda f: -f[0]):
            candidates = [(overlap(box, other), i) for i, other in enumerate(free)]
            best = max((c for c in candidates if c[0] >= iou), default=None)
            if best:
                del free[best[1]]
            outcomes.append((score, best is not None))
    return outcomes, objects


def curve(outcomes, objects):
    """(recall, precision) after every detection, exact fractions."""
    hits, points = 0, []
    for n, (_, hit) in enumerate(sorted(outcomes, key=lambda o: -o[0]), 1):
        hits += hit
        points.append((Fraction(hits, objects), Fraction(hits, n)))
    return points


def area_ap(outcomes, objects):
    """Sum over recall steps of the best precision from there on."""
    total, before, best_from = Fraction(0), Fraction(0), Fraction(0)
    points = curve(outcomes, objects)
    envelope = []
    for _, precision in reversed(points):
        best_from = max(best_from, precision)
        envelope.append(best_from)
    for (recall, _), precision in zip(points, reversed(envelope), strict=True):
        total += (recall - before) * precision
        before = recall
    return float(total)


def interpolated_ap(outcomes, objects, points=11):
    """Mean of the best precision at or beyond equally spaced recalls."""
    reached = curve(outcomes, objects)
    levels = [Fraction(k, points - 1) for k in range(points)]
    return float(sum(max((p for r, p in reached if r >= level), default=0) for level in levels) / points)
