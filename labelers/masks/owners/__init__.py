"""Owners: for every foreground pixel of a mask, the box that it belongs to. Arrays only, no frame is read."""

from spotlabel.labelers.masks.owners.decide import FrameOwners
from spotlabel.labelers.masks.owners.plane import NO_OWNER, OwnerPlane, Runs, owner_plane
from spotlabel.labelers.masks.owners.window import Claimed, with_owners

__all__ = ["NO_OWNER", "Claimed", "FrameOwners", "OwnerPlane", "Runs", "owner_plane", "with_owners"]
