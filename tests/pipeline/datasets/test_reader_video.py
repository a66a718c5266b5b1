"""The video reader: one video, boxes in four forms, and what a pair of files may get wrong."""

from __future__ import annotations

import json
import logging

import cv2
import numpy as np
import pytest

from spotlabel.pipeline.datasets.video import READER
from spotlabel.pipeline.errors import DatasetError
from spotlabel.pipeline.sequence import Camera
from tests.helpers.dataset_files import (
    HEIGHT,
    STRICT,
    WIDTH,
    all_loaded,
    boxes_of,
    listed,
    loaded,
    regions_of,
)

CSV = "frame,x0,y0,x1,y1,class,track\n0,1,2,11,22,car,4\n2,50,30,70,50,bus,\n"
MOT = "1,4,2,3,10,20,1,3,1\n3,5,51,31,20,20,1,3,1\n3,6,1,1,5,5,0,8,1\n"
XML = """<sequence name="road">
<sequence_attribute camera_state="unstable" sence_weather="night" />
<ignored_region><box left="0.5" top="0.5" width="5" height="5" /></ignored_region>
<frame num="1"><target_list><target id="4"><box left="1.5" top="2.5" width="10" height="20" />
<attribute vehicle_type="Sedan" /></target></target_list></frame>
<frame num="3"><target_list><target id="5"><box left="50.5" top="30.5" width="20" height="20" />
<attribute vehicle_type="Bus" /></target></target_list></frame>
</sequence>"""
COCO = {
    "images": [
        {"id": n, "file_name": f"frame{n:04d}.jpg", "width": WIDTH, "height": HEIGHT} for n in range(3)
    ],
    "annotations": [
        {"image_id": 0, "bbox": [1, 2, 10, 20], "category_id": 1, "track_id": 4},
        {"image_id": 2, "bbox": [50, 30, 20, 20], "category_id": 1},
        {"image_id": 2, "bbox": [0, 0, 5, 5], "category_id": 1, "iscrowd": 1},
    ],
    "categories": [{"id": 1, "name": "car"}],
}
FORMS = {".csv": CSV, ".txt": MOT, ".xml": XML, ".json": json.dumps(COCO)}


@pytest.fixture(scope="session")
def clip(tmp_path_factory):
    """Bytes of a video of three frames."""
    path = tmp_path_factory.mktemp("clip") / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 25, (WIDTH, HEIGHT))
    for grey in (40, 90, 140):
        writer.write(np.full((HEIGHT, WIDTH, 3), grey, np.uint8))
    writer.release()
    return path.read_bytes()


@pytest.fixture
def dataset(tmp_path, clip):
    def make(boxes, suffix=".csv", name="road"):
        (tmp_path / f"{name}.avi").write_bytes(clip)
        raw = boxes if isinstance(boxes, bytes) else boxes.encode()
        (tmp_path / f"{name}{suffix}").write_bytes(raw)
        return tmp_path

    return make


@pytest.mark.parametrize("suffix", FORMS)
def test_the_same_boxes_in_every_form(dataset, suffix):
    (sequence,) = listed(READER, dataset(FORMS[suffix], suffix)).values()
    assert sequence.name == "road"
    assert sequence.annotation_files[0].name == f"road{suffix}"
    found = sequence.load()
    assert boxes_of(found) == [[[1, 2, 11, 22]], [], [[50, 30, WIDTH, HEIGHT]]]
    assert found.boxes.track_id[0] == 4
    assert found.clipped == 1
    assert found.class_names[found.boxes.class_id[0]] == "car"
    region = [] if suffix == ".csv" else [[0, 0, 5, 5]]
    assert regions_of(found) == [region if suffix == ".xml" else []] * 2 + [region]


def test_camera_and_weather_of_the_xml(dataset):
    sequence = listed(READER, dataset(XML, ".xml"))["road"]
    assert sequence.camera is Camera.MOVING
    assert sequence.attributes == {"weather": "night"}
    assert listed(READER, dataset(XML, ".xml"), camera="fixed")["road"].camera is Camera.FIXED


