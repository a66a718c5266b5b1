"""CDnet and SBI2015: listing, boxes from ground truth, what is evaluated."""

from __future__ import annotations

import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from spotlabel.pipeline.boxes import BoxFlag
from spotlabel.pipeline.datasets import cdnet
from spotlabel.pipeline.datasets.cdnet_truth import check_truth, evaluated_frames
from spotlabel.pipeline.datasets.derived import derive_boxes
from spotlabel.pipeline.errors import DatasetError
from spotlabel.pipeline.frames.options import FrameOptions
from spotlabel.pipeline.measures.pixels import PixelCounts, count
from spotlabel.pipeline.sequence import Camera, Sequence
from tests.helpers.frame_files import encode, jpeg, noise
from tests.helpers.recipes import spotlabel

HEIGHT, WIDTH = 24, 32


def moving(value: int = 255) -> np.ndarray:
    """Ground truth with one object of 8 x 10 pixels at (12, 6) on static ground."""
    gt = np.zeros((HEIGHT, WIDTH), np.uint8)
    gt[6:14, 12:22] = value
    return gt


def write_sequence(
    folder: Path, truth: dict[int, np.ndarray], frames: int = 4, temporal: str | None = "2 4"
) -> Path:
    for name in ("input", "groundtruth"):
        (folder / name).mkdir(parents=True)
    for number in range(1, frames + 1):
        (folder / "input" / f"in{number:06d}.jpg").write_bytes(jpeg(noise(number)))
    for number, gt in truth.items():
        (folder / "groundtruth" / f"gt{number:06d}.png").write_bytes(encode(gt, ".png"))
    if temporal is not None:
        (folder / "temporalROI.txt").write_text(temporal)
    return folder


def outside() -> np.ndarray:
    return np.full((HEIGHT, WIDTH), 85, np.uint8)


def usual(folder: Path) -> Path:
    return write_sequence(folder, {1: outside(), 2: moving(), 3: moving(170), 4: np.zeros_like(moving())})


def read(root: Path, **options: object) -> list[Sequence]:
    return cdnet.READER.sequences(root, cdnet.CdnetOptions(**options), FrameOptions())


def one(root: Path, **options: object) -> Sequence:
    (sequence,) = read(root, **options)
    return sequence


# Boxes from pixels


def test_box_is_padded_and_clipped() -> None:
    mask = np.zeros((20, 30), bool)
    mask[0:6, 19:29] = True
    assert derive_boxes(mask).tolist() == [[17, 0, 30, 8]]


def test_smallest_component_with_a_box_has_60_pixels() -> None:
    mask = np.zeros((20, 30), bool)
    mask[5:11, 5:15] = True
    assert derive_boxes(mask).tolist() == [[3, 3, 17, 13]]
    mask[5, 5] = False
    assert derive_boxes(mask).shape == (0, 4)


def test_components_touch_at_corners_and_are_ordered_from_above() -> None:
    mask = np.zeros((40, 60), bool)
    mask[20:30, 40:50] = True
    mask[30:36, 30:40] = True  # touches the one before at a corner
    mask[2:12, 30:40] = True
    mask[2:12, 5:15] = True
    assert derive_boxes(mask).tolist() == [[3, 0, 17, 14], [28, 0, 42, 14], [28, 18, 52, 38]]


def test_empty_mask_has_no_boxes() -> None:
    boxes = derive_boxes(np.zeros((4, 5), bool))
    assert (boxes.shape, boxes.dtype) == ((0, 4), np.float32)


@settings(max_examples=50)
@given(arrays(np.bool_, st.tuples(st.integers(1, 20), st.integers(1, 20))))
def test_boxes_cover_every_pixel_and_stay_inside(mask: np.ndarray) -> None:
    boxes = derive_boxes(mask, min_pixels=1, padding=1)
    covered = np.zeros_like(mask)
    for x0, y0, x1, y1 in boxes.astype(int):
        assert 0 <= x0 < x1 <= mask.shape[1]
        assert 0 <= y0 < y1 <= mask.shape[0]
        covered[y0:y1, x0:x1] = True
    assert covered[mask].all()


