"""A recipe: which dataset, which labeler, which thresholds. One YAML file and ``--set`` on top of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from spotlabel.labelers.base import Labeler, Settings, is_taught
from spotlabel.labelers.errors import LabelerError
from spotlabel.labelers.masks import PRESETS, MaskSettings
from spotlabel.labelers.registry import load
from spotlabel.pipeline.datasets.base import Reader, ReaderOptions
from spotlabel.pipeline.datasets.registry import load_reader
from spotlabel.pipeline.errors import DatasetError, RecipeError
from spotlabel.pipeline.frames.options import FrameOptions
from spotlabel.pipeline.names import check_names
from spotlabel.pipeline.recipes.presets import PRESETS as RECIPE_PRESETS
from spotlabel.pipeline.recipes.presets import Preset, PresetName
from spotlabel.pipeline.recipes.sharing import StudentSharing
from spotlabel.pipeline.recipes.tree import apply_override, bundled_text, parse_yaml, plain_mapping, read_text
from spotlabel.pipeline.sequence import Camera, Sequence
from spotlabel.pipeline.validation import nearest, shown, validated


class LabelerChoice(Settings):
    """Which labeler makes the evidence of a fixed and of a moving camera."""

    fixed: str
    """Labeler of fixed cameras."""
    moving: str
    """Labeler of moving cameras."""

    def for_camera(self, camera: Camera) -> str:
        """Name of the labeler for a camera kind."""
        return self.fixed if camera == Camera.FIXED else self.moving


class _LabelerAsWritten(Settings):
    """The recipe's ``labeler`` section; one name means both, and what is left out is the preset's."""

    fixed: str | None = None
    """Labeler of fixed cameras; the preset's if not set."""
    moving: str | None = None
    """Labeler of moving cameras; the preset's if not set."""

    @model_validator(mode="before")
    @classmethod
    def _one_for_both(cls, value: Any) -> Any:
        return {"fixed": value, "moving": value} if isinstance(value, str) else value

    def completed(self, preset: Preset) -> LabelerChoice:
        """With the preset's labelers where none is named."""
        return LabelerChoice(fixed=self.fixed or preset.fixed, moving=self.moving or preset.moving)


