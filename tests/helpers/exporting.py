"""Small labelled videos to export, and independent readers of the formats."""

from __future__ import annotations

import base64
import configparser
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from defusedxml import ElementTree
from PIL import Image
from pycocotools import mask as coco_mask

from spotlabel.pipeline.exports.folder import Joined, finish_folder
from spotlabel.pipeline.exports.options import ExportOptions
from spotlabel.pipeline.exports.stage import dataset_classes, export_video, origins
from spotlabel.pipeline.recipes.recipe import build_recipe, load_recipe
from spotlabel.pipeline.running.job import run_sequence
from spotlabel.pipeline.store import EvidenceWriter, FrameState, MaskReader, StoreInfo
from spotlabel.pipeline.upkeep.plan import items, one_item
from tests.helpers import recipes

HEIGHT, WIDTH, FRAMES, WARM_UP = 48, 64, 8, 2
CLASSES = ("car", "bus")


def video(root: Path, name: str, frames: int = FRAMES, first: int = 1, seed: int = 0) -> None:
    """A sequence in MOT layout: a bright ring and a square that cross, and a box in which nothing moves."""
    random = np.random.default_rng(seed)
    images, gt = root / name / "img1", root / name / "gt"
    images.mkdir(parents=True)
    gt.mkdir()
    ground = random.integers(60, 110, (HEIGHT, WIDTH, 3), np.uint8)
    rows = []
    for place in range(frames):
        image = ground + random.integers(0, 4, ground.shape, np.uint8)
        ring, square = 4 + 5 * place, 40 - 3 * place
        cv2.circle(image, (ring + 7, 25), 6, (230, 230, 230), 3)
        image[28:38, square : square + 9] = 10
        number = first + place
        cv2.imwrite(str(images / f"{number:06}.jpg"), image, [cv2.IMWRITE_JPEG_QUALITY, 100])
        rows += [f"{number},7,{ring},18,16.5,17,1,1,1", f"{number},3,{square + 1},29,9,10,1,2,1"]
        rows.append(f"{number},5,4,4,8,6,1,1,1")
    (gt / "gt.txt").write_text("\n".join(rows))


def recipe_tree(root: Path, **more: Any) -> dict[str, Any]:
    """A recipe for such videos."""
    dataset = {"reader": "mot", "classes": {1: "car", 2: "bus"}, "ignore": [[50, 0, 64, 10]]}
    tree = {"data": str(root / "data"), "out": str(root / "out"), "dataset": dataset, "labeler": "filled-box"}
    return {**tree, "masks": {"min_fill": 0.2, "min_believability": 0.0}, **more}


def labelled(root: Path, *names: str, **more: Any) -> Path:
    """Videos of these names with masks, and their recipe."""
    for seed, name in enumerate(names):
        video(root / "data", name, seed=seed)
    tree = recipe_tree(root, **more)
    label(tree, names)
    return recipes.write(root / "recipe.yaml", tree)


def label(tree: dict[str, Any], names: tuple[str, ...]) -> None:
    """Masks of evidence that is exact: what is far brighter or darker than the ground."""
    recipe = build_recipe(tree)
    for name in names:
        item = one_item(recipe, name)
        frames = item.sequence.frames
        info = StoreInfo(
            name, frames.size, frames.numbers, item.evidence_fingerprint(recipe),
            {"labeler": item.labeler.name, "labeler_version": item.labeler.version, "settings": {}},
        )  # fmt: skip
        with EvidenceWriter.writing(item.evidence_path, info, item.labeler.kind) as writer:
            for index in range(len(frames)):
                grey = frames.read(index).mean(axis=2)
                state = FrameState.WARM_UP if index < WARM_UP else FrameState.OK
                writer.put(index, (grey > 170) | (grey < 40), state)
        outcome = run_sequence(recipe, name, True, lambda *_: None)
        assert not outcome.error, outcome.error


