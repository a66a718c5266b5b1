"""What is there after an export, after a broken one, and after damage: whole files, or nothing."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, get_args

import pytest

from spotlabel.pipeline.errors import ChangedInputError, ExportError, SpotlabelError, StoreError
from spotlabel.pipeline.exports import publish as publishing
from spotlabel.pipeline.exports import stage as export_stage
from spotlabel.pipeline.exports.folder import check_folder, finish_folder
from spotlabel.pipeline.exports.formats.coco import CocoWriter
from spotlabel.pipeline.exports.formats.registry import FORMATS as FORMS
from spotlabel.pipeline.exports.options import FormatName
from spotlabel.pipeline.exports.stage import export_video, made_from
from spotlabel.pipeline.exports.staging import MAKING, clear_staging
from tests.helpers import exporting
from tests.helpers.export_runs import asked, export, files, opened, why
from tests.helpers.recipes import write

FORMATS = get_args(FormatName)


@pytest.mark.parametrize("form", FORMATS)
def test_two_exports_are_equal_and_the_second_time_nothing_is_to_do(root: Path, form: str) -> None:
    options = asked(form, images="copy")
    for to in (root / "a", root / "b"):
        assert why(root, to, options) == "not exported yet"
        export(root, to, options)
        assert why(root, to, options) == ""
    assert files(root / "a") == files(root / "b")
    assert not any((root / "a" / MAKING).iterdir())


@pytest.mark.parametrize("form", FORMATS)
def test_a_flipped_bit_in_any_file_is_found_and_mended(root: Path, form: str) -> None:
    options, to = asked(form), root / "to"
    export(root, to, options)
    whole = files(to)
    for name in list(whole)[:: max(1, len(whole) // 8)]:
        content = bytearray(whole[name])
        content[len(content) // 2] ^= 1
        (to / name).write_bytes(content)
        reason = why(root, to, options)
        expected = (
            "its record is damaged" if name.startswith(".made") else f"{to / name} is not as it was written"
        )
        assert reason == expected
        export(root, to, options)
        left = files(to)
        if not name.startswith(".made"):  # nobody can tell damage from an edit
            assert left.pop(f"{name}.changed") == bytes(content)
            (to / f"{name}.changed").unlink()
        assert left == whole


def test_any_flipped_bit_of_a_record_is_found(root: Path) -> None:
    options, to = asked(), root / "to"
    export(root, to, options)
    record = to / ".made/coco/gate.json"
    content = record.read_bytes()
    for place in range(0, len(content), 7):
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        record.write_bytes(damaged)
        assert why(root, to, options) != "", place
    record.write_bytes(content)
    assert why(root, to, options) == ""


def test_a_file_that_has_gone_and_other_options_are_reasons(root: Path) -> None:
    options, to = asked("labelme"), root / "to"
    export(root, to, options)
    (to / "gate/000004.json").unlink()
    assert why(root, to, options) == f"{to / 'gate/000004.json'} has gone"
    export(root, to, options)
    fewer = asked("labelme", every=4)
    assert why(root, to, fewer) == "options.every: 1 -> 4"
    export(root, to, fewer)
    assert sorted(path.name for path in (to / "gate").iterdir()) == ["000004.json", "000008.json"]


def test_files_that_are_no_longer_wanted_go(root: Path) -> None:
    to = root / "to"
    export(root, to, asked(images="copy"))
    assert len(list((to / "images/gate").iterdir())) == 6
    export(root, to, asked())
    assert not (to / "images").exists()
    assert why(root, to, asked()) == ""


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("renames", [0, 1])
def test_broken_off_while_files_take_their_names(
    root: Path, monkeypatch: pytest.MonkeyPatch, form: str, renames: int
) -> None:
    """Whatever stood there before, the next export makes all of it again."""
    options, to = asked(form, images="copy"), root / "to"
    export(root, to, asked(form, images="copy", every=2))
    export(root, root / "wanted", options)
    exchange, left = publishing._exchange, [renames]

    def die(*paths: Path) -> None:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        exchange(*paths)

    monkeypatch.setattr(publishing, "_exchange", die)
    if renames < len(FORMS[form].own):
        with pytest.raises(KeyboardInterrupt):
            export(root, to, options)
        assert why(root, to, options) == "the last export was broken off"
    monkeypatch.undo()
    export(root, to, options)
    assert files(to) == files(root / "wanted")


def test_broken_off_before_leaves_what_was_there(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    to = root / "to"
    export(root, to, asked(every=2))
    before = files(to)
    monkeypatch.setattr(CocoWriter, "finish", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        export(root, to, asked())
    assert files(to) == before
    assert why(root, to, asked(every=2)) == ""


def test_leftovers_of_the_dead_go_and_those_of_the_living_stay(tmp_path: Path) -> None:
    with export_stage.staging(tmp_path, "living") as stage:
        stage.write("x/y.txt", b"1")
        dead = tmp_path / MAKING / "dead.0123"
        dead.mkdir()
        (dead / "z.txt").write_text("2")
        clear_staging(tmp_path)
        assert not dead.exists()
        assert (stage.folder / "x/y.txt").read_bytes() == b"1"
    assert not any((tmp_path / MAKING).iterdir())


def test_names_never_lead_out_of_the_staging_folder(tmp_path: Path) -> None:
    with export_stage.staging(tmp_path, "cam") as stage:
        for name in ("../x", "/etc/x", "a/../../x", "a/.hidden"):
            with pytest.raises(ValueError, match="no name below"):
                stage.write(name, b"")


def test_what_others_put_there_is_not_replaced(root: Path) -> None:
    to = root / "to"
    mine = to / "images/gate/mine.jpg"
    mine.parent.mkdir(parents=True)
    mine.write_text("precious")
    with pytest.raises(ExportError, match="images/gate: is there already, and is no part of this export"):
        export(root, to, asked(images="copy"))
    assert mine.read_text() == "precious"
    (root / "other").mkdir()
    (root / "other/instances.json").write_text("precious")
    with pytest.raises(ExportError, match=r"instances\.json: is there already"):
        check_folder(root / "other", asked())


def test_a_folder_holds_one_format(root: Path) -> None:
    to = root / "to"
    export(root, to, asked("png"))
    with pytest.raises(ExportError, match="holds an export in the format png; give coco its own folder"):
        check_folder(to, asked())
    check_folder(to, asked("png"))


def test_masks_of_other_boxes_or_settings_are_refused(root: Path) -> None:
    """The same checks that training makes."""
    gt = root / "data/gate/gt/gt.txt"
    text = gt.read_text()
    gt.write_text(text.replace("4,7,19,", "4,7,20,"))
    with pytest.raises(StoreError, match=r"gate: its masks are stale.*annotations changed"):
        export(root, root / "to", asked())
    gt.write_text(text)
    export(root, root / "to", asked())
    image = root / "data/gate/img1/000004.jpg"
    image.write_bytes(image.read_bytes() + b"\0")
    with pytest.raises(StoreError, match=r"gate: its masks are stale.*frames changed"):
        why(root, root / "to", asked())
    write(root / "recipe.yaml", exporting.recipe_tree(root, masks={"min_fill": 0.3}))
    with pytest.raises(StoreError, match=r"min_fill: 0\.2 -> 0\.3"):
        export(root, root / "to", asked())


def test_new_masks_are_a_reason(root: Path) -> None:
    options, to = asked(), root / "to"
    export(root, to, options)
    tree = exporting.recipe_tree(root, masks={"min_fill": 0.2, "min_believability": 0.0, "min_blob": 3})
    write(root / "recipe.yaml", tree)
    exporting.label(tree, ("gate",))
    assert why(root, to, options) == "masks changed"


@pytest.mark.parametrize("what", ["store", "boxes", "image"])
def test_what_changes_while_it_is_exported_is_not_exported(
    root: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """A store made again, a boxes file edited, an image replaced: nothing takes its name."""
    put = CocoWriter.put

    def edit(self: CocoWriter, frame: Any) -> None:
        if frame.index == 4:
            if what == "store":
                path = root / "out/masks/gate.h5"
                exporting.label(exporting.recipe_tree(root, masks={"min_fill": 0.9}), ("gate",))
                assert path.exists()
            else:
                path = root / ("data/gate/gt/gt.txt" if what == "boxes" else "data/gate/img1/000003.jpg")
                path.write_bytes(path.read_bytes() + b"\n")
        put(self, frame)

    monkeypatch.setattr(CocoWriter, "put", edit)
    with pytest.raises(ChangedInputError):
        export(root, root / "to", asked(images="copy"))
    assert [name for name in files(root / "to") if not name.startswith(".")] == []


def test_images_as_links_and_copies(root: Path) -> None:
    export(root, root / "links", asked("voc", images="link"))
    export(root, root / "copies", asked("voc", images="copy"))
    original = root / "data/gate/img1/000005.jpg"
    link, copy = (root / to / "JPEGImages/gate/000005.jpg" for to in ("links", "copies"))
    assert os.readlink(link) == str(original)
    assert not copy.is_symlink()
    assert copy.read_bytes() == original.read_bytes()
    link.unlink()
    link.symlink_to(root / "data/gate/img1/000006.jpg")
    assert why(root, root / "links", asked("voc", images="link")) == f"{link} is not as it was written"


def test_counted_images_of_formats_of_videos(root: Path) -> None:
    export(root, root / "mots", asked("mots", images="link"))
    assert os.readlink(root / "mots/gate/img1/000001.jpg").endswith("img1/000001.jpg")
    export(root, root / "png", asked("png", images="link"))
    assert os.readlink(root / "png/JPEGImages/gate/00000.jpg").endswith("img1/000001.jpg")
    annotations = sorted(path.stem for path in (root / "png/Annotations/gate").iterdir())
    assert annotations == sorted(path.stem for path in (root / "png/JPEGImages/gate").iterdir())


@pytest.mark.parametrize("name", ["..", "a b/../c", "=x\x1b[2J\n", "images", "x" * 200])
@pytest.mark.parametrize("form", FORMATS)
def test_hostile_names_stay_inside_and_are_escaped(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, form: str
) -> None:
    recipe, item = opened(made)
    object.__setattr__(item.sequence, "name", name)
    monkeypatch.setattr(export_stage, "check_labelled", lambda *_: None)
    to = tmp_path / "deep/to"
    export_video(recipe, item, asked(form), to, lambda *_: None)
    finish_folder(to, {name: made_from(item, asked(form))}, asked(form))
    assert [path.name for path in tmp_path.iterdir()] == ["deep"]
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["to"]
    for path in to.rglob("*.json"):
        json.loads(path.read_text())
    if form == "cvat":
        (xml,) = to.rglob("*.xml")
        assert exporting.read_cvat(xml)
        assert "\x1b" not in xml.read_text()


def test_a_video_that_cannot_be_used_is_told(root: Path) -> None:
    (root / "out/masks/gate.h5").unlink()
    with pytest.raises(SpotlabelError, match="gate: has no masks"):
        why(root, root / "to", asked())
