"""Figures of the SpotNet paper (Perreault et al., CRV 2020, tables I and II), to stand beside ours."""

from __future__ import annotations

from collections.abc import Mapping

from spotlabel.detector.evaluation.traffic.files import Benchmark

UA_DETRAC_COLUMNS = ("overall", "easy", "medium", "hard", "cloudy", "night", "rainy", "sunny")

_UA_DETRAC: dict[str, tuple[float, ...]] = {
    "SpotNet": (86.80, 97.58, 92.57, 76.58, 89.38, 89.53, 80.93, 91.42),
    "SpotNet, no attention": (84.57, 96.72, 90.85, 73.16, 86.53, 88.76, 78.84, 90.10),
    "CenterNet": (83.48, 96.50, 90.15, 71.46, 85.01, 88.82, 77.78, 88.73),
    "FG-BR_Net": (79.96, 93.49, 83.60, 70.78, 87.36, 78.42, 70.50, 89.8),
    "HAT": (78.64, 93.44, 83.09, 68.04, 86.27, 78.00, 67.97, 88.78),
    "GP-FRCNNm": (77.96, 92.74, 82.39, 67.22, 83.23, 77.75, 70.17, 86.56),
    "R-FCN": (69.87, 93.32, 75.67, 54.31, 74.38, 75.09, 56.21, 84.08),
    "EB": (67.96, 89.65, 73.12, 53.64, 72.42, 73.93, 53.40, 83.73),
    "Faster R-CNN": (58.45, 82.75, 63.05, 44.25, 66.29, 69.85, 45.16, 62.34),
    "YOLOv2": (57.72, 83.28, 62.25, 42.44, 57.97, 64.53, 47.84, 69.75),
    "RN-D": (54.69, 80.98, 59.13, 39.23, 59.88, 54.62, 41.11, 77.53),
    "3D-DETnet": (53.30, 66.66, 59.26, 43.22, 63.30, 52.90, 44.27, 71.26),
}

_UAVDT: dict[str, tuple[float, ...]] = {
    "SpotNet": (52.80,),
    "CenterNet": (51.18,),
    "LRF-NET": (37.81,),
    "R-FCN": (34.35,),
    "SSD": (33.62,),
    "Faster R-CNN": (22.32,),
    "RON": (21.59,),
}

CDNET_VIDEOS = ("highway", "traffic", "boulevard")
"""Videos that the paper's mean F is over."""

CDNET = {
    "PAWCS": 0.872,
    "SuBSENSE": 0.831,
    "SpotNet": 0.806,
    "SGMM": 0.766,
    "KNN": 0.731,
    "GMM": 0.709,
}
"""Mean F-measure over :data:`CDNET_VIDEOS` by method (the paper's comparison with background subtraction)."""


def published(benchmark: Benchmark) -> dict[str, Mapping[str, float]]:
    """AP in percent at IoU 0.7, by method and by subset name."""
    rows, columns = (_UA_DETRAC, UA_DETRAC_COLUMNS) if benchmark == "ua-detrac" else (_UAVDT, ("overall",))
    return {method: dict(zip(columns, figures, strict=True)) for method, figures in rows.items()}