class Layout(Settings):
    """Top level of a recipe as written; open sections are checked by the part they belong to."""

    data: Path = Path()
    """Root folder of the dataset; a relative path starts at the working directory."""
    out: Path
    """Root folder of everything that is made: evidence, masks, pictures, logs, trained detectors."""
    dataset: dict[str, Any] | None = None
    """How the dataset is read: ``reader`` names the reader, the other keys are its options."""
    stills: dict[str, Any] = Field(default_factory=dict)
    """Still pictures to train and detect on, in place of ``dataset``."""
    frames: FrameOptions = FrameOptions()
    """How frames are decoded."""
    preset: PresetName = "default"
    """Labelers and mask rules by one word: ``default`` (the best measured without a network), ``learned``
    (with a network that has to be fetched, docs/learned.md), ``paper`` (the SpotNet paper) or
    ``spotnet-released`` (the published code); what the recipe says itself comes first."""
    labeler: _LabelerAsWritten = _LabelerAsWritten()
    """Who makes the evidence: one labeler, or one for fixed and one for moving cameras."""
    evidence: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Settings of single labelers, by labeler; changing one makes its evidence again."""
    students: StudentSharing = StudentSharing()
    """Which videos share a student, the small network of the labelers that are taught."""
    verify: Literal["seal", "full"] = "seal"
    """How much is read to see that nothing changed: ``seal`` takes a file for what it was while its size and
    times are; ``full`` reads every file again, and so finds what has rotted on the disk."""
    masks: dict[str, Any] = Field(default_factory=dict)
    """How evidence and boxes become masks; changing these runs no labeler."""
    training: dict[str, Any] = Field(default_factory=dict)
    """How a detector is trained on the masks."""


def _no_videos(*_: object) -> list[Sequence]:
    raise DatasetError("the recipe is about still pictures (stills): there are no videos to label or look at")


STILLS = Reader("stills", 1, ReaderOptions, _no_videos)
"""Reader of recipes that have still pictures in place of videos; lists none and says so."""


@dataclass(frozen=True)
class Recipe:
    """A recipe whose every value has been checked.

    Attributes:
        tree: the recipe as plain data, after ``--set``; loading it again gives the same recipe.
        data: root folder of the dataset; relative paths start at the working directory.
        out: root folder of everything that is made.
        reader: how the dataset is read, with its ``options``.
        frames: how frames are decoded.
        labeler: labeler names per camera kind.
        masks: mask rules.
        training: how a detector is trained, as written; checked by whoever trains.
        stills: which still pictures there are, likewise; empty where there are videos.
        verify: how much is read to see that nothing changed.
        students: which videos share a student.
    """

    tree: Mapping[str, Any]
    data: Path
    out: Path
    reader: Reader
    options: ReaderOptions
    frames: FrameOptions
    labeler: LabelerChoice
    masks: MaskSettings
    training: Mapping[str, Any]
    stills: Mapping[str, Any] = field(default_factory=dict)
    verify: Literal["seal", "full"] = "seal"
    students: StudentSharing = field(default_factory=StudentSharing)

    @property
    def shares_students(self) -> bool:
        """Whether what one video is labelled with can depend on others."""
        return self.students.per != "video" and any(is_taught(self.labeler_for(one)[0]) for one in Camera)

    def sequences(self, only: Iterable[str] = ()) -> list[Sequence]:
        """List the dataset's sequences.

        Args:
            only: names to keep; empty keeps all.

        Raises:
            DatasetError: the folder is not such a dataset, or names collide.
            RecipeError: a name in ``only`` does not exist.
        """
        listed = self.reader.listed(self.data, self.options, self.frames)
        names = [sequence.name for sequence in listed]
        check_names(names)
        wanted, known = dict.fromkeys(only), {*names}
        for name in wanted:
            if name not in known:
                raise RecipeError(f"--only {name}: no such sequence; {nearest(name, names)}")
        return [sequence for sequence in listed if not wanted or sequence.name in wanted]

    def sequence(self, name: str) -> Sequence:
        """One sequence of a dataset that has been listed, without looking into the others where possible.

        Raises:
            DatasetError, RecipeError: as :meth:`sequences`, but for names that collide.
        """
        for sequence in self.reader.listed(self.data, self.options, self.frames, name):
            if sequence.name == name:
                return sequence
        raise RecipeError(f"{name}: no such sequence in {self.data} any more")

    def labeler_for(self, camera: Camera) -> tuple[type[Labeler], Settings]:
        """Labeler class and its settings for a camera kind.

        Raises:
            RecipeError: unknown labeler, or settings it does not have.
        """
        name = self.labeler.for_camera(camera)
        labeler = _named_labeler(name, f"labeler.{camera}")
        values = self.tree.get("evidence", {}).get(name, {})
        return labeler, validated(labeler.settings_type, values, f"evidence.{name}")

    def effective(self) -> dict[str, Any]:
        """Every setting with its value, defaults included, as plain data."""
        evidence = {}
        for camera in Camera:
            labeler, settings = self.labeler_for(camera)
            evidence[labeler.name] = settings.model_dump(mode="json")
        dataset = {"reader": self.reader.name, **self.options.model_dump(mode="json")}
        source = {"stills": dict(self.stills)} if self.stills else {"dataset": dataset}
        return {
            "data": str(self.data),
            "out": str(self.out),
            **source,
            "frames": self.frames.model_dump(mode="json"),
            "labeler": self.labeler.model_dump(mode="json"),
            **({"students": self.students.model_dump(mode="json")} if self.shares_students else {}),
            "evidence": evidence,
            "masks": self.masks.model_dump(mode="json"),
        }


def _named_labeler(name: str, where: str) -> type[Labeler]:
    try:
        return load(name)
    except LabelerError as error:
        raise RecipeError(f"{where}: {error}") from error


def load_recipe(source: str, overrides: Iterable[str] = ()) -> Recipe:
    """Read a recipe file, or one that comes with spotlabel, and apply ``--set`` values.

    Args:
        source: path of a YAML file, or the bare name of a bundled recipe (``ua-detrac``).
        overrides: ``key=value`` with dotted keys; the value is read as YAML, that of ``data`` and ``out``
            is a path as it stands.

    Raises:
        RecipeError: no such recipe, not YAML, unknown keys, or values that do not fit.
    """
    path = Path(source)
    return parse_recipe(
        read_text(path) if path.suffix or path.is_file() else bundled_text(source), source, overrides
    )


def load_bundled(name: str, overrides: Iterable[str] = ()) -> Recipe:
    """As :func:`load_recipe` for a recipe that comes with spotlabel, whatever files stand around."""
    return parse_recipe(bundled_text(name), name, overrides)


def parse_recipe(text: str, source: str, overrides: Iterable[str] = ()) -> Recipe:
    """As :func:`load_recipe` of a text; errors name ``source``."""
    try:
        tree = parse_yaml(text)
    except RecipeError as error:
        raise RecipeError(f"{source}: {error}") from error
    if not isinstance(tree, dict):
        raise RecipeError(f"{source}: expected a mapping with the keys {', '.join(Layout.model_fields)}")
    for override in overrides:
        apply_override(tree, override)
    return build_recipe(tree, where=source)


def build_recipe(tree: Mapping[str, Any], where: str = "recipe") -> Recipe:
    """Check a recipe given as plain data.

    Raises:
        RecipeError: unknown keys or values that do not fit; the message begins with ``where``.
    """
    try:
        return _build(_without_empty_sections(plain_mapping(tree)))
    except RecipeError as error:
        raise RecipeError(f"{where}: {error}") from error


def _without_empty_sections(tree: dict[str, Any]) -> dict[str, Any]:
    """``masks:`` with nothing after it (in a template, say) means the same as no ``masks:``."""
    kept = {key: value for key, value in tree.items() if value is not None or key not in Layout.model_fields}
    if isinstance(kept.get("evidence"), dict):
        kept["evidence"] = {name: values or {} for name, values in kept["evidence"].items()}
    return kept


def _build(tree: Mapping[str, Any]) -> Recipe:
    layout = validated(Layout, tree, "")
    reader, options = _reader(layout)
    for labeler_name, values in layout.evidence.items():
        labeler = _named_labeler(labeler_name, "evidence")
        validated(labeler.settings_type, values, f"evidence.{labeler_name}")
    preset = RECIPE_PRESETS[layout.preset]
    recipe = Recipe(
        tree=tree,
        data=_expanded(layout.data, "data"),
        out=_expanded(layout.out, "out"),
        reader=reader,
        options=_with_paths_expanded(validated(reader.options_type, options, "dataset")),
        frames=layout.frames,
        labeler=layout.labeler.completed(preset),
        masks=_masks(layout.masks, preset.masks),
        training=layout.training,
        stills=layout.stills,
        verify=layout.verify,
        students=layout.students,
    )
    for camera in Camera:
        recipe.labeler_for(camera)
    return recipe


def _reader(layout: Layout) -> tuple[Reader, dict[str, Any]]:
    """The reader that a recipe names, and its options as written."""
    if layout.dataset is None:
        if not layout.stills:
            raise RecipeError("dataset: is required and not set")
        return STILLS, {}
    if layout.stills:
        raise RecipeError("stills: stands beside dataset; a recipe has one of the two")
    options = dict(layout.dataset)
    name = options.pop("reader", None)
    if not isinstance(name, str):
        raise RecipeError("dataset.reader: is required and not set")
    try:
        return load_reader(name), options
    except KeyError as error:
        raise RecipeError(f"dataset.reader: {error.args[0]}") from error


def _with_paths_expanded(options: ReaderOptions) -> ReaderOptions:
    paths = {name: _expanded(value, f"dataset.{name}") for name, value in options if isinstance(value, Path)}
    return options.model_copy(update=paths)


def _expanded(path: Path, where: str) -> Path:
    """The path with ``~`` and ``~user`` put in full."""
    if "\0" in str(path):
        raise RecipeError(f"{where}: no path can hold a NUL character, found {str(path)!r}")
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise RecipeError(f"{where}: {path}: the home folder is not known; write the path in full") from error


def _masks(values: Mapping[str, Any], otherwise: str) -> MaskSettings:
    """A mask preset, with single values changed; ``otherwise`` is the one taken if none is named."""
    changes = dict(values)
    preset = changes.pop("preset", None)
    if preset is None:
        preset = otherwise
    if not isinstance(preset, str):
        raise RecipeError(f"masks.preset: expected one of {', '.join(PRESETS)}, found {shown(preset)}")
    if preset not in PRESETS:
        raise RecipeError(f"masks.preset: no preset {preset!r}; {nearest(preset, PRESETS)}")
    return validated(MaskSettings, PRESETS[preset].model_dump() | changes, "masks")
