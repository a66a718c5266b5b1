"""Masks that were exported, edited and imported: of all formats, from the file to the mask store."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from spotlabel.pipeline.errors import DatasetError, SpotlabelError, StoreError
from spotlabel.pipeline.manual import Decision, drop_manual
from tests.helpers import exporting, importing
from tests.helpers.recipes import spotlabel

FORMATS = ("coco", "cvat", "png")
INDEX = 4
RING, SQUARE, STILL = 7, 3, 5
every_format = pytest.mark.parametrize("form", FORMATS)


def without_a_row(drawn: np.ndarray) -> np.ndarray:
    """The mask without its uppermost row."""
    smaller = drawn.copy()
    smaller[np.flatnonzero(drawn.any(axis=1))[0]] = False
    return smaller


def test_an_archive_of_cvat_is_told_as_such(root: Path, tmp_path: Path):
    path = tmp_path / "task.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("annotations.xml", "<annotations/>")
    with pytest.raises(DatasetError, match=r"task\.zip: is a ZIP archive, expected XML \(unpack it first"):
        importing.imported(root, path, "cvat")


@every_format
def test_what_was_not_changed_changes_nothing(root: Path, form):
    path = importing.exported(root, form)
    changes = importing.imported(root, path, form)
    assert changes.corrections == []
    assert (changes.frames, changes.absent, changes.unpaired, changes.outside) == (6, 0, [], [])
    assert changes.same >= 2 * 6
    assert not (root / "out" / "manual").exists()
    again = spotlabel("import", "masks", root / "recipe.yaml", path, "--format", form)
    assert (again.returncode, again.stderr) == (0, "")
    assert "nothing differs: no corrections" in again.stdout
    assert not (root / "out" / "manual").exists()


@every_format
def test_a_changed_mask_becomes_a_correction_and_comes_out_again(root: Path, form):
    first = {path: path.read_bytes() for path in (root / "out" / "masks").iterdir()}
    before = importing.instance(root, INDEX, RING)
    path = importing.exported(root, form)
    importing.edit(path, form, INDEX, RING, without_a_row)
    changes = importing.imported(root, path, form)
    assert [(one.frame, one.track, one.decision) for one in changes.corrections] == [(5, RING, Decision.MASK)]
    assert changes.remarks() == []
    masks = importing.relabel(root)
    assert (importing.instance(root, INDEX, RING) == without_a_row(before)).all()
    assert masks.manual.sum() == 1
    assert importing.imported(root, path, form).corrections == []  # of the same file once more
    again = importing.exported(root, form)
    assert importing.imported(root, again, form).corrections == []
    assert (importing.relabel(root, "masks.min_fill=0.9").manual > 0).sum() == 1
    assert (importing.instance(root, INDEX, RING) == without_a_row(before)).all()
    assert drop_manual(root / "out" / "manual" / "gate.h5", "gate") == 1
    importing.relabel(root)
    assert {path: path.read_bytes() for path in first} == first


@every_format
def test_a_person_may_give_a_box_pixels_of_another(root: Path, form):
    path = importing.exported(root, form)
    ring, square = (importing.instance(root, INDEX, track) for track in (RING, SQUARE))
    reader = importing.masks(root)
    x0, y0, x1, y1 = reader.boxes.at(INDEX)[0].astype(int).tolist()
    wanted = ring.copy()
    wanted[y0:y1, x0:x1] |= square[y0:y1, x0:x1]
    assert (wanted & square).any()
    importing.edit(path, form, INDEX, RING, lambda _: wanted)
    changes = importing.imported(root, path, form)
    tracks = {one.track: one.decision for one in changes.corrections}
    # a picture has one object a pixel, so there the other one has changed, too
    assert tracks == (
        {RING: Decision.MASK, SQUARE: Decision.MASK} if form == "png" else {RING: Decision.MASK}
    )
    importing.relabel(root)
    assert (importing.instance(root, INDEX, RING) == wanted).all()
    assert (importing.instance(root, INDEX, SQUARE) == (square & ~wanted)).all()
    assert importing.imported(root, path, form).corrections == []


def test_shapes_are_paired_by_their_box_where_no_track_tells(root: Path):
    """As a tool gives them back that keeps nothing but COCO's own keys."""
    path = importing.exported(root, "coco")
    importing.edit(path, "coco", INDEX, RING, without_a_row)
    document = json.loads(path.read_text())
    document.pop("videos")
    for row in document["annotations"]:
        for key in ("track_id", "box", "score", "occluded", "truncated"):
            row.pop(key, None)
    for row in document["images"]:
        for key in ("frame", "frame_id", "video_id"):
            row.pop(key)
    path.write_text(json.dumps(document))
    (one,) = importing.imported(root, path, "coco").corrections
    assert (one.frame, one.track, one.decision) == (5, RING, Decision.MASK)


