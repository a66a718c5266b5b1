"""What readers share: natural order, encodings, folders that cannot be listed, reader objects."""

from __future__ import annotations

import logging
import pickle

import pytest

from spotlabel.pipeline.datasets import coco, mot, ua_detrac, uavdt, video
from spotlabel.pipeline.datasets.base import ReaderOptions
from spotlabel.pipeline.datasets.layout import entries, natural_key
from spotlabel.pipeline.datasets.text import decimal, read_text, whole_number
from spotlabel.pipeline.errors import DatasetError
from tests.helpers.dataset_files import write_images

READERS = [ua_detrac.READER, uavdt.READER, mot.READER, coco.READER, video.READER]


def test_natural_order():
    names = ["a10", "a2", "b", "a", "a02", "10", "9", "", "ü1", "a2b"]
    expected = ["", "9", "10", "a", "a02", "a2", "a2b", "a10", "b", "ü1"]
    assert sorted(names, key=natural_key) == expected
    names.reverse()
    assert sorted(names, key=natural_key) == expected


@pytest.mark.parametrize(
    "raw",
    [
        "ä\nb".encode(),
        b"\xef\xbb\xbf" + "ä\r\nb".encode(),
        "ä\rb".encode("latin-1"),
        "ä\r\nb".encode("utf-16"),
    ],
)
def test_encodings_and_line_ends(tmp_path, raw):
    (tmp_path / "a.txt").write_bytes(raw)
    assert read_text(tmp_path / "a.txt") == "ä\nb"


def test_a_limit_that_cuts_a_letter_still_gives_text(tmp_path):
    (tmp_path / "a.txt").write_bytes("abcä".encode())
    assert read_text(tmp_path / "a.txt", limit=4)[:3] == "abc"


def test_text_that_cannot_be_read(tmp_path):
    with pytest.raises(DatasetError, match=r"absent\.txt: cannot be read: No such file"):
        read_text(tmp_path / "absent.txt")
    with pytest.raises(DatasetError, match="cannot be read: Is a directory"):
        read_text(tmp_path)


def test_numbers():
    assert (whole_number("7"), whole_number(" 7.0 "), whole_number("-1")) == (7, 7, -1)
    assert decimal("1e-3") == 0.001
    for text in ("", "x", "1.5", "nan", "inf", "1e300", "1_000", str(2**53)):
        with pytest.raises(ValueError, match=r"number|could not"):
            whole_number(text)


def test_a_folder_that_cannot_be_listed_is_told_and_left_out(tmp_path, caplog):
    file = tmp_path / "file"
    file.write_text("")
    with caplog.at_level(logging.WARNING, "spotlabel"):
        assert entries(file) == []
    assert "file: cannot be listed and is left out: Not a directory" in caplog.text


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_every_reader_has_strict_options_and_refuses_an_empty_root(tmp_path, reader):
    assert issubclass(reader.options_type, ReaderOptions)
    assert reader.options_type().beyond == "refuse"
    with pytest.raises(ValueError, match="Extra inputs are not permitted"):
        reader.options_type(klasses="x")
    for root in (tmp_path, tmp_path / "absent"):
        with pytest.raises(DatasetError) as error:
            reader.sequences(root, reader.options_type(), ua_detrac.FrameOptions())
        assert str(root) in str(error.value)
        assert "\n" not in str(error.value)


def test_sequences_travel_between_processes(tmp_path):
    write_images(tmp_path / "A" / "img1", name="{:06d}.jpg")
    (tmp_path / "A" / "gt").mkdir()
    (tmp_path / "A" / "gt" / "gt.txt").write_text("1,1,2,3,10,20\n")
    (sequence,) = mot.READER.sequences(tmp_path, mot.MotOptions(), ua_detrac.FrameOptions())
    copy = pickle.loads(pickle.dumps(sequence))
    assert copy.load().boxes.xyxy.tolist() == sequence.load().boxes.xyxy.tolist() == [[1, 2, 11, 22]]
