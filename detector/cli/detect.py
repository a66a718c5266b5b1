"""``spotlabel detect``: find objects in images, videos and the sequences of a dataset."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from spotlabel.detector.cli.detect_run import Setup, detect_all, show_plan
from spotlabel.detector.cli.sizes import height_and_width
from spotlabel.detector.data.stills.settings import CocoPart
from spotlabel.detector.errors import PredictionError
from spotlabel.detector.evaluation.traffic.files import Compat
from spotlabel.detector.from_recipe import stills_of
from spotlabel.detector.model import load_model
from spotlabel.detector.prediction.clips import Clip
from spotlabel.detector.prediction.coco_ids import read_coco_ids
from spotlabel.detector.prediction.engine import Switches, choose_device, computes_bf16
from spotlabel.detector.prediction.job import Format, Wanted
from spotlabel.detector.prediction.predictor import PredictOptions, Predictor
from spotlabel.detector.prediction.sources import (
    Orientation,
    clips_of_paths,
    clips_of_sequences,
    clips_of_stills,
    parts_to_look_at,
)
from spotlabel.pipeline.hashing import file_digest
from spotlabel.pipeline.inputs import check_inputs, named_input, watching_inputs
from spotlabel.pipeline.recipes.recipe import Recipe, load_recipe
from spotlabel.pipeline.running.local import check_writable, usable_cores

EVERY_FRAME = 2**31


def _scales(_context: click.Context, _option: click.Parameter, text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise click.BadParameter(f"expected numbers like 0.5,1,1.5, found {text!r}") from error


def _drawn(_context: click.Context, _option: click.Parameter, text: str | None) -> int:
    if text is None:
        return 0
    if text == "all":
        return EVERY_FRAME
    if not text.isdecimal():
        raise click.BadParameter(f"expected a number of frames, or all, found {text!r}")
    return int(text)


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    path = click.Path(path_type=Path)
    for option in (
        click.option("--quiet", is_flag=True, help="Tell failures only."),
        click.option("--dry-run", is_flag=True, help="Say what would be done."),
        click.option("--again", is_flag=True, help="Look again at what has up-to-date results."),
        click.option("--threads", "-j", type=click.IntRange(min=1), metavar="N",
                     help="Images decoded at a time, and processors for a network on the CPU; default: all."),
        click.option("--compile", is_flag=True, help="Compile the network: slow to start, then faster."),
        click.option("--bf16/--no-bf16", default=None,
                     help="Compute in bfloat16, or not; default: on GPUs that are fast at it."),
        click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda."),
        click.option("--batch", default=1, show_default=True, type=click.IntRange(min=1),
                     help="Images that go through the network together."),
        click.option("--attention", is_flag=True,
                     help="Write attention maps, 8-bit grey, and boxes, for `spotlabel evaluate attention`."),
        click.option("--draw", metavar="N|all", callback=_drawn,
                     help="Draw N frames of each, evenly spread, and a sheet of them."),
        click.option("--min-score", default=0.0, show_default=True, type=click.FloatRange(0, 1),
                     help="Leave out detections below; average precision wants them all."),
        click.option("--canvas", metavar="HxW", callback=height_and_width,
                     help="Shrink or enlarge images into this canvas; default: their own resolution."),
        click.option("--nms", is_flag=True, help="Soft-NMS with a single scale, too."),
        click.option("--scales", default="1", show_default=True, metavar="S,S,...", callback=_scales,
                     help="Test scales, joined by soft-NMS."),
        click.option("--flip", is_flag=True, help="Average with the mirrored image."),
        click.option("--coco-ids", type=path, metavar="FILE",
                     help="COCO annotations whose image and category ids the results use."),
        click.option("--only-annotated", is_flag=True,
                     help="Leave out frames without a ground-truth box, as SpotNet's files do."),
        click.option("--compat", type=click.Choice(["spotnet"]),
                     help="Rows exactly as in SpotNet's published files."),
        click.option("--format", "wanted_format", type=click.Choice(["ua-detrac", "uavdt", "coco", "voc"]),
                     help="Of the detections; default: what suits the recipe's dataset, else coco."),
        click.option("--orientation", type=click.Choice(["upright", "stored"]),
                     help="Pictures as their EXIF orientation or display matrix says they are to be seen, or "
                     "as stored; default: the recipe's frames.orientation, else upright."),
        click.option("--out", type=path, metavar="FOLDER",
                     help="Where results go; default: <out>/detections of the recipe, else detections."),
        click.option("--only", multiple=True, metavar="NAME",
                     help="Only this sequence of the recipe; may be repeated."),
        click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE",
                     help="Change one recipe value, e.g. --set data=/data/UAVDT; may be repeated."),
        click.option("--recipe", metavar="RECIPE", help="Look at the sequences of this recipe's dataset."),
    ):  # fmt: skip
        command = option(command)
    command = click.argument("sources", nargs=-1, metavar="[SOURCE]...", type=path)(command)
    return click.argument("model", type=path, metavar="MODEL")(command)


@click.command()
@_options
def detect(
    model: Path,
    sources: tuple[Path, ...],
    *,
    recipe: str | None,
    overrides: tuple[str, ...],
    only: tuple[str, ...],
    dry_run: bool,
    again: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Find objects in images, videos or the sequences of a dataset.

    MODEL is a detector made by spotlabel (*.safetensors); `spotlabel import checkpoint` makes one of a public
    checkpoint (*.pth). SOURCE is an image, a folder of images or videos, or a video. Results that are up to
    date are kept; what is missing or was made with another model, other images or other options is made
    again.

    \b
    Examples:
      spotlabel detect model.safetensors street.mp4 --draw 12
      spotlabel detect model.safetensors photos/ one.jpg --draw all --min-score 0.3
      spotlabel detect model.safetensors --recipe ua-detrac --set data=/data/UA-DETRAC --only MVI_40201
      spotlabel detect model.safetensors --recipe uavdt --flip --scales 0.5,0.75,1,1.25,1.5 --batch 8
      spotlabel detect model.safetensors --recipe uavdt --compat spotnet --only-annotated
      spotlabel detect model.safetensors --recipe cdnet --set data=/data/CDnet2014 --attention
      spotlabel detect model.safetensors --recipe voc07 --set data=/data
    """
    orientation = options["orientation"]
    if recipe is not None and orientation is not None:
        overrides = (*overrides, f"frames.orientation={orientation}")
    loaded = _recipe(recipe, sources, overrides, only, options["only_annotated"])
    wanted = _wanted(loaded, options)
    clips = _clips(loaded, sources, only, orientation)
    with watching_inputs():
        named_input(model)
        network, spec = load_model(model)
        digest = file_digest(model)
        check_inputs()
    predict = PredictOptions(
        options["batch"], options["flip"], options["scales"], options["nms"], options["canvas"]
    )
    bf16 = options["bf16"]
    if bf16 is None:
        bf16 = computes_bf16(choose_device(options["device"]))
    switches = Switches(options["device"], bf16=bf16, compile=options["compile"])
    predictor = Predictor(network, spec, predict, switches)
    if wanted.attention and not predictor.attentions:
        raise PredictionError(f"{model}: {spec.preset} has no attention maps")
    setup = Setup(model, digest, predictor, switches, wanted, again)
    if dry_run:
        show_plan(setup, clips)
        return
    check_writable(wanted.out)
    if detect_all(setup, clips, quiet):
        click.get_current_context().exit(1)


