"""Background model of a fixed camera: temporal medians of registered samples."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from spotlabel.labelers.boxbg.cue_planes import SIGMA_STEPS
from spotlabel.labelers.boxbg.median import temporal_median
from spotlabel.labelers.boxbg.registration import STILL, Registrar, Registration
from spotlabel.labelers.boxbg.samples import OCCLUDED, Samples
from spotlabel.labelers.boxbg.settings import BoxbgSettings
from spotlabel.labelers.boxbg.warp import as_bgra, warped

UInt8 = npt.NDArray[np.uint8]
Images = list[UInt8]

_FIRST_SAMPLES = 32
"""Samples from whose median a first background is made, to which all are registered."""
_REFERENCES, _TRIALS = 4, 5
"""Where the camera shakes, one sample is the first reference: so many are tried, each against so many."""
_BLURRING_SHIFT = 1.0
"""Frames displaced by more than this, px, blur their median too much to be a reference."""
_MIN_CORRELATION = 0.35
"""Samples whose fine pattern correlates less with the background's were registered wrongly."""
_MIN_FRAMES = 5
"""Frames that a part of the video must show of a pixel to have a background of its own there."""
_SURE = 2 * 1.2533
"""Two standard errors of a median of n values, in units of their standard deviation over the root of n."""
_FILLED_SIGMA = 12.0
"""Noise of background that nobody saw, grey levels: what surroundings tell is a guess."""


_WHOLE = (slice(None), slice(None))
"""All rows and columns."""


@dataclass(frozen=True)
class Background:
    """Background and noise of a fixed camera, as they change over a video.

    Attributes:
        levels: uint8 (H, W, 3) per part of the video.
        centres: frame number of the middle of each part, rising.
        sigma: uint8 (H, W, 3), standard deviation in quarters of a grey level.
        seen: bool (H, W), false where no frame shows the background and it is filled from around.
        registrar: registers frames to it.
    """

    levels: list[UInt8]
    centres: list[float]
    sigma: UInt8
    seen: npt.NDArray[np.bool_]
    registrar: Registrar

    def at(self, number: int, place: tuple[slice, slice] = _WHOLE) -> UInt8:
        """Background of the moment of a frame, between those of the two nearest parts: uint8 (h, w, 3).

        Args:
            number: of the frame.
            place: rows and columns to give; all by default.
        """
        after = int(np.searchsorted(self.centres, number))
        if after in (0, len(self.centres)):
            return self.levels[self.nearest(number)][place]
        before, behind = self.centres[after - 1], self.centres[after]
        share = (number - before) / (behind - before)
        earlier, later = (self.levels[k][place] for k in (after - 1, after))
        mixed: UInt8 = cv2.addWeighted(earlier, 1 - share, later, share, 0)
        return mixed

    def nearest(self, number: int) -> int:
        """Index of the part of the video whose middle is nearest to a frame's number."""
        return int(np.argmin(np.abs(np.array(self.centres) - number)))

    @cached_property
    def bgra(self) -> list[UInt8]:
        """The levels, uint8 (H, W, 4), for :func:`spotlabel.labelers.boxbg.warp.warped`."""
        return [as_bgra(level) for level in self.levels]


def fit_background(samples: Samples, settings: BoxbgSettings) -> tuple[Background, list[Registration | None]]:
    """Fit the background, registering the samples to it.

    Args:
        samples: at least one frame.
        settings: see :class:`BoxbgSettings`.

    Returns:
        The background, and the registration of every sample on it; None for those that do not show it.
    """
    images, visibility, registrations = _registered(samples, settings)
    centre, sigma, seen = temporal_median(images, visibility)
    registrar = Registrar(centre, seen > 0, settings.stabilise)
    registrar.calibrate(samples.images, samples.visibility, registrations)
    known = seen > 0
    sigma = np.maximum(sigma, np.float32(settings.noise_floor))
    sigma = np.hypot(sigma, np.float32(settings.light_tolerance) * centre)
    sigma = np.hypot(sigma, np.float32(STILL) * _gradient_magnitude(centre))
    sigma[~known] = max(_FILLED_SIGMA, settings.noise_floor)
    centre = fill_unseen(centre, known)
    levels, centres = _window_backgrounds(images, visibility, samples.numbers, centre, settings.windows)
    quarters = np.minimum(np.rint(sigma * SIGMA_STEPS), 255).astype(np.uint8)
    return Background(levels, centres, quarters, known, registrar), registrations


def _registered(
    samples: Samples, settings: BoxbgSettings
) -> tuple[Images, Images, list[Registration | None]]:
    """Samples and their visibility warped to one view and exposure, and their registrations.

    A sample that does not show the background has no registration and counts nowhere as visible.
    """
    images, visibility = list(samples.images), list(samples.visibility)
    some = np.unique(np.linspace(0, len(images) - 1, _FIRST_SAMPLES).astype(int))
    registrar = _median_registrar(images, visibility, some.tolist(), settings)
    registrations: list[Registration | None] = [None] * len(images)
    for k in range(len(images)):
        registration = registrations[k] = _register_sample(registrar, samples, k)
        if registration is None or registration.shift >= _BLURRING_SHIFT:
            registrar = _reference_registrar(samples, settings)  # the median of what moves is blurred
            break
    if all(registration is not None and registration.is_identity for registration in registrations):
        return images, visibility, registrations
    for chosen in (some, np.arange(len(images))):
        for k in chosen.tolist():
            registration = registrations[k] = _register_sample(registrar, samples, k)
            if registration is None:
                visibility[k] = np.full_like(samples.visibility[k], OCCLUDED)
            else:
                images[k], visibility[k] = warp_to_background(
                    samples.images[k], samples.visibility[k], registration
                )
        if len(chosen) < len(images):
            registrar = _median_registrar(images, visibility, chosen.tolist(), settings)
    return images, visibility, registrations


