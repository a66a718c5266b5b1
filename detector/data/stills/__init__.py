"""Still pictures to train on: PASCAL VOC, SBD, COCO, and frames of labelled videos taken one by one."""
