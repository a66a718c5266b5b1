"""Sealed HDF5 stores of evidence and masks: written once, whole or not at all, readable with plain h5py."""

from pipeline.store.reader import EvidenceReader, MaskReader
from pipeline.store.schema import BACKGROUND, FOREGROUND, UNKNOWN, FrameState
from pipeline.store.seal import check_seal, clear_partials
from pipeline.store.writer import EvidenceWriter, MaskWriter, StoreInfo

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
    "clear_partials",
]
