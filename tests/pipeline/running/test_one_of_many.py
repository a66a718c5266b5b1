"""Looking at one sequence of a dataset: the same as from the whole list, without touching the others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from spotlabel.pipeline.datasets import cdnet, davis, mot, ua_detrac, uavdt, video
from spotlabel.pipeline.datasets.base import Reader
from spotlabel.pipeline.frames.options import FrameOptions
from tests.helpers.dataset_files import write_images

NAMES = ("a1", "a2", "a10")


def _text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _mot(root: Path, name: str) -> None:
    write_images(root / "train" / name / "img1", name="{:06d}.jpg")
    _text(root / "train" / name / "gt" / "gt.txt", "1,1,2,3,10,20\n")


def _flat_mot(root: Path, name: str) -> None:
    write_images(root / name / "img1", name="{:06d}.jpg")
    _text(root / name / "gt" / "gt.txt", "1,1,2,3,10,20\n")


def _detrac(root: Path, name: str) -> None:
    write_images(root / ua_detrac.IMAGE_ROOTS[0] / name)
    _text(root / ua_detrac.XML_ROOTS[0] / f"{name}.xml", f'<sequence name="{name}"></sequence>')


def _uavdt(root: Path, name: str) -> None:
    write_images(root / uavdt.IMAGE_ROOTS[0] / name, name="img{:06d}.jpg")
    _text(root / uavdt.GT_ROOTS[0] / f"{name}_gt_whole.txt", "1,1,2,3,10,20,1,1,1\n")


def _davis(root: Path, name: str) -> None:
    write_images(root / "JPEGImages" / "480p" / name, name="{:05d}.jpg")
    write_images(root / "Annotations" / "480p" / name, name="{:05d}.png")


def _cdnet(root: Path, name: str) -> None:
    write_images(root / "baseline" / name / "input", name="in{:06d}.jpg")
    write_images(root / "baseline" / name / "groundtruth", name="gt{:06d}.png")


CASES = [
    (mot.READER, _mot),
    (mot.READER, _flat_mot),
    (ua_detrac.READER, _detrac),
    (uavdt.READER, _uavdt),
    (davis.READER, _davis),
    (cdnet.READER, _cdnet),
]


@pytest.mark.parametrize(("reader", "make"), CASES, ids=lambda value: getattr(value, "__name__", ""))
def test_one_sequence_is_found_as_in_the_list_and_no_other_is_scanned(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    reader: Reader,
    make: Callable[[Path, str], None],
) -> None:
    for name in NAMES:
        make(tmp_path, name)
    options = reader.options_type()
    everything = reader.listed(tmp_path, options, FrameOptions())
    assert len(everything) == 3
    module = {"sbi": cdnet}.get(reader.name) or {
        "mot": mot, "ua-detrac": ua_detrac, "uavdt": uavdt, "davis": davis, "cdnet": cdnet
    }[reader.name]  # fmt: skip
    scanned = []
    scan = module.scan_images
    monkeypatch.setattr(
        module, "scan_images", lambda folder, *rest: scanned.append(folder) or scan(folder, *rest)
    )
    for wanted in everything:
        scanned.clear()
        (one,) = reader.listed(tmp_path, options, FrameOptions(), wanted.name)
        assert one.name == wanted.name
        assert one.frames.files() == wanted.frames.files()
        assert (one.annotation_files, one.camera, one.reader) == (
            wanted.annotation_files, wanted.camera, wanted.reader,
        )  # fmt: skip
        assert len(scanned) == 1


def test_one_video_is_found_as_in_the_list(tmp_path: Path) -> None:
    for name in NAMES:
        (tmp_path / f"{name}.mp4").touch()
        _text(tmp_path / f"{name}.csv", "frame,x0,y0,x1,y1,class,track\n")
    options = video.READER.options_type()
    (one,) = video.READER.listed(tmp_path, options, FrameOptions(), "a2")
    assert one.name == "a2"
    assert one.annotation_files == (tmp_path / "a2.csv",)


def test_a_reader_that_cannot_find_one_lists_all(tmp_path: Path) -> None:
    seen = []
    reader = Reader("plain", 1, mot.MotOptions, lambda *arguments: seen.append(arguments) or [])
    assert reader.listed(tmp_path, mot.MotOptions(), FrameOptions(), "a") == []
    assert len(seen[0]) == 3
