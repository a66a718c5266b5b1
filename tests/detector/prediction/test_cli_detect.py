"""``spotlabel detect`` as a user runs it, with a small random detector."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result

from spotlabel.detector.cli import detect_run
from spotlabel.detector.evaluation.attention.boxes import read_boxes
from spotlabel.detector.evaluation.traffic.files import read_detections
from spotlabel.detector.model import ModelSpec, save_model
from spotlabel.detector.prediction.clips import Clip
from spotlabel.detector.prediction.job import Done
from spotlabel.pipeline.cli.main import main
from tests.helpers.frame_files import encode, noise, sliding, write_video
from tests.helpers.recipes import leftovers, tree, write


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("models"), "spotnet-multitask", ("car", "bus"))


def saved(folder: Path, preset: str, class_names: tuple[str, ...]) -> Path:
    torch.manual_seed(0)
    spec = ModelSpec(preset=preset, backbone="hourglass-tiny", class_names=class_names)
    path = folder / f"{preset}.safetensors"
    save_model(path, spec.build(), spec)
    return path


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    return write(tmp_path / "r.yaml", tree(tmp_path / "data", tmp_path / "out", "a", "b", length=4))


def run(*arguments: object) -> Result:
    threads = torch.get_num_threads()
    try:
        return CliRunner().invoke(main, ["detect", *map(str, arguments), "--threads", "1"])
    finally:
        torch.set_num_threads(threads)


def done(*arguments: object) -> Result:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result


def refused(*arguments: object) -> str:
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    return result.stderr


def contents(folder: Path) -> dict[str, bytes]:
    """All files but the cache of digests, which remembers times."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix != ".digests"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_a_datasets_sequences(model: Path, recipe: Path, tmp_path: Path) -> None:
    out = tmp_path / "out" / "detections"
    result = done(model, "--recipe", recipe, "--format", "uavdt", "--batch", 3, "--attention", "--draw", 2)
    assert f"detections (uavdt): {out}" in result.stdout
    for name in "ab":
        found = read_detections(out / f"{name}.txt", "uavdt")
        assert set(found.frame.tolist()) == {1, 2, 3, 4}
        maps = sorted((out / "attention" / name).glob("*.png"))
        assert sorted(read_boxes(out / "attention" / name / "boxes.json")) == [1, 2, 3, 4]
        assert [path.name for path in maps] == [f"in00000{n}.png" for n in range(1, 5)]
        grey = cv2.imread(str(maps[0]), cv2.IMREAD_UNCHANGED)
        assert (grey.shape, grey.dtype, grey.min(), grey.max()) == ((48, 64), np.uint8, 0, 255)
        pictures = sorted(path.name for path in (out / "pictures" / name).iterdir())
        assert pictures == ["frame-000002.png", "frame-000004.png", "sheet.png"]
    assert leftovers(out) == []


def test_what_is_up_to_date_is_kept_and_anything_else_made_again(model: Path, recipe: Path) -> None:
    arguments = (model, "--recipe", recipe, "--format", "uavdt")
    done(*arguments)
    assert "nothing to do: 2 of 2 are up to date" in done(*arguments, "--batch", 2).stdout
    assert "made with other options" in done(*arguments, "--flip", "--dry-run").stdout
    image = recipe.parent / "data" / "b" / "img1" / "000002.jpg"
    image.write_bytes((image.parent / "000003.jpg").read_bytes())
    assert "made with other images" in done(*arguments, "--dry-run").stdout
    rows = [line.split()[:2] for line in done(*arguments).stdout.splitlines()[1:3]]
    assert rows == [["a", "kept"], ["b", "made"]]
    assert "made" in done(*arguments, "--again", "--only", "a").stdout


