"""The mask rules on drawn cases: against a second implementation, and their properties."""

from __future__ import annotations

import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from spotlabel.labelers.base import EvidenceKind
from spotlabel.labelers.masks import MaskSettings, make_mask
from spotlabel.labelers.masks.boxes import inside_rects, patches, pixel_rects
from spotlabel.labelers.masks.cleaning import foreground, large_blobs, solid_blobs, threshold_level
from spotlabel.labelers.masks.frame import clean_foreground, foreground_in_boxes
from tests.helpers.clips import NO_BOXES
from tests.labelers.masks.test_masks import boxes

KINDS = list(EvidenceKind)
SHAPE = (40, 56)
KERNELS = st.sampled_from([0, 3, 5])


@st.composite
def box_arrays(draw, most=5):
    rows = []
    for _ in range(draw(st.integers(0, most))):
        x0, y0 = draw(st.floats(0, SHAPE[1] - 1)), draw(st.floats(0, SHAPE[0] - 1))
        width, height = draw(st.floats(0, 25)), draw(st.floats(0, 25))
        rows.append((x0, y0, min(x0 + width, SHAPE[1]), min(y0 + height, SHAPE[0])))
    return boxes(*rows)


@st.composite
def evidences(draw, kind):
    """Random blocks: at the scale of pixels and of kernels."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scale = draw(st.sampled_from([1, 2, 5]))
    density = draw(st.sampled_from([0.0, 0.2, 0.5, 0.8, 1.0]))
    coarse = np.where(rng.random(SHAPE) < density, rng.integers(1, 256, SHAPE), 0).astype(np.uint8)
    values = cv2.resize(coarse, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)[
        : SHAPE[0], : SHAPE[1]
    ]
    return values > 0 if kind == EvidenceKind.BINARY else np.ascontiguousarray(values)


@st.composite
def rules(draw):
    blur = draw(KERNELS)
    weak = draw(st.sampled_from(["keep", "unknown"]))
    return MaskSettings(
        boxes_first=draw(st.booleans()),
        box_rounding=draw(st.sampled_from(["cover", "nearest", "truncate"])),
        box_padding=draw(st.sampled_from([0, 0, 2])),
        other_classes=draw(st.sampled_from(["background", "unknown"])),
        blur=blur,
        blur_sigma=draw(st.sampled_from([0.0, 4.0])) if blur else 0.0,
        motion_threshold=draw(st.sampled_from([0.1, 1.0, 6.0])),
        median=draw(KERNELS),
        open=draw(KERNELS),
        close=draw(KERNELS),
        fill_holes=draw(st.booleans()),
        min_blob=draw(st.sampled_from([0, 4, 30])),
        weak_boxes=weak,
        min_fill=draw(st.sampled_from([0.1, 0.6])) if weak == "unknown" else 0.0,
        ignore_regions=draw(st.sampled_from(["unknown", "background"])),
    )


@st.composite
def cases(draw):
    kind = draw(st.sampled_from(KINDS))
    rows = draw(box_arrays())
    chosen = np.array(draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows))), bool)
    return draw(evidences(kind)), kind, rows, chosen, draw(box_arrays(most=2)), draw(rules())


@given(cases())
@settings(max_examples=300)
def test_patches_give_the_same_as_the_whole_image(case):
    evidence, kind, rows, chosen, _, rule = case
    rects = pixel_rects(rows, SHAPE, rule, 0.5)[chosen]
    values = evidence.view(np.uint8)
    whole = clean_foreground(values, inside_rects(SHAPE, rects), kind, rule, threshold_level(kind, rule, 24))
    assert np.array_equal(foreground_in_boxes(values, kind, rects, rule, 24), whole)


def reference_mask(case):
    """The rules once more, as pixel sets on the whole image."""
    evidence, kind, rows, chosen, regions, rule = case
    rects = pixel_rects(rows, SHAPE, rule, 0.5)
    inside = [np.zeros(SHAPE, bool) for _ in rects]
    for plane, (x0, y0, x1, y1) in zip(inside, rects, strict=True):
        plane[y0:y1, x0:x1] = True
    values = evidence.view(np.uint8)
    is_foreground = (
        clean_foreground(
            values, inside_rects(SHAPE, rects[chosen]), kind, rule, threshold_level(kind, rule, 24)
        )
        == 1
    )
    fill = [is_foreground[plane].mean() if plane.any() else 0 for plane in inside]
    believed = [
        c and plane.any() and np.float32(f) >= np.float32(rule.min_fill)
        for c, plane, f in zip(chosen, inside, fill, strict=True)
    ]
    unknown, trusted = np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)
    for plane, is_chosen, is_believed in zip(inside, chosen, believed, strict=True):
        trusted |= plane & is_foreground & is_believed
        if (not is_chosen and rule.other_classes == "unknown") or (
            is_chosen and not is_believed and rule.weak_boxes == "unknown"
        ):
            unknown |= plane
    unknown &= ~trusted
    if rule.ignore_regions == "unknown":
        for x0, y0, x1, y1 in pixel_rects(regions, SHAPE, MaskSettings()):
            unknown[y0:y1, x0:x1] = True
    return np.where(unknown, 255, is_foreground).astype(np.uint8)


@given(cases())
@settings(max_examples=300)
def test_mask_follows_the_rules_in_their_order(case):
    evidence, kind, rows, chosen, regions, rule = case
    made = make_mask(evidence, kind, rows, chosen, regions, rule, neutral=24, native_origin=0.5)
    assert np.array_equal(made.mask, reference_mask(case))


@given(cases())
@settings(max_examples=150)
def test_nothing_but_background_outside_boxes_and_regions(case):
    evidence, kind, rows, chosen, regions, rule = case
    rule = rule.model_copy(update={"boxes_first": False})
    made = make_mask(evidence, kind, rows, chosen, regions, rule, neutral=24, native_origin=0.5)
    allowed = np.zeros(SHAPE, bool)
    touched = pixel_rects(regions, SHAPE, MaskSettings())
    for x0, y0, x1, y1 in [*pixel_rects(rows, SHAPE, rule, 0.5), *touched]:
        allowed[y0:y1, x0:x1] = True
    assert not made.mask[~allowed].any()


@given(cases(), st.sampled_from([(0.1, 0.5), (0.5, 2.0), (2.0, 15.0)]))
@settings(max_examples=100)
def test_a_higher_threshold_never_adds_foreground(case, thresholds):
    _, _, rows, chosen, _, rule = case
    evidence = np.random.default_rng(len(rows)).integers(0, 256, SHAPE, dtype=np.uint8)
    plain = rule.model_copy(update={"weak_boxes": "keep", "min_fill": 0.0, "ignore_regions": "background"})
    low, high = (
        make_mask(
            evidence,
            EvidenceKind.MOTION,
            rows,
            chosen,
            NO_BOXES,
            plain.model_copy(update={"motion_threshold": value, "other_classes": "background"}),
        ).mask
        for value in thresholds
    )
    assert (high <= low).all()


@given(cases())
@settings(max_examples=50)
def test_empty_evidence_gives_no_foreground(case):
    evidence, kind, rows, chosen, regions, rule = case
    made = make_mask(np.zeros_like(evidence), kind, rows, chosen, regions, rule, neutral=24)
    assert not (made.mask == 1).any()
    assert not made.fill.any()


@given(box_arrays(most=8), st.integers(1, 9))
@settings(max_examples=150)
def test_patches_hold_every_box_with_its_margin_and_never_overlap(rows, margin):
    rects = pixel_rects(rows, SHAPE, MaskSettings())
    rects = rects[(rects[:, 2] > rects[:, 0]) & (rects[:, 3] > rects[:, 1])]
    cover, grown = np.zeros(SHAPE, int), np.zeros(SHAPE, bool)
    for x0, y0, x1, y1 in patches(rects, margin, SHAPE):
        cover[y0:y1, x0:x1] += 1
    for x0, y0, x1, y1 in rects.tolist():
        grown[max(y0 - margin, 0) : y1 + margin, max(x0 - margin, 0) : x1 + margin] = True
    assert cover.max(initial=0) <= 1
    assert cover[grown].all()


PLANES = st.tuples(st.integers(1, 20), st.integers(1, 20), st.integers(0, 2**32 - 1), st.floats(0, 1)).map(
    lambda t: (np.random.default_rng(t[2]).random(t[:2]) < t[3]).astype(np.uint8)
)


@given(PLANES, st.sampled_from([0, 1, 2, 5, 20]))
@settings(max_examples=300)
def test_blobs_and_holes_agree_with_connected_components(plane, min_blob):
    outside = cv2.connectedComponents(np.pad(1 - plane, 1, constant_values=1), connectivity=4)[1]
    filled = (outside != outside[0, 0])[1:-1, 1:-1].astype(np.uint8)
    for source, got in ((plane, large_blobs(plane, min_blob)), (filled, solid_blobs(plane, min_blob))):
        _, labels = cv2.connectedComponents(source, connectivity=8)
        sizes = np.bincount(labels.ravel())
        assert np.array_equal(got, (source == 1) & (sizes[labels] >= min_blob))


@given(PLANES, st.sampled_from([3, 5, 9, 17]))
@settings(max_examples=100)
def test_median_is_opencvs(plane, size):
    got = foreground(plane, EvidenceKind.BINARY, 0, MaskSettings(median=size))
    assert np.array_equal(got, cv2.medianBlur(plane, size))
