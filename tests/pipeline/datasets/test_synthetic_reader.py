"""The reader of rendered scenes."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from spotlabel.pipeline.boxes import BoxFlag
from spotlabel.pipeline.datasets.base import ReaderOptions
from spotlabel.pipeline.datasets.synthetic import READER, SyntheticOptions
from spotlabel.pipeline.errors import FrameError
from spotlabel.pipeline.frames.options import FrameOptions
from spotlabel.pipeline.sequence import Camera, Sequence

NOWHERE = Path("/nowhere/at/all")


def read(*scenes: dict[str, object]) -> list[Sequence]:
    options = SyntheticOptions.model_validate({"scenes": scenes} if scenes else {})
    return READER.sequences(NOWHERE, options, FrameOptions())


def tiny(**values: object) -> dict[str, object]:
    return {"name": "tiny", "width": 128, "height": 96, "frames": 5, "density": 0.8} | values


def test_default_is_one_street_and_one_drone():
    sequences = read()
    assert [(s.name, s.camera) for s in sequences] == [("drone", Camera.MOVING), ("street", Camera.FIXED)]
    for sequence in sequences:
        assert sequence.reader == "synthetic 1"
        assert sequence.annotation_files == ()
        assert sequence.derived_boxes is False
        assert sequence.attributes == {"weather": "sunny"}
        assert len(sequence.frames) == 200


def test_names_are_listed_in_natural_order():
    names = [s.name for s in read(tiny(name="s10"), tiny(name="s2"), tiny(name="a"))]
    assert names == ["a", "s2", "s10"]


def test_frames_are_a_frame_source():
    (sequence,) = read(tiny())
    frames = sequence.frames
    assert frames.size == (96, 128)
    assert frames.numbers.dtype == np.int64
    assert frames.numbers.tolist() == [0, 1, 2, 3, 4]
    assert (frames.step, len(frames), frames.files()) == (1, 5, [])
    streamed = list(frames.stream())
    assert len(streamed) == 5
    assert np.array_equal(streamed[3], frames.read(3))
    assert np.array_equal(list(frames.stream(every=2)), [frames.read(index) for index in (0, 2, 4)])
    for index in (-1, 5):
        with pytest.raises(FrameError, match=f"frame {index}.*0 to 4"):
            frames.read(index)


def test_identity_follows_the_settings_but_not_the_name():
    one, renamed, other = (read(tiny(**v))[0].frames.identity() for v in ({}, {"name": "x"}, {"seed": 3}))
    assert one == renamed != other
    assert json.loads(json.dumps(one)) == one


def test_annotations_and_truth_agree():
    """Every box has truth pixels on all four sides; truth outside the boxes lies in ignore regions."""
    (sequence,) = read(tiny(width=240, height=180))
    annotations = sequence.load()
    assert annotations.class_names == ("car", "van", "bus", "truck")
    assert annotations.native_origin == 0
    assert len(annotations.boxes) == len(annotations.regions) == 5
    assert annotations.dropped > 0
    for index in range(5):
        truth = sequence.truth(index)
        assert truth.dtype == np.uint8
        assert set(np.unique(truth)) == {0, 255}
        left = truth.copy()
        for x0, y0, x1, y1 in annotations.boxes.at(index).astype(int):
            inside = truth[y0:y1, x0:x1] > 0
            assert all(side.any() for side in (inside[0], inside[-1], inside[:, 0], inside[:, -1]))
            left[y0:y1, x0:x1] = 0
        assert left.any()
        for x0, y0, x1, y1 in annotations.regions.at(index).astype(int):
            left[y0:y1, x0:x1] = 0
        assert not left.any()


def test_annotated_columns():
    boxes = read(tiny())[0].load().boxes
    assert boxes.xyxy.dtype == np.float32
    assert boxes.class_id.dtype == np.int16
    assert boxes.track_id.dtype == np.int64
    assert boxes.flags.dtype == np.uint8
    assert not (boxes.flags & ~np.uint8(BoxFlag.TRUNCATED | BoxFlag.OCCLUDED)).any()


def test_regions_follow_a_moving_camera():
    (sequence,) = read(tiny(camera="moving", frames=24, rotation=30, pan=10, fps=2))
    regions = sequence.load().regions
    seen = [regions.at(index) for index in range(24)]
    assert len({tuple(region) for frame in seen for region in frame.tolist()}) > 10
    assert {len(frame) for frame in seen} >= {0, 4}


def test_an_empty_scene_has_empty_tables():
    nothing = {"density": 0, "parked_car": False, "starter": False, "ignored_region": False}
    (sequence,) = read(tiny(**nothing, shadows=0))
    annotations = sequence.load()
    assert annotations.boxes.xyxy.shape == (0, 4)
    assert annotations.boxes.offsets.tolist() == [0] * 6
    assert len(annotations.regions.at(2)) == 0
    assert sequence.attributes["weather"] == "cloudy"


def test_sequences_travel_to_other_processes():
    (sequence,) = read(tiny())
    image = sequence.frames.read(2)
    packed = pickle.dumps(sequence)
    assert len(packed) < 5000
    copy = pickle.loads(packed)
    assert np.array_equal(copy.frames.read(2), image)
    assert np.array_equal(copy.truth(2), sequence.truth(2))
    assert np.array_equal(copy.load().boxes.xyxy, sequence.load().boxes.xyxy)


@pytest.mark.parametrize(
    ("scenes", "message"),
    [
        ([], "at least 1"),
        ([{"name": "a"}, {"name": "a"}], "must differ, 'a'"),
        ([{"name": ""}], "at least 1 character"),
        ([{"name": "a", "colour": 1}], "Extra inputs"),
        ([{"width": 64}], "name"),
    ],
)
def test_unusable_options_are_refused(scenes, message):
    with pytest.raises(ValidationError, match=message):
        SyntheticOptions.model_validate({"scenes": scenes})


def test_options_of_another_reader_are_refused():
    with pytest.raises(TypeError, match="SyntheticOptions"):
        READER.sequences(NOWHERE, ReaderOptions(), FrameOptions())
