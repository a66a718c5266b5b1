"""Video files: exact counts, exact random access, and no number shifted in silence."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from spotlabel.pipeline.errors import DatasetError
from spotlabel.pipeline.frames import VideoFile
from spotlabel.pipeline.frames.container import missing_bytes
from spotlabel.pipeline.frames.glance import about_length, about_size
from spotlabel.pipeline.frames.options import FrameOptions
from tests.helpers.frame_files import sliding, write_video

OPTIONS = FrameOptions()
FORMATS = [
    ("v.mp4", "mpeg4", "yuv420p", {}),
    ("v.mp4", "mpeg4", "yuv420p", {"movflags": "faststart"}),
    ("v.avi", "mpeg4", "yuv420p", {}),
    ("v.mkv", "mpeg4", "yuv420p", {}),
    ("v.avi", "mjpeg", "yuvj420p", {}),
]


def frames_of(video: VideoFile) -> list[np.ndarray]:
    return [np.asarray(item) for item in video.stream()]


@pytest.mark.parametrize(("name", "codec"), [("v.mkv", "ffv1"), ("v.avi", "ffv1")])
def test_lossless_frames_are_exact(tmp_path: Path, name: str, codec: str) -> None:
    scene = sliding(10)
    video = VideoFile(write_video(tmp_path / name, scene, codec, "bgr0"), OPTIONS, first_number=0)
    assert (len(video), video.size, video.step) == (10, (48, 64), 1)
    assert video.numbers.tolist() == list(range(10))
    for decoded, expected in zip(frames_of(video), scene, strict=True):
        assert decoded.dtype == np.uint8
        np.testing.assert_array_equal(decoded, expected)


@pytest.mark.parametrize(("name", "codec", "pix_fmt", "options"), FORMATS)
def test_random_access_equals_stream(
    tmp_path: Path, name: str, codec: str, pix_fmt: str, options: dict[str, str]
) -> None:
    video = VideoFile(write_video(tmp_path / name, sliding(30), codec, pix_fmt, options), OPTIONS)
    streamed = frames_of(video)
    assert len(streamed) == len(video) == 30
    for index in (29, 0, 1, 2, 17, 17, 16, 28):
        np.testing.assert_array_equal(video.read(index), streamed[index])
    for index in (-1, 30):
        with pytest.raises(IndexError):
            video.read(index)


def test_numbers_start_where_asked(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mp4", sliding(5))
    assert VideoFile(path, OPTIONS, first_number=1).numbers.tolist() == [1, 2, 3, 4, 5]
    assert VideoFile(path, OPTIONS, first_number=0).numbers.tolist() == [0, 1, 2, 3, 4]


def test_identity_and_files(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mp4", sliding(5))
    video = VideoFile(path, OPTIONS, first_number=1)
    identity = json.loads(json.dumps(video.identity()))
    assert identity["first"] == 1
    assert str(tmp_path) not in json.dumps(identity)
    assert VideoFile(tmp_path / "absent.mp4", OPTIONS).identity()["first"] == 1  # decodes nothing
    assert video.files() == [path]


def test_building_opens_nothing_and_survives_pickling(tmp_path: Path) -> None:
    video = VideoFile(tmp_path / "later.mp4", OPTIONS)
    write_video(tmp_path / "later.mp4", sliding(6))
    video.read(3)  # an open decoder does not travel
    copy = pickle.loads(pickle.dumps(video))
    np.testing.assert_array_equal(copy.read(4), video.read(4))


def test_streams_do_not_disturb_each_other(tmp_path: Path) -> None:
    video = VideoFile(write_video(tmp_path / "v.mp4", sliding(8)), OPTIONS)
    for index, (first, second) in enumerate(zip(video.stream(), video.stream(), strict=True)):
        np.testing.assert_array_equal(np.asarray(first), np.asarray(second))
        np.testing.assert_array_equal(video.read(7 - index), video.read(7 - index))


@pytest.mark.parametrize(
    ("every", "places"), [(1, [0, 1, 2, 3, 4, 5, 6]), (3, [0, 3, 6]), (4, [0, 4]), (9, [0])]
)
def test_every_nth_frame_of_a_stream(tmp_path: Path, every: int, places: list[int]) -> None:
    video = VideoFile(write_video(tmp_path / "v.mp4", sliding(7)), OPTIONS)
    streamed = list(video.stream(every))
    assert len(streamed) == len(places)
    for place, image in zip(places, streamed, strict=True):
        np.testing.assert_array_equal(np.asarray(image), video.read(place))


def test_grey_video(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mkv", sliding(4), "ffv1", "gray")
    with pytest.raises(DatasetError, match=r"v\.mkv: expected colour video, got grey.*frames.grey=convert"):
        len(VideoFile(path, OPTIONS))
    image = VideoFile(path, FrameOptions(grey="convert")).read(2)
    np.testing.assert_array_equal(image[:, :, 0], image[:, :, 2])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not a readable video file"),
        (b"these are words, not pictures\n" * 50, "not a readable video file"),
        (b"ffconcat version 1.0\nfile other.mp4\n", "not a readable video file"),
        (None, "No such file"),
    ],
)
def test_what_is_no_video_is_one_clear_line(tmp_path: Path, content: bytes | None, reason: str) -> None:
    write_video(tmp_path / "other.mp4", sliding(3))
    path = tmp_path / "clip.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DatasetError, match=rf"clip\.mp4: .*{reason}") as caught:
        len(VideoFile(path, OPTIONS))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("name", "codec", "pix_fmt", "options"), FORMATS)
def test_truncated_video_is_refused_wherever_it_ends(
    tmp_path: Path, name: str, codec: str, pix_fmt: str, options: dict[str, str]
) -> None:
    whole = write_video(tmp_path / name, sliding(24), codec, pix_fmt, options).read_bytes()
    cut = tmp_path / f"cut-{name}"
    for length in [*range(1, len(whole), max(1, len(whole) // 37)), len(whole) - 1]:
        cut.write_bytes(whole[:length])
        with pytest.raises(DatasetError, match=rf"cut-{name}: "):
            frames_of(VideoFile(cut, OPTIONS))


@pytest.mark.parametrize(("name", "codec", "pix_fmt", "options"), FORMATS)
def test_damage_inside_never_shifts_the_count(
    tmp_path: Path, name: str, codec: str, pix_fmt: str, options: dict[str, str]
) -> None:
    whole = write_video(tmp_path / name, sliding(24), codec, pix_fmt, options).read_bytes()
    damaged, refused = tmp_path / f"damaged-{name}", []
    for start in range(len(whole) // 10, len(whole) * 9 // 10, len(whole) // 23):
        damaged.write_bytes(whole[:start] + b"\x00" * 60 + whole[start + 60 :])
        try:
            count = len(frames_of(VideoFile(damaged, OPTIONS)))
        except DatasetError as error:
            refused.append(str(error))
        else:
            assert count == 24
    assert refused
    assert not any("\n" in message for message in refused)


def test_damaged_video_tells_how_many_frames_are_good(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.avi", sliding(24), "mjpeg", "yuvj420p")
    data = bytearray(path.read_bytes())
    middle = data.index(b"\xff\xd8", len(data) // 2)  # start of a JPEG
    data[middle + 4 : middle + 200] = bytes(196)
    path.write_bytes(bytes(data))
    good = data.count(b"\xff\xd8", 0, middle)
    with pytest.raises(DatasetError, match=rf"v\.avi: after {good} good frames: cannot be .*re-encode"):
        len(VideoFile(path, OPTIONS))


def test_metadata_in_another_encoding_does_no_harm(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mp4", sliding(6))
    path.write_bytes(path.read_bytes().replace(b"VideoHandler", b"Vid\xe9oHandler"))
    assert len(VideoFile(path, OPTIONS)) == 6


def test_frame_read_as_no_new_frame_is_noticed(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mp4", sliding(24))
    data = bytearray(path.read_bytes())
    # Header of a P picture (ISO 14496-2, 6.2.5): 00 00 01 b6, then type, time, and the bit "coded".
    header = data.index(b"\x00\x00\x01\xb6", len(data) // 3)
    whole = bytes(data)
    refused = 0
    for byte in range(header + 4, header + 8):
        for bit in range(8):
            data[:] = whole
            data[byte] ^= 1 << bit
            path.write_bytes(bytes(data))
            try:
                assert len(VideoFile(path, OPTIONS)) == 24
            except DatasetError as error:
                refused += "frames are lost" in str(error)
    assert refused > 0


@pytest.mark.parametrize("name", ["v.avi", "v.mp4", "v.mkv"])
def test_containers_tell_how_much_is_missing(tmp_path: Path, name: str) -> None:
    path = write_video(tmp_path / name, sliding(12))
    whole = path.read_bytes()
    assert missing_bytes(path) == 0
    path.write_bytes(whole[:-100])
    assert missing_bytes(path) == 100


def test_unknown_container_announces_nothing(tmp_path: Path) -> None:
    path = tmp_path / "v.ts"
    path.write_bytes(b"\x47" * 188 * 4)
    assert missing_bytes(path) == 0


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "count", "size"),
    [("highway_from_above.avi", 748, (240, 320)), ("road.avi", 374, (360, 640))],
)
def test_real_videos(shared_data: Path, name: str, count: int, size: tuple[int, int]) -> None:
    video = VideoFile(shared_data / "video" / name, OPTIONS, first_number=1)
    assert (len(video), video.size) == (count, size)
    assert video.numbers[-1] == count
    wanted = {5, 250, 251, count - 1}
    streamed = {i: np.asarray(item) for i, item in enumerate(video.stream()) if i in wanted}
    for index in sorted(wanted, reverse=True):
        np.testing.assert_array_equal(video.read(index), streamed[index])


@pytest.mark.realdata
def test_half_of_a_real_video_is_refused(shared_data: Path, tmp_path: Path) -> None:
    whole = (shared_data / "video" / "highway_from_above.avi").read_bytes()
    cut = tmp_path / "half.avi"
    cut.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DatasetError, match=r"half\.avi: truncated"):
        len(VideoFile(cut, OPTIONS))


@pytest.mark.parametrize("kind", [*FORMATS, ("v.h264", "h264", "yuv420p", {})])
def test_a_glance_tells_length_and_size_without_decoding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: tuple[str, str, str, dict[str, str]]
) -> None:
    name, *how = kind
    video = VideoFile(write_video(tmp_path / name, sliding(10), *how), OPTIONS)
    if name != "v.h264":  # whose header says nothing
        monkeypatch.setattr("spotlabel.pipeline.frames.video.check_video", lambda _: pytest.fail("decoded"))
    assert (about_length(video), about_size(video)) == (10, (48, 64))


def test_a_glance_at_no_video_is_refused(tmp_path: Path) -> None:
    (tmp_path / "v.mp4").write_text("no video")
    with pytest.raises(DatasetError):
        about_length(VideoFile(tmp_path / "v.mp4", OPTIONS))
