"""CSV as spreadsheets, pandas and other tools write it: delimiters, names of columns, what is missing."""

from __future__ import annotations

import logging

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotlabel.pipeline.datasets.csv_header import has_header, read_header, separator
from spotlabel.pipeline.datasets.csv_rows import read_csv, rules_of
from spotlabel.pipeline.datasets.video import READER
from spotlabel.pipeline.errors import DatasetError
from tests.helpers.dataset_files import HEIGHT, WIDTH, boxes_of, listed, loaded

PLAIN = "frame,x0,y0,x1,y1,class,track\n0,1,2,11,22,car,1\n1,3,2,13,22,car,1\n2,5,2,15,22,bus,2\n"


def written(folder, content):
    path = folder / "gate.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def rows(path):
    """Frame, corners, class and track of every box."""
    found = read_csv(path)
    return [
        (frame, box, found.class_names[kind], track)
        for frame, box, kind, track in zip(
            found.rects.frame.tolist(),
            found.rects.xyxy.tolist(),
            found.class_id.tolist(),
            found.track_id.tolist(),
            strict=True,
        )
    ]


CAR = [1.0, 2.0, 11.0, 22.0]


@pytest.mark.parametrize(
    "content",
    [
        PLAIN.replace(",", ";"),
        PLAIN.replace(",", "\t"),
        "sep=;\r\n" + PLAIN.replace(",", ";").replace("\n", "\r\n"),
        "\ufeff" + PLAIN.replace(",", ";"),
        PLAIN.replace(",", "\t").encode("utf-16"),
        '"frame";"x0";"y0";"x1";"y1";"class";"track"\n' + PLAIN.partition("\n")[2].replace(",", ";"),
        ",frame,x0,y0,x1,y1,class,track\n0,0,1,2,11,22,car,1\n1,1,3,2,13,22,car,1\n2,2,5,2,15,22,bus,2\n",
        "Frame ID;BBox Left;BBox Top;BBox Width;BBox Height;Label;Track ID\n"
        "0;1,0;2;10,0;20;car;1\n1;3;2;1e1;20;car;1\n2;5;2;10;20;bus;2\n",
        "filename,width,height,class,xmin,ymin,xmax,ymax,track_id\n"
        "gate_0.jpg,60,40,car,1,2,11,22,1\ngate_1.jpg,60,40,car,3,2,13,22,1\ngate_2.jpg,60,40,bus,5,2,15,22,2\n",
        "# frame, cx, cy, w, h, category, id\n0,6,12,10,20,car,1\n1,8,12,10,20,car,1\n2,10,12,10,20,bus,2\n",
    ],
    ids=["semicolons", "tabs", "excel", "bom", "utf-16", "quotes", "index", "decimals", "images", "centres"],
)
def test_dialects_say_the_same(tmp_path, content):
    path = written(tmp_path, content)
    assert has_header(path)
    assert rows(path) == [
        (0, CAR, "car", 1),
        (1, [3, 2, 13, 22], "car", 1),
        (2, [5, 2, 15, 22], "bus", 2),
    ]


@pytest.mark.parametrize(
    "sides",
    [
        "x0,y0,x1,y1", "x1,y1,x2,y2", "xmin,ymin,xmax,ymax", "x_min,y_min,x_max,y_max",
        "left,top,right,bottom", "xtl,ytl,xbr,ybr", "bbox_x1,bbox_y1,bbox_x2,bbox_y2", "X,Y,X2,Y2",
    ],
)  # fmt: skip
def test_corners(tmp_path, sides):
    assert rows(written(tmp_path, f"frame,{sides}\n7,1,2,11,22\n")) == [(7, CAR, "object", -1)]


