"""Pictures of labels: image, evidence, mask and boxes, for people to judge."""