def test_camera_of_the_other_forms(dataset):
    assert listed(READER, dataset(CSV))["road"].camera is Camera.FIXED
    assert listed(READER, dataset(CSV), camera="moving")["road"].camera is Camera.MOVING


def test_mot_rows_may_be_called_csv(dataset):
    assert boxes_of(loaded(READER, dataset("\n" + MOT, ".csv")))[0] == [[1, 2, 11, 22]]


@pytest.mark.parametrize(("suffix", "first"), [(".csv", 0), (".txt", 1), (".xml", 1), (".json", 0)])
def test_number_of_the_first_frame(dataset, suffix, first):
    root = dataset(FORMS[suffix], suffix)
    assert listed(READER, root)["road"].frames.numbers.tolist() == [first, first + 1, first + 2]
    shifted = listed(READER, root, first_frame=first - 1)["road"]
    assert shifted.frames.numbers[0] == first - 1
    found = listed(READER, root, first_frame=first - 1, beyond="drop")["road"].load()
    assert (boxes_of(found)[1], found.dropped) == ([[1, 2, 11, 22]], 1)


def test_options_of_the_forms(dataset):
    root = dataset(MOT, ".txt")
    found = loaded(READER, root, classes={3: "lorry"}, inactive="drop", ignore=[[0, 0, 9, 9]])
    assert found.class_names == ("lorry",)
    assert regions_of(found) == [[[0, 0, 9, 9]]] * 3


def test_vehicle_types_of_the_xml(dataset):
    assert loaded(READER, dataset(XML, ".xml"), vehicle_types="single").class_names == ("vehicle",)


def test_one_pair_named_by_options(dataset):
    root = dataset(CSV, ".csv")
    (root / "road.csv").rename(root / "elsewhere.dat.csv")
    sequence = listed(READER, root, video="road.avi", boxes="elsewhere.dat.csv")["road"]
    assert len(sequence.load().boxes.xyxy) == 2
    with pytest.raises(DatasetError, match=r"only one of dataset.video and dataset.boxes is set"):
        listed(READER, root, video="road.avi")
    with pytest.raises(DatasetError, match=r"absent\.csv: no such file"):
        listed(READER, root, video="road.avi", boxes="absent.csv")


def test_videos_and_boxes_alone_are_left_out(dataset, caplog):
    dataset(CSV, name="road 10")
    root = dataset(CSV, name="road 9")
    (root / "alone.mp4").write_bytes(b"")
    (root / "notes.txt").write_text("nothing")
    with caplog.at_level(logging.WARNING, "spotlabel"):
        assert list(listed(READER, root)) == ["road 9", "road 10"]
    assert "images but no annotations: alone" in caplog.text
    assert "annotations but no images: notes" in caplog.text


def test_ambiguous_pairs_are_refused(dataset):
    root = dataset(CSV)
    (root / "road.txt").write_text(MOT)
    with pytest.raises(
        DatasetError, match=r"road\.txt: several boxes files of one name, the other is road\.csv"
    ):
        all_loaded(READER, root)


def test_nothing_usable(tmp_path):
    with pytest.raises(DatasetError, match="none with both; looked for <name>"):
        listed(READER, tmp_path)


@pytest.mark.parametrize(
    ("boxes", "frames"),
    [
        ("Y1, X0 ,y0,x1,Frame\n22,1,2,11,0\n", [[[1, 2, 11, 22]], [], []]),
        ("\ufeffframe,x0,y0,x1,y1,\r\n\r\n1,1,2,11,22,\r\n,,,\r\n", [[], [[1, 2, 11, 22]], []]),
        ("frame,x0,y0,x1,y1,class\n2,1,2,11,22,Stra\u00dfe\n".encode("latin-1"), [[], [], [[1, 2, 11, 22]]]),
        ('frame,x0,y0,x1,y1,class\n2,1,2,11,22,"a, b"\n', [[], [], [[1, 2, 11, 22]]]),
        ("frame,x0,y0,x1,y1\n", [[], [], []]),
    ],
)
def test_csv_as_people_write_it(dataset, boxes, frames):
    assert boxes_of(loaded(READER, dataset(boxes))) == frames


