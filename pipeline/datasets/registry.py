"""Dataset readers by name: ours, and those of other packages."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from spotlabel.labelers.plugins import load_plugins
from spotlabel.pipeline.datasets.base import Reader
from spotlabel.pipeline.validation import nearest

ENTRY_POINT_GROUP = "spotlabel.datasets"

_BUILTIN = {
    "cdnet": "spotlabel.pipeline.datasets.cdnet:READER",
    "coco": "spotlabel.pipeline.datasets.coco:READER",
    "cvat": "spotlabel.pipeline.datasets.cvat:READER",
    "davis": "spotlabel.pipeline.datasets.davis:READER",
    "mot": "spotlabel.pipeline.datasets.mot:READER",
    "sbi": "spotlabel.pipeline.datasets.cdnet:SBI_READER",
    "synthetic": "spotlabel.pipeline.datasets.synthetic:READER",
    "ua-detrac": "spotlabel.pipeline.datasets.ua_detrac:READER",
    "uavdt": "spotlabel.pipeline.datasets.uavdt:READER",
    "video": "spotlabel.pipeline.datasets.video:READER",
    "visdrone": "spotlabel.pipeline.datasets.visdrone:READER",
    "voc": "spotlabel.pipeline.datasets.voc:READER",
    "yolo": "spotlabel.pipeline.datasets.yolo:READER",
}


def reader_names() -> list[str]:
    """Names of all readers there are: ours, then those of other packages."""
    others = (name for name, thing in _third_party().items() if isinstance(thing, Reader))
    return [*_BUILTIN, *(name for name in others if name not in _BUILTIN)]


@cache
def _third_party() -> dict[str, object]:
    return load_plugins(ENTRY_POINT_GROUP)


def load_reader(name: str) -> Reader:
    """The reader a recipe names.

    Raises:
        KeyError: no such reader; the text says which there are.
    """
    reader = _builtin(name) if name in _BUILTIN else _third_party().get(name)
    if not isinstance(reader, Reader):
        raise KeyError(f"{name!r} is no dataset reader; {nearest(name, reader_names())}")
    return reader


def _builtin(name: str) -> object:
    module, _, attribute = _BUILTIN[name].partition(":")
    return getattr(import_module(module), attribute)
