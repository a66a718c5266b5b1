"""PASCAL VOC's annotation files: native boxes, and one line for what cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from spotlabel.pipeline.boxes import BoxFlag
from spotlabel.pipeline.datasets.voc_xml import read_voc
from spotlabel.pipeline.errors import DatasetError
from tests.helpers.still_files import voc_xml

PERSON = """<annotation>
<filename> 2007_000027.jpg </filename>
<size><width>486</width><height>500</height><depth>3</depth></size>
<object>
  <name>person</name><pose>Unspecified</pose><truncated>1</truncated><difficult>0</difficult>
  <bndbox><xmax>349</xmax><xmin>174</xmin><ymax>351</ymax><ymin>101</ymin></bndbox>
  <part><name>head</name>
    <bndbox><xmin>169</xmin><ymin>104</ymin><xmax>209</xmax><ymax>146</ymax></bndbox></part>
</object>
<object>
  <name>car</name><occluded>1</occluded><difficult>1</difficult>
  <bndbox><xmin>45.7</xmin><ymin>1</ymin><xmax>45.7</xmax><ymax>500.0</ymax></bndbox>
</object>
<object><name>person</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>2</xmax><ymax>3</ymax></bndbox></object>
</annotation>"""


def read(folder: Path, text: str):
    path = folder / "a.xml"
    path.write_text(text)
    return read_voc(path)


def test_a_file_as_voc_writes_them(tmp_path: Path) -> None:
    file = read(tmp_path, PERSON)
    assert (file.file_name, file.size) == ("2007_000027.jpg", (500, 486))
    assert file.boxes.class_names == ("person", "car")
    assert file.boxes.class_id.tolist() == [0, 1, 0]
    # The last pixel is part of a box.
    assert file.boxes.rects.xyxy.tolist() == [[174, 101, 350, 352], [45.7, 1, 46.7, 501], [1, 1, 3, 4]]
    assert file.boxes.flags.tolist() == [BoxFlag.TRUNCATED, BoxFlag.OCCLUDED, 0]
    assert file.difficult.tolist() == [False, True, False]
    assert file.boxes.rects.where(1) == "object 2"


def test_a_file_without_objects_and_size(tmp_path: Path) -> None:
    file = read(tmp_path, voc_xml(None, []))
    assert (file.size, len(file.boxes.rects), len(file.difficult)) == (None, 0, 0)


def test_encodings_that_are_declared(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    text = voc_xml((5, 5), [("bé", 1, 1, 2, 2)])
    path.write_bytes(f'<?xml version="1.0" encoding="latin-1"?>{text}'.encode("latin-1"))
    assert read_voc(path).boxes.class_names == ("bé",)


def one(*more: str, corners: str = "<xmin>1</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax>") -> str:
    return f"<annotation><object>{''.join(more)}<bndbox>{corners}</bndbox></object></annotation>"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a.xml: no well-formed XML: no element found: line 1, column 0"),
        ("<annotation><object></annotation>", "no well-formed XML: mismatched tag: line 1"),
        ("<annotations/>", "the outermost element is <annotations>, expected <annotation>"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><annotation/>', "DTDs and entities are not accepted (remove them)"),
        (one("<name> </name>"), "object 1: name is missing"),
        ("<annotation><object><name>a</name></object></annotation>", "object 1: 0 elements <bndbox>"),
        (one("<name>a</name>", corners="<xmin>1</xmin>"), "object 1: ymin is missing"),
        (one("<name>a</name>", corners="<xmin>1_0</xmin>"), "object 1: xmin is '1_0', expected a number"),
        (one("<name>a</name><difficult>yes</difficult>"), "object 1: difficult is 'yes', expected 0 or 1"),
        ("<annotation><size><height>4</height></size></annotation>", "size: width is missing"),
        (
            "<annotation><size><height>0</height><width>4</width></size></annotation>",
            "size: height is '0', expected a whole number above 0",
        ),
        (
            '<?xml version="1.0" encoding="klingon"?><annotation/>',
            "no XML that can be read: unknown encoding",
        ),
    ],
)
def test_bad_files_get_one_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DatasetError) as caught:
        read(tmp_path, text)
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "a.xml"))
    assert "\n" not in str(caught.value)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"a\.xml: cannot be read: No such file"):
        read_voc(tmp_path / "a.xml")
