"""Prediction: oracle networks that know the truth, batches, flip test, scales, padding, errors."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spotlabel.detector.centernet.decode import found_in
from spotlabel.detector.contract import Detector, Found
from spotlabel.detector.data.stills.picture import Still
from spotlabel.detector.data.stills.sample import StillRules, make_still_sample, stack_stills
from spotlabel.detector.errors import PredictionError
from spotlabel.detector.evaluation.average_precision import evaluate
from spotlabel.detector.evaluation.records import Truth
from spotlabel.detector.evaluation.traffic import uavdt
from spotlabel.detector.evaluation.traffic.files import read_detections
from spotlabel.detector.geometry import transform_boxes
from spotlabel.detector.model import ModelSpec, load_model, save_model
from spotlabel.detector.prediction.engine import Engine, Switches, choose_device
from spotlabel.detector.prediction.placement import Placement
from spotlabel.detector.prediction.predictor import PredictOptions, Predictor
from spotlabel.detector.prediction.results import FrameResult, write_text
from spotlabel.detector.prediction.soft_nms import soft_nms
from tests.helpers import hash_tensors
from tests.helpers.centre_targets import centre_targets
from tests.helpers.detectors import mini

CPU = Switches(device="cpu")
SPEC = ModelSpec(preset="spotnet-multitask", backbone="hourglass-tiny", class_names=("car", "bus"))
HEIGHT, WIDTH = 180, 200


class Oracle(Detector):
    """Finds what it knows to be in image n, whose pixels all have the grey level n + 1; in mirrored images
    (the first column is white) it finds the mirrored boxes.
    """

    multiple = 64

    def __init__(self, truth, matrices, classes=3):
        super().__init__()
        self.attentions = {}
        self.truth = truth
        self.matrices = {placement.view.canvas: placement.matrix for placement in matrices}
        self.classes = classes

    def losses(self, batch):
        raise NotImplementedError

    def find(self, image, count, *, extent=None, flip=False, attention=False):
        plain = self.outputs(image)
        return found_in(plain, self.outputs(image.flip(3)) if flip else None, 4, count, attention)

    def outputs(self, image):
        found = [self.maps(plane) for plane in image]
        return {k: torch.stack([o[k] for o in found]) for k in found[0]}

    def maps(self, plane):
        mean, std = (torch.tensor(v)[:, None, None] for v in (self.colours.mean, self.colours.std))
        grey = ((plane * std + mean) * 255).round()
        canvas = tuple(plane.shape[1:])
        mirrored = bool((grey[0, canvas[0] // 2] == 255).nonzero()[0, 0] > canvas[1] // 2)
        boxes, label = self.truth[int(grey[0, canvas[0] // 2, canvas[1] // 2]) - 1]
        on_canvas = transform_boxes(boxes, self.matrices[canvas]) / 4
        grid = (canvas[0] // 4, canvas[1] // 4)
        if mirrored:
            on_canvas[:, [0, 2]] = grid[1] - on_canvas[:, [2, 0]]
        targets = centre_targets(on_canvas, label, self.classes, grid)
        maps = np.zeros((2, 2, grid[0] * grid[1]), np.float32)
        maps[0][:, targets.ind[: len(boxes)]] = targets.wh[: len(boxes)].T
        maps[1][:, targets.ind[: len(boxes)]] = targets.reg[: len(boxes)].T
        wh, reg = torch.from_numpy(maps.reshape(2, 2, *grid))
        return {"hm": torch.from_numpy(targets.hm).logit(1e-6), "wh": wh, "reg": reg}


def truth_of(count, seed=0):
    """Boxes far from each other and from the border, so that nothing is clipped and no peaks meet."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        places = rng.permutation(12)[:5]
        centre = np.stack([places % 4, places // 4], 1) * [48, 58] + [28, 32] + rng.uniform(-3, 3, (5, 2))
        half = rng.uniform(4, 20, (5, 2))
        found.append((np.concatenate([centre - half, centre + half], 1), rng.integers(0, 3, 5)))
    return found


def images_of(count):
    images = [np.full((HEIGHT, WIDTH, 3), index + 1, np.uint8) for index in range(count)]
    for image in images:
        image[:, :4] = 255
    return images


def oracle(count, **options):
    chosen = PredictOptions(**options)
    scales = [Placement.padded((HEIGHT, WIDTH), scale, 64) for scale in chosen.scales]
    if chosen.canvas:
        scales = [Placement.letterboxed((HEIGHT, WIDTH), chosen.canvas)]
    truth = truth_of(count)
    return truth, Predictor(Oracle(truth, scales), SPEC, chosen, CPU)


@pytest.mark.parametrize(
    "options",
    [
        {"batch": 2},
        {"scales": (2.0,)},
        {"canvas": (256, 256)},
        {"batch": 3, "scales": (1.0, 1.5)},
        {"scales": (0.7, 1.0)},
    ],
)
def test_an_oracle_gives_back_its_boxes(options):
    truth, predictor = oracle(3, **options)
    for (boxes, label), found in zip(truth, predictor.predict(images_of(3)), strict=True):
        best = found.at_least(0.5)
        assert len(best) == len(boxes)
        order, expected = np.lexsort(best.boxes.T), np.lexsort(boxes.T)
        assert best.boxes[order] == pytest.approx(boxes[expected], abs=0.01)
        assert best.class_id[order].tolist() == label[expected].tolist()
        assert (np.diff(found.score) <= 0).all()
        assert found.attention == {}


def test_an_oracle_scores_one_through_files_and_evaluator(tmp_path):
    truth, predictor = oracle(6, batch=4)
    found = predictor.predict(images_of(6))
    frames = [FrameResult.of(n, (HEIGHT, WIDTH), each, 0.5) for n, each in enumerate(found, 1)]
    write_text(tmp_path / "S.txt", "uavdt", frames)
    rows = np.concatenate([boxes for boxes, _ in truth])
    native = np.concatenate([rows[:, :2], rows[:, 2:] - rows[:, :2]], 1)
    known = Truth("S", 6, np.repeat(np.arange(1, 7), 5), native)
    result = evaluate([uavdt.match(known, read_detections(tmp_path / "S.txt", "uavdt"))])
    assert (result.ap, result.hits) == (1, 30)


def test_the_flip_test_of_an_oracle_keeps_sizes_and_places():
    # A cell of the mirrored grid shows the same place only if centres lie in the middle of their cells.
    boxes = np.array([[20.0, 30, 44, 62], [100, 82, 140, 102]])
    placement = Placement.padded((HEIGHT, WIDTH), 1, 64)
    shift = placement.matrix[:, 2] % 4
    boxes += np.tile(2 - (boxes[:, :2] + boxes[:, 2:]) / 2 % 4 - shift, (1, 2))
    network = Oracle([(boxes, np.array([0, 2]))], [placement])
    plain, flipped = (
        Predictor(network, SPEC, PredictOptions(flip=flip), CPU).predict(images_of(1))[0].at_least(0.5)
        for flip in (False, True)
    )
    assert flipped.boxes == pytest.approx(plain.boxes, abs=1e-4)
    assert flipped.score == pytest.approx(plain.score)


def network_images(*sizes):
    rng = np.random.default_rng(3)
    return [rng.integers(0, 256, (*size, 3), np.uint8) for size in sizes]


@pytest.fixture(scope="module")
def network():
    return mini("spotnet-multitask").float()


def same(one, other, **tolerance):
    np.testing.assert_allclose(one.boxes, other.boxes, **tolerance)
    np.testing.assert_allclose(one.score, other.score, **tolerance)
    assert one.class_id.tolist() == other.class_id.tolist()


def test_images_of_any_sizes_keep_their_order_and_do_not_touch_each_other(network):
    images = network_images((40, 50), (30, 70), (40, 50), (40, 50), (30, 70))
    together = Predictor(network, SPEC, PredictOptions(batch=2), CPU).predict(images, attention=True)
    for image, found in zip(images, together, strict=True):
        (alone,) = Predictor(network, SPEC, switches=CPU).predict([image], attention=True)
        same(found, alone, rtol=1e-4, atol=1e-4)
        assert found.attention["seg"].shape == image.shape[:2]
        np.testing.assert_allclose(found.attention["seg"], alone.attention["seg"], rtol=1e-4, atol=1e-5)
        assert found.boxes.dtype == found.score.dtype == np.float64
    assert Predictor(network, SPEC, switches=CPU).predict([]) == []


def test_attention_is_the_segmentation_cropped_to_the_image(network):
    (image,) = network_images((40, 50))
    (found,) = Predictor(network, SPEC, switches=CPU).predict([image], attention=True)
    placement = Placement.padded((40, 50), 1, network.multiple)
    assert placement.view.canvas == (48, 64)
    canvas = np.zeros((48, 64, 3), np.uint8)
    canvas[4:44, 7:57] = image
    assert np.array_equal(placement.put(image), canvas)
    seg = Engine(network, CPU).run(canvas[None], attention=True).attention["seg"][0]
    assert np.array_equal(found.attention["seg"], seg[4:44, 7:57])


def test_one_scale_of_1_is_a_single_scale_and_nms_only_lowers_scores(network):
    images = network_images((40, 50))
    plain, listed, thinned = (
        Predictor(network, SPEC, options, CPU).predict(images)[0]
        for options in (PredictOptions(), PredictOptions(scales=(1.0,)), PredictOptions(nms=True))
    )
    same(plain, listed, rtol=0)
    rows = np.column_stack([plain.boxes, plain.score, plain.class_id])
    np.testing.assert_allclose(np.column_stack([thinned.boxes, thinned.score]), soft_nms(rows)[:, :5])
    assert len(thinned) < len(plain)  # fillers have gone


def test_nms_lowers_what_overlaps():
    boxes = np.array([[40.0, 40, 80, 80], [40, 40, 80, 100], [120, 40, 160, 80]])
    network = Oracle([(boxes, np.array([1, 1, 1]))], [Placement.padded((HEIGHT, WIDTH), 1, 64)])
    found = Predictor(network, SPEC, PredictOptions(nms=True), CPU).predict(images_of(1))[0].at_least(0.3)
    assert found.score == pytest.approx([1, 1, np.exp(-((2 / 3) ** 2) / 0.5)], abs=1e-5)


def test_several_scales_are_joined_by_soft_nms(network):
    images = network_images((60, 61))
    singles = [
        Predictor(network, SPEC, PredictOptions(scales=(scale,)), CPU).predict(images)[0]
        for scale in (0.5, 1.0, 1.5)
    ]
    rows = [np.column_stack([one.boxes, one.score, one.class_id]) for one in singles]
    options = PredictOptions(scales=(0.5, 1.0, 1.5))
    (joined,) = Predictor(network, SPEC, options, CPU).predict(images, attention=True)
    expected = soft_nms(np.concatenate(rows))
    np.testing.assert_allclose(np.column_stack([joined.boxes, joined.score, joined.class_id]), expected)
    assert len(joined) <= 100
    assert joined.attention["seg"].shape == (60, 61)


def test_the_flip_test_mirrors_with_the_image():
    # float64 weights would not pass through the engine; a symmetric canvas needs an even width.
    network = mini("spotnet-paper").float()
    image = np.floor(hash_tensors.uniform("flip", 36 * 48 * 3) * 256).astype(np.uint8).reshape(36, 48, 3)
    predictor = Predictor(network, SPEC, PredictOptions(flip=True), CPU)
    plain, mirrored = predictor.predict([image, image[:, ::-1]], attention=True)
    np.testing.assert_allclose(
        mirrored.attention["seg"], plain.attention["seg"][:, ::-1], rtol=1e-3, atol=1e-4
    )
    np.testing.assert_allclose(mirrored.score, plain.score, rtol=1e-4)
    widths = [np.diff(found.boxes[:, [0, 2]])[:10] for found in (plain, mirrored)]
    np.testing.assert_allclose(*widths, rtol=1e-3, atol=1e-3)


def test_switches_do_not_change_what_is_found(network):
    images = network_images((40, 50))
    plain = Predictor(network, SPEC, switches=Switches("cpu", channels_last=False)).predict(images)[0]
    same(Predictor(network, SPEC, switches=CPU).predict(images)[0], plain, rtol=1e-4, atol=1e-4)
    (rough,) = Predictor(network, SPEC, switches=Switches("cpu", bf16=True)).predict(images)
    # Peaks must not become plateaus, which would give the same object several times.
    assert abs(np.count_nonzero(rough.score) - np.count_nonzero(plain.score)) <= 2
    np.testing.assert_allclose(rough.score[:40], plain.score[:40], atol=1e-3)
    np.testing.assert_allclose(rough.boxes[:10], plain.boxes[:10], atol=0.05)


@pytest.mark.parametrize(
    ("size", "scale", "canvas"),
    [
        ((540, 960), 1, (640, 1024)),
        ((540, 1024), 1, (640, 1152)),
        ((512, 512), 1, (640, 640)),
        ((127, 128), 1, (128, 256)),
        ((540, 960), 0.5, (384, 512)),
        ((1, 3), 0.2, (128, 128)),
    ],
)
def test_padding(size, scale, canvas):
    placement = Placement.padded(size, scale, 128)
    assert placement.view.canvas == canvas
    assert placement.put(np.full((*size, 3), 7, np.uint8)).shape == (*canvas, 3)
    corners = transform_boxes(np.array([[0.0, 0, size[1], size[0]]]), placement.matrix)[0]
    assert corners[2:] - corners[:2] == pytest.approx(placement.resized[::-1])


def test_what_cannot_be_done_is_one_line(network):
    def refused(match, **options):
        with pytest.raises(PredictionError, match=match) as caught:
            Predictor(network, SPEC, PredictOptions(**options), CPU)
        assert "\n" not in str(caught.value)

    refused("batch 0", batch=0)
    refused("scales", scales=())
    refused("scales", scales=(1.0, float("nan")))
    refused("canvas 100x128: both sides must be multiples of 16", canvas=(100, 128))
    refused("one scale", canvas=(128, 128), scales=(0.5, 1.0))
    with pytest.raises(PredictionError, match="spotnet-multitask has no attention maps"):
        Predictor(mini("centernet"), SPEC, switches=CPU).predict([], attention=True)
    with pytest.raises(PredictionError, match="expected auto, cpu or cuda"):
        choose_device("gpu")
    with pytest.raises(ValueError, match=r"found float64 \(4, 4, 3\)"):
        Predictor(network, SPEC, switches=CPU).predict([np.zeros((4, 4, 3))])


@pytest.mark.skipif(torch.cuda.is_available(), reason="is about machines without a GPU")
def test_without_a_gpu_auto_is_the_cpu_and_cuda_says_so():
    assert choose_device("auto").type == "cpu"
    with pytest.raises(PredictionError, match="torch finds no GPU here"):
        choose_device("cuda")


def test_weights_that_are_not_finite_are_told():
    for name in ("hm", "seg"):
        broken = mini("spotnet-multitask").float()
        with torch.no_grad():
            getattr(broken, name)[-1][0].conv.weight.fill_(float("nan"))
        with pytest.raises(PredictionError, match="outputs hold NaN or infinity"):
            Predictor(broken, SPEC, switches=CPU).predict(network_images((40, 50)), attention=name == "seg")


class Hungry(Oracle):
    def __init__(self, error):
        super().__init__([], [])
        self.error = error

    def find(self, image, count, **options):
        raise self.error


def test_too_little_memory_says_what_to_change():
    images = images_of(2)
    hungry = Hungry(torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate\nmuch"))
    with pytest.raises(PredictionError) as caught:
        Predictor(hungry, SPEC, PredictOptions(batch=2), CPU).predict(images)
    assert str(caught.value) == (
        "the machine has not enough memory for 2 canvases of 192x256 at a time (use a smaller batch, or bf16)"
    )
    with pytest.raises(RuntimeError, match="something else"):
        Predictor(Hungry(RuntimeError("something else")), SPEC, switches=CPU).predict(images)


# --- the size that a detector wants to see pictures at --------------------------------------------------


class Listener(Detector):
    """Keeps what it is given, and finds the whole picture."""

    multiple = 32

    def __init__(self):
        super().__init__()
        self.attentions = {}
        self.heard = []

    def losses(self, batch):
        raise NotImplementedError

    def find(self, image, count, *, extent=None, flip=False, attention=False):
        self.heard.append((image.clone(), extent))
        boxes = torch.zeros(len(image), count, 4)
        boxes[:, 0, 2:] = (
            extent[:, [1, 0]].float() if extent is not None else torch.tensor(image.shape[:1:-1])
        )
        scores = torch.zeros(len(image), count)
        scores[:, 0] = 0.5
        return Found(boxes, scores, torch.zeros_like(scores).long(), {})


def test_pictures_are_scaled_as_in_training_on_stills():
    network, spec = Listener(), SPEC.model_copy(update={"sides": (60, 90)})
    predictor = Predictor(network, spec, PredictOptions(count=2), CPU)
    image = np.full((40, 50, 3), 255, np.uint8)
    (found,) = predictor.predict([image])
    seen, extent = network.heard[0]
    assert (tuple(seen.shape[2:]), extent.tolist()) == ((64, 96), [[60, 75]])
    assert (seen[:, :, :60, :75] > 0).all()
    assert (seen[:, :, 60:] == 0).all()
    assert (seen[:, :, :, 75:] == 0).all()
    assert found.boxes[0].tolist() == pytest.approx([0, 0, 50, 40])
    predictor.predict([np.zeros((30, 300, 3), np.uint8)])
    assert network.heard[1][1].tolist() == [[9, 90]]  # the longer side decides


def test_a_still_is_seen_in_detection_as_in_training():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (37, 53, 3), np.uint8)
    none = np.zeros((0, 4), np.float32)
    still = Still(image, None, none, np.zeros(0, np.int64), none)
    network = Listener()
    rules = StillRules(60, 90, network.multiple, network.colours, mirror=False)
    batch = stack_stills([make_still_sample(still, rules, np.random.RandomState(0))], network.multiple)
    spec = SPEC.model_copy(update={"sides": (60, 90)})
    Predictor(network, spec, PredictOptions(count=1), CPU).predict([image])
    seen, extent = network.heard[0]
    assert torch.allclose(seen, batch["image"], atol=1e-6)
    assert torch.equal(extent, batch["extent"])


def test_a_model_file_says_at_what_size_it_sees_pictures(tmp_path):
    spec = ModelSpec(preset="faster-rcnn", backbone="small-c4", sides=(600, 1000))
    save_model(tmp_path / "m.safetensors", spec.build(), spec)
    assert load_model(tmp_path / "m.safetensors")[1].sides == (600, 1000)
    assert "sides" not in SPEC.model_dump()
