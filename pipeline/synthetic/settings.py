"""Settings of a rendered scene."""

from __future__ import annotations

from pydantic import Field

from spotlabel.labelers.base import Settings
from spotlabel.pipeline.sequence import Camera


class SceneSettings(Settings):
    """What one rendered scene shows; every effect has a strength and is absent at 0 or false.

    Metres and seconds are those of the scene's world; a frame shows the moment ``index / fps``.
    With ``density=0``, ``parked_car``, ``starter`` and ``ignored_region`` false and ``noise``, ``jitter``,
    ``drift`` and ``foliage`` 0, a fixed camera gives the same frame for ever.
    """

    seed: int = Field(default=0, ge=0, lt=2**63)
    """Decides layout, vehicles and noise."""
    width: int = Field(default=480, ge=32, le=4096)
    """Width of the picture, pixels."""
    height: int = Field(default=270, ge=32, le=4096)
    """Height of the picture, pixels; its geometry scales with ``sqrt(width * height)``."""
    frames: int = Field(default=200, ge=1, le=1_000_000)
    """Number of frames."""
    camera: Camera = Camera.FIXED
    """A traffic camera over a street, or a drone over a district."""
    fps: float = Field(default=25.0, gt=0, le=1000)
    """Frames per second of scene time; a smaller value makes everything faster in pixels per frame."""
    speed: float = Field(default=11.0, ge=0, le=60)
    """Mean speed of the traffic, m/s; 0 is a standstill."""
    density: float = Field(default=0.5, ge=0, le=1)
    """Share of the places in the lanes that hold a vehicle; 0 is an empty road."""
    noise: float = Field(default=2.5, ge=0, le=40)
    """Sensor noise, standard deviation in grey levels, new in each frame, pixel and channel."""
    blur: float = Field(default=0.5, ge=0, le=4)
    """Softness of the lens: standard deviation of a Gaussian, pixels; the truth stays sharp."""
    shadows: float = Field(default=0.55, ge=0, le=1)
    """Share of the light that shadows of vehicles and scenery take away; 0 is an overcast day."""
    jitter: float = Field(default=0.3, ge=0, le=8)
    """Shake of the camera, standard deviation in pixels per axis, new in each frame, at most 3 deviations."""
    drift: float = Field(default=0.06, ge=0, le=0.5)
    """Amplitude of the slow exposure change, relative."""
    foliage: float = Field(default=0.5, ge=0, le=1)
    """Strength of the wind in the trees."""
    parked_car: bool = True
    """A car arrives, parks at the kerb after 35 % of the frames and stays (fixed camera only)."""
    starter: bool = True
    """A car stands at the kerb from the first frame and drives off after half of them (fixed camera only)."""
    ignored_region: bool = True
    """A car park whose standing and moving cars nobody annotated."""
    occluders: bool = True
    """Objects in front of the traffic: lamp posts, a sign and trees."""
    distractors: int = Field(default=0, ge=0, le=12)
    """Vehicle-looking things away from the road, never annotated and never in the truth: cars on roofs, on
    lawns, and pictures of cars on posters."""
    pan: float = Field(default=4.0, ge=-60, le=60)
    """Speed of the drone over the ground, m/s (moving camera only)."""
    zoom: float = Field(default=0.12, ge=0, le=0.4)
    """Amplitude of the zoom, relative to the focal length (moving camera only)."""
    rotation: float = Field(default=3.0, ge=-90, le=90)
    """Turn of the drone about the vertical axis, degrees per second (moving camera only)."""
