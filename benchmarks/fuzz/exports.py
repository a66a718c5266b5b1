"""Records of exports, changed at random; then the export is made again over what is there."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from benchmarks.fuzz import mutate
from benchmarks.fuzz.kind import Kind, Trial
from spotlabel.pipeline.exports.options import ExportOptions
from spotlabel.pipeline.exports.record import record_path
from spotlabel.pipeline.exports.stage import dataset_classes, export_video, why_export
from spotlabel.pipeline.hashing import canonical_json, text_digest
from spotlabel.pipeline.recipes.recipe import build_recipe
from spotlabel.pipeline.running.job import run_sequence
from spotlabel.pipeline.upkeep.plan import one_item
from tests.helpers.recipes import tree


def _prepare(folder: Path) -> Trial:
    recipe = build_recipe(
        tree(folder / "data", folder / "out", "v", length=3, labeler="filled-box", evidence={})
    )
    outcome = run_sequence(recipe, "v", False, lambda *_: None)
    assert not outcome.failed, outcome.error
    item, to = one_item(recipe, "v"), folder / "export"
    options = ExportOptions(format="png", classes=dataset_classes([item]))
    outside = folder / "secret"
    outside.write_text("not yours to delete")
    export_video(recipe, item, options, to, lambda *_: None)
    path = record_path(to, options.format, "v")
    own, made = path.read_bytes(), _files(to)

    def trial(draw: random.Random) -> list[str]:
        path.write_bytes(_mutated(own, draw))
        why_export(recipe, item, options, to)  # a damaged record is a reason to export again
        try:
            export_video(recipe, item, options, to, lambda *_: None)
        finally:
            problems = [] if outside.read_text() == "not yours to delete" else ["a file outside was touched"]
            left = _files(to)
            for name in left.keys() - made.keys():
                (to / name).unlink()
            path.write_bytes(own)
        gone = [name for name, content in made.items() if left.get(name) != content]
        return [*problems, *(f"{name} is not as it was exported" for name in gone)]

    return trial


def _files(to: Path) -> dict[str, bytes]:
    return {
        path.relative_to(to).as_posix(): path.read_bytes()
        for path in sorted(to.rglob("*"))
        if path.is_file() and ".made" not in path.parts
    }


def _mutated(own: bytes, draw: random.Random) -> bytes:
    """Other bytes, or other content behind a digest that fits."""
    if draw.random() < 0.3:
        return mutate.flipped(own, draw) if draw.random() < 0.5 else mutate.changed(own, draw)
    content: Any = json.loads(own)
    del content["digest"]
    if draw.random() < 0.3:
        name = draw.choice(
            ("../../secret", "/etc/hostname", "v", "", ".", "../secret", "v/000001.png/x", "\0")
        )
        content[draw.choice(("files", "before"))][name] = draw.choice(("", "0" * 64, ["1"], None))
    content = mutate.tree(content, draw)
    try:
        if isinstance(content, dict):
            content["digest"] = text_digest(canonical_json(content))
        return json.dumps(content).encode()
    except (ValueError, TypeError, RecursionError):
        return mutate.changed(own, draw)


KINDS = (
    Kind("export-record", "R25", 0.3,
         "bytes changed; content changed behind a digest that fits, with names that lead out of the folder: "
         "refused in one line, or the export is made again; no file outside is touched", _prepare),
)  # fmt: skip
