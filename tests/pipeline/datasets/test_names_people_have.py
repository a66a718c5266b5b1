"""Names of image files as exporters, other systems and other machines write them."""

from __future__ import annotations

import hashlib
import json

import pytest

from spotlabel.pipeline.datasets import coco, mot, ua_detrac
from spotlabel.pipeline.datasets.frame_names import counted, last_number, sequence_of
from spotlabel.pipeline.errors import DatasetError
from tests.helpers.dataset_files import HEIGHT, WIDTH, boxes_of, listed, loaded, write_images


def written(root, names, *, to="images", files=None):
    """A COCO file that names images, with a box in the first, and ``files`` (or those) below ``to``."""
    images = [{"id": n, "file_name": name, "width": WIDTH, "height": HEIGHT} for n, name in enumerate(names)]
    box = {"image_id": 0, "category_id": 1, "bbox": [1, 2, 10, 20]}
    content = {"images": images, "annotations": [box], "categories": [{"id": 1, "name": "car"}]}
    (root / "boxes.json").write_text(json.dumps(content))
    for name in files or names:
        folder, _, last = f"{to}/{name}".rpartition("/")
        write_images(root / folder, [0], name=last)
    return root


def roboflow(stem):
    return f"{stem}_jpg.rf.{hashlib.md5(stem.encode()).hexdigest()}.jpg"


@pytest.mark.parametrize(
    "names",
    [
        [roboflow(f"gate_frame{n:04d}") for n in range(1, 13)],
        [roboflow(f"video_mp4-{n}") for n in range(1, 13)],
        [f"aachen_000000_{n:06d}_leftImg8bit.jpg" for n in range(1, 13)],
        [f"frame_{n:06d}_{hashlib.md5(str(n).encode()).hexdigest()}.jpg" for n in range(1, 13)],
        [f"cam2_{n:05d}_1920x1080.jpg" for n in range(1, 13)],
        [f"frame_{n:06d}.jpg" for n in range(1, 13)],
    ],
    ids=["roboflow", "roboflow video", "cityscapes", "hash", "size", "plain"],
)
def test_the_number_that_counts_up_is_the_frame(tmp_path, names):
    found = listed(coco.READER, written(tmp_path, names))
    assert list(found) == ["boxes"]
    assert found["boxes"].frames.numbers.tolist() == list(range(1, 13))
    assert boxes_of(found["boxes"].load())[0] == [[1, 2, 11, 22]]


@pytest.mark.parametrize(
    ("pattern", "sequences"),
    [
        ("{}_img{:05d}.jpg", ["MVI_20011", "MVI_20012"]),
        ("{}-{}.jpg", ["gate", "yard"]),
        ("{}_frame_{:03d}_jpg.rf.0123456789abcdef.jpg", ["a", "b"]),
    ],
)
def test_the_part_before_the_number_tells_sequences_apart(tmp_path, pattern, sequences):
    names = [pattern.format(s, n) for n in range(1, 5) for s in sequences]
    found = listed(coco.READER, written(tmp_path, names))
    assert list(found) == sequences
    assert [each.frames.numbers.tolist() for each in found.values()] == [[1, 2, 3, 4]] * 2
    below = tmp_path / "below"
    below.mkdir()
    found = listed(coco.READER, written(below, [f"train/{name}" for name in names]))
    assert list(found) == [f"train/{s}" for s in sequences]


def test_a_picture_exported_several_times_is_told_with_its_digits(tmp_path):
    names = ["a_0001_jpg.rf.aa1.jpg", "a_0001_jpg.rf.bb2.jpg", "a_0002_jpg.rf.cc3.jpg"]
    with pytest.raises(DatasetError, match=r"a second time, .* the last of 'a_0001', 0001 \(say .* frame_id"):
        loaded(coco.READER, written(tmp_path, names))


FILES = [f"seqA/{n:06d}.jpg" for n in range(1, 4)]


@pytest.mark.parametrize(
    ("form", "options"),
    [
        ("seqA\\{:06d}.jpg", {}),
        ("images/seqA/{:06d}.jpg", {}),
        ("images\\seqA\\{:06d}.jpg", {}),
        ("./seqA/{:06d}.jpg", {}),
        ("{root}/images/seqA/{:06d}.jpg", {}),
        ("/home/me/x/seqA/{:06d}.jpg", {"strip_prefix": "/home/me/x"}),
        ("D:\\work\\x\\seqA\\{:06d}.jpg", {"strip_prefix": "D:\\work\\x\\"}),
        ("/home/me/images/seqA/{:06d}.jpg", {"strip_prefix": "/home/me"}),
    ],
)
def test_names_from_other_systems_and_machines(tmp_path, form, options):
    names = [form.format(n, root=tmp_path) for n in range(1, 4)]
    found = listed(coco.READER, written(tmp_path, names, files=FILES), **options)
    (sequence,) = found.values()
    assert sequence.name in ("seqA", "images/seqA")
    assert [path.name for path in sequence.frames.files()] == ["000001.jpg", "000002.jpg", "000003.jpg"]
    assert boxes_of(sequence.load())[0] == [[1, 2, 11, 22]]


def test_a_file_with_a_backslash_in_its_name_is_that_file(tmp_path):
    names = [f"a\\{n:06d}.jpg" for n in range(1, 3)]
    (sequence,) = listed(coco.READER, written(tmp_path, names)).values()
    assert sequence.frames.files() == [tmp_path / "images" / name for name in names]
    assert sequence.name == "boxes"


