"""Pictures of detections: boxes where they are, attention where it is, sheets with every frame."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from spotlabel.detector.contract import Attention
from spotlabel.detector.prediction.draw import (
    add_legend,
    at_width,
    draw_attention,
    draw_detections,
    fitted,
    side_by_side,
)
from spotlabel.detector.prediction.pictures import AttentionMaps, Pictures, chosen_positions
from spotlabel.detector.prediction.predictor import Prediction
from spotlabel.pipeline.pictures.files import write_image

GREY = np.full((120, 200, 3), 100, np.uint8)
SEG = Attention("attention", logits=True, foreground=True)


def found(*rows, attention=None):
    table = np.array(rows, np.float64).reshape(-1, 6)
    maps = {} if attention is None else {"seg": attention}
    return Prediction(table[:, :4], table[:, 4], table[:, 5].astype(np.int64), maps)


def test_a_box_is_drawn_on_its_edges_and_nothing_inside_changes():
    drawn = draw_detections(GREY, found([50, 60, 90, 100, 0.9, 0]), ("car",))
    assert (GREY == 100).all()
    assert (drawn[64:96, 54:86] == 100).all()
    for y, x in ((60, 70), (99, 70), (80, 50), (80, 89)):
        assert (drawn[y, x] != 100).any()
    assert (drawn[:40] == 100).all()
    assert (draw_detections(GREY, found(), ("car",)) == 100).all()


def test_classes_have_colours_of_their_own_and_names_only_where_there_are_several():
    boxes = found([20, 60, 60, 100, 0.9, 0], [120, 60, 160, 100, 0.9, 1])
    drawn = draw_detections(GREY, boxes, ("car", "bus"))
    assert (drawn[80, 20] != drawn[80, 120]).any()
    chips = [
        np.count_nonzero((draw_detections(GREY, boxes, names)[40:58] != 100).any(axis=2))
        for names in (("car", "bus"), ("object",))
    ]
    assert chips[0] > chips[1]


@pytest.mark.parametrize("box", [[-500, -500, 900, 900], [0, 0, 2, 2], [30, 30, 20, 20], [195, 1, 300, 9]])
def test_boxes_beyond_the_image_or_without_area_can_be_drawn(box):
    assert draw_detections(GREY, found([*box, 0.5, 0]), ("car",)).shape == GREY.shape


def test_attention_colours_foreground_and_leaves_the_rest_grey():
    logits = np.full((120, 200), -30, np.float32)
    logits[30:60, 50:90] = 30
    image = GREY.copy()
    image[:, :, 0] = 200
    drawn = draw_attention(image, logits, SEG).astype(int)
    assert (np.ptp(drawn[100, 150]), np.ptp(drawn[45, 70]) > 50) == (0, True)
    assert drawn[45, 70].sum() > drawn[100, 150].sum()
    shares = (logits > 0).astype(np.float32)
    assert np.array_equal(draw_attention(image, shares, Attention("where")), drawn)


def test_boxes_are_outlined_where_a_map_belongs_to_them():
    nothing, boxes = np.zeros((120, 200), np.float32), np.array([[20.0, 30, 60, 70]])
    plain = draw_attention(GREY, nothing, Attention("where"), boxes)
    assert np.array_equal(plain, draw_attention(GREY, nothing, Attention("where")))
    drawn = draw_attention(GREY, nothing, Attention("where", regions=True), boxes)
    rows, columns = np.where((drawn != plain).any(axis=2))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (30, 69, 20, 59)
    assert not ((rows > 30) & (rows < 69) & (columns > 20) & (columns < 59)).any()


def test_the_legend_is_for_images_with_room_for_it():
    big = np.full((240, 400, 3), 100, np.uint8)
    assert (add_legend(big, SEG)[:150] == 100).all()
    assert (add_legend(big, SEG)[200:] != 100).any()
    assert add_legend(GREY, SEG) is GREY


def test_resizing_takes_boxes_and_attention_along():
    prediction = found([20, 30, 60, 50, 0.5, 0], attention=np.zeros((120, 200), np.float32))
    image, shown = at_width(GREY, prediction, 50)
    assert image.shape == (30, 50, 3)
    assert shown.boxes.tolist() == [[5, 7.5, 15, 12.5]]
    assert shown.attention["seg"].shape == (30, 50)
    assert fitted(GREY, (60, 300)).shape == (60, 300, 3)
    assert side_by_side([GREY, GREY]).shape == (120, 406, 3)


def test_positions_are_evenly_spread():
    assert chosen_positions(100, 4) == [12, 37, 62, 87]
    assert chosen_positions(3, 2**31) == [0, 1, 2]


def picture(path: Path) -> np.ndarray:
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert image is not None
    return image


@pytest.mark.parametrize("attention", [False, True])
def test_pictures_of_a_clip(tmp_path, attention):
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "frame-000099.png").write_bytes(b"of an earlier run")
    pictures = Pictures(tmp_path / "p", "cam", ("car",), 0.3, 4, {"seg": SEG} if attention else {})
    logits = np.zeros((120, 200), np.float32) if attention else None
    for number, image in enumerate([GREY, GREY, GREY[:60], GREY], 1):
        plane = logits if logits is None or number != 3 else logits[:60]
        boxes = found([50, 30, 90, 55, 0.9, 0], [1, 1, 20, 20, 0.1, 0], attention=plane)
        pictures.put(number, image, boxes)
    sheet = picture(pictures.finish())
    names = [path.name for path in sorted((tmp_path / "p").iterdir())]
    assert names == [f"frame-{number:06d}.png" for number in (1, 2, 3, 4)] + ["sheet.png"]
    # 200 px are enlarged to 600; panels of the sheet are 480 wide and 288 high.
    assert picture(tmp_path / "p" / names[0]).shape == ((360, 1206, 3) if attention else (360, 600, 3))
    rows, columns = (4, 2) if attention else (2, 3)
    assert sheet.shape == (26 + 6 + rows * 294 - 6, 6 + columns * 486, 3)


def test_a_clip_of_which_nothing_could_be_drawn_has_no_sheet(tmp_path):
    assert Pictures(tmp_path / "p", "cam", ("car",), 0.3, 4).finish() is None


def test_maps_lie_in_the_layout_of_cdnet(tmp_path):
    logits = np.array([[0, 1], [2, 4]], np.float32)
    for clip in ("baseline/highway", "../up"):
        AttentionMaps(tmp_path / "maps", clip, ["seg"]).put(12, found(attention=logits))
    assert picture(tmp_path / "maps/baseline/highway/in000012.png").tolist() == [[0, 64], [128, 255]]
    assert [path.name for path in tmp_path.iterdir()] == ["maps"]


def test_the_boxes_of_a_clip_lie_beside_its_maps(tmp_path):
    (tmp_path / "baseline" / "highway").mkdir(parents=True)
    boxes = tmp_path / "baseline" / "highway" / "boxes.json"
    boxes.write_text("of an earlier run")
    maps = AttentionMaps(tmp_path, "baseline/highway", ["seg"])
    assert not boxes.exists()
    logits = np.array([[0, 1], [2, 4]], np.float32)
    maps.put(12, found([1.239, 2, 3, 4, 0.2, 0], [0, 0, 1, 1, 0.15, 0], attention=logits))
    maps.put(9, found(attention=logits))
    assert maps.finish() == [boxes]
    assert boxes.read_text() == '{\n"9": [],\n"12": [[1.24, 2.0, 3.0, 4.0, 0.2]]\n}\n'


def test_several_maps_stand_side_by_side_and_have_a_tree_each(tmp_path):
    maps = {"loc": np.zeros((120, 200), np.float32), "cls": np.eye(120, 200, dtype=np.float32)}
    prediction = Prediction(np.zeros((0, 4)), np.zeros(0), np.zeros(0, np.int64), maps)
    attentions = {"loc": Attention("where"), "cls": Attention("what")}
    pictures = Pictures(tmp_path / "p", "cam", ("car",), 0.3, 1, attentions)
    pictures.put(7, GREY, prediction)
    assert picture(pictures.finish()).shape == (26 + 6 + 288, 6 + 3 * 486, 3)
    assert picture(tmp_path / "p/frame-000007.png").shape == (360, 3 * 600 + 2 * 6, 3)
    AttentionMaps(tmp_path / "maps", "a/b", maps).put(12, prediction)
    assert picture(tmp_path / "maps/cls/a/b/in000012.png").tolist() == (255 * np.eye(120, 200)).tolist()
    assert not picture(tmp_path / "maps/loc/a/b/in000012.png").any()


def test_nothing_unfinished_is_left_where_a_picture_cannot_be_written(tmp_path):
    (tmp_path / "a.png").mkdir()
    with pytest.raises(IsADirectoryError):
        write_image(tmp_path / "a.png", GREY)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
