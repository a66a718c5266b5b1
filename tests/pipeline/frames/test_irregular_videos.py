"""Videos that can be used though something is irregular: frames without data, streams that were cut."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from spotlabel.pipeline.errors import DatasetError
from spotlabel.pipeline.frames import VideoFile
from spotlabel.pipeline.frames.container import null_frames
from spotlabel.pipeline.frames.glance import about_length
from spotlabel.pipeline.frames.options import FrameOptions
from tests.helpers.frame_files import empty_avi_frames, noise, sliding, write_video

DEFAULT = FrameOptions()


def lossless_avi(path: Path, frames: list[np.ndarray]) -> Path:
    return write_video(path, frames, "png", "rgb24")


@pytest.mark.parametrize(
    ("empty", "shown"),
    [
        ({3, 5}, [0, 1, 2, 2, 4, 4, 6, 7]),
        ({2, 3, 4}, [0, 1, 1, 1, 1, 5, 6, 7]),
        ({6, 7}, [0, 1, 2, 3, 4, 5, 5, 5]),
        ({0, 1}, [2, 2, 2, 3, 4, 5, 6, 7]),
    ],
)
def test_frames_without_data_repeat_the_one_before(
    tmp_path: Path, empty: set[int], shown: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    frames = sliding(8)
    path = empty_avi_frames(lossless_avi(tmp_path / "v.avi", frames), empty)
    video = VideoFile(path, DEFAULT)
    for place, image in enumerate(video.stream()):
        np.testing.assert_array_equal(image, frames[shown[place]])
    for place in (7, 2, 4):
        np.testing.assert_array_equal(video.read(place), frames[shown[place]])
    assert (len(video), about_length(video)) == (8, 8)
    assert f"v.avi: {len(empty)} of 8 frames hold no data and repeat the one before" in caplog.text


def test_frames_without_data_can_be_left_out_or_fail(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    frames = sliding(8)
    path = empty_avi_frames(lossless_avi(tmp_path / "v.avi", frames), {3, 5})
    kept = list(VideoFile(path, FrameOptions(null_frames="drop")).stream())
    np.testing.assert_array_equal(kept, [frames[place] for place in (0, 1, 2, 4, 6, 7)])
    assert "2 frames hold no data and are not numbered" in caplog.text
    with pytest.raises(
        DatasetError, match=r"v\.avi: 2 frames hold no data, the first is frame 4 of .*repeat"
    ):
        len(VideoFile(path, FrameOptions(null_frames="fail")))


@pytest.mark.parametrize("codec", ["mpeg4", "mjpeg"])
def test_frames_without_data_of_common_codecs(tmp_path: Path, codec: str) -> None:
    pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    path = empty_avi_frames(write_video(tmp_path / "v.avi", sliding(20), codec, pix_fmt), {4, 5, 19})
    images = list(VideoFile(path, DEFAULT).stream())
    repeats = [place for place in range(1, 20) if np.array_equal(images[place], images[place - 1])]
    assert repeats == [4, 5, 19]


def test_a_frame_that_is_lost_is_still_damage(tmp_path: Path) -> None:
    path = empty_avi_frames(write_video(tmp_path / "v.avi", sliding(20)), {4})
    data = bytearray(path.read_bytes())
    places = [at for at in range(len(data) - 4) if data[at : at + 4] == b"00dc"]
    data[places[10] : places[10] + 4] = b"00xx"  # a chunk whose header was hit
    path.write_bytes(bytes(data))
    with pytest.raises(DatasetError, match=r"v\.avi: damaged: \d of its frames are lost"):
        len(VideoFile(path, DEFAULT))


def test_places_of_frames_without_data(tmp_path: Path) -> None:
    path = lossless_avi(tmp_path / "v.avi", sliding(6))
    assert null_frames(path, 0, 6) == []
    empty_avi_frames(path, {0, 4})
    assert null_frames(path, 0, 6) == [0, 4]
    assert null_frames(path, 0, 4) == []  # the header does not count them
    assert null_frames(path, 1, 6) == []
    assert VideoFile(path, DEFAULT).tags() == {}


def recording(path: Path, codec: str) -> list[np.ndarray]:
    """A stream whose frames take many packets each; its frames as decoded."""
    scene = noise(5, 144, 192 + 40)
    frames = [np.ascontiguousarray(scene[:, 3 * i : 3 * i + 192]) for i in range(12)]
    write_video(path, frames, codec)
    return [np.asarray(image) for image in VideoFile(path, DEFAULT).stream()]


@pytest.mark.parametrize(
    ("name", "codec"),
    [("v.ts", "mpeg2video"), ("v.ts", "mpeg1video"), ("v.ts", "libx264"), ("v.mpg", "mpeg2video")],
)
def test_a_stream_that_was_cut_gives_only_whole_frames(
    tmp_path: Path, name: str, codec: str, caplog: pytest.LogCaptureFixture
) -> None:
    whole = recording(tmp_path / name, codec)
    data = (tmp_path / name).read_bytes()
    cut, counts = tmp_path / f"cut-{name}", set()
    for length in range(len(data) // 2, len(data) - 100, len(data) // 41):
        cut.write_bytes(data[:length])
        try:
            images = list(VideoFile(cut, DEFAULT).stream())
        except DatasetError:  # cut before the first frame was given
            continue
        if "ends in the middle of a frame" not in caplog.text:
            continue  # cut between two frames, which no stream tells
        assert (
            f"cut-{name}: the stream ends in the middle of a frame; the first {len(images)} " in caplog.text
        )
        caplog.clear()
        counts.add(len(images))
        for image, expected in zip(images, whole, strict=False):
            np.testing.assert_array_equal(image, expected)
    assert len(counts) >= 2


def test_a_cut_stream_may_fail(tmp_path: Path) -> None:
    recording(tmp_path / "v.ts", "mpeg2video")
    data = (tmp_path / "v.ts").read_bytes()
    (tmp_path / "v.ts").write_bytes(data[: len(data) * 3 // 4])
    with pytest.raises(DatasetError, match=r"v\.ts: after \d+ good frames: .*set frames\.cut_end=drop"):
        len(VideoFile(tmp_path / "v.ts", FrameOptions(cut_end="fail")))


def test_damage_inside_a_stream_is_no_cut_end(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    recording(tmp_path / "v.ts", "mpeg2video")
    data = bytearray((tmp_path / "v.ts").read_bytes())
    middle = len(data) // 2 // 188 * 188
    for packet in range(middle, middle + 188 * 20, 188):
        data[packet + 20 : packet + 188] = b"\xff" * 168
    (tmp_path / "v.ts").write_bytes(bytes(data))
    with (
        caplog.at_level(logging.WARNING),
        pytest.raises(DatasetError, match="good frames: cannot be decoded"),
    ):
        len(VideoFile(tmp_path / "v.ts", DEFAULT))
    assert caplog.text == ""


def test_the_settings_count_only_where_they_are_set(tmp_path: Path) -> None:
    usual = VideoFile(tmp_path / "v.avi", DEFAULT).identity()
    assert not {"null_frames", "cut_end"} & usual.keys()
    other = VideoFile(tmp_path / "v.avi", FrameOptions(null_frames="drop", cut_end="fail")).identity()
    assert other == usual | {"null_frames": "drop", "cut_end": "fail"}