def test_the_same_images_give_the_same_bytes(model: Path, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        (tmp_path / "f").mkdir(exist_ok=True)
        (tmp_path / "f" / f"{number}.png").write_bytes(encode(noise(number, 40, 50), ".png"))
    for out in ("one", "two"):
        done(model, tmp_path / "f", "--out", tmp_path / out, "--draw", "all", "--attention", "--quiet")
    one, two = contents(tmp_path / "one"), contents(tmp_path / "two")
    assert one == two
    assert len(one) == 11  # detections, which images they are of, record, sheet, 3 pictures, 3 maps, boxes


def test_images_videos_and_folders(model: Path, tmp_path: Path) -> None:
    video = write_video(tmp_path / "gate.avi", sliding(3))
    (tmp_path / "photos").mkdir()
    for name, size in (("a.png", (40, 50)), ("b.png", (60, 30))):
        (tmp_path / "photos" / name).write_bytes(encode(noise(1, *size), ".png"))
    (tmp_path / "one.png").write_bytes(encode(noise(2), ".png"))
    out = tmp_path / "o"
    result = done(model, video, tmp_path / "photos", tmp_path / "one.png", "--out", out, "--draw", "all")
    assert result.stderr.count("done (detect") == 3
    frames = {"gate": {1, 2, 3}, "photos": {1, 2}, "images": {1}}
    for name, numbers in frames.items():
        rows = json.loads((out / f"{name}.json").read_text())
        assert {row["image_id"] for row in rows} == numbers
        assert {row["category_id"] for row in rows} <= {1, 2}
        assert (out / "pictures" / name / "sheet.png").is_file()
        assert len(list((out / "pictures" / name).glob("frame-*.png"))) == len(numbers)


@pytest.mark.parametrize("more", [("--format", "uavdt"), ("--only-annotated",), ("--compat", "spotnet")])
def test_the_table_counts_the_boxes_that_were_written(
    model: Path, recipe: Path, tmp_path: Path, more: tuple[str, ...]
) -> None:
    truth = tmp_path / "data" / "a" / "gt" / "gt.txt"
    truth.write_text("\n".join(truth.read_text().splitlines()[1:]))  # frame 1 has no box
    formats = ("--format", "uavdt") if "spotnet" in more else ()
    result = done(model, "--recipe", recipe, "--only", "a", *more, *formats)
    (row,) = [line.split() for line in result.stdout.splitlines() if line.split()[:2] == ["a", "made"]]
    out = tmp_path / "out" / "detections"
    text, coco = out / "a.txt", out / "a.json"
    written = len(text.read_text().splitlines()) if text.exists() else len(json.loads(coco.read_text()))
    assert int(row[3]) == written > 0


def test_the_same_frames_have_the_same_ids_however_they_are_named(model: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    video = write_video(tmp_path / "data" / "gate.avi", sliding(3))
    (tmp_path / "data" / "gate.csv").write_text("frame,x0,y0,x1,y1\n0,1,1,9,9\n")
    content = {"data": str(tmp_path / "data"), "out": str(tmp_path / "out"), "labeler": "mog2"}
    content["dataset"] = {"reader": "video"}
    (tmp_path / "r.yaml").write_text(json.dumps(content))
    done(model, video, "--out", tmp_path / "one")
    done(model, "--recipe", tmp_path / "r.yaml", "--out", tmp_path / "two")
    one, two = (json.loads((tmp_path / out / "gate.json").read_text()) for out in ("one", "two"))
    assert one == two
    assert {row["image_id"] for row in one} == {1, 2, 3}
    listed = json.loads((tmp_path / "two" / "gate--images.json").read_text())
    assert [(image["id"], image["file_name"], image["frame"]) for image in listed["images"]] == [
        (1, "gate.avi", 0),
        (2, "gate.avi", 1),
        (3, "gate.avi", 2),
    ]
    assert {(image["width"], image["height"]) for image in listed["images"]} == {(64, 48)}
    assert [category["id"] for category in listed["categories"]] == [1, 2]


@pytest.mark.parametrize("names", [("photo1", "photo3", "photo6"), ("a", "b", "c"), ("9", "10", "x")])
def test_pictures_have_the_ids_of_their_places(model: Path, tmp_path: Path, names: tuple[str, ...]) -> None:
    (tmp_path / "photos").mkdir()
    for name in names:
        (tmp_path / "photos" / f"{name}.png").write_bytes(encode(noise(1, 40, 50), ".png"))
    done(model, tmp_path / "photos", "--out", tmp_path / "o")
    listed = json.loads((tmp_path / "o" / "photos--images.json").read_text())["images"]
    assert [(image["id"], image["file_name"]) for image in listed] == [
        (n, f"{name}.png") for n, name in enumerate(names, start=1)
    ]
    rows = json.loads((tmp_path / "o" / "photos.json").read_text())
    assert {row["image_id"] for row in rows} == {1, 2, 3}


def test_a_missing_image_takes_no_id(model: Path, recipe: Path, tmp_path: Path) -> None:
    images = tmp_path / "data" / "a" / "img1"
    (images / "000002.jpg").unlink()
    done(model, "--recipe", recipe, "--only", "a", "--set", "frames.on_bad=unknown")
    done(model, images, "--out", tmp_path / "o")
    listed = [
        json.loads(path.read_text())["images"]
        for path in (tmp_path / "out" / "detections" / "a--images.json", tmp_path / "o" / "img1--images.json")
    ]
    assert listed[0] == listed[1]
    assert [(image["id"], image["frame"]) for image in listed[0]] == [(1, 1), (2, 3), (3, 4)]


def test_rows_like_spotnets(model: Path, recipe: Path, tmp_path: Path) -> None:
    truth = tmp_path / "data" / "a" / "gt" / "gt.txt"
    truth.write_text("\n".join(truth.read_text().splitlines()[1:]))  # frame 1 has no box
    common = (model, "--recipe", recipe, "--only", "a", "--compat", "spotnet", "--only-annotated")
    done(*common, "--format", "uavdt")
    out = tmp_path / "out" / "detections"
    lines = (out / "a.txt").read_text().splitlines()
    assert len(lines) == 300  # 100 rows of each frame that has a box
    assert {line.split(",")[0] for line in lines} == {"2", "3", "4"}
    assert all(line.endswith(",1,-1") for line in lines)
    done(*common, "--format", "ua-detrac")
    assert len((out / "a_Det_SpotNet.txt").read_text().splitlines()) == 300
    assert not (out / "a.txt").exists()  # else an evaluation of the folder would find two files of one video
    truth.write_text("")
    assert "made with other annotations" in done(*common, "--format", "ua-detrac", "--dry-run").stdout


def test_scales_flip_and_canvas(model: Path, tmp_path: Path) -> None:
    (tmp_path / "one.png").write_bytes(encode(noise(2, 40, 50), ".png"))
    source, scores = tmp_path / "one.png", []
    for more in ((), ("--flip",), ("--scales", "0.5,1"), ("--canvas", "64x64"), ("--min-score", "0.2")):
        done(model, source, "--out", tmp_path / "o", *more)
        scores.append([row["score"] for row in json.loads((tmp_path / "o" / "images.json").read_text())])
    assert len({tuple(each) for each in scores}) == 5
    assert all(score >= 0.2 for score in scores[-1])


def test_a_frame_that_cannot_be_read_fails_its_sequence_alone(
    model: Path, recipe: Path, tmp_path: Path
) -> None:
    (tmp_path / "data" / "a" / "img1" / "000003.jpg").write_bytes(b"\xff\xd8 no more")
    result = run(model, "--recipe", recipe)
    assert result.exit_code == 1
    assert "a: FAILED: " in result.stderr
    assert "000003.jpg: truncated or corrupt JPEG" in result.stderr
    assert result.stderr.endswith("1 of 2 videos failed; the others are whole; failed: a\n")
    out = tmp_path / "out" / "detections"
    assert sorted(path.name for path in out.glob("*.json")) == ["b--images.json", "b.json"]
    result = done(model, "--recipe", recipe, "--set", "frames.on_bad=unknown")
    assert "a: 1 frames could not be read, first: " in result.stdout
    assert {row["image_id"] for row in json.loads((out / "a.json").read_text())} == {1, 2, 4}


def test_a_failed_second_run_does_not_pass_for_the_first(model: Path, recipe: Path, tmp_path: Path) -> None:
    done(model, "--recipe", recipe)
    (tmp_path / "data" / "a" / "img1" / "000003.jpg").write_bytes(b"")
    assert run(model, "--recipe", recipe).exit_code == 1
    assert "a  " in (again := done(model, "--recipe", recipe, "--dry-run").stdout)
    assert "nothing here yet" in again


def test_coco_ids_and_one_file_of_all(model: Path, recipe: Path, tmp_path: Path) -> None:
    names = [f"{s}/img1/{n:06}.jpg" for s in "ab" for n in range(1, 5)]
    document = {
        "images": [{"id": 100 + k, "file_name": name} for k, name in enumerate(names)],
        "categories": [{"id": 9, "name": "bus"}, {"id": 5, "name": "car"}],
    }
    (tmp_path / "coco.json").write_text(json.dumps(document))
    result = done(model, "--recipe", recipe, "--coco-ids", tmp_path / "coco.json")
    out = tmp_path / "out" / "detections"
    rows = json.loads((out / "coco--all.json").read_text())
    assert f"all in one: {out / 'coco--all.json'}" in result.stdout
    assert {row["image_id"] for row in rows} == set(range(100, 108))
    assert {row["category_id"] for row in rows} <= {5, 9}
    parts = [json.loads((out / f"{name}.json").read_text()) for name in "ab"]
    assert parts[0] + parts[1] == rows


def test_what_cannot_be_done_gets_one_line(model: Path, recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "one.png").write_bytes(encode(noise(2), ".png"))
    (tmp_path / "old.pth").write_bytes(b"\x80\x02}q\x00.")
    image = tmp_path / "one.png"
    assert "no.safetensors: no such model file" in refused(tmp_path / "no.safetensors", image)
    assert "old.pth: not readable as safetensors" in refused(tmp_path / "old.pth", image)
    assert "none.mp4: no such file or folder" in refused(model, tmp_path / "none.mp4")
    assert "empty: holds no images" in refused(model, tmp_path / "empty")
    assert "or --recipe (one of the two)" in refused(model)
    assert "or --recipe (one of the two)" in refused(model, image, "--recipe", recipe)
    assert "go with --recipe" in refused(model, image, "--only", "a")
    assert "has no --min-score" in refused(model, image, "--compat", "spotnet")
    assert "--coco-ids: is about coco, not uavdt" in refused(
        model, image, "--format", "uavdt", "--coco-ids", tmp_path / "c.json"
    )
    assert "no such sequence; " in refused(model, "--recipe", recipe, "--only", "c")
    plain = saved(tmp_path, "centernet", ("object",))
    assert "centernet has no attention maps" in refused(plain, image, "--attention")
    assert "both sides must be multiples of 32" in refused(model, image, "--canvas", "100x64")
    if not torch.cuda.is_available():
        assert "torch finds no GPU here" in refused(model, image, "--device", "cuda")
    assert not (tmp_path / "detections").exists()


def test_a_broken_video_fails_alone(model: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    write_video(tmp_path / "good.avi", sliding(2))
    result = run(model, tmp_path / "bad.mp4", tmp_path / "good.avi", "--out", tmp_path / "o", "--quiet")
    assert result.exit_code == 1
    assert "bad: FAILED: " in result.stderr
    assert result.stdout == ""
    assert (tmp_path / "o" / "good.json").is_file()


def test_a_dry_run_writes_nothing(model: Path, recipe: Path, tmp_path: Path) -> None:
    result = done(model, "--recipe", recipe, "--dry-run")
    assert "spotnet-multitask on hourglass-tiny, car, bus" in result.stdout
    assert result.stdout.count("nothing here yet") == 2
    assert not (tmp_path / "out").exists()


def test_detectors_without_a_segmentation_head_draw_boxes_alone(tmp_path: Path) -> None:
    (tmp_path / "one.png").write_bytes(encode(noise(2, 40, 50), ".png"))
    model = saved(tmp_path, "centernet", ("object",))
    done(model, tmp_path / "one.png", "--out", tmp_path / "o", "--draw", "1", "--quiet")
    picture = cv2.imread(str(tmp_path / "o" / "pictures" / "images" / "frame-000001.png"))
    assert picture.shape == (400, 500, 3)


@pytest.mark.parametrize("moment", [False, True])
def test_images_that_change_meanwhile_are_never_up_to_date(
    model: Path, recipe: Path, monkeypatch: pytest.MonkeyPatch, moment: bool
) -> None:
    """Edited for good or for a moment: what was looked at is not what was hashed (R23)."""
    image, another = sorted((recipe.parent / "data" / "a" / "img1").iterdir())[1:3]
    own, other = image.read_bytes(), another.read_bytes()
    look = detect_run.detect_clip

    def edited(clip: Clip, *arguments: Any) -> Done:
        image.write_bytes(other)
        found = look(clip, *arguments)
        if moment:
            image.write_bytes(own)
        return found

    with monkeypatch.context() as patched:
        patched.setattr(detect_run, "detect_clip", edited)
        result = run(model, "--recipe", recipe, "--only", "a")
    assert result.exit_code == 1
    assert "000002.jpg: changed while it was in use; run again" in result.output
    assert "made" in done(model, "--recipe", recipe, "--only", "a").output
