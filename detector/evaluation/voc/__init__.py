"""Detections in still pictures by the rules of PASCAL VOC."""
