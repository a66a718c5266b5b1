"""Pictures of a VOCdevkit year, with masks of their objects where VOC or SBD drew some."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spotlabel.detector.data.labelled import ClassMap
from spotlabel.detector.data.stills.boxes import fit
from spotlabel.detector.data.stills.picture import FOREGROUND, UNKNOWN, MaskSource, Picture, UInt8
from spotlabel.detector.data.stills.sbd import SbdTree
from spotlabel.detector.data.stills.voc_tree import VOC_CLASSES, VocTree
from spotlabel.pipeline.datasets.native import NativeBoxes
from spotlabel.pipeline.datasets.voc_xml import ORIGIN, VocFile, read_voc
from spotlabel.pipeline.errors import DatasetError, FrameError
from spotlabel.pipeline.frames import decode_image
from spotlabel.pipeline.inputs import read_input
from spotlabel.pipeline.validation import nearest

VOID = 255


def _palette() -> UInt8:
    """VOC's colours, uint8 (256, 3) BGR.

    Bits 0, 3, 6 of a number are the three highest bits of red, 1, 4, 7 those of green, 2 and 5 those of blue.
    """
    numbers = np.arange(256)
    colours = np.zeros((256, 3), np.uint8)
    for bit in range(8):
        for channel, place in ((2, 0), (1, 1), (0, 2)):
            colours[:, channel] |= (((numbers >> (3 * bit + place)) & 1) << (7 - bit)).astype(np.uint8)
    return colours


_PALETTE = _palette()


@dataclass(frozen=True)
class VocMask:
    """A PNG of ``SegmentationObject``, with VOC's palette or as grey.

    0 is background, 255 void (borders, and objects too hard to outline), which is unknown; all else objects.
    """

    path: Path

    def read(self, size: tuple[int, int]) -> UInt8:
        """The mask: uint8 (H, W).

        Raises:
            DatasetError: cannot be read, has another size, or colours that are not VOC's.
        """
        try:
            pixels = decode_image(read_input(self.path), str(self.path), "convert")
        except OSError as error:
            raise DatasetError.at(self.path, "", f"cannot be read: {error.strerror or error}") from error
        except FrameError as error:
            raise DatasetError(str(error)) from error
        if pixels.shape[:2] != size:
            height, width = pixels.shape[:2]
            problem = f"has {width} x {height} pixels, but the picture {size[1]} x {size[0]}"
            raise DatasetError.at(self.path, "", problem)
        return self._values(pixels)

    def _values(self, pixels: UInt8) -> UInt8:
        if all(np.array_equal(pixels[:, :, 0], pixels[:, :, channel]) for channel in (1, 2)):
            numbers = pixels[:, :, 0].astype(np.int64)  # stored as grey, or nothing but background
        else:
            numbers = _numbers(pixels)
            if (numbers < 0).any():
                raise DatasetError.at(self.path, "", "holds colours that are not in VOC's palette")
        mask = np.where(numbers > 0, FOREGROUND, np.uint8(0))
        mask[numbers == VOID] = UNKNOWN
        return mask


def _numbers(pixels: UInt8) -> np.typing.NDArray[np.int64]:
    """Palette numbers of BGR pixels, int64 (H, W); -1 for other colours."""
    weights = np.array([1 << 16, 1 << 8, 1])
    codes, known = pixels.astype(np.int64) @ weights, _PALETTE.astype(np.int64) @ weights
    order = np.argsort(known)
    place = np.minimum(np.searchsorted(known[order], codes), len(known) - 1)
    numbers = order[place]
    return np.where(known[numbers] == codes, numbers, -1)


def voc_pictures(
    root: Path,
    split: str,
    classes: ClassMap,
    *,
    names: tuple[str, ...] = VOC_CLASSES,
    sbd: Path | None = None,
) -> list[Picture]:
    """Pictures of a year, with the objects that are not difficult; difficult ones are ignore regions.

    Masks hold objects of every class, be it left out or not.

    Args:
        root: folder of the year, ``VOCdevkit/VOC2007``.
        split: list of ``ImageSets/Main``, without suffix.
        classes: the detector's classes; boxes of others are left out.
        names: the classes that annotation files may name.
        sbd: ``benchmark_RELEASE``, whose masks are taken where it has some; then VOC's own, then none.

    Raises:
        DatasetError: a list or annotation file cannot be used, or names a class that is not in ``names``.
    """
    tree = VocTree(root)
    outlines = SbdTree(sbd) if sbd else None
    return [_picture(tree, name, classes, names, outlines) for name in tree.names(split)]


def _picture(
    tree: VocTree, name: str, classes: ClassMap, names: tuple[str, ...], outlines: SbdTree | None
) -> Picture:
    path = tree.annotation(name)
    file = read_voc(path)
    if file.size is None:
        raise DatasetError.at(path, "size", "is missing, expected height and width of the picture")
    _check_classes(path, file, names)
    # A box of a difficult object is an ignore region, whatever its class.
    rects, difficult = file.boxes.rects, file.difficult
    plain = NativeBoxes(
        rects.select(~difficult),
        file.boxes.class_id[~difficult],
        file.boxes.track_id[~difficult],
        file.boxes.flags[~difficult],
        file.boxes.class_names,
    )
    fitted = fit(plain, rects.select(difficult), file.size, ORIGIN, classes)
    return Picture(tree.image(name), file.size, *fitted, mask=_mask(tree, name, outlines))


def _check_classes(path: Path, file: VocFile, names: tuple[str, ...]) -> None:
    for k, name in enumerate(file.boxes.class_names):
        if name not in names:
            where = file.boxes.rects.where(int(np.argmax(file.boxes.class_id == k)))
            raise DatasetError.at(path, where, f"name is {name[:40]!r}; {nearest(name, names)}")


def _mask(tree: VocTree, name: str, outlines: SbdTree | None) -> MaskSource | None:
    drawn = outlines.mask(name) if outlines else None
    if drawn is None and tree.objects(name).is_file():
        return VocMask(tree.objects(name))
    return drawn
