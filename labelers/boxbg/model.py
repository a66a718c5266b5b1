"""The background of a fixed camera at any moment of a video, from sampled frames."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from spotlabel.labelers.boxbg.median import robust_fit
from spotlabel.labelers.boxbg.planes import SIGMA_STEPS
from spotlabel.labelers.boxbg.pose import STILL, Pose, PoseFinder
from spotlabel.labelers.boxbg.samples import HIDDEN, Samples
from spotlabel.labelers.boxbg.settings import BoxbgSettings
from spotlabel.labelers.boxbg.warp import moved, widened

UInt8 = npt.NDArray[np.uint8]
Images = list[UInt8]

_ROUGH = 32
"""Samples from which a first background is made, to which all are registered."""
_ANCHORS, _TRIED = 4, 5
"""Frames of which one is chosen to begin with where frames move, and frames on which each is tried."""
_BLURRING = 1.0
"""Frames displaced by more than this, px, blur their median too much to begin with it."""
_LIKE = 0.35
"""Samples whose pattern correlates less with the background's are not where they were found."""
_WEAK_WINDOW = 5
"""Frames that a part of the video must show of a pixel to have a background of its own there."""
_SURE = 2 * 1.2533
"""Two standard errors of a median of n values, in units of their standard deviation over the root of n."""
_FILLED_SIGMA = 12.0
"""Noise of background that nobody saw, grey levels: what surroundings tell is a guess."""


_WHOLE = (slice(None), slice(None))
"""All rows and columns."""