@pytest.mark.parametrize("prefix", ["/data", "/data/../..", "../"])
def test_stripping_leads_nowhere_outside(tmp_path, prefix):
    names = [f"{prefix}/../../etc/{n}.jpg" for n in (1, 2)]
    with pytest.raises(DatasetError, match="leads out of"):
        loaded(coco.READER, written(tmp_path, names, files=FILES), strip_prefix=prefix)


def test_no_image_found_says_what_was_looked_for_and_what_is_there(tmp_path):
    root = written(tmp_path, [f"elsewhere/{n}.jpg" for n in (1, 2)], files=FILES)
    with pytest.raises(DatasetError) as error:
        listed(coco.READER, root)
    assert f"looked for {root}/images/elsewhere/1.jpg, as {root}/boxes.json: images[0] says" in str(
        error.value
    )
    assert f"{root}/images holds seqA (set dataset.images" in str(error.value)
    assert "\n" not in str(error.value)


XML = """<sequence><sequence_attribute camera_state="stable" sence_weather="sunny"/>
<frame num="1"><target_list><target id="1"><box left="1.5" top="2.5" width="10" height="20"/>
<attribute vehicle_type="car" truncation_ratio="0"/></target></target_list></frame></sequence>"""


@pytest.mark.parametrize(
    "form", ["{}_img{{:05d}}.jpg", "{}__img{{:05d}}.jpg", "{}_img{{:05d}}_jpg.rf.ab12.jpg"]
)
@pytest.mark.parametrize("folder", ["images/train", "images", "DETRAC-Images", "."])
def test_flat_folders_of_ua_detrac(tmp_path, folder, form):
    (tmp_path / "DETRAC-Train-Annotations-XML").mkdir()
    for name in ("MVI_20011", "MVI_20012"):
        write_images(tmp_path / folder, range(1, 4), form.format(name))
        (tmp_path / "DETRAC-Train-Annotations-XML" / f"{name}.xml").write_text(XML)
    found = listed(ua_detrac.READER, tmp_path)
    assert list(found) == ["MVI_20011", "MVI_20012"]
    assert found["MVI_20012"].frames.numbers.tolist() == [1, 2, 3]
    assert boxes_of(found["MVI_20011"].load()) == [[[1, 2, 11, 22]], [], []]
    options, frames = ua_detrac.UaDetracOptions(), ua_detrac.FrameOptions()
    (one,) = ua_detrac.READER.listed(tmp_path, options, frames, "MVI_20012")
    assert one.frames.files() == found["MVI_20012"].frames.files()


def test_flat_images_split_over_folders_are_one_sequence_and_none_counts_twice(tmp_path):
    (tmp_path / "DETRAC-Train-Annotations-XML").mkdir()
    (tmp_path / "DETRAC-Train-Annotations-XML" / "MVI_1.xml").write_text(XML)
    write_images(tmp_path / "images/train", [1, 3], "MVI_1_img{:05d}.jpg")
    write_images(tmp_path / "images/val", [2], "MVI_1_img{:05d}.jpg")
    (sequence,) = listed(ua_detrac.READER, tmp_path).values()
    assert sequence.frames.numbers.tolist() == [1, 2, 3]
    write_images(tmp_path / "images/val", [3], "MVI_1_img{:05d}.jpg")
    (sequence,) = listed(ua_detrac.READER, tmp_path).values()
    assert "frame number 3" in sequence.problem or "frame 3 of MVI_1" in sequence.problem


@pytest.mark.parametrize(("declared", "written_as"), [(".jpg", "png"), (".png", "jpg"), ("jpeg", "bmp")])
def test_an_ending_that_is_not_that_of_the_images(tmp_path, caplog, declared, written_as):
    write_images(tmp_path / "a/img1", name=f"{{:06d}}.{written_as}")
    (tmp_path / "a/gt").mkdir()
    (tmp_path / "a/gt/gt.txt").write_text("1,1,2,3,10,20\n")
    (tmp_path / "a/seqinfo.ini").write_text(f"[Sequence]\nimExt={declared}\n")
    (sequence,) = listed(mot.READER, tmp_path).values()
    assert len(sequence.frames) == 3
    assert "imExt is not that of the images" in caplog.text


@pytest.mark.parametrize(
    ("stems", "pairs"),
    [
        (["a1_2", "a2_2"], [("a", 1), ("a", 2)]),
        (["c1_1", "c1_2", "c2_1", "c2_2"], [("c1_", 1), ("c1_", 2), ("c2_", 1), ("c2_", 2)]),
        (["1", "1"], None),
        (["a", "b1"], None),
        (["a1x9", "b1y9"], None),
        ([], None),
    ],
)
def test_what_counts(stems, pairs):
    assert counted(stems) == pairs


def test_numbers_and_sequences_of_names():
    assert last_number("gate_0012_jpg.rf.c81e728d9d4c2f636f067f89cc14862c") == "0012"
    assert last_number("a") is None
    assert last_number("9" * 16) is None
    names = ["MVI_1_img", "gate-frame_", "yard", "x. ", "conf"]
    assert [sequence_of(name) for name in names] == ["MVI_1", "gate", "yard", "x", "conf"]