def test_what_is_of_no_box_is_told_and_left_out(root: Path):
    path = importing.exported(root, "coco")
    document = json.loads(path.read_text())
    known = [row for row in document["annotations"] if not row["iscrowd"]]
    known[0]["track_id"] = 99
    known[1].pop("track_id"), known[1].pop("box")
    known[1]["bbox"] = [0, 0, 5, 5]
    document["annotations"].remove(known[2])
    path.write_text(json.dumps(document))
    changes = importing.imported(root, path, "coco")
    assert changes.corrections == []
    places = [f"annotations[{document['annotations'].index(row)}]" for row in known[:2]]
    assert changes.unpaired == places
    assert changes.absent == 3
    assert changes.remarks() == [
        f"2 shapes are of no box of the dataset, or of several: {', '.join(places)}",
        "3 boxes have a mask here and no shape in the file: left as they are (see --absent)",
    ]


def test_a_track_that_is_no_number_is_told_and_the_box_tells_the_object(root: Path):
    path = importing.exported(root, "coco")
    importing.edit(path, "coco", INDEX, RING, without_a_row)
    document = json.loads(path.read_text())
    named = [row for row in document["annotations"] if row.get("track_id") == RING]
    for row in named:
        row["track_id"] = "car-7"
    path.write_text(json.dumps(document))
    changes = importing.imported(root, path, "coco")
    assert [(one.frame, one.track, one.decision) for one in changes.corrections] == [(5, RING, Decision.MASK)]
    first = [f"annotations[{document['annotations'].index(row)}]" for row in named[:3]]
    assert changes.remarks() == [
        f"{len(named)} shapes name a track that is no whole number, their boxes tell which they are: "
        f"{', '.join(first)}, ..."
    ]


def test_an_object_nobody_can_tell_is_no_region_because_its_track_is_a_word(root: Path):
    path = importing.exported(root, "coco")
    document = json.loads(path.read_text())
    row = next(row for row in document["annotations"] if row.get("track_id") == RING and row["image_id"] == 3)
    row.update(iscrowd=1, track_id="car-3")
    del row["box"]
    path.write_text(json.dumps(document))
    changes = importing.imported(root, path, "coco")
    assert [(one.frame, one.track, one.decision) for one in changes.corrections] == [
        (5, RING, Decision.UNKNOWN)
    ]
    assert len(changes.odd_tracks) == 1