def _recipe(
    recipe: str | None,
    sources: tuple[Path, ...],
    overrides: tuple[str, ...],
    only: tuple[str, ...],
    only_annotated: bool,
) -> Recipe | None:
    if (recipe is None) == (not sources):
        raise PredictionError("expected images, folders or videos to look at, or --recipe (one of the two)")
    if recipe is not None:
        loaded = load_recipe(recipe, overrides)
        if loaded.stills and (only or only_annotated):
            raise PredictionError("--only and --only-annotated are about videos, the recipe is about stills")
        return loaded
    if overrides or only or only_annotated:
        raise PredictionError("--set, --only and --only-annotated go with --recipe")
    return None


def _clips(
    recipe: Recipe | None, sources: tuple[Path, ...], only: tuple[str, ...], orientation: Orientation | None
) -> list[Clip]:
    if recipe is None:
        return clips_of_paths(list(sources), orientation or "upright")
    if recipe.stills:
        stills = stills_of(recipe)
        seen = orientation or stills.orientation
        return clips_of_stills(stills.model_copy(update={"orientation": seen}), recipe.data)
    return clips_of_sequences(recipe.sequences(only), skip_bad=recipe.frames.on_bad == "unknown")


def _suiting(recipe: Recipe | None) -> tuple[Format, Path | None]:
    """Format of the detections that suits a dataset, and the COCO annotations that it consists of."""
    if recipe is None:
        return "coco", None
    if not recipe.stills:
        reader = recipe.reader.name
        return (reader if reader in ("ua-detrac", "uavdt") else "coco"), None  # type: ignore[return-value]
    parts = parts_to_look_at(stills_of(recipe))
    sets = {part.annotations for part in parts if isinstance(part, CocoPart)}
    if not sets:
        return "voc", None
    if len(sets) > 1 or not all(isinstance(part, CocoPart) for part in parts):
        raise PredictionError("stills.test: parts of several sets share no ids; look at one at a time")
    return "coco", recipe.data / sets.pop()


def _wanted(recipe: Recipe | None, options: dict[str, Any]) -> Wanted:
    suiting, annotations = _suiting(recipe)
    chosen: Format = options["wanted_format"] or suiting
    ids = options["coco_ids"] or (annotations if chosen == "coco" else None)
    compat = Compat(options["compat"] or Compat.CLEAN)
    if compat is Compat.SPOTNET and (chosen in ("coco", "voc") or options["min_score"] > 0):
        raise PredictionError("--compat spotnet: is about ua-detrac and uavdt, and has no --min-score")
    if options["coco_ids"] and chosen != "coco":
        raise PredictionError(f"--coco-ids: is about coco, not {chosen}")
    return Wanted(
        out=options["out"] or (recipe.out / "detections" if recipe else Path("detections")),
        format=chosen,
        compat=compat,
        min_score=options["min_score"],
        only_annotated=options["only_annotated"],
        draw=options["draw"],
        attention=options["attention"],
        ids=read_coco_ids(ids) if ids else None,
        threads=options["threads"] or usable_cores(),
    )