def export(recipe: Path, to: Path, form: str, **options: Any) -> Path:
    """Export all videos of a recipe in this process."""
    loaded = load_recipe(str(recipe))
    found = items(loaded)
    asked = ExportOptions(format=form, classes=dataset_classes(found), **options)
    for item in found:
        export_video(loaded, item, asked, to, lambda *_: None)
    return to


def finish(recipe: Path, to: Path, options: ExportOptions) -> Joined:
    """What all videos of a recipe have in common."""
    return finish_folder(to, origins(items(load_recipe(str(recipe))), options), options)


def store(recipe: Path, name: str) -> MaskReader:
    """The masks of a video."""
    return MaskReader(load_recipe(str(recipe)).out / "masks" / f"{name}.h5")


@dataclass
class Seen:
    """What a reader finds of one frame: class, track and pixels of every object; pixels that are unknown."""

    objects: list[tuple[str, int, np.ndarray]] = field(default_factory=list)
    unknown: np.ndarray = field(default_factory=lambda: np.zeros((HEIGHT, WIDTH), bool))


Found = dict[int, Seen]
"""By position in the video."""


def read_coco(path: Path) -> Found:
    """COCO by pycocotools' own run lengths."""
    document = json.loads(path.read_text())
    names = {row["id"]: row["name"] for row in document["categories"]}
    frames = {row["id"]: row["frame_id"] for row in document["images"]}
    found = {index: Seen() for index in frames.values()}
    for row in document["annotations"]:
        seen, mask = found[frames[row["image_id"]]], coco_mask.decode(row["segmentation"]).astype(bool)
        assert mask.sum() == row["area"]
        if row["iscrowd"]:
            seen.unknown |= mask
        else:
            seen.objects.append((names[row["category_id"]], row["track_id"], mask))
    return found


def read_youtube_vis(path: Path) -> Found:
    document = json.loads(path.read_text())
    names = {row["id"]: row["name"] for row in document["categories"]}
    (video_row,) = document["videos"]
    found = {index: Seen() for index in range(video_row["length"])}
    for row in document["annotations"]:
        assert len(row["segmentations"]) == len(row["bboxes"]) == len(row["areas"]) == video_row["length"]
        for index, rle in enumerate(row["segmentations"]):
            assert (rle is None) == (row["bboxes"][index] is None) == (row["areas"][index] is None)
            if rle is not None:
                mask = coco_mask.decode(rle).astype(bool)
                found[index].objects.append((names[row["category_id"]], row["track_id"], mask))
    return found


