"""Published VOC 2007 figures to stand beside ours."""

from __future__ import annotations

from spotlabel.detector.data.stills.voc_tree import VOC_CLASSES

_ALS = (
    82.1, 88.7, 81.6, 74.2, 69.4, 86.8, 88.5, 89.9, 67.1, 85.1, 77.2,
    84.4, 85.1, 84.0, 76.1, 53.2, 79.6, 80.9, 87.7, 82.2,
)  # fmt: skip

ALS_CLASSES = dict(zip(VOC_CLASSES, _ALS, strict=True))
"""11-point AP in percent of attentive layer separation (ALS), ResNet-101, on VOC 2007 test, by class."""

MEANS = {
    "ALS": 80.1,
    "ALS, split without attention": 79.1,
    "R-FCN": 79.5,
    "SSD512": 79.5,
    "LED300": 78.7,
    "MR-CNN": 78.2,
    "SSD300": 77.5,
    "Faster R-CNN, ResNet-101, reimplemented for ALS": 77.2,
    "Faster R-CNN, ResNet-101": 76.4,
    "Faster R-CNN, VGG16": 73.2,
}
"""Mean 11-point AP in percent on VOC 2007 test by method, as the paper on ALS lists them."""