def test_boxes_that_nothing_tells_apart_are_told_and_left(root: Path):
    gt = root / "data" / "gate" / "gt" / "gt.txt"
    rows = [line.split(",") for line in gt.read_text().splitlines()]
    again = [row for row in rows if row[1] == str(RING) and row[0] == "5"]
    gt.write_text("\n".join(",".join([row[0], "-1", *row[2:]]) for row in [*rows, *again]))
    importing.relabel(root)
    path = importing.exported(root, "coco")
    assert importing.imported(root, path, "coco").remarks() == []
    document = json.loads(path.read_text())
    objects = [row for row in document["annotations"] if row["image_id"] == 3 and not row["iscrowd"]]
    (row,) = (row for row in objects if row["bbox"][2:] == [16.5, 17])
    drawn = np.zeros((exporting.HEIGHT, exporting.WIDTH), np.uint8, order="F")
    x, y = int(row["bbox"][0]) + 2, int(row["bbox"][1]) + 2
    drawn[y : y + 3, x : x + 3] = 1
    row["segmentation"]["counts"] = coco_mask.encode(drawn)["counts"].decode()
    path.write_text(json.dumps(document))
    changes = importing.imported(root, path, "coco")
    assert (changes.corrections, changes.twins) == ([], 1)
    assert changes.remarks() == [
        "1 boxes have no track and the edges of another one of their frame: left as they are"
    ]


@pytest.mark.parametrize("absent", ["background", "unknown"])
def test_what_was_deleted_may_be_meant(root: Path, absent):
    path = importing.exported(root, "coco")
    document = json.loads(path.read_text())
    (gone,) = (row for row in document["annotations"] if row.get("track_id") == RING and row["image_id"] == 3)
    document["annotations"].remove(gone)
    path.write_text(json.dumps(document))
    (one,) = importing.imported(root, path, "coco", absent=absent).corrections
    assert (one.frame, one.track, one.decision.name.lower()) == (5, RING, absent)
    importing.relabel(root)
    assert not importing.instance(root, INDEX, RING).any()
    assert importing.imported(root, path, "coco", absent=absent).corrections == []


def test_an_object_that_nobody_can_tell(root: Path):
    coco = importing.exported(root, "coco")
    document = json.loads(coco.read_text())
    (row,) = (row for row in document["annotations"] if row.get("track_id") == RING and row["image_id"] == 3)
    row["iscrowd"] = 1
    coco.write_text(json.dumps(document))
    (one,) = importing.read(root, coco, "coco")["gate"].corrections
    assert (one.frame, one.track, one.decision) == (5, RING, Decision.UNKNOWN)
    cvat = importing.exported(root, "cvat")
    text = cvat.read_text()
    at = text.index(f'name="track_id">{RING}<', text.index('<image id="4"'))
    start, end = text.rindex("<mask", 0, at), text.index("</mask>", at)
    box = '<box label="car" xtl="23" ytl="17" xbr="39.5" ybr="34"><attribute name="track_id">7</attribute></box>'  # noqa: E501
    cvat.write_text(text[:start] + box + text[end + len("</mask>") :])
    (one,) = importing.read(root, cvat, "cvat")["gate"].corrections
    assert (one.frame, one.track, one.decision) == (5, RING, Decision.UNKNOWN)
    png = importing.exported(root, "png")
    importing.edit(png, "png", INDEX, RING, np.zeros_like)
    (one,) = importing.read(root, png, "png")["gate"].corrections
    assert (one.track, one.decision) == (RING, Decision.BACKGROUND)
    reader = importing.masks(root)
    x0, y0, x1, y1 = reader.boxes.at(INDEX)[0].astype(int).tolist()
    path = png / "Annotations/gate/00004.png"
    with Image.open(path) as picture:
        plane, palette = np.array(picture), picture.getpalette()
    part = plane[y0:y1, x0 : x1 + 1]
    part[part == 0] = 255
    again = Image.fromarray(plane, "P")
    again.putpalette(palette)
    again.save(path)
    (one,) = importing.read(root, png, "png")["gate"].corrections
    assert (one.track, one.decision) == (RING, Decision.UNKNOWN)


