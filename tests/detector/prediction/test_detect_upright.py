"""``spotlabel detect`` looks at pictures as they are to be seen: videos, folders and single images alike."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from spotlabel.detector.model import ModelSpec, save_model
from spotlabel.detector.prediction.sources import clips_of_paths
from spotlabel.pipeline.cli.main import main
from spotlabel.pipeline.frames.orientation import as_stored
from tests.helpers.frame_files import MATRICES, encode, set_matrix, sliding, tagged_png, write_video

FRAMES = sliding(4)


def video(path: Path, orientation: int) -> Path:
    """A lossless video that shows ``FRAMES``."""
    stored = [np.ascontiguousarray(as_stored(frame, orientation)) for frame in FRAMES]
    return set_matrix(write_video(path, stored, "png", "rgb24"), MATRICES[orientation])


def photos(folder: Path, orientations: tuple[int, ...]) -> Path:
    """Lossless images that show ``FRAMES``."""
    folder.mkdir()
    for number, (frame, tag) in enumerate(zip(FRAMES, orientations, strict=True), 1):
        data = tagged_png(encode(np.ascontiguousarray(as_stored(frame, tag)), ".png"), tag)
        (folder / f"photo_{number}.png").write_bytes(data)
    return folder


def images(*paths: Path, **options: str) -> list[np.ndarray]:
    (clip,) = clips_of_paths(list(paths), **options)  # type: ignore[arg-type]
    return [np.asarray(image) for image in clip.read(threads=2)]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_videos_folders_and_single_images_are_upright(tmp_path: Path, orientation: int) -> None:
    folder = photos(tmp_path / "photos", (orientation, 1, 9 - orientation, orientation))
    turned = video(tmp_path / "v.mov", orientation)
    for found in (images(turned), images(folder), images(*sorted(folder.iterdir()))):
        for image, expected in zip(found, FRAMES, strict=True):
            np.testing.assert_array_equal(image, expected)


@pytest.mark.parametrize("orientation", [2, 3, 6])
def test_or_as_stored(tmp_path: Path, orientation: int) -> None:
    folder, turned = photos(tmp_path / "photos", (orientation,) * 4), video(tmp_path / "v.mov", orientation)
    for source in (folder, turned):
        for image, frame in zip(images(source, orientation="stored"), FRAMES, strict=True):
            np.testing.assert_array_equal(image, as_stored(frame, orientation))


def test_a_list_of_images_tells_once_of_what_it_turned(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = photos(tmp_path / "photos", (1, 6, 6, 3))
    (clip,) = clips_of_paths([folder])
    for _ in range(2):
        list(clip.read(threads=2))
    told = sorted(record.getMessage() for record in caplog.records)
    assert [line.split(":")[0].rsplit("/")[-1] for line in told] == ["photo_2.png and 1 more", "photo_4.png"]


def detected(model: Path, out: Path, *arguments: object) -> str:
    threads = torch.get_num_threads()
    try:
        result = CliRunner().invoke(
            main, ["detect", str(model), *map(str, arguments), "--out", str(out), "--threads", "1"]
        )
    finally:
        torch.set_num_threads(threads)
    assert result.exit_code == 0, result.output
    return result.output


def boxes(out: Path, name: str) -> list[tuple[list[float], float]]:
    (file,) = (path for path in out.glob(f"*{name}*.json") if not path.stem.endswith("--images"))
    return [(row["bbox"], row["score"]) for row in json.loads(file.read_text())]


def test_the_command_finds_the_same_however_a_video_is_stored(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    torch.manual_seed(0)
    spec = ModelSpec(preset="spotnet-multitask", backbone="hourglass-tiny", class_names=("car", "bus"))
    model, out = tmp_path / "m.safetensors", tmp_path / "out"
    save_model(model, spec.build(), spec)
    sources = (
        video(tmp_path / "straight.mov", 1),
        video(tmp_path / "turned.mov", 3),
        photos(tmp_path / "photos", (1, 3, 6, 8)),
    )
    detected(model, out, *sources)
    assert boxes(out, "straight")
    assert boxes(out, "straight") == boxes(out, "turned") == boxes(out, "photos")
    assert "turned.mov: frames of 64 x 48 are turned by 180 degrees" in caplog.text
    assert "nothing to do: 3 of 3" in detected(model, out, *sources, "--orientation", "upright")
    rows = detected(model, out, *sources, "--orientation", "stored").splitlines()
    states = {row.split()[0]: row.split()[1] for row in rows if row.split()[1:2] in (["kept"], ["made"])}
    assert states == {"straight": "kept", "turned": "made", "photos": "made"}
    assert boxes(out, "straight") != boxes(out, "turned")
