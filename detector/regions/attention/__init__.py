"""Attentions of region-based detectors: ALS on the whole map, IAN and LGA-RCNN on the features of RoIs."""