def read_mots(folder: Path) -> tuple[Found, Found]:
    """What the text says, and what the pictures say; tracks are MOTS' own numbers."""
    names = json.loads((folder.parent / "classes.json").read_text())
    text: Found = {}
    for line in (folder / "gt" / "gt.txt").read_text().splitlines():
        frame, number, kind, height, width, rle = line.split(" ")
        seen = text.setdefault(int(frame) - 1, Seen())
        counts = {"size": [int(height), int(width)], "counts": rle.encode()}
        mask = coco_mask.decode(counts).astype(bool)
        if kind == "10":
            assert number == "10000"
            seen.unknown |= mask
        else:
            assert int(number) // 1000 == int(kind)
            seen.objects.append((names[kind], int(number), mask))
    pictures: Found = {}
    for path in sorted((folder / "instances").iterdir()):
        plane = np.array(Image.open(path)).astype(int)
        objects = [
            (names[str(value // 1000)], value, plane == value)
            for value in np.unique(plane).tolist()
            if value not in (0, 10000)
        ]
        pictures[int(path.stem) - 1] = Seen(objects, plane == 10000)
    parser = configparser.ConfigParser()
    parser.read(folder / "seqinfo.ini")
    assert parser["Sequence"]["seqLength"] == str(len(pictures))
    return text, pictures


def read_png(to: Path, stem: str) -> Found:
    document = json.loads((to / "instances" / f"{stem}.json").read_text())
    objects = {row["value"]: (row["class"], row["track_id"]) for row in document["objects"]}
    found = {}
    for path in sorted((to / "Annotations" / stem).iterdir()):
        picture = Image.open(path)
        assert picture.mode == "P"
        plane = np.array(picture)
        values = [value for value in np.unique(plane).tolist() if value not in (0, 255)]
        found[int(path.stem)] = Seen([(*objects[v], plane == v) for v in values], plane == 255)
    return found


def read_voc(to: Path, stem: str) -> Found:
    labels = [line.split(":")[0] for line in (to / "labelmap.txt").read_text().splitlines()[1:]]
    values = {name: value for value, name in enumerate(labels)}
    found = {}
    for line in (to / "ImageSets/videos" / f"{stem}.txt").read_text().split():
        numbers = np.array(Image.open(to / "SegmentationObject" / f"{line}.png"))
        classes = np.array(Image.open(to / "SegmentationClass" / f"{line}.png"))
        root = ElementTree.parse(to / "Annotations" / f"{line}.xml").getroot()
        seen = Seen([], numbers == 255)
        for place, row in enumerate(root.iter("object"), start=1):
            mask = numbers == place
            assert mask.any() == (row.findtext("difficult") == "0")
            if mask.any():
                assert (classes[mask] == values[row.findtext("name")]).all()
                seen.objects.append((row.findtext("name"), int(row.findtext("track")), mask))
        assert ((numbers == 0) == (classes == 0)).all()
        found[int(line.rpartition("/")[2]) - 1] = seen
    return found


def read_cvat(path: Path) -> Found:
    found = {}
    for image in ElementTree.parse(path).getroot().iter("image"):
        seen = Seen()
        for row in image.iter("mask"):
            left, top, width, height = (int(row.get(key)) for key in ("left", "top", "width", "height"))
            runs = [int(part) for part in row.get("rle").split(",")]
            values = np.repeat(np.arange(len(runs)) % 2, runs).reshape(height, width)
            mask = np.zeros((HEIGHT, WIDTH), bool)
            mask[top : top + height, left : left + width] = values
            said = {each.get("name"): each.text for each in row.iter("attribute")}
            if row.get("label") == "unknown":
                seen.unknown |= mask
            else:
                seen.objects.append((row.get("label"), int(said["track_id"]), mask))
        found[int(image.get("id"))] = seen
    return found


def read_labelme(folder: Path) -> Found:
    found = {}
    for path in sorted(folder.glob("*.json")):
        document, seen = json.loads(path.read_text()), Seen()
        for shape in document["shapes"]:
            assert shape["shape_type"] == "mask"
            (x0, y0), (x1, y1) = shape["points"]
            content = np.frombuffer(base64.b64decode(shape["mask"]), np.uint8)
            mask = np.zeros((document["imageHeight"], document["imageWidth"]), bool)
            mask[y0 : y1 + 1, x0 : x1 + 1] = cv2.imdecode(content, cv2.IMREAD_UNCHANGED) > 0
            if shape["label"] == "__ignore__":
                seen.unknown |= mask
            else:
                seen.objects.append((shape["label"], shape["group_id"], mask))
        found[int(path.stem) - 1] = seen
    return found


def read_yolo(to: Path, stem: str, whole: Callable[[np.ndarray], np.ndarray] = np.trunc) -> Found:
    """Polygons filled as Ultralytics fills them: coordinates times size, cut to integers, OpenCV's fill."""
    found = {}
    for path in sorted((to / "labels" / stem).iterdir()):
        seen = Seen()
        for line in path.read_text().splitlines():
            kind, *numbers = line.split()
            shares = np.array(numbers, np.float64).reshape(-1, 2)
            points = whole(shares * [WIDTH, HEIGHT]).astype(np.int32)
            assert len(points) >= 3
            plane = np.zeros((HEIGHT, WIDTH), np.uint8)
            cv2.fillPoly(plane, [points], 1)
            seen.objects.append((CLASSES[int(kind)], -1, plane > 0))
        found[int(path.stem) - 1] = seen
    return found