@dataclass(frozen=True)
class Background:
    """What is behind everything that has a box.

    Attributes:
        levels: uint8 (H, W, 3) per part of the video.
        centres: frame number of the middle of each part, rising.
        sigma: uint8 (H, W, 3), standard deviation in quarters of a grey level.
        seen: bool (H, W), false where no frame shows the background and it is filled from around.
        finder: finds the pose of a frame.
    """

    levels: list[UInt8]
    centres: list[float]
    sigma: UInt8
    seen: npt.NDArray[np.bool_]
    finder: PoseFinder

    def at(self, number: int, place: tuple[slice, slice] = _WHOLE) -> UInt8:
        """Background of the moment of a frame, between those of the two nearest parts: uint8 (h, w, 3).

        Args:
            number: of the frame.
            place: rows and columns to give; all if not told.
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
        """Which part of the video has the middle that is nearest."""
        return int(np.argmin(np.abs(np.array(self.centres) - number)))

    @cached_property
    def wide(self) -> list[UInt8]:
        """The levels, uint8 (H, W, 4), for :func:`spotlabel.labelers.boxbg.warp.moved`."""
        return [widened(level) for level in self.levels]


def fit_background(samples: Samples, settings: BoxbgSettings) -> tuple[Background, list[Pose | None]]:
    """Fit the background, registering the samples to it.

    Args:
        samples: at least one frame.
        settings: see :class:`BoxbgSettings`.

    Returns:
        The background, and the pose of every sample on it; None for those that have no place there.
    """
    images, sight, poses = _registered(samples, settings)
    centre, sigma, seen = robust_fit(images, sight)
    finder = PoseFinder(centre, seen > 0, settings.stabilise)
    finder.expect(samples.images, samples.sight, poses)
    known = seen > 0
    sigma = np.maximum(sigma, np.float32(settings.noise_floor))
    sigma = np.hypot(sigma, np.float32(settings.light_tolerance) * centre)
    sigma = np.hypot(sigma, np.float32(STILL) * _steepness(centre))
    sigma[~known] = max(_FILLED_SIGMA, settings.noise_floor)
    centre = filled(centre, known)
    levels, centres = _parts(images, sight, samples, centre, settings.windows)
    quarters = np.minimum(np.rint(sigma * SIGMA_STEPS), 255).astype(np.uint8)
    return Background(levels, centres, quarters, known, finder), poses


def _registered(samples: Samples, settings: BoxbgSettings) -> tuple[Images, Images, list[Pose | None]]:
    """Samples and sight in one place and exposure, and their poses there.

    What has no place there has no pose, and is hidden.
    """
    images, sight = list(samples.images), list(samples.sight)
    some = np.unique(np.linspace(0, len(images) - 1, _ROUGH).astype(int))
    finder = _finder(images, sight, some.tolist(), settings)
    poses = [_placed(finder, samples, k) for k in range(len(images))]
    if all(pose is not None and pose.unchanged for pose in poses):
        return images, sight, poses
    if not all(pose is not None and pose.shift < _BLURRING for pose in poses):
        finder = _anchor(samples, settings)  # the median of what moves is blurred
    for chosen in (some, np.arange(len(images))):
        for k in chosen.tolist():
            pose = poses[k] = _placed(finder, samples, k)
            if pose is None:
                sight[k] = np.full_like(samples.sight[k], HIDDEN)
            else:
                images[k], sight[k] = brought_back(samples.images[k], samples.sight[k], pose)
        if len(chosen) < len(images):
            finder = _finder(images, sight, chosen.tolist(), settings)
    return images, sight, poses


def _anchor(samples: Samples, settings: BoxbgSettings) -> PoseFinder:
    """Finder on one frame: of those that show most background in their part of the video, the one like most.

    A frame of another view shows much background too, but few frames fit on it.
    """
    shown = np.array([np.count_nonzero(plane) for plane in samples.sight])
    tried = np.unique(np.linspace(0, len(shown) - 1, _TRIED).astype(int))
    best, most = None, -np.inf
    for part in np.array_split(np.arange(len(shown)), min(_ANCHORS, len(shown))):
        k = int(part[np.argmax(shown[part])])
        finder = PoseFinder(samples.images[k], samples.sight[k] != HIDDEN, settings.stabilise)
        middle = float(np.median([_likeness(finder, samples, int(j))[1] for j in tried]))
        if best is None or middle > most:
            best, most = finder, middle
    assert best is not None
    return best


def _placed(finder: PoseFinder, samples: Samples, k: int) -> Pose | None:
    """Pose of a sample; None if it does not look like the background there: it would poison a median."""
    pose, likeness = _likeness(finder, samples, k)
    return pose if likeness >= _LIKE else None


def _likeness(finder: PoseFinder, samples: Samples, k: int) -> tuple[Pose, float]:
    image, sight = samples.images[k], samples.sight[k]
    pose = finder.find(image, sight)
    return pose, finder.likeness(image, sight, pose)


def _finder(images: Images, sight: Images, some: list[int], settings: BoxbgSettings) -> PoseFinder:
    """Finder on the median of some samples."""
    centre, _, seen = robust_fit([images[k] for k in some], [sight[k] for k in some])
    return PoseFinder(centre, seen > 0, settings.stabilise)


def _steepness(image: UInt8) -> npt.NDArray[np.float32]:
    """Gradient of each channel, grey levels per px: float32 (H, W, 3)."""
    x, y = (cv2.Sobel(image, cv2.CV_32F, *order, scale=1 / 8) for order in ((1, 0), (0, 1)))
    steepness: npt.NDArray[np.float32] = np.hypot(x, y)
    return steepness


def brought_back(image: UInt8, sight: UInt8, pose: Pose) -> tuple[UInt8, UInt8]:
    """A frame and its sight in the place and exposure of the background."""
    image = image if pose.unchanged else pose.unexposed(image)
    if pose.still:
        return image, sight
    size, nearest = (image.shape[1], image.shape[0]), cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    plane = cv2.warpAffine(sight, pose.matrix, size, flags=nearest, borderValue=HIDDEN)
    return moved(widened(image), pose.matrix, size, inverse=True), plane


def _parts(
    images: Images,
    sight: Images,
    samples: Samples,
    whole: UInt8,
    windows: int,
) -> tuple[list[UInt8], list[float]]:
    """Background of each part of the video, and the middle of each.

    A part's own median is believed where it rests on enough frames and differs from the whole video's by more
    than its own uncertainty; else the whole video's is the better estimate.
    """
    count = len(samples.numbers)
    windows = min(windows, count // _WEAK_WINDOW)
    if windows < 2:
        return [whole], [float(np.mean(samples.numbers))]
    levels, centres = [], []
    for chosen in np.array_split(np.arange(count), windows):
        part = slice(int(chosen[0]), int(chosen[-1]) + 1)
        centre, sigma, seen = robust_fit(images[part], sight[part])
        sigma = np.maximum(sigma, np.float32(1))
        doubt = _SURE * sigma / np.sqrt(np.maximum(seen, 1))[..., None]
        own = (seen >= _WEAK_WINDOW)[..., None] & (cv2.absdiff(centre, whole) > doubt)
        levels.append(np.where(own, centre, whole))
        centres.append(float(np.mean([samples.numbers[k] for k in chosen])))
    return levels, centres


def filled(image: UInt8, known: npt.NDArray[np.bool_]) -> UInt8:
    """Unknown pixels from the known ones around them, near ones first: averages on coarser and coarser grids.

    Args:
        image: uint8 (H, W, 3).
        known: bool (H, W).
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
