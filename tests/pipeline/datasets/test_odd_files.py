"""One bad file stops only itself: sequences that cannot be listed, missing images, litter of systems."""

from __future__ import annotations

import json
import os
import pickle
import shutil

import pytest

from spotlabel.pipeline.datasets import cdnet, coco, davis, mot, ua_detrac, video
from spotlabel.pipeline.errors import DatasetError, MissingFrameError
from tests.helpers.dataset_files import HEIGHT, WIDTH, boxes_of, listed, write_images

XML = """<sequence><sequence_attribute camera_state="stable" sence_weather="sunny"/>
<frame num="1"><target_list><target id="1"><box left="1.5" top="2.5" width="10" height="20"/>
<attribute vehicle_type="car" truncation_ratio="0"/></target></target_list></frame></sequence>"""


def mot_dataset(root, *names):
    for name in names:
        write_images(root / name / "img1", name="{:06d}.jpg")
        (root / name / "gt").mkdir()
        (root / name / "gt" / "gt.txt").write_text("1,1,2,3,10,20\n")
    return root


def a_number_twice(root):
    shutil.copy(root / "b/img1/000002.jpg", root / "b/img1/2.jpg")


def an_empty_length(root):
    (root / "b/seqinfo.ini").write_text("[Sequence]\nseqLength=\n")


def a_link_in_a_circle(root):
    shutil.rmtree(root / "b")
    (root / "b").symlink_to(root / "b")


def a_link_to_nowhere(root):
    shutil.rmtree(root / "b")
    (root / "b").symlink_to(root / "gone")


def images_behind_a_dead_link(root):
    shutil.rmtree(root / "b/img1")
    (root / "b/img1").symlink_to("/gone")


def boxes_behind_a_dead_link(root):
    (root / "b/gt/gt.txt").unlink()
    (root / "b/gt/gt.txt").symlink_to("/gone")


def facts_behind_a_dead_link(root):
    (root / "b/seqinfo.ini").symlink_to("/gone")


DEFECTS = [
    (a_number_twice, "two images have frame number 2: 000002.jpg and 2.jpg"),
    (an_empty_length, "seqLength is '', expected a whole number"),
    (a_link_in_a_circle, "Too many levels of symbolic links"),
    (a_link_to_nowhere, "No such file or directory"),
    (images_behind_a_dead_link, "expected a folder of images: No such file"),
    (boxes_behind_a_dead_link, "gt.txt: cannot be read: No such file"),
    (facts_behind_a_dead_link, "seqinfo.ini: cannot be read: No such file"),
]


