"""The family of CenterNet: network, segmentation head and gate of SpotNet, targets, losses, decoding."""