def test_polygons_of_a_tool_are_masks(root: Path):
    cvat = importing.exported(root, "cvat")
    text = cvat.read_text()
    at = text.index(f'name="track_id">{SQUARE}<', text.index('<image id="4"'))
    start, end = text.rindex("<mask", 0, at), text.index("</mask>", at)
    reader = importing.masks(root)
    x0, y0, x1, _ = reader.boxes.at(INDEX)[1].tolist()
    points = f"{x0},{y0};{x1},{y0};{x1},{y0 + 4};{x0},{y0 + 4}"
    polygon = f'<polygon label="bus" points="{points}"><attribute name="track_id">3</attribute></polygon>'
    cvat.write_text(text[:start] + polygon + text[end + len("</mask>") :])
    (one,) = importing.imported(root, cvat, "cvat").corrections
    assert (one.track, one.mask.tolist()) == (SQUARE, [[1] * 9] * 4)
    assert (one.x, one.y) == (x0, y0)


def test_a_mask_that_leaves_its_box_is_cut_and_told(root: Path):
    path = importing.exported(root, "coco")
    importing.edit(path, "coco", INDEX, SQUARE, np.ones_like)
    changes = importing.imported(root, path, "coco")
    assert changes.corrections[0].mask.shape == (10, 9)
    assert changes.cut == exporting.HEIGHT * exporting.WIDTH - 90
    assert f"{changes.cut} pixels of masks lay outside their boxes and were cut" in changes.remarks()


def test_a_mask_without_a_pixel_in_its_box_is_told_and_left_out(root: Path):
    path = importing.exported(root, "coco")
    importing.edit(path, "coco", INDEX, SQUARE, lambda drawn: np.roll(drawn, 20, axis=0))
    changes = importing.imported(root, path, "coco")
    assert changes.corrections == []
    assert len(changes.outside) == 1
    assert changes.remarks() == [f"1 shapes have no pixel in their box: {changes.outside[0]}"]


def test_an_export_of_believable_masks_alone_is_compared_with_such_a_one(root: Path):
    path = importing.exported(root, "coco", min_believability=0.99)
    assert importing.imported(root, path, "coco", least=0.99).corrections == []
    assert importing.read(root, path, "coco")["gate"].count(Decision.UNKNOWN) > 0


def test_one_file_of_all_videos(root: Path):
    path = importing.exported(root, "coco").parent.parent / "instances.json"
    assert {name: changes.frames for name, changes in importing.read(root, path, "coco").items()} == {
        "gate": 6,
        "road": 6,
    }
    assert [*importing.read(root, path, "coco", "road")] == ["road"]


def test_a_file_of_other_videos_than_those_that_are_meant_is_told(root: Path):
    path = importing.exported(root, "coco")
    with pytest.raises(DatasetError, match=r"gate\.json: tells of no frame of road"):
        importing.read(root, path, "coco", "road")
    path.write_text('{"images": [], "annotations": []}')
    with pytest.raises(DatasetError, match="tells of no frame of gate, road"):
        importing.read(root, path, "coco")


def test_boxes_without_tracks_come_back_from_every_format(root: Path):
    for name in ("gate", "road"):
        gt = root / "data" / name / "gt" / "gt.txt"
        rows = [line.split(",") for line in gt.read_text().splitlines()]
        gt.write_text("\n".join(",".join([row[0], "-1", *row[2:]]) for row in rows))
    exporting_tree = exporting.recipe_tree(root)
    exporting.label(exporting_tree, ("gate", "road"))
    for form in FORMATS:
        path = importing.exported(root, form)
        changes = importing.read(root, path, form)["gate"]
        assert changes.corrections == []
        # CVAT's masks have no box of their own, and these fill theirs
        assert form == "cvat" or (changes.unpaired, changes.absent) == ([], 0)


def test_masks_that_are_not_up_to_date_are_no_ground_to_compare_with(root: Path):
    path = importing.exported(root, "coco")
    gt = root / "data" / "gate" / "gt" / "gt.txt"
    gt.write_text(gt.read_text() + "\n")
    with pytest.raises(StoreError, match="gate: its masks are stale"):
        importing.read(root, path, "coco")


