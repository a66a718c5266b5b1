"""Still pictures of VOC and SBD: boxes, ignore regions, both kinds of masks, and what is refused."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from spotlabel.detector.data.labelled import ClassMap
from spotlabel.detector.data.stills.picture import Picture, PictureFiles
from spotlabel.detector.data.stills.sbd import sbd_pictures
from spotlabel.detector.data.stills.voc import VocMask, voc_pictures
from spotlabel.detector.data.stills.voc_tree import VOC_CLASSES
from spotlabel.pipeline.errors import DatasetError, FrameError, SpotlabelError
from tests.helpers.frame_files import jpeg, noise, tagged_jpeg
from tests.helpers.still_files import write_palette_png, write_picture, write_sbd_map, write_voc

SIZE = (30, 40)
DIFFICULT = "<difficult>1</difficult>"
PICTURES = {
    "a": (SIZE, [("car", 1, 1, 10, 12), ("cow", 5, 5, 50, 20), ("bus", 21, 2, 30, 9, DIFFICULT)]),
    "b": ((24, 20), [("person", 3, 4, 3, 4)]),
}
ALL = ClassMap(VOC_CLASSES)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return write_voc(tmp_path / "VOC2012", PICTURES, "trainval")


def objects_map() -> np.ndarray:
    numbers = np.zeros(SIZE, np.uint8)
    numbers[2:8, 3:9] = 1
    numbers[10:16, 10:30] = 2
    numbers[16:18, 10:30] = 255
    return numbers


def test_boxes_are_edges_from_0_and_difficult_ones_are_ignore_regions(tree: Path) -> None:
    first, second = voc_pictures(tree, "trainval", ALL)
    # The cow reaches beyond the picture's 40 columns and is cut there.
    assert first.boxes.tolist() == [[0, 0, 10, 12], [4, 4, 40, 20]]
    assert [VOC_CLASSES[k] for k in first.class_id] == ["car", "cow"]
    assert first.ignore.tolist() == [[20, 1, 30, 9]]
    assert (first.size, first.path, first.mask) == (SIZE, tree / "JPEGImages" / "a.jpg", None)
    assert second.boxes.tolist() == [[2, 3, 3, 4]]
    assert PictureFiles([first, second]).sizes().tolist() == [[30, 40], [24, 20]]


def test_classes_that_are_not_wanted_are_left_out_but_not_their_ignore_regions(tree: Path) -> None:
    first, _ = voc_pictures(tree, "trainval", ClassMap(("cow",)))
    assert (first.boxes.tolist(), first.class_id.tolist()) == ([[4, 4, 40, 20]], [0])
    assert first.ignore.tolist() == [[20, 1, 30, 9]]
    merged, _ = voc_pictures(tree, "trainval", ClassMap(("object",), merge=True))
    assert merged.class_id.tolist() == [0, 0]


def test_masks_of_segmentation_object(tree: Path) -> None:
    numbers = objects_map()
    write_palette_png(tree / "SegmentationObject" / "a.png", numbers)
    stills = PictureFiles(voc_pictures(tree, "trainval", ALL))
    still = stills.read(0)
    expected = np.where(numbers == 255, 255, (numbers > 0).astype(int))
    assert still.mask is not None
    assert still.mask.dtype == np.uint8
    assert np.array_equal(still.mask, expected)
    assert still.image.shape == (*SIZE, 3)
    assert stills.read(1).mask is None


def test_every_number_of_the_palette_is_told_from_its_colour(tmp_path: Path) -> None:
    numbers = np.arange(256, dtype=np.uint8).reshape(16, 16)
    write_palette_png(tmp_path / "palette.png", numbers)
    cv2.imwrite(str(tmp_path / "grey.png"), numbers)
    for name in ("palette.png", "grey.png"):
        mask = VocMask(tmp_path / name).read((16, 16)).reshape(-1)
        assert (mask[0], mask[255]) == (0, 255)
        assert (mask[1:255] == 1).all()


def test_masks_of_sbd_come_first(tree: Path, tmp_path: Path) -> None:
    sbd = tmp_path / "benchmark_RELEASE"
    write_palette_png(tree / "SegmentationObject" / "a.png", np.zeros(SIZE, np.uint8))
    numbers = np.where(objects_map() == 255, 0, objects_map())
    write_sbd_map(sbd / "dataset" / "inst" / "a.mat", "GTinst", numbers, [7, 10])
    write_sbd_map(sbd / "dataset" / "cls" / "b.mat", "GTcls", np.full((24, 20), 15))
    stills = PictureFiles(voc_pictures(tree, "trainval", ALL, sbd=sbd))
    assert np.array_equal(stills.read(0).mask, numbers > 0)
    assert (stills.read(1).mask == 1).all()


def test_sbd_alone_has_boxes_around_its_objects(tmp_path: Path) -> None:
    folder = tmp_path / "dataset"
    numbers = np.where(objects_map() == 255, 0, objects_map())
    write_sbd_map(folder / "inst" / "a.mat", "GTinst", numbers, [7, 10])
    write_picture(folder / "img" / "a.jpg", SIZE)
    (folder / "train.txt").write_text("a\n\n")
    (picture,) = sbd_pictures(tmp_path, "train", ALL)
    assert picture.boxes.tolist() == [[3, 2, 9, 8], [10, 10, 30, 16]]
    assert [VOC_CLASSES[k] for k in picture.class_id] == ["car", "cow"]
    still = PictureFiles([picture]).read(0)
    assert np.array_equal(still.mask, numbers > 0)
    (cows,) = sbd_pictures(folder, "train", ClassMap(("cow",)))  # the inner folder does as well
    assert cows.boxes.tolist() == [[10, 10, 30, 16]]


def one_line(act, kind: type[SpotlabelError] = DatasetError) -> str:
    with pytest.raises(kind) as caught:
        act()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a\n../b\n", "line 2: '../b' leads out of"),
        ("/etc/a\n", "line 1: '/etc/a' leads out of"),
        ("a 1\nb -1\n", "line 1: 2 columns, expected the name of one picture"),
        ("a\nb\na\n", "line 3: picture 'a' a second time, first on line 1"),
        ("\n", "lists no picture"),
        ("a\nc\n", "c.xml: cannot be read: No such file"),
    ],
)
def test_bad_lists(tree: Path, content: str, message: str) -> None:
    (tree / "ImageSets" / "Main" / "trainval.txt").write_text(content)
    assert message in one_line(lambda: voc_pictures(tree, "trainval", ALL))


def test_bad_annotations(tree: Path) -> None:
    path = tree / "Annotations" / "a.xml"
    text = path.read_text()
    for old, new, message in (
        ("<name>car<", "<name>catt<", "object 1: name is 'catt'; did you mean 'cat'? (known: aeroplane"),
        ("<xmax>10<", "<xmax>0<", "object 1: xmax - xmin + 1 is 0, expected more than 0"),
        ("<xmax>10<", "<xmax>nan<", "object 1: xmax - xmin + 1 is nan, expected a finite number"),
        ("<xmax>10<", "<xmax>5000<", "object 1: xmax - xmin + 1 is 5000, more than 10 times the image"),
        ("<size>", "<sise>", "no well-formed XML"),
        ("<size><width>40</width><height>30</height><depth>3</depth></size>", "", "size: is missing"),
    ):
        path.write_text(text.replace(old, new, 1))
        message_of = one_line(lambda: voc_pictures(tree, "trainval", ALL))
        assert message_of.startswith(f"{path}: ")
        assert message in message_of
    assert "no such folder (expected the folder of a year" in one_line(
        lambda: voc_pictures(tree / "none", "trainval", ALL)
    )


def test_own_classes_have_to_be_told(tmp_path: Path) -> None:
    tree = write_voc(tmp_path, {"a": (SIZE, [("tram", 1, 1, 10, 12)])}, "train")
    assert "name is 'tram'" in one_line(lambda: voc_pictures(tree, "train", ALL))
    (picture,) = voc_pictures(tree, "train", ClassMap(("tram",)), names=("tram",))
    assert picture.class_id.tolist() == [0]


def test_pictures_that_do_not_fit_their_annotations(tree: Path) -> None:
    stills = PictureFiles(voc_pictures(tree, "trainval", ALL))
    write_picture(tree / "JPEGImages" / "a.jpg", (30, 41))
    assert "a.jpg: has 41 x 30 pixels, but its annotation 40 x 30" in one_line(lambda: stills.read(0))
    (tree / "JPEGImages" / "b.jpg").write_bytes((tree / "JPEGImages" / "b.jpg").read_bytes()[:200])
    assert "b.jpg: truncated or corrupt JPEG" in one_line(lambda: stills.read(1), FrameError)
    (tree / "JPEGImages" / "b.jpg").unlink()
    assert "b.jpg: cannot be read: No such file" in one_line(lambda: stills.read(1), FrameError)


def test_grey_pictures_are_repeated_into_three_channels(tree: Path) -> None:
    cv2.imwrite(str(tree / "JPEGImages" / "b.jpg"), np.full((24, 20), 100, np.uint8))
    image = PictureFiles(voc_pictures(tree, "trainval", ALL)).read(1).image
    assert (image == 100).all()
    assert image.shape == (24, 20, 3)


def test_bad_masks_of_voc(tree: Path) -> None:
    path = tree / "SegmentationObject" / "a.png"
    write_palette_png(path, np.zeros((29, 40), np.uint8))
    stills = PictureFiles(voc_pictures(tree, "trainval", ALL))
    assert f"{path}: has 40 x 29 pixels, but the picture 40 x 30" in one_line(lambda: stills.read(0))
    cv2.imwrite(str(path), np.full((*SIZE, 3), (1, 2, 3), np.uint8))
    assert f"{path}: holds colours that are not in VOC's palette" in one_line(lambda: stills.read(0))
    path.write_bytes(b"no picture")
    assert f"{path}: not an image" in one_line(lambda: stills.read(0))
    path.unlink()
    assert f"{path}: cannot be read: No such file" in one_line(lambda: stills.read(0))


def test_bad_masks_of_sbd(tree: Path, tmp_path: Path) -> None:
    path = tmp_path / "sbd" / "inst" / "a.mat"
    good = np.where(objects_map() == 255, 0, objects_map())
    write_sbd_map(path, "GTinst", good, [7, 10])
    stills = PictureFiles(voc_pictures(tree, "trainval", ALL, sbd=tmp_path / "sbd"))
    write_sbd_map(path, "GTcls", good)
    assert f"{path}: GTinst: expected one struct of this name" in one_line(lambda: stills.read(0))
    write_sbd_map(path, "GTinst", good[:-1], [7, 10])
    assert "GTinst: Segmentation has 40 x 29 pixels, but the picture 40 x 30" in one_line(
        lambda: stills.read(0)
    )
    for content in (b"", b"no MATLAB file at all" * 20, path.read_bytes()[:300]):
        path.write_bytes(content)
        assert f"{path}: no MATLAB file (version 4 to 7) that can be read" in one_line(lambda: stills.read(0))
    advice = "expected a folder with dataset/inst or dataset/cls"
    assert advice in one_line(lambda: voc_pictures(tree, "trainval", ALL, sbd=tree))


@pytest.mark.parametrize(
    ("numbers", "categories", "message"),
    [
        (objects_map() % 255, [7], "GTinst.Categories: 1 numbers, but Segmentation holds objects up to 2"),
        (objects_map() % 255, [7, 21], "GTinst.Categories: class 21, expected 1 to 20"),
        (objects_map() % 255, None, "GTinst.Categories: is missing, expected whole numbers"),
        (np.zeros((0, 4)), [7], "GTinst.Segmentation: has shape (0, 4), expected rows and columns"),
    ],
)
def test_bad_objects_of_sbd(
    tmp_path: Path, numbers: np.ndarray, categories: list[int] | None, message: str
) -> None:
    write_sbd_map(tmp_path / "inst" / "a.mat", "GTinst", numbers, categories)
    (tmp_path / "val.txt").write_text("a\n")
    assert message in one_line(lambda: sbd_pictures(tmp_path, "val", ALL))


@pytest.mark.parametrize("orientation", [6, 8])
def test_pictures_are_upright_or_as_stored(tmp_path: Path, orientation: int) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(tagged_jpeg(jpeg(noise(1, 24, 32)), orientation))
    none = np.zeros((0, 4), np.float32)
    seen, stored = (Picture(path, size, none, np.zeros(0, np.int64), none) for size in ((32, 24), (24, 32)))
    upright = PictureFiles([seen, stored])
    as_stored = PictureFiles([seen, stored], "stored")
    turn = {6: -1, 8: 1}[orientation]
    np.testing.assert_array_equal(upright.read(0).image, np.rot90(as_stored.read(1).image, turn))
    assert "stored they are 32 x 24" in (told := one_line(lambda: upright.read(1)))
    assert "set stills.orientation=stored" in told
    assert "set stills.orientation=upright" in one_line(lambda: as_stored.read(0))
