"""Sealed HDF5 stores of evidence and masks: written once, whole or not at all, readable with plain h5py."""

from spotlabel.pipeline.store.reader import EvidenceReader, MaskReader
from spotlabel.pipeline.store.schema import BACKGROUND, FOREGROUND, UNKNOWN, FrameState
from spotlabel.pipeline.store.seal import check_seal
from spotlabel.pipeline.store.writer import EvidenceWriter, MaskWriter, StoreInfo

__all__ = [
    "BACKGROUND",
    "FOREGROUND",
    "UNKNOWN",
    "EvidenceReader",
    "EvidenceWriter",
    "FrameState",
    "MaskReader",
    "MaskWriter",
    "StoreInfo",
    "check_seal",
]