# Listing


def test_root_may_be_dataset_category_or_sequence(tmp_path: Path) -> None:
    for name in ("baseline/road10", "baseline/road9", "PTZ/zoom"):
        usual(tmp_path / "cd" / name)
    everything = read(tmp_path / "cd")
    assert [s.name for s in everything] == ["PTZ/zoom", "baseline/road9", "baseline/road10"]
    assert [s.camera for s in everything] == [Camera.MOVING, Camera.FIXED, Camera.FIXED]
    assert everything[0].attributes == {"category": "PTZ"}
    assert [s.name for s in read(tmp_path / "cd" / "baseline")] == ["baseline/road9", "baseline/road10"]
    lone = one(tmp_path / "cd" / "PTZ" / "zoom")
    assert (lone.name, lone.camera) == ("zoom", Camera.MOVING)


def test_root_may_be_given_as_a_dot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual(tmp_path / "cd" / "baseline" / "road")
    monkeypatch.chdir(tmp_path / "cd" / "baseline")
    assert [s.name for s in read(Path())] == ["baseline/road"]
    monkeypatch.chdir("road")
    assert [s.name for s in read(Path())] == ["road"]
    assert [s.name for s in read(Path(".."))] == ["baseline/road"]


@pytest.mark.parametrize("name", ["ca t..", "ünïcode ☃", "x" * 200, "a\nb", "$(rm)"])
def test_hostile_names_are_data(tmp_path: Path, name: str) -> None:
    usual(tmp_path / "cd" / "baseline" / name)
    sequence = one(tmp_path / "cd")
    assert sequence.name == f"baseline/{name}"
    assert len(sequence.load().boxes) == 4


def test_nothing_found_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="<category>/<sequence>/input"):
        read(tmp_path)
    with pytest.raises(DatasetError, match="absent: expected a folder"):
        read(tmp_path / "absent")


def test_sequence_without_images_is_refused(tmp_path: Path) -> None:
    (tmp_path / "road" / "input").mkdir(parents=True)
    with pytest.raises(DatasetError, match="input: no image found"):
        read(tmp_path)[0].load()


def test_sequence_facts(tmp_path: Path) -> None:
    sequence = one(usual(tmp_path / "road"))
    assert sequence.reader == "cdnet 2"
    assert sequence.derived_boxes
    names = [path.name for path in sequence.annotation_files]
    assert names == [*(f"gt{n:06d}.png" for n in range(1, 5)), "temporalROI.txt"]


# Boxes and truth


def test_boxes_are_marked_as_derived(tmp_path: Path) -> None:
    folder = write_sequence(tmp_path / "road", {1: outside(), 2: moving(), 3: moving()})
    annotations = one(folder).load()
    boxes = annotations.boxes
    assert boxes.offsets.tolist() == [0, 0, 1, 2, 2]
    assert boxes.xyxy.tolist() == [[10, 4, 24, 16]] * 2
    assert boxes.flags.tolist() == [BoxFlag.DERIVED] * 2
    assert boxes.track_id.tolist() == [-1, -1]
    assert boxes.class_id.tolist() == [0, 0]
    assert annotations.class_names == ("object",)


def shaded() -> np.ndarray:
    """The object of :func:`moving`, its unknown outline, and shadow (50) to the right within more of it."""
    gt = moving()
    gt[5, 11:29] = gt[14, 11:29] = gt[5:15, 11] = gt[5:15, 28] = 170
    gt[6:14, 22:28] = 50
    gt[0:4, 0:20] = 170  # an unknown place without a moving pixel
    return gt


