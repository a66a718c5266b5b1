"""What a detector may ask of a backbone."""

from __future__ import annotations

from torch import Tensor, nn


class Backbone(nn.Module):
    """Image in, one or more feature maps of equal shape out.

    Attributes:
        channels: channels of every feature map.
        maps: number of feature maps; each is supervised in training, the last one serves inference.
        stride: input pixels per feature cell.
        multiple: height and width of the input must be multiples of this.
    """

    def __init__(self, channels: int, maps: int, stride: int, multiple: int) -> None:
        super().__init__()
        self.channels = channels
        self.maps = maps
        self.stride = stride
        self.multiple = multiple

    def forward(self, image: Tensor) -> list[Tensor]:
        """Feature maps [B, channels, H/stride, W/stride], ``maps`` of them, of an image [B, 3, H, W]."""
        raise NotImplementedError
