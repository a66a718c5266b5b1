"""What a file says that cannot be taken as it stands is told, and no video gets masks of another."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spotlabel.pipeline.errors import DatasetError
from spotlabel.pipeline.manual import Decision
from tests.helpers import exporting, importing
from tests.helpers.recipes import spotlabel, write

INDEX, STILL, RING = 4, 5, 7


def project(root: Path, *tasks: str) -> Path:
    """The videos as tasks of one CVAT project, whose images have the same names."""
    path = importing.exported(root, "cvat")
    files = {name: path.parent.parent / name / "annotations.xml" for name in tasks}
    found = [
        image.replace("<image ", f'<image task_id="{number}" subset="Train" ')
        for number, file in enumerate(files.values())
        for image in re.findall(r"<image .*?</image>", file.read_text(), re.DOTALL)
    ]
    named = "".join(f"<task><id>{number}</id><name>{name}</name></task>" for number, name in enumerate(files))
    meta = f"<meta><project><id>9</id><name>all</name><tasks>{named}</tasks></project></meta>"
    path.write_text(f"<annotations><version>1.1</version>{meta}{''.join(found)}</annotations>")
    return path


def test_images_of_a_cvat_project_are_of_their_own_tasks(root: Path):
    path = project(root, "gate", "road")
    text = path.read_text()
    first = text.index('<attribute name="track_id">7<')
    start = text.rindex("<mask ", 0, first)
    box = '<box label="car" xtl="0" ytl="0" xbr="1" ybr="1">'
    end = text.index("</mask>", first)
    path.write_text(
        text[:start] + box + text[text.index(">", start) + 1 : end] + "</box>" + text[end + len("</mask>") :]
    )
    found = importing.read(root, path, "cvat")
    assert {name: (one.frames, len(one.corrections)) for name, one in found.items()} == {
        "gate": (6, 1),
        "road": (6, 0),
    }
    assert [*importing.read(root, path, "cvat", "road")] == ["road"]


def test_what_is_wrong_in_a_folder_of_cvat_names_the_file(root: Path):
    path = importing.exported(root, "cvat")
    path.write_text(re.sub(r'(<image [^>]*name=")[^"]*"', r'\1other.png"', path.read_text(), count=1))
    with pytest.raises(DatasetError, match=r"gate: line \d+: image: gate has no frame 'other'"):
        importing.read(root, path.parent.parent, "cvat")


def test_an_image_of_a_cvat_project_that_names_no_task_is_of_no_video(root: Path):
    path = project(root, "gate", "road")
    path.write_text(path.read_text().replace(' task_id="1"', "", 1))
    with pytest.raises(DatasetError, match="image: names no video"):
        importing.read(root, path, "cvat")


def test_only_what_exports_call_unknown_is_a_region(root: Path):
    path = importing.exported(root, "cvat")
    text = path.read_text()
    assert importing.read(root, path, "cvat")["gate"].regions > 0
    path.write_text(text.replace('label="unknown"', 'label="Car"'))
    changes = importing.read(root, path, "cvat")["gate"]
    assert changes.regions == 0
    assert len(changes.unpaired) == text.count('<mask label="unknown"')


def test_values_of_no_object_are_told(root: Path):
    folder = importing.exported(root, "png")
    path = folder / f"Annotations/gate/{INDEX:05}.png"
    plane = np.array(Image.open(path))
    changed = int((plane == 1).sum())
    assert changed
    plane[plane == 1] = 77
    Image.fromarray(plane).save(path)
    changes = importing.read(root, folder, "png")["gate"]
    assert changes.stray == changed
    told = f"{changed} pixels have a value that no object of their frame has: taken as of no object"
    assert told in changes.remarks()


@pytest.mark.parametrize("form", ["coco", "cvat", "png"])
def test_an_empty_mask_of_the_sample_can_be_confirmed_in_every_format(root: Path, form):
    key = (INDEX + 1, STILL, ())
    kept = exporting.recipe_tree(root, masks={"weak_boxes": "keep", "min_fill": 0.2})
    write(root / "recipe.yaml", kept)
    exporting.label(kept, ("gate", "road"))
    assert not importing.instance(root, INDEX, STILL).any()
    changes = importing.read(root, importing.exported(root, form), form, looked_at={key: None})["gate"]
    assert [(one.key, one.decision) for one in changes.corrections] == [(key, Decision.BACKGROUND)]


def test_a_sample_of_all_videos_is_not_lost_to_one_of_a_single_video(root: Path):
    recipe = root / "recipe.yaml"
    assert spotlabel("audit", recipe, "--propose", "24").returncode == 0
    path = importing.exported(root, "coco")
    kept = spotlabel("import", "masks", recipe, path, "--format", "coco", "--confirm")
    assert kept.returncode == 0, kept.stderr
    refused = spotlabel("audit", recipe, "--propose", "4", "--only", "road")
    assert refused.returncode == 2
    assert "boxes are decided; --replace draws another sample" in refused.stderr
    some = spotlabel("audit", recipe, "--only", "gate")
    assert "the sample has boxes of other videos, too" in some.stderr
    assert "the figures hold only if right boxes were decided as wrong ones were" in some.stdout
    both = spotlabel("audit", recipe, "--propose", "4", "--json")
    assert (both.returncode, both.stdout) == (2, "")


def test_a_box_made_unknown_is_one_correction_before_and_after_relabel(root: Path):
    folder = importing.exported(root, "png")
    path, index = folder / "Annotations/gate/00003.png", 3
    reader = importing.masks(root)
    x0, y0, x1, y1 = reader.boxes.at(index)[0].tolist()
    plane = np.array(Image.open(path))
    plane[int(y0) : int(np.ceil(y1)), int(x0) : int(np.ceil(x1))] = 255
    Image.fromarray(plane).save(path)
    first = importing.imported(root, folder, "png")
    assert (RING, Decision.UNKNOWN) in {(one.track, one.decision) for one in first.corrections}
    assert importing.imported(root, folder, "png").corrections == []
    importing.relabel(root)
    assert importing.imported(root, folder, "png").corrections == []


def test_corrections_that_cannot_be_read_are_not_called_none(root: Path):
    path = root / "out" / "manual" / "gate.h5"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"no store")
    listed = spotlabel("manual", "list", root / "recipe.yaml")
    assert (listed.returncode, listed.stdout) == (1, "")
    assert "corrections by hand cannot be read" in listed.stderr
    path.unlink()
    assert spotlabel("manual", "list", root / "recipe.yaml").stdout == "no corrections\n"