@pytest.mark.parametrize(
    "sides",
    [
        "left,top,width,height", "x,y,w,h", "x,y,width,height", "bb_left,bb_top,bb_width,bb_height",
        "bbox_x,bbox_y,bbox_w,bbox_h", "x1,y1,w,h", "xmin,ymin,width,height", "x0,y0,w,h",
    ],
)  # fmt: skip
def test_sizes(tmp_path, sides):
    assert rows(written(tmp_path, f"frame,{sides}\n7,1,2,10,20\n")) == [(7, CAR, "object", -1)]


@pytest.mark.parametrize(
    "sides", ["cx,cy,w,h", "x_center,y_center,width,height", "bbox_cx,bbox_cy,bbox_w,bbox_h"]
)
def test_centres(tmp_path, sides):
    assert rows(written(tmp_path, f"frame,{sides}\n7,6,12,10,20\n")) == [(7, CAR, "object", -1)]


def test_the_size_of_the_image_is_no_side(tmp_path, caplog):
    header = "image,width,height,bbox_left,bbox_top,bbox_width,bbox_height,score"
    assert rows(written(tmp_path, f"{header}\nf07.png,60,40,1,2,10,20,.5\n")) == [(7, CAR, "object", -1)]
    assert "gate.csv: not read, not known: columns 'width', 'height', 'score'" in caplog.text


@pytest.mark.parametrize(
    ("sides", "told"),
    [
        ("x,y,w,h", "x,y are taken for the left and top edge (call them cx,cy if they are the centre)"),
        ("left,top,w,h", ""),
        ("x,y,x2,y2", ""),
    ],
)
def test_x_and_y_are_edges_and_that_is_told(tmp_path, caplog, sides, told):
    read_csv(written(tmp_path, f"frame,{sides}\n7,1,2,10,20\n"))
    assert [record.getMessage().partition("csv: ")[2] for record in caplog.records] == [told] * bool(told)


def test_what_is_missing(tmp_path):
    content = (
        "frame,x0,y0,x1,y1,class,track\n0,1,2,11,22,car,NaN\n1,1,2,11,22,nan,\n2,1,2,11,22,,3.0\n3,,,,NaN,,\n"
    )
    assert rows(written(tmp_path, content)) == [
        (0, CAR, "car", -1),
        (1, CAR, "object", -1),
        (2, CAR, "object", 3),
        (3, [0, 0, 0, 0], "object", -1),
    ]


def test_tracks_that_are_text(tmp_path):
    content = (
        "frame,x0,y0,x1,y1,track\n0,1,2,11,22,veh_b\n0,1,2,11,22,2\n1,1,2,11,22,veh_a\n2,1,2,11,22,veh_b\n"
    )
    assert [row[3] for row in rows(written(tmp_path, content))] == [1, 2, 3, 1]


def test_an_id_that_numbers_the_rows_is_no_track(tmp_path, caplog):
    header = "id,frame,x0,y0,x1,y1\n"
    assert [r[3] for r in rows(written(tmp_path, header + "1,0,1,2,11,22\n2,1,1,2,11,22\n"))] == [-1, -1]
    assert "id differs in every row and is no track" in caplog.text
    assert [r[3] for r in rows(written(tmp_path, header + "1,0,1,2,11,22\n1,1,1,2,11,22\n"))] == [1, 1]
    named = header.replace("id", "track_id")
    assert [r[3] for r in rows(written(tmp_path, named + "1,0,1,2,11,22\n2,1,1,2,11,22\n"))] == [1, 2]


