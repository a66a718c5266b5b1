"""The UA-DETRAC reader: folders, both vocabularies, hostile XML, real files."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from spotlabel.pipeline.boxes import BoxFlag
from spotlabel.pipeline.datasets.detrac_xml import read_detrac, read_head
from spotlabel.pipeline.datasets.ua_detrac import READER, read_regions
from spotlabel.pipeline.datasets.vehicle_types import CLASS_NAMES, Vocabulary, class_of
from spotlabel.pipeline.errors import DatasetError
from spotlabel.pipeline.sequence import Camera
from tests.helpers.dataset_files import STRICT, boxes_of, listed, loaded, regions_of, write_images

HEAD = '<sequence_attribute camera_state="stable" sence_weather="cloudy" />'
REGIONS = '<ignored_region><box left="0.5" top="0.5" width="10" height="5" /></ignored_region>'
BOX = 'left="1.5" top="2.5" width="10" height="20"'


def target(number=1, box=BOX, kind="Sedan", ratio="0", more=""):
    attribute = f'<attribute truncation_ratio="{ratio}" vehicle_type="{kind}" />'
    return f'<target id="{number}"><box {box} />{attribute}{more}</target>'


def frame(number, *targets):
    return f'<frame density="1" num="{number}"><target_list>{"".join(targets)}</target_list></frame>'


def xml(*frames, head=HEAD, regions=REGIONS, name="MVI_1"):
    """One element a line: line 2 the head, line 3 the regions, frames from line 4."""
    lines = [f'<sequence name="{name}">', head, regions, *frames, "</sequence>"]
    return "\n".join(lines)


def dataset(root, text=None, name="MVI_1", images="DETRAC-Images", folder="DETRAC-Train-Annotations-XML"):
    write_images(root / images / name)
    (root / folder).mkdir(parents=True, exist_ok=True)
    content = xml(frame(1, target()), name=name) if text is None else text
    raw = content if isinstance(content, bytes) else content.encode()
    (root / folder / f"{name}.xml").write_bytes(raw)
    return root


def test_boxes_regions_and_head(tmp_path):
    text = xml(frame(1, target(7, ratio="0.2")), frame(3, target(7, kind="Bus"), target(8, kind="MiniVan")))
    (sequence,) = listed(READER, dataset(tmp_path, text)).values()
    assert sequence.name == "MVI_1"
    assert sequence.camera is Camera.FIXED
    assert sequence.attributes == {"weather": "cloudy"}
    assert sequence.reader == "ua-detrac 1"
    assert [path.name for path in sequence.annotation_files] == ["MVI_1.xml"]
    found = sequence.load()
    assert boxes_of(found) == [[[1, 2, 11, 22]], [], [[1, 2, 11, 22], [1, 2, 11, 22]]]
    assert regions_of(found) == [[[0, 0, 10, 5]]] * 3
    assert found.class_names == ("car", "van", "bus", "others")
    assert found.boxes.class_id.tolist() == [0, 2, 1]
    assert found.boxes.track_id.tolist() == [7, 7, 8]
    assert found.boxes.flags.tolist() == [BoxFlag.TRUNCATED, 0, 0]
    assert found.native_origin == 0.5


@pytest.mark.parametrize(
    ("kind", "original", "fine"),
    [
        ("Sedan", "car", "sedan"),
        ("Hatchback", "car", "hatchback"),
        ("SUV", "car", "suv"),
        ("Taxi", "car", "taxi"),
        ("Police", "car", "police"),
        ("Van", "van", "van"),
        ("MiniVan", "van", "minivan"),
        ("Bus", "bus", "bus"),
        ("Truck-Box-Large", "others", "truck"),
        ("Truck-Never-Seen", "others", "truck"),
        ("car", "car", "car"),
        ("others", "others", "others"),
    ],
)
def test_vehicle_types(kind, original, fine):
    assert CLASS_NAMES[Vocabulary.ORIGINAL][class_of(kind, Vocabulary.ORIGINAL)] == original
    assert CLASS_NAMES[Vocabulary.FINE][class_of(kind, Vocabulary.FINE)] == fine
    assert CLASS_NAMES[Vocabulary.SINGLE][class_of(kind, Vocabulary.SINGLE)] == "vehicle"


def test_an_unknown_vehicle_type_is_refused_unless_classes_do_not_matter(tmp_path):
    root = dataset(tmp_path, xml(frame(1, "\n" + target(kind="Tram"))))
    with pytest.raises(
        DatasetError, match=r"MVI_1.xml: line 5: attribute: vehicle_type is 'Tram', known are"
    ):
        loaded(READER, root)
    assert loaded(READER, root, classes="single").class_names == ("vehicle",)


def test_occlusion_is_flagged_on_the_hidden_target(tmp_path):
    def overlap(other, status):
        return f'<occlusion><region_overlap occlusion_id="{other}" occlusion_status="{status}" /></occlusion>'

    by_background = frame(1, target(1, more=overlap(0, -1)), target(2))
    by_target = frame(2, target(1, more=overlap(2, 0)), target(2))
    hides_other = frame(3, target(1), target(2, more=overlap(1, 1)), target(3))
    found = loaded(READER, dataset(tmp_path, xml(by_background, by_target, hides_other)))
    occluded = (found.boxes.flags & BoxFlag.OCCLUDED) > 0
    assert occluded.tolist() == [True, False, True, False, True, False, False]


@pytest.mark.parametrize(
    "images",
    [
        "DETRAC-Images",
        "Insight-MVT_Annotation_Train",
        "Insight-MVT_Annotation_Test",
        "DETRAC-train-data/Insight-MVT_Annotation_Train",
        "DETRAC-train-data",
        ".",
    ],
)
@pytest.mark.parametrize("folder", ["DETRAC-Train-Annotations-XML", "DETRAC-Test-Annotations-XML"])
def test_folders_seen_in_the_wild(tmp_path, images, folder):
    assert list(listed(READER, dataset(tmp_path, images=images, folder=folder))) == ["MVI_1"]


def test_folders_given_by_options(tmp_path):
    root = dataset(tmp_path, images="a", folder="b")
    assert list(listed(READER, root, images="a", annotations=root / "b")) == ["MVI_1"]
    with pytest.raises(DatasetError, match=r"nowhere: no such folder \(named by dataset.annotations\)"):
        listed(READER, root, images="a", annotations="nowhere")
    with pytest.raises(DatasetError, match=r"absent: no such folder"):
        listed(READER, root / "absent")


def test_v3_file_names_and_natural_order(tmp_path):
    for name in ("MVI_10", "MVI_9"):
        dataset(tmp_path, name=name)
    folder = tmp_path / "DETRAC-Train-Annotations-XML"
    (folder / "MVI_9.xml").rename(folder / "MVI_9_v3.xml")
    sequences = listed(READER, tmp_path)
    assert list(sequences) == ["MVI_9", "MVI_10"]
    assert sequences["MVI_9"].annotation_files[0].name == "MVI_9_v3.xml"


def test_images_or_annotations_alone_are_left_out_and_named(tmp_path, caplog):
    dataset(tmp_path)
    write_images(tmp_path / "DETRAC-Images" / "MVI_2")
    (tmp_path / "DETRAC-Images" / "MVI_3").mkdir()
    (tmp_path / "DETRAC-Train-Annotations-XML" / "MVI_3.xml").write_text(xml())
    with caplog.at_level(logging.WARNING, "spotlabel"):
        assert list(listed(READER, tmp_path)) == ["MVI_1"]
    assert "1 left out, with images but no annotations: MVI_2" in caplog.text
    assert "1 left out, with annotations but no images: MVI_3" in caplog.text


def test_nothing_usable_says_where_it_looked(tmp_path):
    with pytest.raises(DatasetError, match="images of 0 and annotations of 0 sequences") as error:
        listed(READER, tmp_path)
    assert "Insight-MVT_Annotation_Train" in str(error.value)
    assert "DETRAC-Test-Annotations-XML" in str(error.value)


def test_frames_beyond_the_images(tmp_path):
    root = dataset(tmp_path, xml(frame(1, target()), frame(4, target())))
    with pytest.raises(DatasetError, match="line 5: frame 4 has no image, the images are 1 to 3"):
        loaded(READER, root)
    found = loaded(READER, root, beyond="drop")
    assert (len(found.boxes.xyxy), found.dropped) == (1, 1)


def test_region_file_is_read_only_where_the_xml_has_no_regions(tmp_path):
    root = dataset(tmp_path, xml(frame(1, target()), regions=""))
    (root / "ignored_regions").mkdir()
    file = root / "ignored_regions" / "MVI_1_IgR.txt"
    file.write_bytes(b"\xef\xbb\xbf0.5,0.5,20,10,\r\n\r\n30.5,0.5,10,10\r\n")
    (sequence,) = listed(READER, root).values()
    assert sequence.annotation_files[1] == file
    assert regions_of(sequence.load())[2] == [[0, 0, 20, 10], [30, 0, 40, 10]]
    for own, expected in ((REGIONS, [[0, 0, 10, 5]]), ("<ignored_region />", [])):
        dataset(root, xml(frame(1, target()), regions=own))
        (sequence,) = listed(READER, root).values()
        assert len(sequence.annotation_files) == 1
        assert regions_of(sequence.load())[0] == expected


def test_camera(tmp_path):
    root = dataset(tmp_path, xml(frame(1), head=HEAD.replace("stable", "unstable")))
    assert listed(READER, root)["MVI_1"].camera is Camera.MOVING
    assert listed(READER, root, camera="fixed")["MVI_1"].camera is Camera.FIXED
    dataset(root, xml(frame(1), head=""))
    with pytest.raises(DatasetError, match=r"camera_state is missing.*set dataset.camera"):
        loaded(READER, root)
    assert loaded(READER, root, camera="moving").dropped == 0


GOOD = xml(frame(1, target()))
BOMB = '<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;&x;">]>\n'


def boxed(text):
    return xml(frame(1, target(box=text)))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (BOMB + xml(frame(1, target(kind="&y;"))), "line 1: DTDs and entities are not accepted"),
        ('<!DOCTYPE s SYSTEM "http://example.org/s">\n' + GOOD, "line 1: DTDs and entities are not accepted"),
        (GOOD[:-30], "line 4: no well-formed XML"),
        (GOOD.replace("</sequence>", ""), "line 5: no well-formed XML"),
        ("", "empty file, expected XML"),
        (" ", "line 1: no well-formed XML: no element found"),
        ("<html></html>", "line 1: the outermost element is <html>, expected <sequence>"),
        (boxed('left="nan" top="1" width="2" height="2"'), "line 4: left is nan"),
        (boxed('left="1" top="1" width="-2" height="2"'), "line 4: width is -2"),
        (boxed('left="1" top="1" width="2" height="0"'), "line 4: height is 0"),
        (boxed('left="1" top="1e9" width="2" height="2"'), "line 4: top is 1e+09"),
        (boxed('left="1" top="1" width="2"'), "line 4: box: height is missing, expected a number"),
        (boxed('left="1,5" top="1" width="2" height="2"'), "line 4: box: left is '1,5', expected a number"),
        (boxed('left="1_0" top="1" width="2" height="2"'), "line 4: box: left is '1_0', expected a number"),
        (xml(frame(1, target(7), target(7))), "line 4: track id 7 a second time in frame 1"),
        (xml(frame(1, target()), frame(1, target())), "line 5: track id 1 a second time in frame 1"),
        (xml(frame("one", target())), "line 4: frame: num is 'one', expected a whole number"),
        (xml(frame(1, target("x"))), "line 4: target: id is 'x', expected a whole number"),
        (xml(frame(1, target(9**99))), "line 4: target: id is '295"),
        (xml(frame(1, '<target id="1"></target>')), "line 4: target 1: no vehicle_type"),
        (xml(frame(1, f'<target id="1"><box {BOX} /></target>')), "line 4: target 1: no vehicle_type"),
        (
            xml(frame(1, f'<target id="1"><box {BOX} /><box {BOX} /></target>')),
            "line 4: box: expected one <box>",
        ),
        (xml(target()), "line 4: <target> outside a frame"),
        (xml(frame(1), REGIONS), "line 5: <ignored_region> after a frame"),
        (xml(frame(1, target(ratio="much"))), "line 4: attribute: truncation_ratio is 'much'"),
        (
            xml(head='<sequence_attribute camera_state="shaky" />'),
            "line 2: sequence_attribute: camera_state is",
        ),
        (xml(frame(1, target(kind="Müll"))).encode("latin-1"), "line 4: no well-formed XML: not well-formed"),
        (
            b'<?xml version="1.0" encoding="klingon"?>\n' + GOOD.encode(),
            "no XML that can be read: unknown encoding: klingon",
        ),
        (b"\x00\x01\x02 not xml", "line 1: no well-formed XML"),
    ],
)
def test_bad_files_are_listed_and_fail_alone_with_one_line(tmp_path, text, problem):
    dataset(tmp_path, name="MVI_2")
    sequences = listed(READER, dataset(tmp_path, text), **STRICT)
    assert len(sequences["MVI_2"].load().boxes.xyxy) == 1
    with pytest.raises(DatasetError) as error:
        sequences["MVI_1"].load()
    assert f"MVI_1.xml: {problem}" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "raw",
    [
        b"\xef\xbb\xbf" + GOOD.encode(),
        GOOD.encode("utf-16"),
        ('<?xml version="1.0" encoding="ISO-8859-1"?><!-- é -->' + GOOD).encode("latin-1"),
        GOOD.replace("\n", "\r\n").encode(),
    ],
    ids=["bom", "utf-16", "latin-1 declared", "crlf"],
)
def test_encodings(tmp_path, raw):
    assert boxes_of(loaded(READER, dataset(tmp_path, raw)))[0] == [[1, 2, 11, 22]]


@pytest.mark.parametrize(
    "name", ["sneaky..", "ü 車", "two  spaces", "-rf", "n" * 200, "a\\b", "%2e%2e", "a\nb"]
)
def test_hostile_sequence_names_pass_through_as_data(tmp_path, name):
    (sequence,) = listed(READER, dataset(tmp_path, GOOD, name=name)).values()
    assert sequence.name == name
    assert len(sequence.load().boxes.xyxy) == 1


def test_the_name_inside_the_xml_is_not_used(tmp_path, caplog):
    root = dataset(tmp_path, xml(frame(1, target()), name="../../etc"))
    with caplog.at_level(logging.WARNING, "spotlabel"):
        assert list(listed(READER, root)) == ["MVI_1"]
    assert "names the sequence '../../etc'" in caplog.text


def test_the_head_is_read_without_the_rest(tmp_path):
    file = tmp_path / "big.xml"
    many = "\n".join(frame(n, target()) for n in range(1, 2000))
    file.write_text(xml(many)[:-12] + "<broken")
    assert read_head(file).weather == "cloudy"
    with pytest.raises(DatasetError, match="no well-formed XML"):
        read_detrac(file)


def test_a_file_that_vanished(tmp_path):
    sequence = listed(READER, dataset(tmp_path))["MVI_1"]
    sequence.annotation_files[0].unlink()
    with pytest.raises(DatasetError, match=r"MVI_1\.xml: cannot be read: No such file"):
        sequence.load()


@pytest.mark.realdata
def test_real_sequence(shared_data):
    sequences = listed(READER, shared_data / "ua-detrac")
    assert list(sequences) == ["MVI_40201"]
    sequence = sequences["MVI_40201"]
    assert sequence.camera is Camera.FIXED
    assert sequence.attributes == {"weather": "cloudy"}
    assert len(sequence.frames) == 400
    found = sequence.load()
    assert len(found.boxes) == len(found.regions) == 400
    assert len(found.boxes.xyxy) == 4760
    assert (found.clipped, found.dropped) == (263, 0)
    # First target: left 857.6, top 378.67, width 103.4, height 123.66; its right edge is at 961 of 960.5.
    assert np.allclose(found.boxes.at(0)[0], [857.1, 378.17, 960.0, 501.83], atol=1e-4)
    assert found.boxes.flags[0] == BoxFlag.TRUNCATED | BoxFlag.CLIPPED
    assert found.boxes.track_id[:4].tolist() == [1, 2, 3, 4]
    assert np.bincount(found.boxes.class_id, minlength=4).tolist() == [4119, 641, 0, 0]
    regions = [[0, 0, 426.75, 53.75], [0, 57.25, 213.75, 80.75], [0, 84.25, 85.75, 99.75]]
    assert found.regions.at(399).tolist() == regions


@pytest.mark.realdata
def test_regions_of_the_text_file_equal_those_of_the_xml(shared_data):
    root = shared_data / "ua-detrac"
    from_xml = read_detrac(root / "DETRAC-Train-Annotations-XML/MVI_40201.xml").regions
    from_text = read_regions(root / "ignored_regions/MVI_40201_IgR.txt")
    assert from_text.xyxy.tolist() == from_xml.xyxy.tolist()


@pytest.mark.realdata
def test_every_region_file_can_be_read(shared_data):
    files = sorted((shared_data / "ua-detrac/ignored_regions").glob("*_IgR.txt"))
    counts = {path.name: len(read_regions(path)) for path in files}
    assert len(counts) == 101
    assert sum(count == 0 for count in counts.values()) == 5
    assert counts["MVI_40201_IgR.txt"] == 3


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("MVI_20032", (1657, 5, 437, Camera.MOVING, "sunny")),
        ("MVI_39771", (3605, 5, 570, Camera.FIXED, "night")),
        ("MVI_39811", (599, 5, 500, Camera.MOVING, "night")),
        ("MVI_39861", (2394, 4, 745, Camera.MOVING, "night")),
        ("MVI_39931", (3931, 2, 1082, Camera.MOVING, "cloudy")),
        ("MVI_63544", (1963, 9, 956, Camera.FIXED, "rainy")),
    ],
)
def test_real_annotations_without_images(shared_data, name, expected):
    path = shared_data / f"ua-detrac/DETRAC-Train-Annotations-XML/{name}.xml"
    file = read_detrac(path)
    frames = len(np.unique(file.boxes.rects.frame))
    counts = (len(file.boxes.rects), len(file.regions), frames)
    assert (*counts, file.head.camera, file.head.weather) == expected
    assert read_head(path) == file.head
