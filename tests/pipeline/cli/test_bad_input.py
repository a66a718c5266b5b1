"""Bad frames, annotations and names: one clear line, a non-zero exit, nothing half-made (R12, R13, R17)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from spotlabel.pipeline.names import file_stem
from spotlabel.pipeline.store import UNKNOWN, EvidenceReader, FrameState, MaskReader
from tests.helpers.recipes import leftovers, spotlabel, stores, tree, video, write


def damage(frame: Path, how: str) -> None:
    whole = frame.read_bytes()
    if how == "missing":
        frame.unlink()
    else:
        frame.write_bytes({"truncated": whole[: len(whole) // 2], "empty": b"", "text": b"no image"}[how])


@pytest.mark.parametrize("how", ["truncated", "empty", "text", "missing"])
def test_a_bad_frame_fails_its_video_alone(tmp_path: Path, how: str) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    recipe = write(tmp_path / "r.yaml", tree(data, out, "good", "bad"))
    damage(data / "bad" / "img1" / "000007.jpg", how)
    done = spotlabel("label", recipe)
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if "FAILED" in line]
    assert line.startswith("bad: FAILED: frame 7: ")
    assert "frames.on_bad=unknown" in line
    assert str(data / "bad" / "img1") in line
    assert sorted(stores(out)) == ["evidence/mog2/good.h5", "masks/good.h5"]
    assert leftovers(out) == []


@pytest.mark.parametrize(
    ("how", "state"), [("truncated", FrameState.UNREADABLE), ("missing", FrameState.MISSING)]
)
def test_a_bad_frame_can_be_unknown_but_never_background(tmp_path: Path, how: str, state: FrameState) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    recipe = write(tmp_path / "r.yaml", tree(data, out, "a", frames={"on_bad": "unknown"}))
    damage(data / "a" / "img1" / "000007.jpg", how)
    done = spotlabel("label", recipe)
    assert done.returncode == 0, done.stderr
    assert "a: 1 unreadable frames, their masks are unknown; first: frame 7:" in done.stdout
    masks, evidence = MaskReader(out / "masks" / "a.h5"), EvidenceReader(out / "evidence" / "mog2" / "a.h5")
    assert masks.state.tolist() == evidence.state.tolist()
    assert masks.state[6] == state
    assert (masks.read(6) == UNKNOWN).all()
    assert (masks.read(7) != UNKNOWN).any()


def test_a_subsampled_video_has_no_gaps(tmp_path: Path) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    recipe = write(tmp_path / "r.yaml", tree(data, out, "a", dataset={"reader": "mot", "beyond": "drop"}))
    for number in range(1, 13):
        if number % 3 != 1:
            (data / "a" / "img1" / f"{number:06}.jpg").unlink()
    assert spotlabel("label", recipe).returncode == 0
    masks = MaskReader(out / "masks" / "a.h5")
    assert masks.numbers.tolist() == [1, 4, 7, 10]
    assert FrameState.MISSING not in masks.state


DETRAC = '<sequence name="x"><sequence_attribute camera_state="stable" sence_weather="sunny"/>{}</sequence>'
FRAME = '<frame num="{num}"><target_list><target id="1"><box left="{left}" top="5" width="20" height="9"/>'
FRAME += '<attribute vehicle_type="car"/></target></target_list></frame>'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('<!DOCTYPE a [<!ENTITY b "c">]>' + DETRAC.format("&b;"), r"bad\.xml"),
        (DETRAC.format(FRAME)[:150], r"bad\.xml.*line 1"),
        (DETRAC.format(FRAME.format(num=2, left="nan")), r"bad\.xml.*nan"),
        (DETRAC.format(FRAME.format(num=99, left=3)), r"bad\.xml.*99"),
    ],
)
def test_a_bad_annotation_file_fails_its_video_before_any_labeler_runs(
    tmp_path: Path, text: str, message: str
) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    annotations = data / "DETRAC-Train-Annotations-XML"
    annotations.mkdir(parents=True)
    for name, content in (("good", DETRAC.format(FRAME.format(num=2, left=3))), ("bad", text)):
        video(tmp_path / "videos", name)
        folder = data / "DETRAC-Images" / name
        folder.mkdir(parents=True)
        for image in (tmp_path / "videos" / name / "img1").iterdir():
            image.rename(folder / f"img{int(image.stem):05}.jpg")
        (annotations / f"{name}.xml").write_text(content)
    base = tree(data, out)
    recipe = write(tmp_path / "r.yaml", {**base, "dataset": {"reader": "ua-detrac"}, "labeler": "mog2"})
    done = spotlabel("label", recipe)
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if "FAILED" in line]
    assert re.search(message, line), line
    assert sorted(stores(out)) == ["evidence/mog2/good.h5", "masks/good.h5"]


def test_hostile_sequence_names_stay_inside_the_output_root(tmp_path: Path) -> None:
    names = ["a b", "..-x", "-rf", "ü漢", "x" * 150, "semi;colon"]
    data, out = tmp_path / "data", tmp_path / "deep" / "out"
    recipe = write(tmp_path / "r.yaml", tree(data, out, *names))
    done = spotlabel("label", recipe, "--quiet")
    assert done.returncode == 0, done.stderr
    assert {path.stem for path in (out / "masks").iterdir()} == {file_stem(name) for name in names}
    assert {MaskReader(path).sequence for path in (out / "masks").iterdir()} == set(names)
    assert {path.name for path in tmp_path.iterdir()} == {"data", "deep", "r.yaml"}
    assert spotlabel("show", recipe, "--count", 1).returncode == 0
    assert {path.name for path in tmp_path.iterdir()} == {"data", "deep", "r.yaml"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["label", "nowhere.yaml"], "nowhere.yaml: cannot be read: No such file"),
        (["label", "{recipe}", "--set", "data={tmp}/none"], "none"),
        (["label", "{recipe}", "--only", "zz"], "--only zz: no such sequence"),
        (["relabel", "{recipe}"], "evidence is missing; run `spotlabel label` first"),
        (["show", "{recipe}"], "no masks yet; run `spotlabel label` first"),
        (["verify", "stores", "{recipe}"], "no store"),
        (["verify", "stores", "{tmp}/r.yaml.h5"], "cannot be opened"),
        (["show", "{recipe}", "--frames", "one"], "expected frame numbers like 12,40,95"),
    ],
)
def test_commands_fail_in_one_line(tmp_path: Path, arguments: list[str], message: str) -> None:
    recipe = write(tmp_path / "r.yaml", tree(tmp_path / "data", tmp_path / "out", "a"))
    done = spotlabel(*(part.format(recipe=recipe, tmp=tmp_path) for part in arguments))
    assert done.returncode in (1, 2)
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_verify_finds_a_flipped_byte(tmp_path: Path) -> None:
    out = tmp_path / "out"
    recipe = write(tmp_path / "r.yaml", tree(tmp_path / "data", out, "a", "b"))
    assert spotlabel("label", recipe, "--quiet").returncode == 0
    assert "4 of 4 stores are whole" in spotlabel("verify", "stores", recipe).stdout
    store = out / "masks" / "b.h5"
    content = bytearray(store.read_bytes())
    content[2000] ^= 1
    store.write_bytes(content)
    done = spotlabel("verify", "stores", recipe, "--quiet")
    assert done.returncode == 1
    assert done.stderr.startswith(f"DAMAGED {store}: damaged")
    assert "3 of 4 stores are whole" in done.stdout