@pytest.mark.parametrize(
    ("names", "numbers"),
    [
        (["gate_frame0012_jpg.rf.0a1b2c.jpg", "gate_frame0013_jpg.rf.9z8y7x.jpg"], [12, 13]),
        (["C:\\out\\a_0019_8bit.png", "C:\\out\\a_0020_8bit.png"], [19, 20]),
        (["4", "5.0"], [4, 5]),
    ],
)
def test_frame_numbers_in_image_names(tmp_path, names, numbers):
    content = "image,x0,y0,x1,y1\n" + "".join(f"{name},1,2,11,22\n" for name in (*names, names[0]))
    assert [row[0] for row in rows(written(tmp_path, content))] == [*numbers, numbers[0]]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (
            "frame;a;b;c;d\n",
            "line 1: the header 'frame,a,b,c,d' has no column 'x0', 'y0', 'x1', 'y1' (a box is",
        ),
        ("x,y,w,h,n\n", "line 1: the header 'x,y,w,h,n' has no column 'frame' (or frame_id"),
        ("frame,cx,cy,x2,y2\n", "left,top,width,height or x,y,w,h; cx,cy,w,h)"),
        ("Frame,frame,x0,y0,x1,y1\n", "column 'frame' a second time"),
        ("frame;x0;y0;x1;y1\n0;1,5;1.234,5;3;4\n", "line 2: y0 is '1.234,5', expected a number"),
        ("frame,x0,y0,x1,y1\n0,1,2,11,NA\n", "line 2: y1 is 'NA', expected a number"),
        (
            "image,x0,y0,x1,y1\na.jpg,1,2,3,4\n",
            "line 2: image is 'a.jpg', expected a name with the frame number",
        ),
        (
            "image,x0,y0,x1,y1\nf1.jpg,1,2,3,4\nleft_1.jpg,1,2,3,4\n",
            "line 3: image 'left_1.jpg' is frame 1, like 'f1.jpg' (one file of boxes per video",
        ),
    ],
)
def test_one_line_says_what_is_wrong(tmp_path, content, problem):
    path = written(tmp_path, content)
    assert has_header(path)
    with pytest.raises(DatasetError) as error:
        read_csv(path)
    assert problem in str(error.value)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "content", ["1,1,abc,4,5,6\n", "1 2 3 4 5 6\n", "1,2,3,4,5,6\n", "1 2 abc 4 5 6\n", "", "nan,1\n"]
)
def test_rows_without_a_header(tmp_path, content):
    assert not has_header(written(tmp_path, content))


@pytest.mark.parametrize(
    ("content", "rules"),
    [
        (PLAIN, "1"),
        (PLAIN + '2,1,2,11,22,"a, none",\n', "1"),
        (PLAIN.replace("bus", "NaN"), "1.1"),
        ("class,frame,x0,y0,x1,y1\nnull,0,1,2,11,22\n", "1.1"),
        (PLAIN.replace(",2\n", ",NaN\n"), "1"),
        ("frame,nonsense\nnan\n", "1"),
    ],
)
def test_only_files_that_mean_something_else_now_have_other_rules(tmp_path, content, rules):
    assert rules_of(written(tmp_path, content), 1) == rules


@given(st.permutations(["frame", "x0", "y0", "x1", "y1", "class", "track"]), st.sampled_from(",;\t"))
def test_columns_stand_in_any_order(names, sign):
    header = sign.join(names)
    assert separator(header) == sign
    found = read_header(None, 1, header.split(sign))
    asked = (found.frame, *found.box, found.class_, found.track)
    assert [names[k] for k in asked] == ["frame", "x0", "y0", "x1", "y1", "class", "track"]


def test_through_the_reader(tmp_path, caplog):
    writer = cv2.VideoWriter(str(tmp_path / "gate.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 25, (WIDTH, HEIGHT))
    for grey in (40, 90, 140):
        writer.write(np.full((HEIGHT, WIDTH, 3), grey, np.uint8))
    writer.release()
    path = written(tmp_path, "frame;x;y;w;h;type;conf\n0;1,5;2;10;20;car;.9\n1;;;;;;\n")
    assert listed(READER, tmp_path)["gate"].reader == "video 1"
    with caplog.at_level(logging.WARNING):
        found = loaded(READER, tmp_path)
    assert boxes_of(found) == [[[1.5, 2, 11.5, 22]], [], []]
    assert f"{path}: not read, not known: column 'conf'" in caplog.text
    assert "1 box without area, left out, the first: line 3" in caplog.text