@pytest.mark.parametrize(("defect", "problem"), DEFECTS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_sequence_that_cannot_be_listed_stops_no_other(tmp_path, defect, problem):
    defect(mot_dataset(tmp_path, "a", "b", "c"))
    found = listed(mot.READER, tmp_path)
    assert list(found) == ["a", "b", "c"]
    assert boxes_of(found["a"].load())[0] == boxes_of(found["c"].load())[0] == [[1, 2, 11, 22]]
    with pytest.raises(DatasetError) as error:
        found["b"].load()
    assert problem in str(error.value)
    assert "\n" not in str(error.value)


def test_a_name_that_is_not_there_is_no_sequence(tmp_path):
    a_link_to_nowhere(mot_dataset(tmp_path, "a", "b"))
    (tmp_path / "file").write_text("")
    options, frames = mot.MotOptions(), mot.FrameOptions()
    assert [s.name for s in mot.READER.listed(tmp_path, options, frames, "b")] == ["b"]
    for absent in ("c", "file"):
        with pytest.raises(DatasetError, match="images of 0 and annotations of 0 sequences"):
            mot.READER.listed(tmp_path, options, frames, absent)


def test_alone_it_is_listed_as_well(tmp_path):
    a_number_twice(mot_dataset(tmp_path, "b"))
    (sequence,) = listed(mot.READER, tmp_path).values()
    assert "frame number 2" in sequence.problem


def test_whatever_is_asked_of_its_frames_says_why(tmp_path):
    a_number_twice(mot_dataset(tmp_path, "b"))
    (sequence,) = pickle.loads(pickle.dumps(list(listed(mot.READER, tmp_path).values())))
    frames = sequence.frames
    for ask in (
        lambda: frames.size,
        lambda: frames.numbers,
        lambda: frames.step,
        lambda: len(frames),
        frames.files,
        frames.identity,
        lambda: frames.read(0),
        frames.stream,
        sequence.load,
    ):
        with pytest.raises(DatasetError, match="two images have frame number 2"):
            ask()


def test_a_folder_that_may_not_be_read(tmp_path, monkeypatch):
    mot_dataset(tmp_path, "a", "b")
    real = os.scandir

    def scandir(path):
        if os.fspath(path) == str(tmp_path / "b/img1"):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert list(listed(mot.READER, tmp_path)) == ["a", "b"]


def test_sequences_of_the_other_readers_stop_no_other(tmp_path):
    write_images(tmp_path / "cd/baseline/a/input", name="in{:06d}.jpg")
    (tmp_path / "cd/baseline/b/input").mkdir(parents=True)
    (tmp_path / "cd/baseline/c").symlink_to("/gone")
    write_images(tmp_path / "da/JPEGImages/480p/a", name="{:05d}.jpg")
    (tmp_path / "da/JPEGImages/480p/b").mkdir()
    write_images(tmp_path / "ud/DETRAC-Images/MVI_1")
    write_images(tmp_path / "ud/DETRAC-Images/MVI_2")
    shutil.copy(
        tmp_path / "ud/DETRAC-Images/MVI_2/img00001.jpg", tmp_path / "ud/DETRAC-Images/MVI_2/img1.jpg"
    )
    (tmp_path / "ud/DETRAC-Train-Annotations-XML").mkdir()
    for name in ("MVI_1", "MVI_2", "._MVI_1"):
        (tmp_path / f"ud/DETRAC-Train-Annotations-XML/{name}.xml").write_text(XML)

    def problems(reader, folder):
        return {name: bool(each.problem) for name, each in listed(reader, tmp_path / folder).items()}

    assert problems(cdnet.READER, "cd") == {"baseline/a": False, "baseline/b": True, "baseline/c": True}
    assert problems(davis.READER, "da") == {"a": False, "b": True}
    assert problems(ua_detrac.READER, "ud") == {"MVI_1": False, "MVI_2": True}


def test_videos_with_several_boxes_files_or_dead_links(tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.mp4").write_bytes(b"")
        (tmp_path / f"{name}.csv").write_text("frame,x0,y0,x1,y1\n")
    (tmp_path / "b.txt").write_text("notes")
    (tmp_path / "c.mp4").unlink()
    (tmp_path / "c.mp4").symlink_to("/gone.mp4")
    found = listed(video.READER, tmp_path)
    assert not found["a"].problem
    assert "b.txt: several boxes files of one name, the other is b.csv" in found["b"].problem
    assert "c.mp4: a link that leads nowhere" in found["c"].problem


def coco_dataset(root, numbers, *names, on_disk=None):
    images = [
        {"id": f"{name}{n}", "file_name": f"{name}/{n:06d}.jpg", "width": WIDTH, "height": HEIGHT}
        for name in names
        for n in numbers
    ]
    content = {"images": images, "annotations": [], "categories": []}
    root.mkdir(exist_ok=True)
    (root / "boxes.json").write_text(json.dumps(content))
    for name in names:
        write_images(root / "images" / name, numbers if on_disk is None else on_disk, name="{:06d}.jpg")
    return content


@pytest.mark.parametrize("on_disk", [[1, 2, 5, 6], [3, 4, 5, 6], [1, 2, 3, 4], [2]])
def test_listed_images_without_a_file_are_missing_frames(tmp_path, on_disk):
    coco_dataset(tmp_path, range(1, 7), "a", on_disk=on_disk)
    frames = listed(coco.READER, tmp_path)["a"].frames
    assert frames.numbers.tolist() == [1, 2, 3, 4, 5, 6]
    assert frames.identity()["missing"] == [n for n in range(1, 7) if n not in on_disk]
    states = [type(frame).__name__ for frame in frames.stream()]
    assert states == ["ndarray" if n in on_disk else "MissingFrameError" for n in range(1, 7)]
    gap = next(n for n in range(1, 7) if n not in on_disk)
    with pytest.raises(MissingFrameError, match=rf"images/a/00000{gap}\.jpg: the image is missing"):
        frames.read(gap - 1)


def test_coco_sequences_fail_one_by_one(tmp_path):
    content = coco_dataset(tmp_path, range(1, 4), "a", "b", "c", "d")
    by_id = {image["id"]: image for image in content["images"]}
    by_id["b2"]["frame_id"] = 1.5
    by_id["c2"]["file_name"] = "c/1.jpg"
    by_id["d2"]["file_name"] = "d/../../etc/000002.jpg"
    by_id["d2"]["video_id"] = by_id["d1"]["video_id"] = by_id["d3"]["video_id"] = "d"
    (tmp_path / "boxes.json").write_text(json.dumps(content))
    found = listed(coco.READER, tmp_path)
    assert len(found["a"].load().boxes) == 3
    assert "frame_id is 1.5, expected a whole number" in found["b"].problem
    assert "frame 1 of sequence 'c' a second time" in found["c"].problem
    assert "leads out of" in found["d"].problem


LITTER = ["._000001.jpg", ".DS_Store", "Thumbs.db", "desktop.ini"]


def test_litter_of_systems_is_no_data(tmp_path):
    coco_dataset(tmp_path / "co", range(1, 3), "a")
    mot_dataset(tmp_path / "mo", "a")
    (tmp_path / "vi").mkdir()
    for name in ("gate.mp4", "gate.csv"):
        (tmp_path / "vi" / name).write_text("frame,x0,y0,x1,y1\n")
    for folder in ("co", "co/images", "co/images/a", "mo", "mo/a", "mo/a/img1", "mo/a/gt", "vi"):
        for name in LITTER:
            (tmp_path / folder / name).write_bytes(b"\0\1\2")
    (tmp_path / "co/._boxes.json").write_bytes(b"\0\1\2")
    (tmp_path / "mo/._a").write_bytes(b"\0\1\2")
    (tmp_path / "mo/.Trash/img1").mkdir(parents=True)
    for name in ("._gate.mp4", "._gate.csv"):
        (tmp_path / "vi" / name).write_bytes(b"\0\1\2")
    assert [*listed(coco.READER, tmp_path / "co")] == ["a"]
    assert [*listed(mot.READER, tmp_path / "mo")] == ["a"]
    assert [*listed(video.READER, tmp_path / "vi")] == ["gate"]
    assert len(listed(mot.READER, tmp_path / "mo")["a"].frames) == 3