SAME = [[[1, 2, 11, 22]], [], [[50, 30, WIDTH, HEIGHT]]]


@pytest.mark.parametrize(
    "boxes",
    [
        CSV.replace(",", ";"),
        CSV.replace(",", "\t"),
        "sep=;\n" + CSV.replace(",", ";"),
        ",frame,x0,y0,x1,y1,class,track\n0,0,1,2,11,22,car,4.0\n1,2,50,30,70,50,bus,NaN\n",
        CSV.replace("bus,\n", "bus,None\n"),
        CSV.replace("bus,\n", "bus,-1\n"),
        "frame;x0;y0;x1;y1;class;track\n0;1,0;2,0;11,0;22,0;car;4\n2;50,0;30,0;70,0;50,0;bus;NaN\n",
        CSV.replace("x0,y0,x1,y1", "xmin,ymin,xmax,ymax"),
        CSV.replace("x0,y0,x1,y1", "x1,y1,x2,y2"),
        CSV.replace("x0,y0,x1,y1", "bbox_left,bbox_top,bbox_right,bbox_bottom"),
        "Frame ID,Left,Top,Width,Height,Label,Track ID\n0,1,2,10,20,car,4\n2,50,30,20,20,bus,\n",
        "#frame,id,bb_left,bb_top,bb_width,bb_height,class\n0,4,1,2,10,20,car\n2,-1,50,30,20,20,bus\n",
        "frame_number,x1,y1,w,h,category,object_id\n0,1,2,10,20,car,4\n2,50,30,20,20,bus,\n",
        '"frame","x_center","y_center","width","height","class","track"\n'
        '"0","6","12","10","20","car","4"\n"2","60","40","20","20","bus",""\n',
    ],
)
def test_dialects_of_csv(dataset, caplog, boxes):
    with caplog.at_level(logging.WARNING):
        found = loaded(READER, dataset(boxes))
    assert boxes_of(found) == SAME
    assert [found.class_names[i] for i in found.boxes.class_id] == ["car", "bus"]
    assert found.boxes.track_id.tolist() == [4, -1]
    assert not caplog.messages


def test_a_decimal_comma_between_commas_is_too_many_columns(dataset):
    with pytest.raises(DatasetError, match=r"line 2: 6 columns, but the header has 5"):
        loaded(READER, dataset("frame,x0,y0,x1,y1\n0,1,5,2,11,22\n"))


def test_columns_that_nobody_knows_are_told(dataset, caplog):
    with caplog.at_level(logging.WARNING):
        found = loaded(READER, dataset("frame,x0,y0,x1,y1,klass,speed,note\n0,1,2,11,22,car,3,\n"))
    assert found.class_names == ("object",)
    assert [message.partition("road.csv: ")[2] for message in caplog.messages] == [
        "not read, not known: columns 'klass', 'speed'"
    ]


def test_a_bad_cell_is_named_as_the_file_names_it(dataset):
    with pytest.raises(DatasetError, match="line 2: Width is 'x', expected a number"):
        loaded(READER, dataset("Frame;Left;Top;Width;Height\n0;1;2;x;20\n"))
    with pytest.raises(DatasetError, match="line 2: xmax - xmin is -1, expected more than 0"):
        loaded(READER, dataset("frame,xmin,ymin,xmax,ymax\n0,1,2,0,20\n"))
    with pytest.raises(DatasetError, match="line 2: frame is 'NaN', expected a whole number"):
        loaded(READER, dataset("frame,xmin,ymin,xmax,ymax\nNaN,1,2,0,20\n"))


def test_csv_classes_and_tracks(dataset):
    found = loaded(READER, dataset(CSV))
    assert found.class_names == ("bus", "car")
    assert found.boxes.class_id.tolist() == [1, 0]
    assert found.boxes.track_id.tolist() == [4, -1]
    assert found.native_origin == 0


