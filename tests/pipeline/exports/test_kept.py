"""What users put into an export or change in it, and what all its videos have in common."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from spotlabel.pipeline.exports.folder import finish_folder
from spotlabel.pipeline.exports.formats.registry import FORMATS as FORMS
from spotlabel.pipeline.exports.options import FormatName
from spotlabel.pipeline.exports.stage import export_video, made_from
from tests.helpers.export_runs import asked, export, files, opened, why

FORMATS = get_args(FormatName)


@pytest.mark.parametrize("form", ["labelme", "cvat", "png", "coco"])
def test_what_users_put_into_a_folder_or_changed_in_it_is_kept(root: Path, form: str) -> None:
    options, to = asked(form, images="copy"), root / "to"
    export(root, to, options)
    tops = [to / top for top in FORMS[form].own_of("gate")]
    edited = (
        sorted(path for path in tops[-1].rglob("*") if path.is_file())[0] if tops[-1].is_dir() else tops[-1]
    )
    folder = next(top for top in tops if top.is_dir())
    (folder / "mine").mkdir()
    (folder / "mine/notes.txt").write_text("precious")
    edited.write_bytes(b"edited")
    recipe, item = opened(root)
    fewer = asked(form, images="copy", every=2)
    record = export_video(recipe, item, fewer, to, lambda *_: None)
    assert (folder / "mine/notes.txt").read_text() == "precious"
    assert edited.with_name(f"{edited.name}.changed").read_bytes() == b"edited"
    assert [line for line in record.remarks if f"{edited.name}.changed" in line]
    assert why(root, to, fewer) == ""
    export(root, root / "wanted", fewer)
    wanted = files(root / "wanted")
    left = files(to)
    assert {name: left.pop(name) for name in wanted} == wanted
    assert sorted(Path(name).name for name in left) == sorted(["notes.txt", f"{edited.name}.changed"])


def test_a_damaged_record_costs_nothing_of_users(root: Path) -> None:
    options, to = asked("labelme"), root / "to"
    export(root, to, options)
    (to / "gate/000004.json").write_text("edited")
    (to / "gate/mine.txt").write_text("precious")
    (to / ".made/labelme/gate.json").write_text("{")
    export(root, to, options)
    assert (to / "gate/000004.json.changed").read_text() == "edited"
    assert (to / "gate/mine.txt").read_text() == "precious"
    assert why(root, to, options) == ""


def test_files_of_others_where_this_export_writes_nothing_do_not_matter(root: Path) -> None:
    mine = root / "to/images/gate/mine.jpg"
    mine.parent.mkdir(parents=True)
    mine.write_text("precious")
    export(root, root / "to", asked())
    assert mine.read_text() == "precious"


def test_the_common_file_is_made_of_all_whole_videos_and_mended(root: Path) -> None:
    options, to = asked(), root / "to"
    export(root, to, options)
    made = {"gate": made_from(opened(root)[1], options)}
    videos = {**made, "yard": "has no masks"}
    joined = finish_folder(to, videos, options)
    assert (joined.files, joined.lacking) == ([to / "instances.json"], {"yard": "has no masks"})
    whole = (to / "instances.json").read_bytes()
    (to / "instances.json").write_bytes(whole[:-2] + b"x\n")
    (remark,) = finish_folder(to, videos, options).remarks
    assert "instances.json.changed" in remark
    assert (to / "instances.json").read_bytes() == whole
    assert (to / "instances.json.changed").read_bytes() == whole[:-2] + b"x\n"
    for other, reason in (
        (asked(every=2), "options.every: 1 -> 2"),
        (asked().model_copy(update={"classes": ("bus", "car")}), "has other class numbers, export it again"),
    ):
        joined = finish_folder(to, {"gate": made_from(opened(root)[1], other)}, other)
        assert (joined.files, joined.lacking) == ([], {"gate": reason})


def test_the_common_file_takes_no_stale_and_no_damaged_video(root: Path) -> None:
    options, to = asked(), root / "to"
    export(root, to, options)
    videos = {"gate": made_from(opened(root)[1], options)}
    stale = finish_folder(to, {"gate": {**videos["gate"], "masks": "0" * 64}}, options)
    assert (stale.files, stale.lacking) == ([], {"gate": "masks changed"})
    path = to / "annotations/gate.json"
    path.unlink()
    assert finish_folder(to, videos, options).lacking == {"gate": f"{path} has gone"}
