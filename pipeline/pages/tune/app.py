"""What the tuner's page can ask for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spotlabel.labelers.masks import PRESETS, MaskSettings
from spotlabel.labelers.masks.boxes import pixel_rects
from spotlabel.pipeline.errors import SpotlabelError, StoreError
from spotlabel.pipeline.hashing import canonical_json
from spotlabel.pipeline.manual import read_manual
from spotlabel.pipeline.pages.serving.answer import (
    Answer,
    Query,
    RequestError,
    Routes,
    given,
    json_answer,
    planes_answer,
    whole,
)
from spotlabel.pipeline.pages.serving.videos import OpenVideo, Remembered, Videos, evidence_files
from spotlabel.pipeline.pages.tune.form import controls, flat, nested
from spotlabel.pipeline.pages.tune.look import Look, look
from spotlabel.pipeline.pages.tune.owners import OwnerTasks
from spotlabel.pipeline.pages.tune.page import files
from spotlabel.pipeline.pages.tune.relabelling import Relabelling
from spotlabel.pipeline.pages.tune.saving import RecipeFile
from spotlabel.pipeline.pages.tune.telling import WORDS, telling_frames
from spotlabel.pipeline.recipes.recipe import Recipe, build_recipe
from spotlabel.pipeline.store import MaskReader
from spotlabel.pipeline.text import one_line
from spotlabel.pipeline.upkeep.plan import Item
from spotlabel.pipeline.validation import validated

MOST_PANES = 2
_LOOKS = 32
"""Masks kept: going back and forth between two settings asks for no work."""


class Tuner:
    """State of the tuner: the recipe's file, its videos, runs.

    Args:
        file: the recipe.
        chosen: its videos.
    """

    def __init__(self, file: RecipeFile, chosen: list[Item]) -> None:
        self.file, self._videos = file, Videos(file.recipe, chosen)
        self._looks = Remembered[Look](_LOOKS)
        self._owners = OwnerTasks()
        self._runs = Relabelling([item.sequence.name for item in chosen])

    def routes(self) -> Routes:
        """All there is to ask for."""
        return Routes(
            get={
                "start": self.start,
                "video": self.video,
                "frame": self.frame,
                "picture": self.picture,
                "progress": self.progress,
            },
            post={
                "masks": self.masks,
                "owners": self.owners,
                "difference": self.difference,
                "save": self.save,
                "apply": self.apply,
                "stop": self.stop,
                "reload": self.reload,
            },
            files=files(one_line(self.file.source)),
        )

    def start(self, _query: Query) -> Answer:
        """Videos, which of them to open first, controls, presets, and the recipe's settings."""
        return json_answer(
            {
                "recipe": one_line(self.file.source),
                "writable": self.file.path is not None,
                "videos": self._videos.names(),
                "first": next((k for k, item in enumerate(self._videos.items) if evidence_files(item)), 0),
                "labelers": [item.labeler.name for item in self._videos.items],
                "controls": controls(),
                "presets": {name: flat(preset) for name, preset in PRESETS.items()},
                "settings": flat(self.file.recipe.masks),
                "words": WORDS,
            }
        )

    def video(self, query: Query) -> Answer:
        """One video: its frames, labelers with evidence, and which frames tell most."""
        place = whole(query, "video", len(self._videos))
        return self._told(place, self._videos.opened(place))

    def reload(self, asked: Mapping[str, Any]) -> Answer:
        """The video as it stands on the disk now."""
        place = whole(asked, "video", len(self._videos))
        return self._told(place, self._videos.look_again(place))

    def _told(self, place: int, video: OpenVideo) -> Answer:
        item = self._videos.items[place]
        frames = item.sequence.frames
        return json_answer(
            {
                "edition": video.edition,
                "size": frames.size,
                "numbers": frames.numbers,
                "labelers": sorted(video.evidence, key=lambda name: (name != item.labeler.name, name)),
                "unfit": video.unfit,
                "classes": [one_line(name) for name in video.annotations.class_names],
                "telling": telling_frames(_masks(item, video), video.annotations.boxes),
                "truth": item.sequence.truth is not None,
            }
        )

    def frame(self, query: Query) -> Answer:
        """Boxes of one frame, as the annotations have them."""
        video, index = self._frame(query)
        boxes, names = video.annotations.boxes, video.annotations.class_names
        rows = boxes.rows(index)
        number = int(video.item.sequence.frames.numbers[index])
        return json_answer(
            {
                "corrected": sum(frame == number for frame, *_ in read_manual(video.item.manual_path)),
                "boxes": boxes.at(index),
                "classes": [one_line(names[k]) for k in boxes.class_id[rows].tolist()],
                "tracks": boxes.track_id[rows],
                "regions": video.annotations.regions.at(index),
            }
        )

    def picture(self, query: Query) -> Answer:
        """One frame as JPEG."""
        video, index = self._frame(query)
        return Answer(video.picture(index), "image/jpeg")

    def masks(self, asked: Mapping[str, Any]) -> Answer:
        """Masks of one frame under one or two settings; planes of a byte a pixel, pane by pane."""
        video, index = self._frame(asked)
        panes = given(asked, "panes", list)
        if not 1 <= len(panes) <= MOST_PANES:
            raise RequestError(f"panes: expected 1 to {MOST_PANES}")
        looks = [self._look(video, pane, index) for pane in panes]
        facts = {"size": looks[0].mask.shape, "panes": [one.facts for one in looks]}
        return planes_answer(facts, [one.mask for one in looks])

    def _look(self, video: OpenVideo, pane: object, index: int) -> Look:
        labeler, rules = _pane(pane)
        key = _key(video, labeler, rules, index)
        return self._looks.get(key, lambda: look(video, labeler, rules, index))

    def owners(self, asked: Mapping[str, Any]) -> Answer:
        """Whose each pixel is, two bytes a pixel; until it is known, how far that has come (status 202)."""
        video, index = self._frame(asked)
        labeler, rules = _pane(asked)
        task = self._owners.asked(_key(video, labeler, rules, index), video, labeler, rules, index)
        if task.problem:
            raise StoreError(task.problem)
        if not task.ended.is_set():
            return json_answer({"done": task.done, "needed": task.needed}, 202)
        if task.plane is None:
            return json_answer({"none": True}, 202)
        rects = pixel_rects(
            video.annotations.boxes.at(index), task.plane.shape, rules, video.annotations.native_origin
        )
        return planes_answer({"rects": rects, "size": task.plane.shape}, [task.plane.astype("<u2")])

    def difference(self, asked: Mapping[str, Any]) -> Answer:
        """What a recipe would have to say for these settings."""
        return json_answer({"lines": self.file.difference(_settings(given(asked, "settings", dict)))})

    def save(self, asked: Mapping[str, Any]) -> Answer:
        """Write the difference into the recipe's file."""
        recipe = self.file.save(_settings(given(asked, "settings", dict)), given(asked, "recipe", dict))
        return json_answer({"settings": flat(recipe.masks), "recipe": one_line(self.file.source)})

    def apply(self, asked: Mapping[str, Any]) -> Answer:
        """Make all masks by these settings."""
        self._runs.start(self._with(_settings(given(asked, "settings", dict))))
        return json_answer(self._runs.progress())

    def _with(self, rules: MaskSettings) -> Recipe:
        return build_recipe({**self.file.recipe.tree, "masks": rules.model_dump(mode="json")})

    def progress(self, _query: Query) -> Answer:
        """How far the run is."""
        return json_answer(self._runs.progress())

    def stop(self, _asked: Mapping[str, Any]) -> Answer:
        """Break the run off."""
        self._runs.stop()
        return json_answer(self._runs.progress())

    def _frame(self, values: Mapping[str, Any]) -> tuple[OpenVideo, int]:
        video = self._videos.at(values, whole(values, "video", len(self._videos)))
        return video, whole(values, "frame", len(video.annotations.boxes))

    def close(self) -> None:
        """End runs and let go of files."""
        self._owners.close()
        self._runs.close()
        self._videos.close()


def _pane(pane: object) -> tuple[str, MaskSettings]:
    """Labeler and settings of a pane."""
    if not isinstance(pane, Mapping):
        raise RequestError("panes: expected objects")
    return given(pane, "labeler", str), _settings(given(pane, "settings", dict))


def _settings(values: Mapping[str, Any]) -> MaskSettings:
    return validated(MaskSettings, nested(values), "masks")


def _key(video: OpenVideo, labeler: str, rules: MaskSettings, index: int) -> str:
    name = video.item.sequence.name
    return canonical_json([name, video.edition, labeler, index, rules.model_dump(mode="json")])


def _masks(item: Item, video: OpenVideo) -> MaskReader | None:
    """The masks that stand on the disk; None if there are none, or they are of other boxes."""
    try:
        masks = MaskReader(item.mask_path)
        same = masks.boxes.offsets.tolist() == video.annotations.boxes.offsets.tolist()
    except (SpotlabelError, OSError):
        return None
    return masks if same else None
