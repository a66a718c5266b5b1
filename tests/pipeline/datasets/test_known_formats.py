"""Files of known formats that are not read are named as such, once."""

from __future__ import annotations

import pytest

from spotlabel.pipeline.datasets import mot, video
from spotlabel.pipeline.errors import DatasetError
from tests.helpers.dataset_files import boxes_of, listed, loaded, write_images

KITTI = "0.00 0 -1.57 599 156 629 189 2.85 2.63 12.34 0.47 1.49 69.44 -1.56"


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("gate.txt", f"Car {KITTI}\n", "KITTI labels of one image"),
        ("gate.txt", f"0 1 Van {KITTI}\n", "KITTI tracking labels"),
        ("gate.txt", "0 0.5 0.5 0.1 0.2\n", "YOLO labels of one image"),
        ("gate.json", '{"version": "5.0", "shapes": [], "imagePath": "a.jpg"}', "LabelMe JSON of one image"),
        ("gate.json", '[{"name": "a.jpg", "labels": []}]', "BDD100K or Scalabel JSON"),
        ("gate.json", '[{"token": "a", "sample_token": "b"}]', "a table of nuScenes"),
        ("gate.json", '[{"id": 1, "data": {}, "annotations": []}]', "tasks of Label Studio"),
        ("gate.xml", "<annotation><object/></annotation>", "Pascal VOC"),
    ],
)
def test_named_once(tmp_path, caplog, name, text, told):
    (tmp_path / "gate.mp4").write_bytes(b"")
    (tmp_path / name).write_text(text)
    (sequence,) = listed(video.READER, tmp_path).values()
    assert sequence.problem.startswith(f"{tmp_path / name}: is {told}")
    assert not caplog.records


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("gate.txt", "1 1 2 3 10 20\n"),
        ("gate.json", '{"images": [], "annotations": [], "categories": [], "shapes": [], "imagePath": ""}'),
        ("gate.csv", "frame,x0,y0,x1,y1\n0,1,2,3,4\n"),
        ("gate.json", "{"),
    ],
)
def test_others_are_left_to_their_readers(tmp_path, name, text):
    (tmp_path / "gate.mp4").write_bytes(b"")
    (tmp_path / name).write_text(text)
    (sequence,) = listed(video.READER, tmp_path).values()
    assert not sequence.problem


def test_folders_of_visdrone(tmp_path):
    write_images(tmp_path / "sequences/uav1", name="{:07d}.jpg")
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations/uav1.txt").write_text("1,1,3,21,36,20,1,4,0,0\n")
    with pytest.raises(DatasetError, match=r"has the folders of VisDrone \(set dataset.reader=visdrone\)"):
        listed(mot.READER, tmp_path)


def test_image_names_of_cvat_beside_mot_rows(tmp_path):
    write_images(tmp_path / "a/img1", range(3), name="frame_{:06d}.PNG")
    (tmp_path / "a/gt").mkdir()
    (tmp_path / "a/gt/gt.txt").write_text("1,1,2,3,10,20,1,1,1\n3,1,2,3,10,20,1,1,1\n")
    (tmp_path / "a/gt/labels.txt").write_text("car\n")
    with pytest.raises(DatasetError, match=r"line 2: frame 3 has no image.*set dataset.first_frame=1"):
        loaded(mot.READER, tmp_path)
    assert boxes_of(loaded(mot.READER, tmp_path, first_frame=1)) == [[[1, 2, 11, 22]], [], [[1, 2, 11, 22]]]
