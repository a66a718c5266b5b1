"""Clips from paths and sequences, ids for COCO, and whether results are up to date."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from spotlabel.detector.errors import PredictionError
from spotlabel.detector.prediction.clips import Clip, ImageList
from spotlabel.detector.prediction.coco_ids import read_coco_ids
from spotlabel.detector.prediction.record import forget, record_path, remember, what_differs
from spotlabel.detector.prediction.sources import clips_of_paths, clips_of_sequences
from spotlabel.pipeline.errors import DatasetError, FrameError, MissingFrameError
from spotlabel.pipeline.frames import ImageFolder
from spotlabel.pipeline.recipes.recipe import build_recipe
from tests.helpers.frame_files import encode, noise, sliding, write_video
from tests.helpers.recipes import tree


def images(folder: Path, *names: str) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    for seed, name in enumerate(names):
        (folder / name).write_bytes(encode(noise(seed), ".png"))
    return [folder / name for name in names]


def test_images_folders_and_videos_become_clips(tmp_path):
    images(tmp_path / "a", "x10.png", "x9.png", "notes.txt")
    images(tmp_path / "b", "one.png", "two.PNG")
    write_video(tmp_path / "b" / "gate.avi", sliding(3))
    (loose,) = images(tmp_path, "007.png")
    clips = clips_of_paths([loose, tmp_path / "a", tmp_path / "b", loose])
    assert [clip.name for clip in clips] == ["a", "b", "gate", "images"]
    assert [len(clip.frames) for clip in clips] == [2, 2, 3, 1]
    assert clips[0].frames.numbers.tolist() == [9, 10]
    assert clips[1].frames.numbers.tolist() == [1, 2]
    assert clips[2].frames.numbers.tolist() == [1, 2, 3]
    assert clips[3].frames.numbers.tolist() == [7]
    assert clips[1].image_files() == {1: tmp_path / "b" / "one.png", 2: tmp_path / "b" / "two.PNG"}
    assert clips[2].image_files() == {}
    assert clips[0].annotated() == set()


def test_equal_names_are_told_apart_by_the_folders_above(tmp_path):
    for name in ("s1", "s2"):
        images(tmp_path / name / "img1", "1.png")
    images(tmp_path / "other", "1.png")
    clips = clips_of_paths([tmp_path / "s1" / "img1", tmp_path / "other", tmp_path / "s2" / "img1"])
    assert [clip.name for clip in clips] == ["s1/img1", "other", "s2/img1"]
    images(tmp_path / "images", "1.png")
    with pytest.raises(DatasetError, match="two sequences would share one store: 'images' and 'images'"):
        clips_of_paths([tmp_path / "images", tmp_path / "other" / "1.png"])


def test_what_is_no_source_gets_one_line(tmp_path):
    images(tmp_path / "full" / "deep", "1.png")
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("x")
    for path, problem in (
        (tmp_path / "none.jpg", "none.jpg: no such file or folder"),
        (tmp_path / "empty", r"empty: holds no images .* \(is it empty\?\)"),
        (tmp_path / "full", r"full: holds no images .* \(name its subfolders"),
        (tmp_path / "notes.txt", "notes.txt: neither an image nor a video"),
    ):
        with pytest.raises(PredictionError, match=problem) as caught:
            clips_of_paths([path])
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("threads", [1, 3])
def test_frames_come_in_order_whatever_the_threads_and_errors_in_their_place(tmp_path, threads):
    paths = images(tmp_path, *(f"{n}.png" for n in range(20)))
    paths[5].write_bytes(b"no image")
    paths[7].unlink()
    paths[9].write_bytes(encode(noise(1)[:, :, 0], ".png"))  # grey is repeated
    paths[11].write_bytes(encode(noise(1, 9, 7), ".png"))  # sizes may differ
    frames = list(Clip("a", ImageList(paths)).read(threads))
    assert len(frames) == 20
    for index, frame in enumerate(frames):
        if index in (5, 7):
            assert isinstance(frame, FrameError)
            assert str(paths[index]) in str(frame)
        elif index not in (9, 11):
            assert np.array_equal(frame, noise(index))
    assert frames[9].shape == (24, 32, 3)
    assert frames[11].shape == (9, 7, 3)


def test_a_video_is_read_as_it_streams(tmp_path):
    path = write_video(tmp_path / "v.mp4", sliding(4))
    (clip,) = clips_of_paths([path])
    whole = list(clip.frames.stream())
    assert all(np.array_equal(a, b) for a, b in zip(clip.read(2), whole, strict=True))


def test_sequences_keep_numbers_gaps_and_annotations(tmp_path):
    recipe = build_recipe(tree(tmp_path / "data", tmp_path / "out", "a", length=6))
    rows = (tmp_path / "data/a/gt/gt.txt").read_text().splitlines()
    (tmp_path / "data/a/gt/gt.txt").write_text("\n".join(rows[:3] + rows[4:]))
    (tmp_path / "data/a/img1/000003.jpg").unlink()
    sequences = recipe.sequences()
    assert isinstance(sequences[0].frames, ImageFolder)
    (clip,) = clips_of_sequences(sequences, skip_bad=True)
    assert clip.annotated() == {1, 2, 3, 5, 6}
    assert sorted(clip.image_files()) == [1, 2, 4, 5, 6]
    assert clip.image_files()[4].name == "000004.jpg"
    assert [isinstance(frame, MissingFrameError) for frame in clip.read(2)] == [n == 2 for n in range(6)]


COCO = {
    "images": [
        {"id": 11, "file_name": "a/1.png"},
        {"id": "x", "file_name": "b/1.png"},
        {"id": 7, "file_name": "2.png"},
    ],
    "categories": [{"id": 3, "name": "car"}, {"id": 1, "name": "bus"}],
}


def test_coco_ids_are_found_by_file_name(tmp_path):
    (tmp_path / "coco.json").write_text(json.dumps(COCO))
    ids = read_coco_ids(tmp_path / "coco.json")
    paths = images(tmp_path / "a", "1.png", "2.png") + images(tmp_path / "b", "1.png")
    assert ids.of_clip(Clip("c", ImageList(paths))) == {1: 11, 2: 7, 3: "x"}
    assert ids.of_classes(("bus", "car")) == [1, 3]
    assert ids.of_classes(("object",)) == [1]
    assert ids.of_classes(("car",)) == [3]
    with pytest.raises(DatasetError, match=r"none is called 'truck', a class of the model; .*bus, car"):
        ids.of_classes(("car", "truck"))
    with pytest.raises(DatasetError, match=r"images: has no image called 3\.png"):
        ids.of_clip(Clip("c", ImageList(images(tmp_path / "a", "3.png"))))
    with pytest.raises(DatasetError, match="names image files, and v has none"):
        ids.of_clip(video_clip(tmp_path))


def video_clip(folder: Path) -> Clip:
    return clips_of_paths([write_video(folder / "v.avi", sliding(2))])[0]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("{", "is no JSON"),
        ("[]", "images: expected a list"),
        ('{"images": [{"id": 1}]}', r"images\[0\]: expected file_name"),
        ('{"images": [], "categories": [{"id": true, "name": "a"}]}', r"categories\[0\]: expected name"),
    ],
)
def test_bad_coco_annotations_get_one_line(tmp_path, content, problem):
    path = tmp_path / "coco.json"
    path.write_text(content)
    with pytest.raises(DatasetError, match=problem):
        read_coco_ids(path)
    with pytest.raises(DatasetError, match=r"no\.json: cannot be read"):
        read_coco_ids(tmp_path / "no.json")


def test_results_are_up_to_date_as_long_as_nothing_differs(tmp_path):
    file = tmp_path / "a.txt"
    wanted = {"model": "m", "options": {"scales": (1.0, 2.0)}}
    assert what_differs(tmp_path, "a", wanted) == "nothing here yet"
    file.write_text("")
    remember(tmp_path, "a", wanted, [file])
    assert what_differs(tmp_path, "a", wanted) == ""
    assert what_differs(tmp_path, "a", {**wanted, "model": "n"}) == "made with other model"
    assert what_differs(tmp_path, "a", {"model": "m"}) == "made with other options"
    assert what_differs(tmp_path, "b", wanted) == "nothing here yet"
    file.unlink()
    assert what_differs(tmp_path, "a", wanted) == f"{file} has gone"
    record_path(tmp_path, "a").write_text("[]")
    assert what_differs(tmp_path, "a", wanted) == "its record cannot be read"
    assert forget(tmp_path, "a") == forget(tmp_path, "a") == []
    (tmp_path / "out").mkdir()
    for name in ("out/a.txt", "elsewhere.txt"):
        (tmp_path / name).write_text("")
    remember(tmp_path / "out", "a", wanted, [tmp_path / "out" / "a.txt", tmp_path / "out" / "gone.txt"])
    record = record_path(tmp_path / "out", "a")
    record.write_text(record.read_text().replace("gone.txt", "../elsewhere.txt"))
    assert forget(tmp_path / "out", "a") == [tmp_path / "out" / "a.txt"]
    assert what_differs(tmp_path, "a", wanted) == "nothing here yet"