@pytest.mark.parametrize(
    ("boxes", "expected"),
    [
        ("moving", [[10, 4, 24, 16]]),
        ("with-unknown", [[0, 0, 22, 6], [9, 3, 31, 17]]),
    ],
)
def test_boxes_are_tight_on_moving_pixels_unless_asked_otherwise(
    tmp_path: Path, boxes: str, expected: list[list[int]]
) -> None:
    folder = write_sequence(tmp_path / "sbi" / "road", {1: outside(), 2: shaded(), 3: moving(170)}, frames=3)
    reader = cdnet.SBI_READER
    for sequence in (
        one(folder, boxes=boxes),
        *reader.sequences(tmp_path / "sbi", cdnet.SbiOptions(boxes=boxes), FrameOptions()),
    ):
        table = sequence.load().boxes
        assert table.at(1).tolist() == expected
        assert len(table.at(2)) == (boxes == "with-unknown")
    tight = one(folder).load().boxes.at(1).tolist()
    assert tight == [[10, 4, 24, 16]]  # the default


def test_the_rule_of_the_boxes_decides_them() -> None:
    rules = [cdnet.CdnetOptions(boxes=boxes).deciding() for boxes in ("moving", "with-unknown")]
    assert [rule["boxes"] for rule in rules] == ["moving", "with-unknown"]
    assert cdnet.CdnetOptions().deciding() == rules[0]


def test_frames_without_truth_are_ignore_regions(tmp_path: Path) -> None:
    truth = {2: moving(), 3: outside(), 4: moving()}
    folder = write_sequence(tmp_path / "road", truth, frames=5, temporal="2 5")
    annotations = one(folder, unusable_truth={"road": [4]}).load()
    assert [len(annotations.boxes.at(i)) for i in range(5)] == [0, 1, 0, 0, 0]
    whole = [[0, 0, WIDTH, HEIGHT]]
    assert [annotations.regions.at(i).tolist() for i in range(5)] == [whole, [], whole, whole, whole]


def test_frames_outside_the_temporal_roi_have_no_boxes(tmp_path: Path) -> None:
    truth = {n: moving() for n in range(1, 5)}
    annotations = one(write_sequence(tmp_path / "road", truth, temporal="2 3\n")).load()
    assert [len(annotations.boxes.at(i)) for i in range(4)] == [0, 1, 1, 0]


def test_truth_is_the_raw_image(tmp_path: Path) -> None:
    sequence = one(usual(tmp_path / "road"), unusable_truth={"road": [4]})
    assert sequence.truth is not None
    np.testing.assert_array_equal(sequence.truth(0), outside())
    np.testing.assert_array_equal(sequence.truth(2), moving(170))
    assert sequence.truth(3) is None


def test_sequence_survives_pickling(tmp_path: Path) -> None:
    sequence = pickle.loads(pickle.dumps(one(usual(tmp_path / "road"))))
    assert len(sequence.load().boxes.xyxy) == 1
    np.testing.assert_array_equal(sequence.truth(1), moving())


def test_three_equal_channels_are_labels(tmp_path: Path) -> None:
    folder = write_sequence(tmp_path / "road", {n: np.dstack([moving()] * 3) for n in range(2, 5)})
    assert len(one(folder).load().boxes.xyxy) == 3


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (encode(moving(), ".png")[:60], "truncated"),
        (encode(moving(254), ".png"), "expected values 0, 50, 85, 170, 255, got 254"),
        (encode(moving()[:, 1:], ".png"), "expected height x width 24 x 32.*got 24 x 31"),
        (encode(noise(3), ".png"), "got colours"),
    ],
)
def test_unusable_truth_is_refused_with_its_file(tmp_path: Path, content: bytes, reason: str) -> None:
    sequence = one(usual(tmp_path / "road"))
    (tmp_path / "road" / "groundtruth" / "gt000003.png").write_bytes(content)
    with pytest.raises(DatasetError, match=rf"gt000003\.png: .*{reason}"):
        sequence.load()


