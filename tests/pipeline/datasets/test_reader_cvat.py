"""The CVAT reader: image folders with XML for images or for video."""

from __future__ import annotations

import pytest

from spotlabel.pipeline.datasets.cvat import READER
from spotlabel.pipeline.errors import DatasetError, MissingFrameError
from tests.helpers.dataset_files import HEIGHT, WIDTH, boxes_of, listed, loaded, write_images

EDGES = 'xtl="1" ytl="2" xbr="11" ybr="22"'
BOX = [1, 2, 11, 22]


def image(number, name, *labels):
    boxes = "".join(f'<box label="{label}" occluded="0" {EDGES}/>' for label in labels)
    return f'<image id="{number}" name="{name}" width="{WIDTH}" height="{HEIGHT}">{boxes}</image>'


def document(*elements, size=None):
    meta = "" if size is None else f"<meta><task><size>{size}</size></task></meta>"
    return f"<annotations>{meta}{''.join(elements)}</annotations>"


def track(*frames):
    boxes = "".join(f'<box frame="{frame}" outside="0" occluded="0" {EDGES}/>' for frame in frames)
    return f'<track id="0" label="car">{boxes}</track>'


def test_images_by_name(tmp_path):
    write_images(tmp_path / "images", name="cam_{:04d}.jpg")
    names = [f"cam_{n:04d}.jpg" for n in (1, 2, 3)]
    elements = [image(0, names[0], "car", "bus"), image(1, names[1]), image(2, names[2], "car")]
    (tmp_path / "annotations.xml").write_text(document(*elements))
    (sequence,) = listed(READER, tmp_path).values()
    found = sequence.load()
    assert sequence.name == tmp_path.name
    assert sequence.frames.numbers.tolist() == [0, 1, 2]
    assert boxes_of(found) == [[BOX, BOX], [], [BOX]]
    assert found.annotated is None


@pytest.mark.parametrize(
    "name", ["frame_{:06d}", "images/frame_{:06d}.PNG", "C:\\x\\images\\frame_{:06d}.PNG"]
)
def test_names_that_cvat_writes(tmp_path, name):
    write_images(tmp_path / "images", range(3), name="frame_{:06d}.PNG")
    elements = [image(n, name.format(n), "car") for n in range(3)]
    (tmp_path / "annotations.xml").write_text(document(*elements))
    assert boxes_of(loaded(READER, tmp_path, strip_prefix="C:/x/images")) == [[BOX]] * 3


def test_folders_in_names_are_sequences(tmp_path):
    elements = []
    for number, name in enumerate(["gate/1.jpg", "gate/2.jpg", "yard/1.jpg"]):
        write_images(tmp_path / "images" / name[:4], [int(name[5])], name="{}.jpg")
        elements.append(image(number, name, *["car"] * number))
    (tmp_path / "annotations.xml").write_text(document(*elements))
    found = listed(READER, tmp_path)
    assert {name: [len(b) for b in boxes_of(each.load())] for name, each in found.items()} == {
        "gate": [0, 1],
        "yard": [2],
    }


def test_a_missing_image_is_a_missing_frame(tmp_path):
    write_images(tmp_path / "images", [1, 3], name="{}.jpg")
    (tmp_path / "annotations.xml").write_text(document(*(image(n, f"{n}.jpg", "car") for n in (1, 2, 3))))
    (sequence,) = listed(READER, tmp_path).values()
    assert sequence.frames.numbers.tolist() == [1, 2, 3]
    with pytest.raises(MissingFrameError):
        sequence.frames.read(1)


@pytest.mark.parametrize("name", ["frame_{:06d}.png", "{:05d}.jpg", "cam{:02d}a.jpg"])
def test_tracks_in_image_folders(tmp_path, name):
    write_images(tmp_path / "gate", range(0, 3) if name.startswith("frame") else range(1, 4), name=name)
    (tmp_path / "gate.xml").write_text(document(track(0, 2), size=3))
    (sequence,) = listed(READER, tmp_path).values()
    assert sequence.name == "gate"
    assert boxes_of(sequence.load()) == [[BOX], [], [BOX]]


def test_other_images_than_those_of_the_task(tmp_path):
    write_images(tmp_path / "gate", name="{}.jpg")
    (tmp_path / "gate.xml").write_text(document(track(0), size=5))
    (sequence,) = listed(READER, tmp_path).values()
    assert "gate.xml: meta: is of 5 frames, but" in sequence.problem
    assert "holds 3 images" in sequence.problem


def test_one_bad_file_stops_only_itself(tmp_path):
    for name, text in (("gate", document(track(0, 1))), ("yard", "<annotations><track></annotations>")):
        write_images(tmp_path / name / "images", name="{}.jpg")
        (tmp_path / name / "annotations.xml").write_text(text)
    found = listed(READER, tmp_path)
    assert {name: bool(each.problem) for name, each in found.items()} == {"gate": False, "yard": True}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (document(image(0, "../a.jpg")), "leads out of"),
        (document(image(0, "a.jpg")), "none of 1 images is there; looked for"),
    ],
)
def test_names_that_are_no_files(tmp_path, text, message):
    (tmp_path / "images").mkdir()
    (tmp_path / "annotations.xml").write_text(text)
    (sequence,) = listed(READER, tmp_path).values()
    assert message in sequence.problem
    assert "annotations.xml" in sequence.problem


def test_no_cvat_file(tmp_path):
    (tmp_path / "a.xml").write_text("<sequence/>")
    with pytest.raises(DatasetError, match=r"no CVAT XML file here or in a folder; here is a.xml"):
        listed(READER, tmp_path)


@pytest.mark.parametrize("outer", ["<image id='9' name='x.jpg'>{}</image>", "<group>{}</group>"])
def test_shapes_of_a_track_in_the_wrong_place_are_refused(tmp_path, outer):
    write_images(tmp_path / "images", [1], name="{}.jpg")
    (tmp_path / "annotations.xml").write_text(document(image(1, "1.jpg"), outer.format(track(0))))
    with pytest.raises(DatasetError, match="stands in a <track> that is not directly below <annotations>"):
        loaded(READER, tmp_path)


def test_a_name_that_no_file_can_have_is_a_missing_image(tmp_path):
    write_images(tmp_path / "images", [1], name="{}.jpg")
    names = ("1.jpg", "x" * 3000)
    (tmp_path / "annotations.xml").write_text(document(*(image(n, name) for n, name in enumerate(names))))
    with pytest.raises(MissingFrameError):
        listed(READER, tmp_path)[tmp_path.name].frames.read(1)
