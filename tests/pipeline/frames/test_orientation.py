"""How a picture is to be seen: all eight orientations, in every format that can say so."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from spotlabel.pipeline.datasets.layout import check_declared_size
from spotlabel.pipeline.errors import DatasetError, FrameError
from spotlabel.pipeline.frames import ImageFolder, VideoFile
from spotlabel.pipeline.frames.decode import decode
from spotlabel.pipeline.frames.digest import frames_digest
from spotlabel.pipeline.frames.exif import orientation_tag
from spotlabel.pipeline.frames.options import FrameOptions
from spotlabel.pipeline.frames.orientation import as_stored, of_matrix, upright
from spotlabel.pipeline.frames.shape import Shape
from spotlabel.pipeline.hashing import DigestCache, files_digest
from tests.helpers.frame_files import (
    MATRICES,
    encode,
    exif,
    jpeg,
    noise,
    set_matrix,
    sliding,
    tagged_jpeg,
    tagged_png,
    tagged_tiff,
    tagged_webp,
    write_packets,
    write_video,
)

UPRIGHT, STORED = FrameOptions(), FrameOptions(orientation="stored")
EIGHT = range(1, 9)

# The picture 1 2 3 / 4 5 6 as it is seen, for what is stored as such (CIPA DC-008, 4.6.4, "Orientation").
SEEN = {
    1: [[1, 2, 3], [4, 5, 6]],
    2: [[3, 2, 1], [6, 5, 4]],
    3: [[6, 5, 4], [3, 2, 1]],
    4: [[4, 5, 6], [1, 2, 3]],
    5: [[1, 4], [2, 5], [3, 6]],
    6: [[4, 1], [5, 2], [6, 3]],
    7: [[6, 3], [5, 2], [4, 1]],
    8: [[3, 6], [2, 5], [1, 4]],
}
IMAGE = noise(3)
Tagger = Callable[[int], bytes]
TAGGERS: dict[str, Tagger] = {
    "jpeg": lambda tag: tagged_jpeg(jpeg(IMAGE), tag),
    "jpeg-intel": lambda tag: tagged_jpeg(jpeg(IMAGE), tag, "<"),
    "png": lambda tag: tagged_png(encode(IMAGE, ".png"), tag),
    "webp": lambda tag: tagged_webp(encode(IMAGE, ".webp"), tag),
    "tiff": lambda tag: tagged_tiff(encode(IMAGE, ".tiff"), tag),
}


def folder(root: Path, tags: dict[int, int | None], options: FrameOptions = UPRIGHT) -> ImageFolder:
    """Numbered JPEG files of one picture with these tags; none for None."""
    root.mkdir(exist_ok=True)
    files = {}
    for number, tag in tags.items():
        files[number] = root / f"{number:06d}.jpg"
        files[number].write_bytes(jpeg(IMAGE) if tag is None else tagged_jpeg(jpeg(IMAGE), tag))
    return ImageFolder(files, options)


def turned_video(path: Path, frames: list[np.ndarray], orientation: int) -> Path:
    """A lossless video that shows these frames, stored otherwise, with the matrix that says so."""
    stored = [np.ascontiguousarray(as_stored(frame, orientation)) for frame in frames]
    return set_matrix(write_video(path, stored, "png", "rgb24"), MATRICES[orientation])


@pytest.mark.parametrize("orientation", EIGHT)
def test_the_eight_ways_to_see_a_picture(orientation: int) -> None:
    stored = np.array(SEEN[1], np.uint8)[:, :, np.newaxis].repeat(3, axis=2)
    seen = upright(stored, orientation)
    assert seen[:, :, 0].tolist() == SEEN[orientation]
    assert seen.shape == (*np.shape(SEEN[orientation]), 3)
    np.testing.assert_array_equal(as_stored(seen, orientation), stored)


@pytest.mark.parametrize("orientation", EIGHT)
def test_a_display_matrix_says_the_same(orientation: int) -> None:
    a, b, c, d = MATRICES[orientation]
    values = np.array([a, b, 0, c, d, 0, 7 << 16, 3 << 16, 1 << 14], np.int32) << 16
    assert of_matrix(values.tobytes()) == orientation
    assert of_matrix((values // 2).tobytes()) == orientation  # half the size
    nearly = values + np.array([100, -100, 0, 100, 100, 0, 0, 0, 0], np.int32)
    assert of_matrix(nearly.tobytes()) == orientation


@pytest.mark.parametrize("linear", [(1, 1, -1, 1), (0, 0, 0, 0), (1, 1, 0, 0), (1, 0.5, 0, 1), (1, 0, 1, 0)])
def test_other_matrices_turn_nothing(linear: tuple[float, ...]) -> None:
    a, b, c, d = (round(65536 * value) for value in linear)
    assert of_matrix(np.array([a, b, 0, c, d, 0, 0, 0, 1 << 30], np.int32).tobytes()) is None
    assert of_matrix(b"\0" * 35) is None


@pytest.mark.parametrize("name", TAGGERS)
@pytest.mark.parametrize("tag", EIGHT)
def test_images_of_every_format_are_upright_or_as_stored(name: str, tag: int) -> None:
    plain, data = decode(TAGGERS[name](1), "plain", UPRIGHT).image, TAGGERS[name](tag)
    assert decode(data, "a", UPRIGHT).tag == tag
    np.testing.assert_array_equal(decode(data, "a", UPRIGHT).image, upright(plain, tag))
    np.testing.assert_array_equal(decode(data, "a", STORED).image, plain)
    assert decode(data, "a", STORED).image.flags.c_contiguous


def test_where_a_tag_is_found_and_where_not() -> None:
    tagged = tagged_jpeg(jpeg(IMAGE), 6)
    xmp = b"\xff\xe1\x00\x0ahttp://a"
    assert orientation_tag(io.BytesIO(tagged[:2] + xmp + tagged[2:])) == 6
    assert orientation_tag(io.BytesIO(tagged[:2] + b"\xff\xff" + tagged[2:])) == 6  # fill bytes
    thumbnail = jpeg(IMAGE)[:-2] + tagged[2:]  # behind the pixels it is none of the picture's
    assert orientation_tag(io.BytesIO(thumbnail)) is None
    for length in range(len(tagged) - len(jpeg(IMAGE)) + 2 - 6):  # up to within the value
        assert orientation_tag(io.BytesIO(tagged[:length])) is None
    for data in (b"", b"BM", encode(IMAGE, ".bmp"), encode(IMAGE, ".png"), exif(6)[:8]):
        assert orientation_tag(io.BytesIO(data)) is None


def test_a_folder_of_mixed_orientations(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    plain = decode(jpeg(IMAGE), "plain", UPRIGHT).image
    frames = folder(tmp_path, {1: 3, 2: None, 3: 2, 4: 3, 5: 1})
    with caplog.at_level(logging.WARNING, "spotlabel"):
        seen = list(frames.stream())
        list(frames.stream())
    for image, tag in zip(seen, (3, 1, 2, 3, 1), strict=True):
        np.testing.assert_array_equal(image, upright(plain, tag))
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path}/000003.jpg: mirrored left to right, as EXIF orientation 2 says "
        "(frames.orientation=stored leaves it)",
        f"{tmp_path}/000001.jpg and 1 more: turned by 180 degrees, as EXIF orientation 3 says "
        "(frames.orientation=stored leaves it)",
    ]


def test_one_image_that_stands_on_end_is_told_with_the_reason(tmp_path: Path) -> None:
    frames = folder(tmp_path, {1: None, 2: 6, 3: None})
    assert frames.size == (24, 32)
    with pytest.raises(FrameError, match=r"000002\.jpg: .*got 32 x 24; as stored they are 32 x 24.*=stored"):
        frames.read(1)
    assert folder(tmp_path, {1: None, 2: 6, 3: None}, STORED).read(1).shape == (24, 32, 3)


@pytest.mark.parametrize("tag", [0, 9, 65535])
def test_an_invalid_tag_is_no_tag_and_told(
    tmp_path: Path, tag: int, caplog: pytest.LogCaptureFixture
) -> None:
    frames = folder(tmp_path, {1: tag, 2: None})
    first, second = frames.stream()
    np.testing.assert_array_equal(first, second)
    assert f"000001.jpg: the EXIF orientation is {tag}, expected 1 to 8; taken as stored" in caplog.text
    assert frames.tags() == {}


@pytest.mark.parametrize("orientation", EIGHT)
def test_videos_are_upright_from_any_frame_on(tmp_path: Path, orientation: int) -> None:
    shown = sliding(5)
    path = turned_video(tmp_path / "v.mov", shown, orientation)
    video = VideoFile(path, UPRIGHT)
    assert video.size == (48, 64)
    for frame, expected in zip(video.stream(), shown, strict=True):
        np.testing.assert_array_equal(frame, expected)
    for index in (3, 1, 4, 0):
        np.testing.assert_array_equal(video.read(index), shown[index])
    stored = VideoFile(path, STORED)
    np.testing.assert_array_equal(stored.read(2), as_stored(shown[2], orientation))
    assert stored.size == as_stored(shown[2], orientation).shape[:2]


def test_a_turned_video_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = turned_video(tmp_path / "v.mov", sliding(3), 8)
    video = VideoFile(path, UPRIGHT)
    assert (len(list(video.stream())), len(video), video.shape().tag) == (3, 3, 8)
    assert [record.getMessage() for record in caplog.records] == [
        f"{path}: frames of 48 x 64 are turned by 90 degrees counterclockwise into 64 x 48, as the display "
        "matrix says (frames.orientation=stored leaves them)"
    ]
    caplog.clear()
    assert len(VideoFile(path, STORED)) == 3
    assert "turned by 90 degrees counterclockwise; not followed" in caplog.text


def test_an_odd_angle_is_told_and_not_followed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = set_matrix(write_video(tmp_path / "v.mov", sliding(2), "png", "rgb24"), (0.7, 0.7, -0.7, 0.7))
    np.testing.assert_array_equal(VideoFile(path, UPRIGHT).read(0), sliding(2)[0])
    assert "an angle that is not a multiple of 90 degrees" in caplog.text


def test_pixels_that_are_not_square_are_told_with_both_sizes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_video(tmp_path / "v.mp4", sliding(2), aspect=Fraction(4, 3))
    video = VideoFile(path, UPRIGHT)
    assert (video.size, video.shape().shown) == ((48, 64), (48, 85))
    assert "pixels are not square (4/3): frames have 64 x 48 pixels and are shown as 85 x 48" in caplog.text
    caplog.clear()
    assert VideoFile(write_video(tmp_path / "w.mp4", sliding(2), aspect=Fraction(1)), UPRIGHT).size == (
        48,
        64,
    )
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("shape", "expected", "words"),
    [
        (Shape((48, 64), 6, "upright"), (48, 64), "stored they are 64 x 48, .* clockwise: set .*=stored"),
        (Shape((48, 64), 6, "stored"), (64, 48), "stored they are 64 x 48, .* clockwise: set .*=upright"),
        (
            Shape((48, 64), 1, "upright", Fraction(4, 3)),
            (48, 85),
            r"square \(4/3\): 85 x 48 is .* to 64 x 48",
        ),
        (
            Shape((48, 64), 1, "upright", Fraction(4, 3)),
            (36, 64),
            r"square \(4/3\): 64 x 36 is .* to 64 x 48",
        ),
        (
            Shape((48, 64), 8, "upright", Fraction(1, 2)),
            (64, 96),
            r"square \(1/2\): 96 x 64 is .* to 48 x 64",
        ),
        (Shape((48, 64), 3, "upright"), (64, 48), "width and height are exchanged"),
        (Shape((48, 64), 1, "upright"), (40, 60), "^$"),
        (Shape((48, 64), 6, "upright"), (64, 48), "^$"),
    ],
)
def test_what_explains_another_size(shape: Shape, expected: tuple[int, int], words: str) -> None:
    assert re.search(words, shape.because(expected))


def test_a_declared_size_names_rotation(tmp_path: Path) -> None:
    frames = folder(tmp_path, {1: 6, 2: 6})
    check_declared_size(tmp_path / "a.json", "images", (32, 24), frames)
    problem = (
        "declares 32 x 24 pixels, but the images have 24 x 32; as stored .*: set frames.orientation=stored"
    )
    with pytest.raises(DatasetError, match=problem):
        check_declared_size(tmp_path / "a.json", "images", (24, 32), frames)


@pytest.mark.parametrize("tags", [{1: None, 2: None}, {1: 1, 2: 9}])
def test_without_a_tag_the_digest_is_what_it_always_was(tmp_path: Path, tags: dict[int, int | None]) -> None:
    cache = DigestCache(tmp_path / "cache")
    upright_frames, stored = folder(tmp_path / "a", tags), folder(tmp_path / "a", tags, STORED)
    before = files_digest(upright_frames.files(), upright_frames.identity(), cache)
    assert frames_digest(upright_frames, cache) == frames_digest(stored, cache) == before
    video = write_video(tmp_path / "v.mp4", sliding(3))
    digests = {frames_digest(VideoFile(video, options), cache) for options in (UPRIGHT, STORED)}
    assert digests == {files_digest([video], VideoFile(video, UPRIGHT).identity(), cache)}


def test_with_a_tag_the_setting_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = DigestCache(tmp_path / "cache")
    video = turned_video(tmp_path / "v.mov", sliding(3), 3)
    tags = {1: None, 2: 5}
    digests = [
        frames_digest(source, cache)
        for options in (UPRIGHT, STORED)
        for source in (folder(tmp_path / "a", tags, options), VideoFile(video, options))
    ]
    assert len(set(digests)) == 4
    monkeypatch.setattr(VideoFile, "tags", lambda self: pytest.fail("looked again"))
    assert frames_digest(VideoFile(video, UPRIGHT), cache) == digests[1]


def test_tiff_files_were_always_upright(tmp_path: Path) -> None:
    path = tmp_path / "000001.tiff"
    path.write_bytes(TAGGERS["tiff"](6))
    assert ImageFolder({1: path}, UPRIGHT).tags() == {}
    assert ImageFolder({1: path}, STORED).tags() == {"orientation": "stored"}


def test_a_video_that_turns_on_the_way_is_refused_unless_as_stored(tmp_path: Path) -> None:
    bodies = [tagged_jpeg(jpeg(frame), 3 if i == 2 else 1) for i, frame in enumerate(sliding(4))]
    path = tmp_path / "v.avi"
    write_packets(path, bodies, "mjpeg", (48, 64))
    assert len(VideoFile(path, STORED)) == 4
    with pytest.raises(DatasetError, match=r"v\.avi: frame 3 is to be seen in another way than the first"):
        len(VideoFile(path, UPRIGHT))
