"""Figures of the papers that tables stand beside; those of SpotNet and of ALS on VOC are the program's own.

ALS: Kim & Ro, "Attentive layer separation for object classification and object localization in object
detection", ICIP 2019. IAN: Huang et al., "Improving object detection with inverted attention", WACV 2020.
The paper on LGA-RCNN (arXiv 2104.13763) has no figures.
"""

from __future__ import annotations

Figures = tuple[float, ...]

COCO_COLUMNS = ("AP", "AP50", "APs", "APm", "APl")

ALS_COCO: dict[str, Figures] = {
    "ALS": (36.2, 58.3, 19.7, 40.1, 48.1),
    "R-FCN": (34.4, 56.9, 17.8, 38.7, 47.3),
    "Faster R-CNN, reimplemented": (32.8, 54.0, 12.8, 35.9, 46.8),
    "Faster R-CNN": (31.6, 53.1, 13.2, 35.6, 47.1),
}
"""On minival (val2017), ResNet-101."""

IAN_VOC07: dict[str, Figures] = {
    "Faster R-CNN + IA, ResNet-101, 07+12": (81.1,),
    "Faster R-CNN, ResNet-101, 07+12": (76.4,),
    "Faster R-CNN + IA, VGG16, 07+12": (76.8,),
    "Faster R-CNN, VGG16, 07+12": (73.2,),
    "Faster R-CNN + IA, ResNet-101, 07": (76.5,),
    "Faster R-CNN, ResNet-101, 07": (75.1,),
}
"""11-point mean AP on VOC 2007 test; the paper does not always say which years a baseline was trained on."""

IAN_COCO: dict[str, Figures] = {
    "Faster R-CNN + IA, ResNet-50 FPN": (38.3,),
    "Faster R-CNN, ResNet-50 FPN": (36.2,),
}
"""AP on test-dev; val2017 lies close to it, but is another set."""
