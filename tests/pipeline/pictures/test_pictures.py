"""Pictures: layers on literal arrays, and the demo table and sheet from end to end."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from spotlabel.labelers.base import EvidenceKind
from spotlabel.labelers.masks.owners import NO_OWNER
from spotlabel.pipeline.boxes import BoxTable
from spotlabel.pipeline.pictures.layers import (
    draw_believability,
    draw_evidence,
    draw_instances,
    draw_mask,
)
from spotlabel.pipeline.pictures.layers import write as text_on
from spotlabel.pipeline.pictures.sheet import contact_sheet
from spotlabel.pipeline.store import FrameState, MaskReader, MaskWriter, StoreInfo
from tests.helpers.recipes import spotlabel, tree, write


def test_background_keeps_its_pixels_and_foreground_is_tinted() -> None:
    image = np.full((20, 20, 3), 100, np.uint8)
    mask = np.zeros((20, 20), np.uint8)
    mask[4:12, 4:12] = 1
    mask[14:, :] = 255
    drawn = draw_mask(image, mask)
    assert (image == 100).all()
    assert (drawn[0] == 100).all()
    assert (drawn[8, 8] != 100).any()
    assert (drawn[16] != 100).any()


def test_objects_have_colours_of_their_own_and_what_nobody_owns_is_drawn_as_before() -> None:
    image = np.full((20, 30, 3), 100, np.uint8)
    mask = np.zeros((20, 30), np.uint8)
    mask[4:16, 2:28] = 1
    mask[18:] = 255
    owners = np.full((20, 30), NO_OWNER, np.uint16)
    owners[4:16, 2:10], owners[4:16, 10:20] = 0, 1
    drawn = draw_instances(image, mask, (owners, np.array([7, 8])))
    plain = draw_mask(image, mask)
    inside = [drawn[10, column].tolist() for column in (6, 15, 24)]
    assert len({*map(tuple, inside)}) == 3
    assert inside[2] == plain[10, 24].tolist()
    assert (drawn[18:] == plain[18:]).all()
    swapped = draw_instances(image, mask, (owners, np.array([8, 7])))
    assert [swapped[10, column].tolist() for column in (15, 6)] == inside[:2]
    assert (image == 100).all()


@pytest.mark.parametrize("kind", list(EvidenceKind))
def test_stronger_evidence_is_brighter(kind: EvidenceKind) -> None:
    values = np.array([[0, 1]], np.uint8)
    values = values.astype(np.bool_) if kind == EvidenceKind.BINARY else values * 100
    drawn = draw_evidence(values, kind).astype(int).sum(axis=2)
    assert drawn[0, 1] > drawn[0, 0]


def test_only_boxes_not_believed_show_their_believability(tmp_path: Path) -> None:
    boxes = BoxTable(
        np.array([0, 2]),
        np.array([[10, 10, 60, 50], [70, 10, 120, 50]], np.float32),
        np.zeros(2, np.int16),
        np.full(2, -1),
        np.zeros(2, np.uint8),
    )
    info = StoreInfo("a", (60, 130), np.array([1]), {}, {"class_names": ["car"]})
    with MaskWriter.writing(tmp_path / "m.h5", info, boxes) as writer:
        values = np.array([0.9, 0.3], np.float32)
        mask = np.zeros((60, 130), np.uint8)
        writer.put(0, mask, FrameState.OK, values, values > 0.5, {"believability": values})
    image = np.full((60, 130, 3), 90, np.uint8)
    drawn = draw_believability(image, MaskReader(tmp_path / "m.h5"), 0)
    assert (drawn[:, :65] == 90).all()
    assert (drawn[:, 70:120] != 90).any()


def test_a_contact_sheet_has_one_row_per_frame() -> None:
    panel = np.zeros((30, 60, 3), np.uint8)
    one = contact_sheet([[panel] * 3], ["frame 1"], "cam", 40)
    two = contact_sheet([[panel] * 3] * 2, ["frame 1", "frame 2"], "cam", 40)
    assert one.shape[1] == two.shape[1] == 3 * 40 + 4 * 6
    assert two.shape[0] - one.shape[0] == 20 + 6


def test_show_goes_on_without_evidence_images_or_a_frame(tmp_path: Path) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    recipe = write(tmp_path / "r.yaml", tree(data, out, "a", "b"))
    assert spotlabel("label", recipe, "--quiet").returncode == 0
    (out / "evidence" / "mog2" / "a.h5").unlink()
    for number in range(7, 13):
        (data / "a" / "img1" / f"{number:06}.jpg").unlink()
    done = spotlabel("show", recipe, "--count", 12, "--set", "dataset.beyond=drop")
    assert done.returncode == 0, done.stderr
    for name in ("a", "b"):
        assert len(list((out / "show" / name).glob("frame-*.png"))) == 12
    (out / "masks" / "a.h5").write_bytes(b"damaged")
    done = spotlabel("show", recipe, "--frames", "3")
    assert done.returncode == 1
    assert done.stderr.startswith("a: ")
    assert "b: " in done.stdout


def test_the_edge_of_a_text_lies_around_its_own_letters():
    image = np.full((30, 160, 3), 120, np.uint8)
    text_on(image, "vehicle 1234567890", (5, 20), 0.35, (255, 255, 255))
    bright, dark = image[:, :, 0] > 180, image[:, :, 0] < 80
    assert bright.sum() > 60
    near = np.ones((5, 5), np.uint8)
    assert not (dark & (cv2.dilate(bright.astype(np.uint8), near) == 0)).sum() > 0.1 * dark.sum()
    assert not (bright & (cv2.dilate(dark.astype(np.uint8), near) == 0)).any()


@pytest.mark.parametrize("at", [(-40, 10), (150, 3), (500, 500), (5, -20)])
def test_a_text_may_reach_off_the_image(at):
    image = np.full((30, 160, 3), 120, np.uint8)
    text_on(image, "vehicle", at, 0.35)
    assert image.shape == (30, 160, 3)
    assert (image[15:, 20:140] == 120).all()