def test_masks_with_corrections_that_were_dropped_have_to_be_made_again_first(root: Path):
    path = importing.exported(root, "coco")
    importing.edit(path, "coco", INDEX, RING, without_a_row)
    importing.imported(root, path, "coco")
    importing.relabel(root)
    drop_manual(root / "out" / "manual" / "gate.h5", "gate")
    with pytest.raises(StoreError, match="dropped since; run `spotlabel relabel` first"):
        importing.read(root, path, "coco")


def broken_coco(path: Path, section: str, change: dict[str, object], place: int = 0) -> None:
    document = json.loads(path.read_text())
    document[section][place].update(change)
    path.write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("section", "change", "told"),
    [
        ("images", {"height": 47}, "images[0]: 64 x 47 pixels, the frames of gate have 64 x 48"),
        ("images", {"frame": 400}, "images[0]: gate has no frame 400"),
        ("images", {"file_name": 3}, "images[0]: file_name is 3, expected text"),
        ("annotations", {"image_id": 77}, "annotations[0]: image_id 77 is not among the images"),
        (
            "annotations",
            {"segmentation": None},
            "annotations[0]: segmentation is missing, expected run lengths",
        ),
        (
            "annotations",
            {"segmentation": [[1, 2, 3]]},
            "annotations[0]: segmentation: a polygon of 3 numbers",
        ),
        ("annotations", {"segmentation": [[1, 2, 3, 4, 5, 1e9]]}, "corner far off the image"),
        ("annotations", {"segmentation": [[1, 2, 3, 4, 5, "x"]]}, "a polygon with 'x', expected numbers"),
        (
            "annotations",
            {"segmentation": {"size": [48, 64], "counts": "0"}},
            "do not add up to 48 x 64 pixels",
        ),
        ("annotations", {"segmentation": {"size": [48, 64], "counts": "\x1b[31m"}}, "no text of run lengths"),
        (
            "annotations",
            {"segmentation": {"size": [48, 64], "counts": [9**30]}},
            "annotations[0]: segmentation",
        ),
        ("annotations", {"segmentation": {"size": [1, 1], "counts": [1]}}, "segmentation.size is [1, 1]"),
        ("annotations", {"bbox": [1, 2]}, "annotations[0]: bbox is [1, 2]"),
    ],
)
def test_bad_coco_is_told_in_one_line(root: Path, section, change, told):
    path = importing.exported(root, "coco")
    broken_coco(path, section, change)
    with pytest.raises(DatasetError) as error:
        importing.read(root, path, "coco")
    assert str(error.value).startswith(f"{path}: ")
    assert told in str(error.value)
    assert not (root / "out" / "manual").exists()


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('rle="', 'rle="7, ', "rle: run lengths do not add up"),
        ('rle="', 'rle="x', ": mask: rle: "),
        (' left="', ' left="999', "leave the image"),
        ('name="000003.jpg"', 'name="other.jpg"', "gate has no frame 'other'"),
        ('width="64"', 'width="63"', "63 x 48 pixels"),
        ('name="track_id">7<', 'name="track_id">seven<', "track_id is 'seven', expected a whole number"),
        ("<annotations>", "<track>", "no well-formed XML|expected annotations"),
        ("<mask ", "<ellipse ", "is no mask|no well-formed XML"),
    ],
)
def test_bad_cvat_is_told_in_one_line(root: Path, old, new, told):
    path = importing.exported(root, "cvat")
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(DatasetError) as error:
        importing.read(root, path, "cvat")
    assert str(error.value).startswith(f"{path}: ")
    assert any(part in str(error.value) for part in told.split("|"))


