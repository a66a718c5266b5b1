"""CVAT XML 1.1: for video and for images, beside a video."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from spotlabel.pipeline.boxes import BoxFlag
from spotlabel.pipeline.datasets.cvat_xml import read_cvat
from spotlabel.pipeline.datasets.video import READER
from spotlabel.pipeline.errors import DatasetError
from tests.helpers.dataset_files import HEIGHT, WIDTH, boxes_of, listed, loaded, regions_of

META = "<meta><task><size>{size}</size>{more}<labels><label><name>bus</name><attributes><attribute>"
META += "<name>colour</name></attribute></attributes></label><label><name>car</name></label></labels></task>"
META += f"<original_size><width>{WIDTH}</width><height>{HEIGHT}</height></original_size></meta>"
BOX = '<box frame="{}" keyframe="1" outside="{}" occluded="{}" xtl="1.5" ytl="2" xbr="11" ybr="22"/>'


def document(content, size=3, more="", meta=META):
    head = meta.format(size=size, more=more)
    return f'<?xml version="1.0"?>\n<annotations><version>1.1</version>{head}\n{content}\n</annotations>'


def track(*boxes, label="car", number=0):
    return f'<track id="{number}" label="{label}">\n' + "\n".join(boxes) + "</track>"


@pytest.fixture
def beside(tmp_path):
    """Writes a file beside a video of three frames."""
    path = tmp_path / "gate.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 25, (WIDTH, HEIGHT))
    for grey in (40, 90, 140):
        writer.write(np.full((HEIGHT, WIDTH, 3), grey, np.uint8))
    writer.release()

    def write(text):
        (tmp_path / "gate.xml").write_text(text)
        return tmp_path

    return write


def test_tracks(beside):
    root = beside(document(track(BOX.format(0, 0, 1), BOX.format(1, 0, 0), BOX.format(2, 1, 0), number=7)))
    found = loaded(READER, root)
    assert boxes_of(found) == [[[1.5, 2, 11, 22]], [[1.5, 2, 11, 22]], []]
    assert found.boxes.track_id.tolist() == [7, 7]
    assert found.boxes.flags.tolist() == [BoxFlag.OCCLUDED, 0]
    assert found.class_names == ("bus", "car")
    assert found.boxes.class_id.tolist() == [1, 1]
    assert found.annotated is None


def test_a_file_without_a_head(beside):
    found = loaded(READER, beside(document(track(BOX.format(1, 0, 0)), meta="")))
    assert boxes_of(found) == [[], [[1.5, 2, 11, 22]], []]
    assert found.annotated is None


@pytest.mark.parametrize(
    ("size", "more", "annotated"),
    [
        (1, "", [True, False, False]),
        (2, "<start_frame>1</start_frame><stop_frame>2</stop_frame>", [False, True, True]),
        (2, "<stop_frame>2</stop_frame><frame_filter>step=2</frame_filter>", [True, False, True]),
    ],
)
def test_frames_outside_the_task_were_not_annotated(beside, caplog, size, more, annotated):
    root = beside(document("", size, more))
    assert loaded(READER, root).annotated.tolist() == annotated
    assert f"{annotated.count(False)} of 3 frames are not listed" in caplog.text
    assert loaded(READER, root, annotated="all").annotated is None


def test_more_frames_annotated_than_there_are(beside, caplog):
    loaded(READER, beside(document(track(BOX.format(0, 0, 0)), size=9)))
    assert "frames up to 8 were annotated, but the last frame is 2" in caplog.text
    assert [record.implausible for record in caplog.records] == [True]


def test_images(beside, caplog):
    box = '<box label="van" xtl="1" ytl="2" xbr="3" ybr="4"><attribute name="x">1</attribute></box>'
    size = f'width="{WIDTH}" height="{HEIGHT}"'
    images = f'<image id="0" name="a" {size}>{box}</image><image id="2" name="c" {size}/>'
    found = loaded(READER, beside(document(images)))
    assert boxes_of(found) == [[[1, 2, 3, 4]], [], []]
    assert found.annotated.tolist() == [True, False, True]
    assert found.class_names == ("bus", "car", "van")
    assert found.boxes.track_id.tolist() == [-1]


def test_other_shapes_are_unknown_and_counted(beside, caplog):
    shapes = (
        '<polygon frame="0" points="1,2;11,2;5.5,30"/>',
        '<box frame="1" xtl="10" ytl="10" xbr="30" ybr="20" rotation="90"/>',
        '<mask frame="2" left="4" top="5" width="6" height="7" rle="42"/>',
        '<points frame="2" points="1,1"/>',
        '<ellipse frame="2" cx="30" cy="20" rx="10" ry="5"/>',
    )
    found = loaded(READER, beside(document(track(*shapes))))
    assert boxes_of(found) == [[], [], []]
    assert regions_of(found)[0] == [[1, 2, 11, 30]]
    np.testing.assert_allclose(regions_of(found)[1], [[15, 5, 25, 25]])
    np.testing.assert_allclose(regions_of(found)[2], [[4, 5, 10, 12], [20, 15, 40, 25]])
    told = [r.getMessage() for r in caplog.records if "no upright boxes" in r.getMessage()]
    assert len(told) == 1
    assert told[0].endswith("1 x ellipse, 1 x mask, 1 x points, 1 x polygon, 1 x rotated box")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (document(track(BOX.format(0, 0, 0).replace("1.5", "a"))), "line 4: box: xtl is 'a', expected a num"),
        (document(track(BOX.format("", 0, 0))), "line 4: box: frame is '', expected a whole number"),
        (document(track(BOX.format(0, 2, 0))), "line 4: box: outside is '2', expected 0 or 1"),
        (document(track(BOX.format(3, 0, 0))), "line 4: frame 3 has no image, the images are 0 to 2"),
        (document(track(BOX.format(0, 0, 0), label="")), "line 4: track 0: label is missing"),
        (document('<image id="0"/><image id="0"/>'), "line 3: image: id 0 a second time"),
        (document('<image id="0" width="9" height="8"/>'), "line 3: image: declares 9 x 8 pixels, but"),
        (document(track('<polygon frame="0" points="1;2"/>')), "line 4: polygon: points are no list"),
        (document("", size="x"), "meta: size: is 'x', expected a whole number"),
        (document("").replace(f"<width>{WIDTH}<", "<width>9<"), "meta: original_size: declares 9 x"),
        (document("")[:-5], "no well-formed XML"),
        ("<annotation><object/></annotation>", "is Pascal VOC, which describes one image"),
    ],
)  # fmt: skip
def test_errors_name_line_and_element(beside, text, message):
    with pytest.raises(DatasetError, match=f"gate.xml: .*{message}".replace("(", r"\(")) as error:
        loaded(READER, beside(text))
    assert "\n" not in str(error.value)


def test_entities_are_refused(tmp_path):
    (tmp_path / "a.xml").write_text('<!DOCTYPE a [<!ENTITY b "c">]><annotations>&b;</annotations>')
    with pytest.raises(DatasetError, match="DTDs and entities are not accepted"):
        read_cvat(tmp_path / "a.xml")


def test_a_file_of_another_kind_is_told_once(beside, caplog):
    (sequence,) = listed(READER, beside("<annotation/>")).values()
    assert "Pascal VOC" in sequence.problem
    assert not caplog.records