@pytest.mark.parametrize("text", ["", "2", "1 2 3", "two 4", "4 2", "-1 3", "\ufeff2 4"])
def test_bad_temporal_roi_is_refused(tmp_path: Path, text: str) -> None:
    sequence = one(usual(tmp_path / "road"))
    (tmp_path / "road" / "temporalROI.txt").write_text(text, encoding="utf-8")
    with pytest.raises(DatasetError, match=r"temporalROI\.txt: expected"):
        sequence.load()


def test_missing_truth_fails_at_load_only(tmp_path: Path) -> None:
    folder = usual(tmp_path / "cd" / "baseline" / "road")
    (folder / "temporalROI.txt").unlink()
    bare = write_sequence(tmp_path / "cd" / "baseline" / "bare", {})
    (bare / "groundtruth").rmdir()
    no_truth, no_range = read(tmp_path / "cd")
    with pytest.raises(DatasetError, match="groundtruth: no ground truth"):
        no_truth.load()
    with pytest.raises(DatasetError, match=r"temporalROI\.txt: cannot be read"):
        no_range.load()


def test_truth_beyond_the_images(tmp_path: Path) -> None:
    truth = {n: moving() for n in range(1, 7)}
    folder = write_sequence(tmp_path / "road", truth, temporal="1 9")
    with pytest.raises(DatasetError, match=r"gt000005\.png: ground truth of frame 5, which has no image"):
        one(folder).load()
    assert len(one(folder, beyond="drop").load().boxes.xyxy) == 4


# Evaluation


def test_evaluated_frames_follow_both_rois(tmp_path: Path) -> None:
    folder = usual(tmp_path / "road")
    roi = np.full((HEIGHT, WIDTH), 255, np.uint8)
    roi[:, :16] = 0
    (folder / "ROI.bmp").write_bytes(encode(roi, ".bmp"))
    frames = list(evaluated_frames(one(folder)))
    assert [frame.position for frame in frames] == [1, 2, 3]
    assert [int(frame.valid.sum()) for frame in frames] == [24 * 16, 24 * 16 - 8 * 6, 24 * 16]
    assert [int(frame.foreground.sum()) for frame in frames] == [80, 0, 0]