def test_bad_pictures_are_told_in_one_line(root: Path):
    folder = importing.exported(root, "png")
    picture = folder / "Annotations/gate/00004.png"
    whole = picture.read_bytes()
    for content, told in [
        (whole[:-40], "cannot be decoded"),
        (b"GIF89a" + whole, "is no PNG file"),
        (whole[:60] + bytes([whole[60] ^ 1]) + whole[61:], "cannot be decoded"),
    ]:
        picture.write_bytes(content)
        with pytest.raises(DatasetError, match=told) as error:
            importing.read(root, folder, "png")
        assert str(error.value).startswith(f"{picture}: ")
    Image.new("RGB", (64, 48), (1, 2, 3)).save(picture)
    with pytest.raises(DatasetError, match="got colours or more bits"):
        importing.read(root, folder, "png")
    Image.new("L", (60, 48)).save(picture)
    with pytest.raises(DatasetError, match="60 x 48 pixels, the frames of gate have 64 x 48"):
        importing.read(root, folder, "png")
    shutil.rmtree(folder / "instances")
    with pytest.raises(DatasetError, match="name the folder of `spotlabel export masks --format png`"):
        importing.read(root, folder, "png")


def test_a_file_that_is_not_there_or_of_no_video_is_told(root: Path):
    with pytest.raises(SpotlabelError, match=r"nowhere\.json: cannot be read: No such file"):
        importing.read(root, root / "nowhere.json", "coco")
    path = importing.exported(root, "cvat")
    path.write_text(path.read_text().replace("<name>gate</name>", "<name>my \x9b task</name>", 1))
    with pytest.raises(DatasetError, match="which the recipe has not"):
        importing.read(root, path, "cvat")
    assert importing.read(root, path, "cvat", "gate")["gate"].corrections == []


def test_pictures_of_few_bits_hold_the_same_numbers(root: Path):
    folder = importing.exported(root, "png")
    for path in (folder / "Annotations/gate").iterdir():
        with Image.open(path) as picture:
            plane = np.array(picture)
        if (plane < 4).all():
            Image.fromarray(plane, "P").save(path, bits=2)
    assert importing.read(root, folder, "png")["gate"].corrections == []


def test_the_command_line_from_an_edit_to_a_drop(root: Path):
    recipe = root / "recipe.yaml"
    path = importing.exported(root, "cvat")
    importing.edit(path, "cvat", INDEX, RING, without_a_row)
    asked = ("import", "masks", recipe, path, "--format", "cvat")
    dry = spotlabel(*asked, "--dry-run")
    assert (dry.returncode, dry.stderr) == (0, "")
    assert "1 corrections would be kept" in dry.stdout
    assert not (root / "out" / "manual").exists()
    run = spotlabel(*asked)
    assert (run.returncode, run.stderr) == (0, "")
    assert "1 corrections kept; run `spotlabel relabel` to put them into the masks" in run.stdout
    status = spotlabel("status", recipe)
    assert status.returncode == 1
    assert "stale (manual changed)" in status.stdout
    assert "gate: 1 corrections by hand\n" in status.stdout
    assert spotlabel("relabel", recipe).returncode == 0
    verified = spotlabel("verify", "stores", recipe)
    assert (verified.returncode, verified.stderr) == (0, "")
    assert f"ok {root / 'out/manual/gate.h5'}: 1 corrections\n" in verified.stdout
    listed = spotlabel("manual", "list", recipe)
    assert (listed.returncode, listed.stderr) == (0, "")
    assert "23 17 39.5 34  mask" in listed.stdout
    data = json.loads(spotlabel("manual", "list", recipe, "--json").stdout)
    assert [(row["video"], row["frame"], row["track"], row["decision"], row["applies"]) for row in data] == [
        ("gate", 5, RING, "mask", True)
    ]
    why = spotlabel("why", root / "out/masks/gate.h5", "5", "track:7")
    assert "manual: a person drew the mask (filled" in why.stdout
    refused = spotlabel("manual", "drop", recipe)
    assert (refused.returncode, "say which" in refused.stderr) == (2, True)
    dropped = spotlabel("manual", "drop", recipe, "--only", "gate", "--frame", "5", "--track", "7")
    assert "gate: dropped 1\n1 corrections dropped; run `spotlabel relabel`" in dropped.stdout
    assert "no corrections" in spotlabel("manual", "list", recipe).stdout