@pytest.mark.parametrize(
    ("boxes", "problem"),
    [
        (
            "frame,x0,y0,x1\n",
            "line 1: the header 'frame,x0,y0,x1' has no column 'y1' (a box is x0,y0,x1,y1 or",
        ),
        ("bild,x0,y0,x1,y1\n", "line 1: the header 'bild,x0,y0,x1,y1' has no column 'frame'"),
        ("frame;speed;colour\n", "line 1: the header 'frame,speed,colour' has no column 'x0', 'y0'"),
        ("frame,x0,y0,x1,y1,X0\n", "line 1: column 'X0' a second time (the header is 'frame,x0"),
        (CSV + "0,1,2,11\n", "line 4: y1 is missing, expected a number"),
        (CSV + "0,1,2,11,22,car,5,6\n", "line 4: 8 columns, but the header has 7: frame,x0"),
        (CSV + "0,1,b,11,22\n", "line 4: y0 is 'b', expected a number"),
        (CSV + "0.5,1,2,11,22\n", "line 4: frame is '0.5', expected a whole number"),
        (CSV + "0,1,2,11,22,car,1.5\n", "line 4: track is '1.5', expected a whole number or text"),
        (CSV + "0,1,2,1,22\n", "line 4: x1 - x0 is 0, expected more than 0"),
        (CSV + "0,1,22,11,2\n", "line 4: y1 - y0 is -20, expected more than 0"),
        (CSV + "0,nan,2,11,22\n", "line 4: x0 is nan, expected a finite number"),
        (CSV + "0,1,2,11,22,car,4\n", "line 4: track id 4 a second time in frame 0"),
        (CSV + "3,1,2,11,22\n", "line 4: frame 3 has no image, the images are 0 to 2"),
        (CSV + '0,1,2,11,22,"' + "x" * 200_000, "line 4: field larger than field limit"),
    ],
)
def test_bad_csv(dataset, boxes, problem):
    with pytest.raises(DatasetError) as error:
        loaded(READER, dataset(boxes), **STRICT)
    assert f"road.csv: {problem}" in str(error.value)
    assert "\n" not in str(error.value)


def test_coco_of_several_videos_goes_by_the_videos_name(dataset):
    images = [{"id": n, "file_name": f"{name}/0.jpg"} for n, name in enumerate(("other", "road"))]
    content = COCO | {"images": images, "annotations": [COCO["annotations"][0] | {"image_id": 1}]}
    root = dataset(json.dumps(content), ".json")
    assert boxes_of(loaded(READER, root)) == [[[1, 2, 11, 22]], [], []]
    images[1]["file_name"] = "street/0.jpg"
    dataset(json.dumps(content), ".json")
    with pytest.raises(DatasetError, match="describes 2 sequences, none of them named 'road'"):
        loaded(READER, root)
    dataset(json.dumps(COCO | {"images": [], "annotations": []}), ".json")
    with pytest.raises(DatasetError, match=r"road\.json: images: is empty"):
        loaded(READER, root)


def test_a_broken_video_fails_when_loaded(dataset):
    root = dataset(CSV)
    (root / "road.avi").write_bytes(b"no video")
    with pytest.raises(DatasetError, match=r"road\.avi"):
        loaded(READER, root)


@pytest.mark.parametrize("name", ["sneaky..", "ü 車", "two  spaces", "n" * 200, "a.b"])
def test_hostile_names_pass_through_as_data(dataset, name):
    assert list(listed(READER, dataset(CSV, name=name))) == [name]


@pytest.mark.realdata
def test_real_video_with_boxes_made_by_hand(tmp_path, shared_data):
    boxes = tmp_path / "boxes.csv"
    boxes.write_text("frame,x0,y0,x1,y1\n0,100,50,200,150\n373,600,300,700,400\n")
    video = shared_data / "video" / "road.avi"
    sequence = listed(READER, shared_data / "video", video="road.avi", boxes=boxes)["road"]
    assert sequence.frames.files() == [video]
    found = sequence.load()
    assert len(found.boxes) == 374
    assert found.boxes.at(0).tolist() == [[100, 50, 200, 150]]
    assert found.boxes.at(373).tolist() == [[600, 300, 640, 360]]
    with pytest.raises(DatasetError, match="line 2: frame 0 has no image, the images are 1 to 374"):
        listed(READER, video.parent, video="road.avi", boxes=boxes, first_frame=1)["road"].load()