@pytest.mark.parametrize(("name", "ok"), [("mask", True), ("picture", False)])
def test_roi_jpg_counts_only_if_it_is_a_mask(tmp_path: Path, name: str, ok: bool) -> None:
    folder = usual(tmp_path / "road")
    roi = np.full((HEIGHT, WIDTH), 255, np.uint8)
    roi[:, :16] = 0
    (folder / "ROI.jpg").write_bytes(encode(roi if name == "mask" else roi // 2, ".jpg"))
    if ok:
        assert int(next(evaluated_frames(one(folder))).valid.sum()) == 24 * 16
    else:
        with pytest.raises(DatasetError, match=r"ROI\.jpg: expected a black and white mask"):
            next(evaluated_frames(one(folder)))


# SBI2015


@pytest.mark.parametrize("name", ["ROI.bmp", "ROI.jpg"])
def test_a_roi_of_another_size_may_stand_if_it_leaves_nothing_out(tmp_path: Path, name: str) -> None:
    folder = usual(tmp_path / "road")
    roi = np.full((HEIGHT, WIDTH + 32), 255, np.uint8)
    (folder / name).write_bytes(encode(roi, Path(name).suffix))
    (sequence,) = read(folder)
    check_truth(sequence)
    assert sequence.truth.roi().shape == (HEIGHT, WIDTH)
    assert sequence.truth.roi().all()
    roi[:, :16] = 0
    (folder / name).write_bytes(encode(roi, Path(name).suffix))
    with pytest.raises(
        DatasetError, match=rf"{name}: expected height x width {HEIGHT} x {WIDTH} like the fra"
    ):
        check_truth(sequence)


def test_verify_finds_unusable_truth_before_it_labels(tmp_path: Path) -> None:
    folder = usual(tmp_path / "data" / "baseline" / "road")
    roi = np.zeros((HEIGHT, WIDTH + 32), np.uint8)
    (folder / "ROI.bmp").write_bytes(encode(roi, ".bmp"))
    out = tmp_path / "out"
    asked = ["--data", tmp_path / "data", "--only", "baseline/road", "--labeler", "mog2", "--out", out]
    ran = spotlabel("verify", "cdnet", *asked)
    assert ran.returncode == 2
    assert "ROI.bmp: expected height x width 24 x 32 like the frames, got 24 x 64" in ran.stderr
    assert ran.stderr.count("\n") == 1
    assert not list(out.rglob("*.h5"))


def test_sbi_has_no_categories_and_needs_no_temporal_roi(tmp_path: Path) -> None:
    folder = write_sequence(tmp_path / "sbi" / "HighwayI", {n: moving() for n in range(1, 5)}, temporal=None)
    for kind in ("input", "groundtruth"):
        for path in sorted((folder / kind).iterdir()):
            number = int(path.stem[2:]) - 1
            image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
            path.unlink()
            cv2.imwrite(str(folder / kind / f"{path.stem[:2]}{number:06d}.png"), image)
    reader = cdnet.SBI_READER
    (sequence,) = reader.sequences(tmp_path / "sbi", reader.options_type(), FrameOptions())
    assert (sequence.name, sequence.reader, sequence.camera) == ("HighwayI", "sbi 3", Camera.FIXED)
    assert sequence.frames.numbers.tolist() == [0, 1, 2, 3]
    assert [len(sequence.load().boxes.at(i)) for i in range(4)] == [0, 1, 1, 1]
    assert [frame.position for frame in evaluated_frames(sequence)] == [1, 2, 3]


def test_sbis_first_ground_truth_counts_only_if_asked_for(tmp_path: Path) -> None:
    write_sequence(tmp_path / "sbi" / "Any", {n: moving() for n in range(2, 5)}, temporal=None)

    def evaluated(**options: object) -> list[int]:
        (sequence,) = cdnet.SBI_READER.sequences(
            tmp_path / "sbi", cdnet.SbiOptions(**options), FrameOptions()
        )
        return [frame.position for frame in evaluated_frames(sequence)]

    assert evaluated() == [2, 3]
    assert evaluated(first_truth="use") == [1, 2, 3]
    assert evaluated(first_truth="use", unusable_truth={"Any": (3,)}) == [1, 3]


# Real sequences


@pytest.mark.realdata
def test_real_facts(shared_data: Path) -> None:
    highway, office = read(shared_data / "cdnet")
    assert (highway.name, office.name) == ("baseline/highway", "baseline/office")
    assert (len(highway.frames), highway.frames.size) == (1700, (240, 320))
    assert (len(office.frames), office.frames.size) == (2050, (240, 360))
    positions = [s.truth.evaluated_positions() for s in (highway, office)]  # type: ignore[union-attr]
    assert [(p[0], p[-1], len(p)) for p in positions] == [(469, 1699, 1231), (569, 2049, 1481)]


@pytest.mark.realdata
def test_filled_boxes_score_as_specified(shared_data: Path) -> None:
    """Ties the derivation, the evaluated frames and the counting to the figures measured before."""
    options = cdnet.SbiOptions(boxes="with-unknown")
    (sequence,) = cdnet.SBI_READER.sequences(shared_data / "sbi", options, FrameOptions())
    boxes = sequence.load().boxes
    assert len(boxes.xyxy) == 1736
    total = PixelCounts()
    for frame in evaluated_frames(sequence):
        mask = np.zeros(frame.valid.shape, np.uint8)
        for x0, y0, x1, y1 in boxes.at(frame.position).astype(int):
            mask[y0:y1, x0:x1] = 1
        total += count(mask, frame.foreground, frame.valid)
    assert total.f_measure == pytest.approx(0.8072, abs=5e-5)
    assert total.iou == pytest.approx(0.677, abs=5e-4)