def _reference_registrar(samples: Samples, settings: BoxbgSettings) -> Registrar:
    """Registrar on one sample: of those that show most background in their part of the video, the one that
    correlates best with the others.

    A frame of another view shows much background too, but few frames fit on it.
    """
    shown = np.array([np.count_nonzero(plane) for plane in samples.visibility])
    tried = np.unique(np.linspace(0, len(shown) - 1, _TRIALS).astype(int))
    best, highest = None, -np.inf
    for part in np.array_split(np.arange(len(shown)), min(_REFERENCES, len(shown))):
        k = int(part[np.argmax(shown[part])])
        registrar = Registrar(samples.images[k], samples.visibility[k] != OCCLUDED, settings.stabilise)
        middle = float(np.median([_register_and_correlate(registrar, samples, int(j))[1] for j in tried]))
        if best is None or middle > highest:
            best, highest = registrar, middle
    assert best is not None
    return best


def _register_sample(registrar: Registrar, samples: Samples, k: int) -> Registration | None:
    """Registration of a sample; None if it does not correlate with the background there."""
    registration, correlation = _register_and_correlate(registrar, samples, k)
    return registration if correlation >= _MIN_CORRELATION else None


def _register_and_correlate(registrar: Registrar, samples: Samples, k: int) -> tuple[Registration, float]:
    """Registration of a sample, and the correlation of its fine pattern with the background's, -1 to 1."""
    image, visibility = samples.images[k], samples.visibility[k]
    registration = registrar.register(image, visibility)
    return registration, registrar.correlation(image, visibility, registration)


def _median_registrar(
    images: Images, visibility: Images, some: list[int], settings: BoxbgSettings
) -> Registrar:
    """Registrar on the temporal median of some samples."""
    centre, _, seen = temporal_median([images[k] for k in some], [visibility[k] for k in some])
    return Registrar(centre, seen > 0, settings.stabilise)


def _gradient_magnitude(image: UInt8) -> npt.NDArray[np.float32]:
    """Gradient of each channel, grey levels per px: float32 (H, W, 3)."""
    x, y = (cv2.Sobel(image, cv2.CV_32F, *order, scale=1 / 8) for order in ((1, 0), (0, 1)))
    magnitude: npt.NDArray[np.float32] = np.hypot(x, y)
    return magnitude


def warp_to_background(image: UInt8, visibility: UInt8, registration: Registration) -> tuple[UInt8, UInt8]:
    """A frame and its visibility in view and exposure of the background; occluded where it saw nothing."""
    image = image if registration.is_identity else registration.with_background_exposure(image)
    if registration.still:
        return image, visibility
    size, nearest = (image.shape[1], image.shape[0]), cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    plane = cv2.warpAffine(visibility, registration.matrix, size, flags=nearest, borderValue=OCCLUDED)
    return warped(as_bgra(image), registration.matrix, size, inverse=True), plane


def _window_backgrounds(
    images: Images, visibility: Images, numbers: list[int], whole: UInt8, windows: int
) -> tuple[list[UInt8], list[float]]:
    """Background of each part of the video, and the frame number of the middle of each.

    A part's own median is taken where it rests on enough frames and differs from the whole video's by more
    than its own uncertainty; else the whole video's is the better estimate.
    """
    count = len(numbers)
    windows = min(windows, count // _MIN_FRAMES)
    if windows < 2:
        return [whole], [float(np.mean(numbers))]
    levels, centres = [], []
    for chosen in np.array_split(np.arange(count), windows):
        part = slice(int(chosen[0]), int(chosen[-1]) + 1)
        centre, sigma, seen = temporal_median(images[part], visibility[part])
        sigma = np.maximum(sigma, np.float32(1))
        uncertainty = _SURE * sigma / np.sqrt(np.maximum(seen, 1))[..., None]
        own = (seen >= _MIN_FRAMES)[..., None] & (cv2.absdiff(centre, whole) > uncertainty)
        levels.append(np.where(own, centre, whole))
        centres.append(float(np.mean([numbers[k] for k in chosen])))
    return levels, centres


def fill_unseen(image: UInt8, known: npt.NDArray[np.bool_]) -> UInt8:
    """Inpaint unseen pixels from those around them, near ones first: averages on coarser and coarser grids.

    Args:
        image: uint8 (H, W, 3).
        known: bool (H, W), seen by some frame.
    """
    if known.all() or not known.any():
        return image
    weight = known.astype(np.float32)
    values = image.astype(np.float32) * weight[..., None]
    pyramid = [(values, weight)]
    while min(weight.shape) > 1 and not (weight > 0).all():
        size = (-(-weight.shape[1] // 2), -(-weight.shape[0] // 2))
        values, weight = (cv2.resize(plane, size, interpolation=cv2.INTER_AREA) for plane in (values, weight))
        pyramid.append((values, weight))
    coarse = pyramid[-1][0] / np.maximum(pyramid[-1][1], 1e-6)[..., None]
    for values, weight in pyramid[-2::-1]:
        coarse = cv2.resize(coarse, weight.shape[::-1], interpolation=cv2.INTER_LINEAR)
        own = values / np.maximum(weight, 1e-6)[..., None]
        coarse = np.where((weight > 0)[..., None], own, coarse)
    return np.asarray(np.rint(np.clip(coarse, 0, 255)), np.uint8)
