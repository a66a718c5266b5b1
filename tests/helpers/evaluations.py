"""Ground truth and detections from literal rows."""

import numpy as np

from spotlabel.detector.evaluation.records import Detections, Truth


def truth(*rows, regions=(), frames=None, name="S", **more):
    table = np.array(rows, np.float64).reshape(-1, 5)
    areas = np.array(regions, np.float64).reshape(-1, 5)
    last = int(table[:, 0].max(initial=1)) if frames is None else frames
    return Truth(
        name,
        last,
        table[:, 0].astype(np.int64),
        table[:, 1:],
        areas[:, 0].astype(np.int64),
        areas[:, 1:],
        **more,
    )


def found(*rows):
    table = np.array(rows, np.float64).reshape(-1, 6)
    return Detections(table[:, 0].astype(np.int64), table[:, 1:5], table[:, 5])
