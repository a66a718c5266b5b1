"""A run's look at its held-out frames."""

from __future__ import annotations

from spotlabel.detector.contract import Detector
from spotlabel.detector.model import save_model
from spotlabel.detector.prediction.engine import Switches
from spotlabel.detector.prediction.predictor import PredictOptions, Predictor
from spotlabel.detector.training.context import Course, Run
from spotlabel.detector.training.log import Log
from spotlabel.detector.training.pictures import validation_sheet
from spotlabel.detector.training.state import Progress
from spotlabel.detector.training.validation import Tally, tally
from spotlabel.pipeline.inputs import check_inputs
from spotlabel.pipeline.pictures.files import write_image


def validate(course: Course) -> None:
    """Measure on held-out frames, keep the weights if they are the best, draw pictures.

    Raises:
        SpotlabelError: a frame cannot be read or changed, or a file cannot be written.
    """
    run, trained, progress = course.run, course.trained, course.progress
    network = run.spec.build()
    weights = trained.averaged.values if trained.averaged and progress.step else trained.network.state_dict()
    run.group.same(weights)  # running statistics differ between processes
    network.load_state_dict(weights)
    compared = any(attention.foreground for attention in network.attentions.values())
    options = PredictOptions(batch=run.settings.batch_held_out, attention=compared)
    switches = Switches(str(run.group.device), run.settings.in_bf16, run.settings.channels_last)
    predictor = Predictor(network, run.spec, options, switches)
    mine = list(range(run.group.rank, len(run.held_out), run.group.world))
    counted = Tally()
    frames = run.batches.held_out(mine, options.batch)
    for part in run.group.gather(tally(predictor, frames)):
        counted.add(part)
    figures = counted.figures()
    best = progress.epoch > 0 and figures["ap70"] > progress.best
    if best:
        progress.best = figures["ap70"]
    progress.validated = progress.epoch
    if course.log is None:
        return
    course.log.add("held_out", progress.step, {"epoch": progress.epoch, **figures})
    check_inputs()
    _keep(course, network, best)
    _draw(run, predictor, progress, course.log)
    run.watcher.validated(progress.epoch, figures, best)


def _keep(course: Course, network: Detector, best: bool) -> None:
    run = course.run
    names = ["best"] * best + ["last"] * (course.progress.epoch == run.settings.epochs)
    if names:
        course.states.wait()  # a detector is never newer than the state: its epoch would be trained again
    for name in names:
        save_model(run.folder / f"{name}.safetensors", network, run.spec)


def _draw(run: Run, predictor: Predictor, progress: Progress, log: Log) -> None:
    count = min(run.settings.pictures, len(run.held_out))
    if not count:
        return
    indices = [k * len(run.held_out) // count for k in range(count)]
    maps = "".join(f"{attention.title} (grey 0, yellow 1) | " for attention in predictor.attentions.values())
    heading = f"epoch {progress.epoch}   boxes: found (green) over annotated (white) | {maps}mask"
    sheet = validation_sheet(predictor, run.held_out, indices, heading)
    write_image(run.folder / "pictures" / f"epoch-{progress.epoch:03}.jpg", sheet)
    log.picture("held out", progress.step, sheet)
