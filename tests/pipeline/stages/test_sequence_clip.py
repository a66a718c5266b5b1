"""What labelers see of a sequence: all readable frames, or every n-th, under either policy for the others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spotlabel.pipeline.errors import FrameError
from spotlabel.pipeline.frames.folder import ImageFolder, scan_images
from spotlabel.pipeline.frames.options import FrameOptions
from spotlabel.pipeline.running.calibrate import _Head
from spotlabel.pipeline.sequence import Camera, Sequence
from spotlabel.pipeline.stages.clip import SequenceClip
from tests.helpers.frame_files import encode, noise


def clip_of(folder: Path, numbers: list[int], options: FrameOptions, frames: int = 100) -> SequenceClip:
    for number in numbers:
        (folder / f"{number:03d}.png").write_bytes(encode(noise(number), ".png"))
    images = ImageFolder(scan_images(folder, r"(\d+)\.png"), FrameOptions())
    head = _Head(images, frames)
    sequence = Sequence("a", head, Camera.FIXED, (), "test 1", load=lambda: pytest.fail("not needed"))
    return SequenceClip(sequence, options, None)


def test_every_nth_frame_is_the_one_that_a_whole_pass_gives(tmp_path: Path) -> None:
    clip = clip_of(tmp_path, [3, 5, 7, 9, 11, 15, 17], FrameOptions(on_bad="unknown"))
    whole = {frame.number: frame.image for frame in clip}
    some = list(clip.sampled(2))
    assert [frame.number for frame in some] == [3, 7, 11, 15]
    for frame in some:
        np.testing.assert_array_equal(frame.image, whole[frame.number])
    assert len(clip) == 8
    assert [frame.number for frame in clip.sampled(5)] == [3]  # 13 is missing
    assert clip.readable == [0, 1, 2, 3, 4, 6, 7]  # of the pass over all frames
    assert list(clip.unreadable) == [5]


def test_the_policy_to_fail_holds_for_every_nth_frame_too(tmp_path: Path) -> None:
    clip = clip_of(tmp_path, [1, 2, 4, 5], FrameOptions())
    assert [frame.number for frame in clip.sampled(3)] == [1, 4]
    with pytest.raises(FrameError, match=r"frame 3: .*missing.*frames\.on_bad=unknown"):
        list(clip.sampled(2))


@pytest.mark.parametrize(("frames", "numbers"), [(4, [1, 3]), (5, [1, 3, 5])])
def test_the_head_of_a_source_ends_every_nth_frame_where_it_ends(
    tmp_path: Path, frames: int, numbers: list[int]
) -> None:
    clip = clip_of(tmp_path, list(range(1, 9)), FrameOptions(), frames)
    assert [frame.number for frame in clip.sampled(2)] == numbers
